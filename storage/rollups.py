"""Buckets: what is left of many samples of a series when only some figures of each stretch are kept.

A tier is the length of its buckets in seconds; they are aligned to the epoch. A bucket holds the count, the
exact total, min, max, and the last sample with its time. A block is 360 buckets of a tier, and is what is
packed and stored together.

Totals are exact, not rounded, so that merging is associative and commutative and a recount from the samples
gives the stored bits, however the samples were split and in whatever order they came. A sample counts as the
decimal it is the nearest double of when that has at most six places (0.1 is a tenth; up to 10**9 or so), and
as precisely its binary value otherwise. Either way a million times the sample is a binary number with an end,
and those are added in fixed point: row i of `limbs` is `Σ limbs[i, j] × 2**(32 × (base + j − 35))` millionths.
All limbs but the last are digits, 0 to 2**32 − 1; the last has the sign. Only `sum` rounds, at the very end.

Of samples with the same time the greatest is the last one; -0.0 counts as 0; what is not finite is left out.
Times are from 1970 to 2106.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Columns = Mapping[int, tuple[Ints, Doubles]]
"""Series id → (times int64 µs, values float64)."""

SECOND: Final = 1_000_000
TIERS: Final = (10, 60, 3600)
BLOCK: Final = 360
"""Buckets of a block: an hour, six hours, fifteen days."""

ONE: Final = 35
"""The digit that counts whole millionths: room below it for the smallest double."""
MICRO: Final = 1_000_000
PLACES: Final = 6

_MASK: Final = 0xFFFFFFFF
_WHOLE: Final = 9.0e12
"""Whole numbers up to here are below 2**63 in millionths."""
_DECIMAL: Final = 2.0**50
"""Up to so many millionths a double is the nearest of one decimal only, and multiplying finds it."""
_EXACT: Final = 2.0**53
_GREATEST: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Columns of one length, ascending by `at`, the µs at which a bucket begins. Only those with samples."""

    at: Ints
    count: Ints
    min: Doubles
    max: Doubles
    last: Doubles
    last_at: Ints
    limbs: Ints
    base: int

    @classmethod
    def none(cls) -> "Buckets":
        ints, doubles = np.empty(0, np.int64), np.empty(0, np.float64)
        limbs = np.zeros((0, 2), np.int64)
        return cls(ints, ints, doubles, doubles, doubles, ints, limbs, ONE)

    @property
    def columns(self) -> tuple[Any, ...]:
        """All but the totals."""
        return (self.at, self.count, self.min, self.max, self.last, self.last_at)

    @property
    def sum(self) -> Doubles:
        """The totals as doubles; those beyond the largest double are told as that."""
        below = self.limbs[:, -1] < 0
        limbs, base = normal(np.where(below[:, None], -self.limbs, self.limbs), self.base)
        total = np.zeros(len(limbs))
        with np.errstate(over="ignore", under="ignore"):
            for place in range(limbs.shape[1]):
                # Twice, for 2**(32 × 66) alone is more than a double.
                part = np.ldexp(limbs[:, place] / MICRO, 16 * (base + place - ONE))
                total += np.ldexp(part, 16 * (base + place - ONE))
        one = ONE - base
        plain = (limbs[:, one + 1] < 1 << 21) & ~limbs[:, :one].any(axis=1)
        plain &= ~limbs[:, one + 2 :].any(axis=1)
        total[plain] = ((limbs[plain, one + 1] << 32) + limbs[plain, one]) / MICRO
        return np.where(below, -1.0, 1.0) * np.minimum(total, _GREATEST)

    def take(self, which: Any) -> "Buckets":
        """The rows of a slice, a mask or places."""
        return Buckets(
            self.at[which],
            self.count[which],
            self.min[which],
            self.max[which],
            self.last[which],
            self.last_at[which],
            self.limbs[which],
            self.base,
        )

    def within(self, start: int, end: int) -> "Buckets":
        """Those that begin at `start ≤ at < end` (µs)."""
        first, last = np.searchsorted(self.at, (start, end))
        return self.take(slice(first, last))


class Sheaf(NamedTuple):
    """Buckets of several series, ascending by `(series, at)`; `series` has an id for each row."""

    series: Ints
    buckets: Buckets

    def split(self) -> dict[int, Buckets]:
        edges = edges_of(self.series[1:] != self.series[:-1], len(self.series))
        return {
            int(self.series[first]): self.buckets.take(slice(first, last))
            for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        }


def width(tier: int) -> int:
    """µs of a bucket."""
    return tier * SECOND


def block_of(at: int, tier: int) -> int:
    """The number of the block that `at` (µs) falls into; blocks are counted from the epoch."""
    return at // (width(tier) * BLOCK)


def block_start(block: int, tier: int) -> int:
    """µs at which a block begins."""
    return block * width(tier) * BLOCK


def fold(ats: Ints, values: Doubles, tier: int) -> Buckets:
    """The buckets of one series' samples, in whatever order they are given."""
    return fold_all({0: (ats, values)}, tier).buckets


def fold_all(columns: Columns, tier: int) -> Sheaf:
    """`fold` for many series, in one sweep."""
    ids = sorted(columns)
    if not ids:
        return Sheaf(np.empty(0, np.int64), Buckets.none())
    ats = np.concatenate([columns[id_][0] for id_ in ids])
    values = np.concatenate([columns[id_][1] for id_ in ids]) + 0.0
    series = np.repeat(np.array(ids, np.int64), [len(columns[id_][0]) for id_ in ids])
    finite = np.isfinite(values)
    if not finite.all():
        ats, values, series = ats[finite], values[finite], series[finite]
    if ((ats[1:] < ats[:-1]) & (series[1:] == series[:-1])).any():
        order = np.lexsort((ats, series))
        ats, values, series = ats[order], values[order], series[order]
    if not len(ats):
        return Sheaf(series, Buckets.none())
    number = ats // width(tier)
    edges = edges_of((number[1:] != number[:-1]) | (series[1:] != series[:-1]), len(ats))
    starts, count = edges[:-1], np.diff(edges)
    last_at = ats[edges[1:] - 1]
    last = values[edges[1:] - 1]
    if ((ats[1:] == ats[:-1]) & (series[1:] == series[:-1])).any():
        last = _greatest(values, ats == np.repeat(last_at, count), starts)
    limbs, base = totals(values, starts)
    buckets = Buckets(
        number[starts] * width(tier),
        count,
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
        last,
        last_at,
        limbs,
        base,
    )
    return Sheaf(series[starts], buckets)


def merge(one: Buckets, other: Buckets) -> Buckets:
    """Both, as if their samples had been folded together."""
    sheaves = [Sheaf(np.zeros(len(each.at), np.int64), each) for each in (one, other)]
    return merge_all(sheaves).buckets


def merge_all(sheaves: Iterable[Sheaf]) -> Sheaf:
    given = [sheaf for sheaf in sheaves if len(sheaf.series)]
    if not given:
        return Sheaf(np.empty(0, np.int64), Buckets.none())
    series = np.concatenate([sheaf.series for sheaf in given])
    joined = _joined([sheaf.buckets for sheaf in given])
    # Series ids and seconds are both below 2**32; two sorted runs are merged in linear time.
    order = np.argsort(series << 32 | joined.at // SECOND, kind="stable")
    series, joined = series[order], joined.take(order)
    edges = edges_of((joined.at[1:] != joined.at[:-1]) | (series[1:] != series[:-1]), len(series))
    starts = edges[:-1]
    if len(starts) < len(series):
        last_at = np.maximum.reduceat(joined.last_at, starts)
        newest = joined.last_at == np.repeat(last_at, np.diff(edges))
        joined = Buckets(
            joined.at[starts],
            np.add.reduceat(joined.count, starts),
            np.minimum.reduceat(joined.min, starts),
            np.maximum.reduceat(joined.max, starts),
            _greatest(joined.last, newest, starts),
            last_at,
            np.add.reduceat(joined.limbs, starts, axis=0),
            joined.base,
        )
        series = series[starts]
    limbs, base = normal(joined.limbs, joined.base)
    return Sheaf(series, replace(joined, limbs=limbs, base=base))


def laid_out(sheaves: Iterable[Sheaf]) -> dict[int, Buckets]:
    """Each series of sheaves that follow one another in time: as `merge_all`, without looking for overlaps."""
    pieces: dict[int, list[Buckets]] = {}
    for sheaf in sheaves:
        for id_, piece in sheaf.split().items():
            pieces.setdefault(id_, []).append(piece)
    found = {}
    for id_, parts in pieces.items():
        joined = _joined(parts)
        limbs, base = joined.limbs, joined.base
        if len({part.base + part.limbs.shape[1] for part in parts}) > 1:  # signs inside
            limbs, base = normal(limbs, base)
        found[id_] = replace(joined, limbs=limbs, base=base)
    return found


def coarser(sheaf: Sheaf, tier: int) -> Sheaf:
    """The same samples in the longer buckets of `tier`."""
    at = sheaf.buckets.at // width(tier) * width(tier)
    return merge_all([Sheaf(sheaf.series, replace(sheaf.buckets, at=at))])


def differing(one: Buckets, other: Buckets) -> list[int]:
    """Where two runs of buckets are not the same, bit for bit: the `at` of each such bucket."""
    common, here, there = np.intersect1d(one.at, other.at, return_indices=True)
    left, right = one.take(here), other.take(there)
    pair = _joined([left, right])
    both = len(common)
    limbs, _ = normal(pair.limbs, pair.base)
    same = (limbs[:both] == limbs[both:]).all(axis=1)
    for mine, theirs in zip(left.columns, right.columns, strict=True):
        same &= mine.view(np.int64) == theirs.view(np.int64)
    alone = np.setxor1d(one.at, other.at)
    return sorted([*common[~same].tolist(), *alone.tolist()])


def edges_of(changes: NDArray[np.bool_], length: int) -> NDArray[np.intp]:
    """Where runs begin, and where the last one ends."""
    inner = np.flatnonzero(changes) + 1
    return np.concatenate(([0] if length else [], inner, [length])).astype(np.intp)


def _greatest(values: Doubles, among: NDArray[np.bool_], starts: NDArray[np.intp]) -> Doubles:
    found: Doubles = np.maximum.reduceat(np.where(among, values, -np.inf), starts)
    return found


def _joined(parts: list[Buckets]) -> Buckets:
    base = min(part.base for part in parts)
    top = max(part.base + part.limbs.shape[1] for part in parts)
    limbs = np.zeros((sum(len(part.at) for part in parts), top - base), np.int64)
    row = 0
    for part in parts:
        first = part.base - base
        limbs[row : row + len(part.at), first : first + part.limbs.shape[1]] = part.limbs
        row += len(part.at)
    at, count, low, high, last, last_at = (
        np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)
    )
    return Buckets(at, count, low, high, last, last_at, limbs, base)


def totals(values: Doubles, starts: NDArray[np.intp]) -> tuple[Ints, int]:
    """The limbs, and their base, of the sums of runs of finite values, none of them -0.0."""
    size = np.abs(values)
    whole = (np.rint(values) == values) & (size <= _WHOLE)
    scaled = np.rint(np.where(size <= _WHOLE, values, 0.0) * MICRO)
    decimal = (np.abs(scaled) <= _DECIMAL) & (scaled / MICRO == values)
    millionths = np.where(
        whole,
        np.where(whole, values, 0.0).astype(np.int64) * MICRO,
        np.where(decimal, scaled, 0.0).astype(np.int64),
    )
    limbs = np.stack(
        [
            np.add.reduceat(millionths & _MASK, starts),
            np.add.reduceat(millionths >> 32, starts),
        ],
        axis=1,
    )
    others = np.flatnonzero(~(whole | decimal))
    if not len(others):
        return normal(limbs, ONE)
    digits, place = _digits(values[others])
    base = min(ONE, int(place.min()))
    wide = np.zeros((len(starts), max(ONE + 2, int(place.max()) + 4) - base), np.int64)
    wide[:, ONE - base : ONE - base + 2] = limbs
    row = np.searchsorted(starts, others, side="right") - 1
    for offset, digit in enumerate(digits):
        np.add.at(wide, (row, place - base + offset), digit)
    return normal(wide, base)


def _digits(values: Doubles) -> tuple[list[Ints], Ints]:
    """A million times each value in four signed digits, and the place of the first of them."""
    mantissa, exponent = np.frexp(np.abs(values))
    bits = (mantissa * _EXACT).astype(np.uint64)
    # value × 10**6 = bits × 15625 × 2**(exponent − 53 + 6)
    shift = exponent.astype(np.int64) - 53 + 6 + 32 * ONE
    place, by = shift >> 5, (shift & 31).astype(np.uint64)
    mask, half, factor = np.uint64(_MASK), np.uint64(32), np.uint64(15625)
    low = (bits & mask) * factor
    high = (bits >> half) * factor + (low >> half)
    shifted = [(low & mask) << by, (high & mask) << by, (high >> half) << by]
    digits = [
        shifted[0] & mask,
        (shifted[0] >> half) + (shifted[1] & mask),
        (shifted[1] >> half) + (shifted[2] & mask),
        shifted[2] >> half,
    ]
    sign = np.where(values < 0, -1, 1)
    return [digit.astype(np.int64) * sign for digit in digits], place


def normal(limbs: Ints, base: int) -> tuple[Ints, int]:
    """Digits carried, and no more of them than the rows need: the one spelling of these totals."""
    limbs = limbs.copy()
    place = 0
    while True:
        if place + 1 == limbs.shape[1]:
            top = limbs[:, place]
            if not len(top) or (top.min() >= -(1 << 31) and top.max() < 1 << 31):
                break
            limbs = np.concatenate([limbs, np.zeros((len(limbs), 1), np.int64)], axis=1)
        limbs[:, place + 1] += limbs[:, place] >> 32
        limbs[:, place] &= _MASK
        place += 1
    return trimmed(limbs, base)


def trimmed(limbs: Ints, base: int) -> tuple[Ints, int]:
    """Without the digits at either end that say nothing; rows of carried limbs stay carried."""
    while limbs.shape[1] + base > ONE + 2:
        sign = -(limbs[:, -2] >> 31)  # as if the digit below were the last
        if not (limbs[:, -1] == sign).all():
            break
        limbs = limbs[:, :-1].copy()
        limbs[:, -1] |= sign << 32
    first = 0
    while first + base < ONE and not limbs[:, first].any():
        first += 1
    return limbs[:, first:], base + first
