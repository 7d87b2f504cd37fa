"""From counters to rates. A rate is never negative and never a guess: unknown is absent."""

from collections.abc import Hashable

from realtime.collect.collector import Moment
from storage.events import Number

WRAPS = (2**32, 2**64)
"""Where the counters of kernels and drivers begin again."""

NEAR = 16
"""A fall is a wrap only from the last to the first sixteenth; from elsewhere it is a reset."""

ASLEEP_S = 2.0
"""Clocks further apart than this after one interval: the machine slept, or its clock was set."""


def growth(before: Number, after: Number) -> Number | None:
    """How far a counter went on; None if it began anew, for nobody saw how far it had come."""
    if after >= before:
        return after - before
    for width in WRAPS:
        edge = width // NEAR
        if width - edge <= before < width and after < edge:
            return after + width - before
    return None


def elapsed(before: Moment, after: Moment, longest_s: float) -> float | None:
    """Seconds by the steady clock; None if the machine did not stay awake from beat to beat."""
    steady_s = after.steady_s - before.steady_s
    if not 0 < steady_s <= longest_s:
        return None
    if abs((after.wall_s - before.wall_s) - steady_s) > ASLEEP_S:
        return None
    return steady_s


class Rates:
    """The counters of one collector. Each collection begins with `turn`; a counter that was not
    read in one collection is new in the next, so what is gone is also forgotten.
    """

    def __init__(self, longest_s: float) -> None:
        self.elapsed_s: float | None = None
        """Since the last collection; None at first, and after a sleep."""
        self._longest_s = longest_s
        self._moment: Moment | None = None
        self._before: dict[Hashable, Number] = {}
        self._after: dict[Hashable, Number] = {}

    def turn(self, moment: Moment) -> None:
        self._before, self._after = self._after, {}
        last, self._moment = self._moment, moment
        self.elapsed_s = None if last is None else elapsed(last, moment, self._longest_s)

    def growth(self, key: Hashable, count: Number) -> Number | None:
        """Since the last collection. None at first sight, after a reset and after a sleep."""
        self._after[key] = count
        before = self._before.get(key)
        if before is None or self.elapsed_s is None:
            return None
        return growth(before, count)

    def rate(self, key: Hashable, count: Number) -> float | None:
        """Growth per second, to the thousandth: the beat itself is no more exact."""
        grown = self.growth(key, count)
        if grown is None or self.elapsed_s is None:
            return None
        return round(grown / self.elapsed_s, 3)
