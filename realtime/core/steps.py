"""Answers by the step: one number for each stretch of the clock, from readings or from buckets.

Steps lie on the clock: step k of length s is `k·s ≤ at < (k+1)·s` since 1970 (UTC), whatever range is
asked, so that an answer for a step that is over never changes with the question. A step without a
reading has no answer (NaN): gaps stay visible.

`rate` and `increase` are of counters, as in Prometheus, without its extrapolation:

- A reading lower than the one before it is a reset: the counter began again at 0, and the reading
  itself is what it grew by.
- Growth belongs to the step of the later reading. The last reading before a step counts as its
  beginning if it is at most `LOOKBACK` older than the step (or one step, if that is longer), so the
  increases of successive steps add up to the whole; after a longer silence nothing is claimed.
- `rate` is the increase over the seconds between the very readings it was counted between. It is not
  stretched to the borders of the step, so a step that has only begun is not too low.
- Buckets do not hold every reading. With at most one reset in a bucket, whose counter does not pass
  its old height again before the bucket ends, they give what readings give; never more than those.
"""

import re
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from realtime.core.columns import NOTHING, SECOND, Column
from realtime.core.downsample import Rows, Times, Values

Fn = Literal["last", "avg", "min", "max", "sum", "count", "rate", "increase"]
FUNCTIONS: tuple[Fn, ...] = get_args(Fn)
COUNTED: frozenset[Fn] = frozenset(("rate", "increase"))
"""What needs the reading before the first step as well."""

LOOKBACK = 300 * SECOND
"""Prometheus looks back as far for a value that still stands."""

SHORTEST = 1_000
LONGEST = 366 * 86_400 * SECOND

ROUND = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
"""Steps a clock face has, in seconds; beyond them whole days."""

DAY = 86_400

ACCEPTED = (
    "use seconds such as 60, or a number with a unit such as 15s, 5m or 1h (ms, s, m, h, d, w)"
)

_UNITS = {"": SECOND, "ms": 1_000, "s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND}
_UNITS |= {"d": DAY * SECOND, "w": 7 * DAY * SECOND}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw]|)", re.ASCII)


class Buckets(Protocol):
    """One series of a tier, in order of `at` (start of the bucket, µs): columns of equal length.

    Only buckets that hold a reading are there. `last` is the reading at `last_at`.
    """

    @property
    def at(self) -> Times: ...
    @property
    def count(self) -> NDArray[np.int64]: ...
    @property
    def sum(self) -> Values: ...
    @property
    def min(self) -> Values: ...
    @property
    def max(self) -> Values: ...
    @property
    def last(self) -> Values: ...
    @property
    def last_at(self) -> Times: ...


class Grid(NamedTuple):
    """Whole steps (µs): `start` is a multiple of `step`, and `beyond` where the last one ends."""

    start: int
    step: int
    beyond: int

    @property
    def length(self) -> int:
        return (self.beyond - self.start) // self.step

    @property
    def lookback(self) -> int:
        return max(LOOKBACK, self.step)

    def axis(self) -> Times:
        """Where each step starts."""
        return np.arange(self.start, self.beyond, self.step, dtype=np.int64)

    @classmethod
    def over(cls, start: int, end: int, step: int) -> "Grid":
        """The whole steps that hold `start ≤ at < end`."""
        return cls(start // step * step, step, -(-end // step) * step)


def parse_step(text: str) -> int:
    """µs. A ValueError says what came and what would do."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a length of time; {ACCEPTED}")
    # A number of any length is fine to read; what it means is bounded before it becomes an int.
    length = Decimal(match[1]) * _UNITS[match[2]]
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(f"{text!r} is not between 1ms and 366d; {ACCEPTED}")
    return int(length)


def round_step(least: int) -> int:
    """The shortest step of a round number of seconds, minutes, hours or days that is at least `least`."""
    for seconds in ROUND:
        if seconds * SECOND >= least:
            return seconds * SECOND
    return -(-least // (DAY * SECOND)) * DAY * SECOND


def from_readings(at: Times, value: Values, grid: Grid, fn: Fn) -> Values:
    """One number a step, NaN where there is none. `at` is sorted µs.

    Readings before the grid serve as the beginning of the first step, for `rate` and `increase`.
    """
    answer = np.full(grid.length, np.nan)
    first, beyond = np.searchsorted(at, [grid.start, grid.beyond])
    if first == beyond:
        return answer
    step = (at[first:beyond] - grid.start) // grid.step
    starts = _starts(step)
    if fn in COUNTED:
        before = max(first - 1, 0)
        risen, lasted = _growth(at[before:beyond], value[before:beyond], grid)
        skip = first - before
        if not skip:  # the very first reading follows none
            risen, lasted = np.append(np.nan, risen), np.append(0, lasted)
        answer[step[starts]] = _counted(risen, lasted, starts, fn)
        return answer
    inside = value[first:beyond]
    places = step[starts]
    match fn:
        case "last":
            answer[places] = inside[_ends(starts, len(step))]
        case "min":
            answer[places] = np.minimum.reduceat(inside, starts)
        case "max":
            answer[places] = np.maximum.reduceat(inside, starts)
        case "count":
            answer[places] = _sizes(starts, len(step))
        case "sum":
            answer[places] = _summed(inside, starts)
        case _:
            sizes = _sizes(starts, len(step))
            answer[places] = _mean(inside, sizes, starts)
    return answer


def from_buckets(buckets: Buckets, grid: Grid, fn: Fn) -> Values:
    """As `from_readings`. A step is one or several whole buckets: the tier divides the step."""
    answer = np.full(grid.length, np.nan)
    first, beyond = np.searchsorted(buckets.at, [grid.start, grid.beyond])
    if first == beyond:
        return answer
    step = (buckets.at[first:beyond] - grid.start) // grid.step
    starts = _starts(step)
    places = step[starts]
    inside = slice(first, beyond)
    match fn:
        case "last":
            answer[places] = buckets.last[inside][_ends(starts, len(step))]
        case "min":
            answer[places] = np.minimum.reduceat(buckets.min[inside], starts)
        case "max":
            answer[places] = np.maximum.reduceat(buckets.max[inside], starts)
        case "count":
            answer[places] = np.add.reduceat(buckets.count[inside], starts)
        case "sum":
            answer[places] = _summed(buckets.sum[inside], starts)
        case "avg":
            counts = np.add.reduceat(buckets.count[inside], starts)
            answer[places] = _weighed(buckets, inside, counts, starts)
        case _:
            risen, lasted = _bucket_growth(buckets, grid)
            answer[places] = _counted(risen[inside], lasted[inside], starts, fn)
    return answer


def lasts(at: Times, value: Values, step: int) -> Column:
    """The last reading of each step, at its own time."""
    if not len(at):
        return NOTHING
    ends = _ends(_starts(at // step), len(at))
    return Column(at[ends], value[ends])


@dataclass(frozen=True, slots=True)
class Grown:
    """As `Buckets`, of what a counter grew a second: one number a bucket."""

    at: Times
    count: NDArray[np.int64]
    sum: Values
    min: Values
    max: Values
    last: Values
    last_at: Times


_MOMENTS = Grid(0, 1, 1)
"""Steps so short that each reading is its own."""


def rates(counter: Column) -> Column:
    """What a counter grew a second, at each reading since the one before; none after a long silence."""
    at, value = counter
    if len(at) < 2:
        return NOTHING
    risen, lasted = _growth(at, value, _MOMENTS)
    return _known(at[1:], risen, lasted)


def bucket_rates(buckets: Buckets) -> Grown:
    """What a counter grew a second, in each bucket since the last reading before it."""
    risen, lasted = _bucket_growth(buckets, _MOMENTS)
    at, rate = _known(buckets.at, risen, lasted)
    kept = np.searchsorted(buckets.at, at)
    return Grown(at, buckets.count[kept], rate, rate, rate, rate, buckets.last_at[kept])


def _known(at: Times, risen: Values, lasted: Times) -> Column:
    with np.errstate(over="ignore"):
        rate = np.divide(risen, lasted / SECOND, out=np.full(len(at), np.nan), where=lasted > 0)
    known = np.isfinite(rate)
    return Column(at[known], rate[known])


def joined(first: Buckets, then: Buckets) -> Grown:
    """One series' buckets after the other."""
    pairs = zip(_parts(first), _parts(then), strict=True)
    return Grown(*(np.append(one, other) for one, other in pairs))


def since(buckets: Buckets, first: int) -> Grown:
    """Without so many of the first; of a negative number, the last so many."""
    return Grown(*(part[first:] for part in _parts(buckets)))


def _parts(buckets: Buckets) -> list[Any]:
    return [getattr(buckets, part.name) for part in fields(Grown)]


def outline(buckets: Buckets, start: int, beyond: int) -> Column:
    """Points that draw the buckets of `start ≤ at < beyond`: the lowest and the highest of each.

    A bucket of one reading is that reading, at its own time. One of several equal readings is the last
    of them. Otherwise the lowest stands at the bucket's start and the highest midway to its last reading,
    for when they were is not known; the last reading of all stands at its own time.
    """
    first, end = np.searchsorted(buckets.at, [start, beyond])
    inside = slice(first, end)
    count, low, high = buckets.count[inside], buckets.min[inside], buckets.max[inside]
    if not len(count):
        return NOTHING
    begun, last, last_at = buckets.at[inside], buckets.last[inside], buckets.last_at[inside]
    spread = (count > 1) & (low < high)
    at = np.stack([begun, np.where(spread, (begun + last_at) // 2, last_at), last_at], axis=1)
    value = np.stack([low, np.where(spread, high, last), last], axis=1)
    kept = np.zeros(at.shape, dtype=bool)
    kept[:, 0] = spread
    kept[:, 1] = True
    kept[-1, 2] = spread[-1]
    return Column(at[kept], value[kept])


def _starts(step: NDArray[np.int64]) -> Rows:
    return np.concatenate(([0], np.flatnonzero(step[1:] != step[:-1]) + 1))


def _ends(starts: Rows, length: int) -> Rows:
    """The last place of each group."""
    return np.append(starts[1:], length) - 1


def _sizes(starts: Rows, length: int) -> Rows:
    return np.diff(np.append(starts, length))


def _summed(values: Values, starts: Rows) -> Values:
    with np.errstate(over="ignore", invalid="ignore"):
        total: Values = np.add.reduceat(values, starts)
    total[~np.isfinite(total)] = np.nan  # beyond what a double holds: there is no number to tell
    return total


def _mean(values: Values, sizes: NDArray[np.int64], starts: Rows) -> Values:
    mean = _summed(values, starts) / sizes
    if np.isnan(mean).any():
        mean = _summed(values / np.repeat(sizes, sizes), starts)
    return mean


def _weighed(buckets: Buckets, inside: slice, counts: NDArray[np.int64], starts: Rows) -> Values:
    mean = _summed(buckets.sum[inside], starts) / counts
    if np.isnan(mean).any():
        sizes = _sizes(starts, len(buckets.count[inside]))
        mean = _summed(buckets.sum[inside] / np.repeat(counts, sizes), starts)
    return mean


def _growth(at: Times, value: Values, grid: Grid) -> tuple[Values, Times]:
    """Of each reading but the first since the one before: growth (NaN where it does not count) and µs."""
    with np.errstate(over="ignore"):
        grown = np.diff(value)
    risen = np.where(grown < 0, value[1:], grown)
    risen[~_follows(at[:-1], at[1:], grid)] = np.nan
    return risen, np.diff(at)


def _follows(before: Times, at: Times, grid: Grid) -> NDArray[np.bool_]:
    """Whether a reading at `before` is the beginning of what is read at `at`: not across a silence."""
    begun = at // grid.step * grid.step
    return before >= begun - grid.lookback


def _bucket_growth(buckets: Buckets, grid: Grid) -> tuple[Values, Times]:
    """Of each bucket since the last reading before it: growth (NaN where none is known) and µs."""
    low, high, last = buckets.min, buckets.max, buckets.last
    fell = last < high
    # Without a reading before: the lowest is the first, unless the counter fell since.
    risen = np.where(fell, last, last - low)
    lasted = buckets.last_at - buckets.at
    risen[buckets.count == 1] = np.nan
    if len(last) < 2:
        return risen, lasted
    before = last[:-1]
    begun_again = low[1:] < before
    peak = np.where(high[1:] >= before, high[1:] - before, high[1:])
    since = np.where(fell[1:], peak + last[1:], np.where(begun_again, last[1:], last[1:] - before))
    known = _follows(buckets.last_at[:-1], buckets.at[1:], grid)
    risen[1:] = np.where(known, since, risen[1:])
    lasted[1:] = np.where(known, np.diff(buckets.last_at), lasted[1:])
    return risen, lasted


def _counted(risen: Values, lasted: Times, starts: Rows, fn: Fn) -> Values:
    known = ~np.isnan(risen)
    total = _summed(np.where(known, risen, 0.0), starts)
    none = ~np.logical_or.reduceat(known, starts)
    if fn == "rate":
        seconds = np.add.reduceat(np.where(known, lasted, 0), starts) / SECOND
        none |= seconds <= 0
        with np.errstate(over="ignore"):
            total = total / np.where(none, 1.0, seconds)
        none |= ~np.isfinite(total)
    total[none] = np.nan
    return total
