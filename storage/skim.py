"""What the head of a segment tells of its ticks without a value of them: who was heard, when, and of what."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.segments import Head

Times = NDArray[np.int64]


class Heard(NamedTuple):
    """Of one source: the seq of its first tick, its earliest and its latest time, and the time of the tick
    that came last (µs)."""

    seq: int
    source: str
    first: int
    last: int
    at: int


class Skim(NamedTuple):
    """Of a segment: its sources in the order in which they were heard, and of each series in it whose it is
    (a place in `heard`), and its earliest and its latest time (µs)."""

    segment: int
    last_seq: int
    heard: list[Heard]
    ids: Times
    owners: Times
    firsts: Times
    lasts: Times


def skim(segment: int, head: Head) -> Skim:
    order = np.argsort(head.shape_of, kind="stable")
    shapes, begins = np.unique(head.shape_of[order], return_index=True)
    ats, seqs = head.ats[order], head.seqs[order]
    ends = np.append(begins[1:], len(order)) - 1
    firsts, lasts = np.minimum.reduceat(ats, begins), np.maximum.reduceat(ats, begins)
    heard: dict[str, Heard] = {}
    newest: dict[str, int] = {}
    for place, begin, end in zip(range(len(shapes)), begins.tolist(), ends.tolist(), strict=True):
        source = head.shapes[int(shapes[place])].source
        one = Heard(int(seqs[begin]), source, int(firsts[place]), int(lasts[place]), int(ats[end]))
        known = heard.get(source)
        if known is not None:
            one = Heard(
                min(known.seq, one.seq),
                source,
                min(known.first, one.first),
                max(known.last, one.last),
                one.at if seqs[end] > newest[source] else known.at,
            )
        heard[source] = one
        newest[source] = max(int(seqs[end]), newest.get(source, 0))
    told = sorted(heard.values())
    place_of = {one.source: place for place, one in enumerate(told)}
    named = [head.shapes[int(shape)] for shape in shapes]
    lengths = [len(shape.ids) for shape in named]
    all_ids = np.concatenate([shape.ids for shape in named]).astype(np.int64)
    ids, places = np.unique(all_ids, return_inverse=True)
    owners = np.zeros(len(ids), np.int64)
    owners[places] = np.repeat([place_of[shape.source] for shape in named], lengths)
    low = np.full(len(ids), np.iinfo(np.int64).max)
    high = np.zeros(len(ids), np.int64)
    np.minimum.at(low, places, np.repeat(firsts, lengths))
    np.maximum.at(high, places, np.repeat(lasts, lengths))
    return Skim(segment, int(head.seqs[-1]), told, ids, owners, low, high)
