"""Fewer points, the same picture: the lowest and the highest of every stretch stay.

Stretches (buckets) are of equal time, not of equal count: a chart's axis is time, so a bucket is a
column of pixels, and a burst of readings does not take the detail from the quiet hours beside it.
Empty buckets cost nothing; the buckets are made as fine as the wanted number of points allows.

tsdownsample's MinMax over irregular times loses a bucket of a single reading, the global extreme
among them, and answers nothing when all times are equal; hence numpy alone.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST = 4
"""First, last, lowest, highest: fewer points than this cannot keep a series honest."""

FINER = 4
"""The first cut is this many times finer than the answer; coarser ones are merged from it."""

STRIDE = 1.1
"""Each try merges at least so many times more buckets than the one before: there are few tries."""

GAPS = 4
"""Edges of gaps take at most one part in this many of the points, the longest gaps first."""


def peaks(at: Times, value: Values, points: int) -> Rows:
    """Sorted indices, at most `points` (≥ 4): the ends, and the extremes of all and of each bucket.

    `at` is sorted µs, `value` finite. A series that is short enough comes back whole.
    """
    return rows(at, [value], points)


def rows(at: Times, columns: Sequence[Values], points: int) -> Rows:
    """Sorted indices of whole rows; every column keeps its first, last, lowest and highest.

    NaN is a missing value. A run of them keeps both its edges and the readings around it, so that a
    drawn line still breaks there. About `points` rows (≥ 4): more only where the columns' own four
    rows each, and the edges of long gaps, are more than that already.
    """
    if points < LEAST:
        raise ValueError(f"points is {points}; at least {LEAST} are needed to keep a series honest")
    if len(at) <= points:
        return np.arange(len(at), dtype=np.intp)
    must = _must(at, columns, points)
    table = np.array(columns).reshape(len(columns), len(at))
    fine = _buckets(at, FINER * points)
    kept = _either(len(at), must, _extremes(table, fine))
    fine, table = fine[kept], table[:, kept]
    # The extremes of merged buckets are among those of their parts: `kept` is all a try looks at.
    found, merged = kept, 1
    while len(found) > points and merged < FINER * points:
        merged = math.ceil(merged * max(len(found) / points, STRIDE))
        found = _either(len(at), must, kept[_extremes(table, fine // merged)])
    return found


def cut(at: Times, columns: Sequence[Values], buckets: int) -> Rows:
    """Like `rows`, for a part of a longer range: quick, and with no bound but that of its buckets.

    Keeps the extremes of every column in each of `buckets` of equal time, and what `rows` keeps.
    """
    if len(at) <= max(buckets, LEAST):
        return np.arange(len(at), dtype=np.intp)
    bucket = _buckets(at, max(buckets, 1))
    table = np.array(columns).reshape(len(columns), len(at))
    must = _must(at, columns, max(buckets, LEAST))
    return _either(len(at), must, _extremes(table, bucket))


def _must(at: Times, columns: Sequence[Values], points: int) -> Rows:
    return np.concatenate([*map(_landmarks, columns), _gaps(at, columns, points)])


def _either(count: int, rows: Rows, others: Rows) -> Rows:
    """Of so many rows those that are in either, sorted."""
    kept = np.zeros(count, np.bool_)
    kept[rows] = kept[others] = True
    return np.flatnonzero(kept)


def _buckets(at: Times, count: int) -> NDArray[np.int64]:
    passed = at - at[0]
    scaled: Values = passed * (count / (int(passed[-1]) + 1))
    return scaled.astype(np.int64)


def _extremes(table: NDArray[np.float64], bucket: NDArray[np.int64]) -> Rows:
    """Where each row of the table has its first lowest and first highest reading of each bucket, in any order.

    All rows at once: of a chart of eight series most of the time would go into calling numpy.
    """
    starts = np.append(0, np.flatnonzero(bucket[1:] != bucket[:-1]) + 1)
    sizes = np.diff(np.append(starts, len(bucket)))
    homes = np.repeat(np.arange(len(starts)), sizes)
    found = []
    for extreme in (np.fmin, np.fmax):
        reached = extreme.reduceat(table, starts, axis=1)
        row, place = np.nonzero(table == reached[:, homes])
        home = row * len(starts) + homes[place]
        first = np.append(True, home[1:] != home[:-1])[: len(home)]
        found.append(place[first])
    return np.concatenate(found)


def _landmarks(column: Values) -> Rows:
    """The ends of the rows, and the first, last, lowest and highest reading of this column."""
    ends = np.array([0, len(column) - 1], dtype=np.intp)
    known = np.flatnonzero(~np.isnan(column))
    if not len(known):
        return ends
    marks = [known[0], known[-1], np.nanargmin(column), np.nanargmax(column)]
    return np.concatenate([ends, np.array(marks, dtype=np.intp)])


def _gaps(at: Times, columns: Sequence[Values], points: int) -> Rows:
    """Rows around and at the edges of runs of missing values, the longest runs first."""
    last = len(at) - 1
    runs = set[tuple[int, int, int]]()
    for column in columns:
        missing = np.isnan(column)
        if missing.any():
            steps = np.diff(missing.astype(np.int8), prepend=0, append=0)
            before = np.maximum(np.flatnonzero(steps == 1) - 1, 0)
            after = np.minimum(np.flatnonzero(steps == -1), last)
            silence = at[before] - at[after]
            longest = np.argsort(silence, kind="stable")[:points]
            found = (silence[longest], before[longest], after[longest])
            runs.update(zip(*(part.tolist() for part in found), strict=True))
    edges = set[int]()
    for _, start, end in sorted(runs):
        edge = {start, min(start + 1, last), max(end - 1, 0), end}
        if len(edges | edge) > points // GAPS and edges:
            break
        edges |= edge
    return np.array(sorted(edges), dtype=np.intp)
