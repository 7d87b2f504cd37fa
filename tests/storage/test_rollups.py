"""Buckets say what their samples said, exactly, in whatever parts and order they came."""

from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.rollups import (
    BLOCK,
    MICRO,
    ONE,
    TIERS,
    Buckets,
    Doubles,
    Ints,
    block_of,
    block_start,
    coarser,
    differing,
    fold,
    fold_all,
    laid_out,
    merge,
    merge_all,
    width,
)

NOW = 1_795_403_506_000_000
HOUR = 3_600_000_000

numbers = st.one_of(
    st.integers(-100, 100).map(float),
    st.integers(-(2**53), 2**53).map(float),
    st.integers(-(10**9), 10**9).map(lambda n: n / 100),
    st.integers(-(2**50), 2**50).map(lambda n: n / 10**6),
    st.integers(-(2**20), 2**20).map(lambda n: n / 2**11),
    st.floats(-1, 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
samples = st.lists(
    st.tuples(st.integers(NOW - 2 * HOUR, NOW + 2 * HOUR) | st.integers(NOW, NOW + 5), numbers),
    max_size=40,
)
tiers = st.sampled_from(TIERS)


def columns(pairs) -> tuple[Ints, Doubles]:
    """Sorted as sealed columns are; the order among equal times is that of arrival."""
    pairs = sorted(pairs, key=lambda pair: pair[0])
    return np.array([at for at, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)


def exact(value):
    """What a sample counts as."""
    whole = round(Fraction(value) * MICRO)
    decimal = Fraction(whole, MICRO)
    return decimal if abs(whole) <= 2**50 and float(decimal) == value else Fraction(value)


def totals(buckets):
    """The exact totals, read off the limbs with Python's own integers."""
    return [
        sum(
            Fraction(int(limb)) * Fraction(2) ** (32 * (buckets.base + place - ONE))
            for place, limb in enumerate(row)
        )
        / MICRO
        for row in buckets.limbs
    ]


def told(buckets):
    return list(
        zip(
            buckets.at.tolist(),
            buckets.count.tolist(),
            totals(buckets),
            buckets.min.tolist(),
            buckets.max.tolist(),
            buckets.last.tolist(),
            buckets.last_at.tolist(),
            strict=True,
        )
    )


def expected(pairs, tier):
    """Said again without numpy."""
    step = width(tier)
    rows = []
    for at, group in groupby(sorted(pairs), key=lambda pair: pair[0] // step * step):
        ats, values = zip(*group, strict=True)
        newest = max(ats)
        last = max(v for a, v in zip(ats, values, strict=True) if a == newest)
        total = sum(map(exact, values), Fraction(0))
        rows.append((at, len(ats), total, min(values), max(values), last, newest))
    return rows


def same(one, other):
    return differing(one, other) == [] and len(one.at) == len(other.at)


@given(samples, tiers)
@example([(NOW, 5e-324), (NOW + 1, -1.7976931348623157e308), (NOW + 2, 5e-324)], 60)
@example([(NOW, -0.0), (NOW + 1, 0.0)], 60)
@example([(NOW, 0.1)] * 3, 60)
def test_a_fold_is_what_the_samples_say(pairs, tier):
    """Count, min, max, last and its time; and the total as a fraction, with nothing rounded."""
    assert told(fold(*columns(pairs), tier)) == expected(pairs, tier)


@given(samples, tiers, st.randoms(use_true_random=False), st.integers(1, 5))
def test_parts_merge_to_the_whole(pairs, tier, random, parts):
    """Bit for bit, however the samples are split, and in whatever order the parts come."""
    shares: list[list[tuple[int, float]]] = [[] for _ in range(parts)]
    for pair in pairs:
        random.choice(shares).append(pair)
    merged = Buckets.none()
    for share in shares:
        merged = merge(merged, fold(*columns(share), tier))
    assert same(merged, fold(*columns(pairs), tier))
    assert merged.sum.tolist() == fold(*columns(pairs), tier).sum.tolist()


@given(samples, samples, samples, tiers)
def test_merging_is_associative_and_commutative(one, other, third, tier):
    """To the bit."""
    a, b, c = (fold(*columns(pairs), tier) for pairs in (one, other, third))
    assert same(merge(a, b), merge(b, a))
    assert same(merge(merge(a, b), c), merge(a, merge(b, c)))


@given(st.dictionaries(st.integers(1, 300), samples, max_size=4), tiers)
def test_many_series_fold_as_each_does(series, tier):
    """One sweep over all of them mixes none with its neighbour."""
    found = fold_all({id_: columns(pairs) for id_, pairs in series.items()}, tier).split()
    assert set(found) == {id_ for id_, pairs in series.items() if pairs}
    for id_, buckets in found.items():
        assert same(buckets, fold(*columns(series[id_]), tier))


@given(samples, st.sampled_from([(10, 60), (10, 3600), (60, 3600)]))
def test_a_coarser_tier_follows_from_a_finer(pairs, both):
    """Hours from minutes are the hours from the samples."""
    finer, longer = both
    from_finer = coarser(fold_all({7: columns(pairs)}, finer), longer).buckets
    assert same(from_finer, fold(*columns(pairs), longer))


@given(samples.filter(bool))
def test_the_sum_is_the_total_as_a_double(pairs):
    """Exactly rounded where all samples are decimals and few; elsewhere within the last bits of it."""
    buckets = fold(*columns(pairs), 3600)
    for sum_, total in zip(buckets.sum.tolist(), totals(buckets), strict=True):
        if abs(total) > Fraction(1.7976931348623157e308):
            assert abs(sum_) == 1.7976931348623157e308
        else:
            assert abs(Fraction(sum_) - total) <= max(abs(total) / 2**50, Fraction(1, 2**1070))


def test_tenths_add_up():
    """Ten tenths are one, which doubles alone do not say."""
    ats = np.arange(NOW, NOW + 10)
    assert fold(ats, np.full(10, 0.1), 60).sum.tolist() == [1.0]


@given(samples.filter(bool), st.data())
def test_what_a_bucket_sums_to_does_not_depend_on_its_neighbours(pairs, data):
    """The same bucket alone gives the same double."""
    buckets = fold(*columns(pairs), 60)
    row = data.draw(st.integers(0, len(buckets.at) - 1))
    assert buckets.take(slice(row, row + 1)).sum[0] == buckets.sum[row]


@given(samples.filter(bool), tiers, st.data())
def test_a_difference_is_found(pairs, tier, data):
    """A sample more, a sample less or another value: the bucket is named, and no other."""
    row = data.draw(st.integers(0, len(pairs) - 1))
    at, value = pairs[row]
    others = pairs[:row] + pairs[row + 1 :]
    whole = fold(*columns(pairs), tier)
    named = [at // width(tier) * width(tier)]
    assert differing(whole, fold(*columns(others), tier)) == named
    assert differing(fold(*columns([*pairs, (at, value)]), tier), whole) == named
    if exact(value + 0.5) != exact(value):
        assert differing(whole, fold(*columns([*others, (at, value + 0.5)]), tier)) == named


def test_unsorted_and_unfinite_samples():
    """Order does not matter, and what is not finite is not counted."""
    buckets = fold(
        np.array([NOW + 3, NOW + 1, NOW + 2, NOW]), np.array([4.0, np.nan, np.inf, 1.0]), 60
    )
    assert told(buckets) == expected([(NOW, 1.0), (NOW + 3, 4.0)], 60)
    assert len(fold(np.array([NOW]), np.array([np.nan]), 60).at) == 0


def test_of_one_time_the_greatest_is_last():
    """Two samples of the same µs have no order that a merge could know."""
    assert fold(np.array([NOW, NOW]), np.array([9.0, 4.0]), 60).last.tolist() == [9.0]


@pytest.mark.parametrize("tier", TIERS)
def test_blocks(tier):
    """A block is 360 buckets; the numbers of the blocks go without a hole."""
    block = block_of(NOW, tier)
    start = block_start(block, tier)
    assert start <= NOW < start + BLOCK * width(tier) == block_start(block + 1, tier)
    assert block_of(start, tier) == block == block_of(start + BLOCK * width(tier) - 1, tier)


@given(samples, st.integers(NOW - HOUR, NOW + HOUR), st.integers(0, HOUR))
def test_within(pairs, start, length):
    """Buckets that begin in the range, the end excluded."""
    buckets = fold(*columns(pairs), 60)
    kept = [row for row in told(buckets) if start <= row[0] < start + length]
    assert told(buckets.within(start, start + length)) == kept


@given(samples, tiers, st.integers(NOW - 2 * HOUR, NOW + 2 * HOUR))
def test_what_follows_in_time_is_laid_out(pairs, tier, edge):
    """Piece behind piece is the same as merged, the sums of it too."""
    edge = edge // width(tier) * width(tier)
    halves = [[p for p in pairs if p[0] < edge], [p for p in pairs if p[0] >= edge]]
    found = laid_out(fold_all({3: columns(half)}, tier) for half in halves).get(3, Buckets.none())
    whole = fold(*columns(pairs), tier)
    assert same(found, whole)
    assert found.sum.tolist() == whole.sum.tolist()


def test_nothing_merges_with_nothing():
    """An empty log has tiers too."""
    assert len(merge(Buckets.none(), Buckets.none()).at) == 0
    assert len(merge_all([]).series) == 0
    assert fold_all({}, 60).split() == {}
    assert Buckets.none().sum.tolist() == []
