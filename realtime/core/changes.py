"""What changed most: a stretch of time against the stretch before it, series by series.

Readings are gathered in bins of equal length. How the bins of before lie about their median says what is usual
(the median of their distances, which one spike does not move), and the bin that is furthest from it says how
unusual the stretch was. A counter is told by its growth.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime.core.columns import Column
from realtime.core.downsample import Values

Counts = NDArray[np.int64]

BINS = 60
"""Of the stretch, and as many before it."""
LEAST_BINS = 5
"""With less of before there is nothing to compare with."""
NORMAL = 1.4826
"""The median distance of a normal distribution times this is its standard deviation."""
MEAN = 1.2533
"""And the mean distance times this."""
FLOOR = 0.01
"""Less than a hundredth of its size is no change, however still a series stood before."""


class Change(NamedTuple):
    """`score` is how many usual deviations the bin furthest from the median of before lies off it, at `at` (µs);
    `before` and `during` are the medians, `peak` is that bin. `line` are the bins of both stretches, NaN where
    nothing was read."""

    series: int
    score: float
    at: int
    before: float
    during: float
    peak: float
    line: Values


class Bins:
    """The readings of one series, gathered: sums and counts, or the growth of a counter."""

    def __init__(self, start: int, end: int, kind: Literal["gauge", "counter"] = "gauge") -> None:
        """`start ≤ at < end` is the stretch that is asked about; as long a one comes before it."""
        self._width = max(1, (end - start) // BINS)
        self._begin = start - BINS * self._width
        self._sum = np.zeros(2 * BINS)
        self._count = np.zeros(2 * BINS, np.int64)
        self._counter = kind == "counter"
        self._last: float | None = None

    @property
    def is_counter(self) -> bool:
        return self._counter

    def add(self, column: Column, count: Counts | None = None) -> None:
        """More of it, in order of time. With a `count` for each, values are sums of so many readings."""
        at, value = column
        inside = (at >= self._begin) & (at < self._begin + 2 * BINS * self._width)
        if not inside.any():
            return
        if not inside.all():
            at, value = at[inside], value[inside]
            count = None if count is None else count[inside]
        if self._counter:
            grown = np.diff(value, prepend=self._last if self._last is not None else value[0])
            self._last = float(value[-1])
            value = np.where(grown < 0, value, grown)  # it began again at 0
        place = (at - self._begin) // self._width
        self._sum += np.bincount(place, value, 2 * BINS)
        self._count += np.bincount(place, count, 2 * BINS).astype(np.int64)

    def change(self, series: int) -> Change | None:
        """None where there is too little to compare, or nothing changed."""
        with np.errstate(invalid="ignore", divide="ignore"):
            per = 1.0 if self._counter else self._count
            line = np.where(self._count > 0, self._sum / per, np.nan)
        before, during = line[:BINS], line[BINS:]
        known = before[~np.isnan(before)]
        if len(known) < LEAST_BINS or np.isnan(during).all():
            return None
        middle = float(np.median(known))
        away = np.abs(known - middle)
        # Mostly still, with a spike now and then: half of it lies on the median, and the mean tells more.
        usual = NORMAL * float(np.median(away)) or MEAN * float(away.mean())
        size = abs(middle)
        off = np.abs(np.nan_to_num(during - middle))
        place = int(off.argmax())
        least = max(usual, FLOOR * size)
        if off[place] <= FLOOR * size or off[place] == 0.0:
            return None
        # Where it stood at nothing, anything is as unusual as can be told.
        score = float(off[place] / least) if least else float(np.inf)
        return Change(
            series,
            min(score, 1e6),
            self._begin + (BINS + place) * self._width,
            middle,
            float(np.nanmedian(during)),
            float(during[place]),
            line,
        )


def ranked(found: Iterable[Change | None], most: int) -> Sequence[Change]:
    """The most unusual first."""
    return sorted((one for one in found if one), key=lambda one: (-one.score, one.series))[:most]
