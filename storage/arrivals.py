"""In which order things came, beside the times they bear; no value of them is read.

A late sample bears a time long before its place in the log. So "what was known at T" is a seq, and what came
behind it is not mixed in, whatever its time says.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from storage.archive import META, Archive, Segment
from storage.engine import Plan
from storage.segments import Head

LOOKED_INTO = 4
"""Segments of either end that are looked into, of those whose times reach around a moment: late samples stretch
some, and one from the future stretches all of the past."""
ROWS = 8
"""Rows looked at on either side of a moment: facts, where the ticks are sealed."""
HOT = 5_000
"""Rows looked at of what is not sealed, the newest."""
RUN = 2
"""Segments looked into for one page of arrivals."""

ROW = "SELECT seq, at, source, type FROM events"


class Arrival(NamedTuple):
    seq: int
    at: int
    source: str
    type: str


class AsOf(NamedTuple):
    """What a reader has to know who wants samples up to a seq only. `newest` is the latest time among them (0:
    there are none), `ats` is the time of the tick of each source that came last, where that was lately, and
    `late` are the spans of time (both ends inside) in which some came behind that seq."""

    newest: int
    ats: dict[str, int]
    late: list[tuple[int, int]]


def near(archive: Archive, at: int, source: str | None) -> Plan[list[Arrival]]:
    """Arrivals of a source, or of all, on both sides of a moment, in order of seq."""
    around = yield (
        "SELECT id FROM segments INDEXED BY segments_at WHERE start_at <= ? AND end_at >= ?",
        (at, at),
    )
    ids = sorted(id_ for (id_,) in around)
    ids = ids[:LOOKED_INTO] + ids[-LOOKED_INTO:]
    [(before,)] = yield (
        "SELECT max(id) FROM segments INDEXED BY segments_at WHERE end_at < ?",
        (at,),
    )
    if before is not None:
        ids += [before, before + 1]
    marks = ",".join("?" * len(ids))
    found = yield f"{META} WHERE id IN ({marks})", tuple(ids)
    segments = [Segment._make(row) for row in found]
    sleeves = yield from archive.heads(segments)
    told = {one for sleeve in sleeves.values() for one in _ticks(sleeve.head, source)}
    theirs, named = ("", ()) if source is None else (" AND source = ?", (source,))
    for side in (f"at <= ?{theirs} ORDER BY at DESC", f"at > ?{theirs} ORDER BY at"):
        told.update(map(Arrival._make, (yield f"{ROW} WHERE {side} LIMIT ?", (at, *named, ROWS))))
    # All that is not sealed, for those that are near in time need not be neighbours in the log.
    hot = f"{ROW} WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM segments){theirs}"
    told.update(map(Arrival._make, (yield f"{hot} ORDER BY seq DESC LIMIT ?", (*named, HOT))))
    return sorted(told)


def following(archive: Archive, after: int, until: int, most: int) -> Plan[list[Arrival]]:
    """The arrivals with `after < seq ≤ until`, in order of seq, at most `most`."""
    rows = yield f"{ROW} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", (after, until, most)
    told = [Arrival._make(row) for row in rows]
    last = told[-1].seq if len(told) == most else until
    found = yield (
        f"{META} WHERE last_seq > ? AND +first_seq <= ? ORDER BY last_seq LIMIT ?",
        (after, last, RUN),
    )
    segments = [Segment._make(row) for row in found]
    if len(segments) == RUN:
        last = min(last, segments[-1].last_seq)
    sleeves = yield from archive.heads(segments)
    for segment in segments:
        if segment.id in sleeves:
            told += _ticks(sleeves[segment.id].head, None, after)
    return sorted(one for one in told if after < one.seq <= last)[:most]


def as_of(archive: Archive, until: int, beyond: int = 0) -> Plan[AsOf]:
    """Late is also what lies between the newest of them and `beyond` (µs)."""
    [(sealed,)] = yield "SELECT max(last_seq) FROM segments", ()
    found = yield f"{META} WHERE last_seq <= ? ORDER BY last_seq DESC LIMIT 1", (until,)
    whole = [Segment._make(row) for row in found]
    found = yield f"{META} WHERE last_seq > ? ORDER BY last_seq LIMIT 1", (until,)
    cut = [one for one in map(Segment._make, found) if one.first_seq <= until]
    before = whole[0].id if whole else 0
    [(newest,)] = yield (
        "SELECT max(end_at) FROM segments INDEXED BY segments_at WHERE id <= ?",
        (before,),
    )
    sleeves = yield from archive.heads([*whole, *cut])
    ats: dict[str, int] = {}
    newest = newest or 0
    for segment in (*whole, *cut):
        if segment.id in sleeves:
            head = sleeves[segment.id].head
            ats |= _lasts(head, until)
            held = head.ats[head.seqs <= until]
            newest = max(newest, int(held.max()) if len(held) else 0)
    rows = yield (
        "SELECT source, at FROM events WHERE seq > ? AND seq <= ? AND type = 'metrics' ORDER BY seq",
        (sealed or 0, until),
    )
    for source, at in rows:
        ats[source] = at
        newest = max(newest, at)
    late = yield (
        "SELECT start_at, end_at FROM segments INDEXED BY segments_at WHERE start_at <= ? AND id > ?",
        (max(newest, beyond), before),
    )
    behind = yield (
        "SELECT at FROM events WHERE seq > ? AND at <= ? AND type = 'metrics' ORDER BY at",
        (max(sealed or 0, until), max(newest, beyond)),
    )
    return AsOf(newest, ats, joined([*late, *((at, at) for (at,) in behind)]))


def joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that meet as one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1] + 1:
            out[-1] = out[-1][0], max(end, out[-1][1])
        else:
            out.append((start, end))
    return out


def _ticks(head: Head, source: str | None, after: int = 0) -> list[Arrival]:
    first = int(np.searchsorted(head.seqs, after, side="right"))
    names = [shape.source for shape in head.shapes]
    return [
        Arrival(seq, at, names[shape], "metrics")
        for seq, at, shape in zip(
            head.seqs[first:].tolist(),
            head.ats[first:].tolist(),
            head.shape_of[first:].tolist(),
            strict=True,
        )
        if source is None or names[shape] == source
    ]


def _lasts(head: Head, until: int) -> dict[str, int]:
    """The time of the last tick of each source up to a seq."""
    count = int(np.searchsorted(head.seqs, until, side="right"))
    found: dict[str, tuple[int, int]] = {}
    for place, shape in enumerate(head.shapes):
        ticks = np.flatnonzero(head.shape_of[:count] == place)
        if len(ticks):
            last = int(ticks[-1])
            found[shape.source] = max(found.get(shape.source, (-1, 0)), (last, int(head.ats[last])))
    return {source: at for source, (_, at) in found.items()}
