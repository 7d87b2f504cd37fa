"""Blocks of buckets come back from their bytes bit for bit, and say so when they cannot."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import packing
from storage.blocks import pack_buckets, unpack_buckets
from storage.errors import Damaged
from storage.rollups import (
    BLOCK,
    TIERS,
    Buckets,
    Sheaf,
    block_of,
    block_start,
    differing,
    fold_all,
    width,
)

NOW = 1_795_403_506_000_000
BLOCK_60 = block_of(NOW, 60)

kinds = st.sampled_from(
    [
        st.integers(-100, 100).map(float),
        st.integers(0, 2**33).map(lambda n: n * 4096.0),
        st.integers(-(2**53), 2**53).map(float),
        st.integers(0, 10_000).map(lambda n: n / 100),
        st.integers(-(2**52), 2**52).map(lambda n: n / 10**6),
        st.integers(-(2**22), 2**22).map(lambda n: n / 2**11),
        st.integers(-(2**62), 2**62).map(lambda n: n / 2**38),
        st.floats(0, 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ]
)


@st.composite
def sheaves(draw):
    """A few series in one block, each of a kind: constant, counters, decimals, anything at all; what another
    tells, or what that leaves of a number."""
    tier = draw(st.sampled_from(TIERS))
    block = block_of(NOW, tier)
    given_columns: dict[int, tuple[Any, Any]] = {}
    shared = draw(st.lists(st.integers(0, width(tier) * BLOCK - 1), min_size=1, max_size=60))
    for id_ in draw(st.lists(st.integers(1, 2**31 - 1), max_size=5, unique=True)):
        ats = np.array(shared, np.int64)
        if draw(st.booleans()):
            ats = ats[: draw(st.integers(1, len(ats)))]
        kind = draw(kinds)
        shape = draw(st.sampled_from(["constant", "counter", "any"]))
        values = np.array(draw(st.lists(kind, min_size=len(ats), max_size=len(ats))), np.float64)
        ats = np.sort(ats)
        if shape == "constant":
            values[:] = values[0]
        elif shape == "counter":
            values.sort()
        if given_columns and draw(st.booleans()):
            ats, values = draw(st.sampled_from(list(given_columns.values())))
            both = draw(st.none() | kind)
            if both is not None and np.isfinite(both - values).all():
                values = both - values
            given_columns[id_] = (ats, values)
            continue
        given_columns[id_] = (block_start(block, tier) + ats, values)
    return fold_all(given_columns, tier), block, tier


def same(one, other):
    return one.series.tolist() == other.series.tolist() and not any(
        differing(buckets, other.split()[id_]) for id_, buckets in one.split().items()
    )


@given(sheaves(), st.data())
def test_blocks_come_back(packed, data):
    """All of it, and any of its series alone."""
    sheaf, block, tier = packed
    body = pack_buckets(sheaf, block, tier)
    found = unpack_buckets(body, block, tier)
    assert same(sheaf, found)
    assert pack_buckets(found, block, tier) == body
    ids = sorted(set(sheaf.series.tolist()))
    wanted = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    some = unpack_buckets(body, block, tier, wanted)
    assert set(some.series.tolist()) == wanted
    for id_, buckets in some.split().items():
        assert differing(buckets, sheaf.split()[id_]) == []


def long_run(values):
    ats = block_start(BLOCK_60, 60) + np.arange(len(values)) * 30_000_000
    return fold_all({5: (ats, values)}, 60)


@pytest.mark.parametrize("width_", [1, 200, 60_000, 2**31, 2**52])
def test_full_blocks_come_back(width_):
    """360 buckets of numbers so wide, where pco has its turn."""
    rng = np.random.default_rng(width_)
    sheaf = long_run(np.floor(rng.exponential(width_, 2 * BLOCK)))
    assert same(sheaf, unpack_buckets(pack_buckets(sheaf, BLOCK_60, 60), BLOCK_60, 60))


def test_a_constant_series_costs_next_to_nothing():
    """A hundred more of them, a few bytes each: the times are those of the first."""
    ats = block_start(BLOCK_60, 60) + np.arange(1800) * 1_000_000

    def size(count):
        sheaf = fold_all({id_: (ats, np.full(1800, 2.5 * id_)) for id_ in range(1, count + 1)}, 60)
        return len(pack_buckets(sheaf, BLOCK_60, 60))

    assert size(1) < 40
    assert size(101) - size(1) < 100 * 8


@pytest.mark.parametrize(
    ("told", "most"),
    [
        (lambda value: value, 8),
        (lambda value: 2**34 - value, 16),
        (lambda value: 2**34 - 1.5 - value, 1000),  # not of the same decimals
    ],
)
def test_who_tells_the_same_or_what_is_left_shares_a_body(told, most):
    """What is used, and what is free: some bytes more, and both as they were."""
    ats = block_start(BLOCK_60, 60) + np.arange(1800) * 1_000_000
    used = np.cumsum(np.random.default_rng(1).integers(-50, 80, 1800)) * 4096.0
    one = {3: (ats.astype(np.int64), used.astype(np.float64))}
    both = fold_all({**one, 9: (one[3][0], told(one[3][1]))}, 60)
    body = pack_buckets(both, BLOCK_60, 60)
    assert len(body) - len(pack_buckets(fold_all(one, 60), BLOCK_60, 60)) <= most
    assert same(both, unpack_buckets(body, BLOCK_60, 60))
    alone = unpack_buckets(body, BLOCK_60, 60, {9})
    assert differing(alone.split()[9], both.split()[9]) == []


@pytest.mark.parametrize("tier", TIERS)
def test_every_flipped_byte_is_noticed(tier):
    """No byte may change without a word."""
    block = block_of(NOW, tier)
    ats = block_start(block, tier) + np.arange(40) * width(tier)
    sheaf = fold_all({1: (ats, np.sqrt(np.arange(40))), 2: (ats, np.ones(40))}, tier)
    body = pack_buckets(sheaf, block, tier)
    for place in range(len(body)):
        torn = bytearray(body)
        torn[place] ^= 0x10
        with pytest.raises(Damaged, match=f"block {block} of the {tier} s tier"):
            unpack_buckets(bytes(torn), block, tier)
    with pytest.raises(Damaged):
        unpack_buckets(body[:-5], block, tier)


def test_a_bucket_outside_the_block_is_refused():
    """Rather than come back at another time."""
    sheaf = long_run(np.arange(3.0))
    with pytest.raises(ValueError, match="not all of these buckets"):
        pack_buckets(sheaf, BLOCK_60 + 1, 60)


def test_nothing_is_something_too():
    """An empty block packs and unpacks."""
    empty = Sheaf(np.empty(0, np.int64), Buckets.none())
    assert len(unpack_buckets(pack_buckets(empty, BLOCK_60, 60), BLOCK_60, 60).series) == 0


@pytest.mark.parametrize(
    "values",
    [
        [0.5, 1.25, 0.75, 3.0],  # fewer decimals between than at the edges
        [1.0, 1.000001, 3.0, 4.0],
        [9e12, 9e12 - 1, 1 / 3, 5.0],
        [2.0**-11, 2.0**52, 2.0**51, 1.0],
        [1 / 3, 1 / 3, 1 / 3, 1 / 3],
        [1e300, -1e300, 5e-324, -1e300],
        [2.0**-38, 3 * 2.0**-38, 1.0, 2.0],
        [8.9e12, -8.9e12, 8.9e12, 8.9e12],
    ],
)
def test_numbers_of_every_sort_come_back(values):
    """Many samples a bucket, so that totals outgrow the values."""
    ats = block_start(BLOCK_60, 60) + np.arange(0, 3600, 4) * 1_000_000
    sheaf = fold_all({9: (ats, np.resize(values, len(ats)))}, 60)
    assert same(sheaf, unpack_buckets(pack_buckets(sheaf, BLOCK_60, 60), BLOCK_60, 60))


def test_another_layout_is_refused():
    """A whole block of a format to come is not misread."""
    with pytest.raises(Damaged, match="unknown way"):
        unpack_buckets(packing.guard(b"\x03rest"), BLOCK_60, 60)
    with pytest.raises(Damaged, match="cannot be read"):
        unpack_buckets(packing.guard(b"\x01\x01"), BLOCK_60, 60)
    with pytest.raises(Damaged, match="claims 361 buckets"):
        unpack_buckets(packing.guard(b"\x01\x01\xe9\x02"), BLOCK_60, 60)
    shape = b"\x01\x01" + b"\0\0" + b"\0\2" + b"\0\0"  # one: a bucket of one sample at the begin
    for entries in (b"\1" + b"\5\0\0\0", b"\2" + b"\5\0\2" + b"\1\0\0\4"):
        with pytest.raises(Damaged, match="cannot be read"):
            unpack_buckets(packing.guard(b"\2" + shape + entries + b"\0\x0e"), BLOCK_60, 60)
    left = b"\2" + b"\5\0\2" + b"\1\0\0\1\x0e" + b"\0\x0e"
    with pytest.raises(Damaged, match="by what is no number"):
        unpack_buckets(packing.guard(b"\2" + shape + left), BLOCK_60, 60)
    again = b"\2" + b"\5\0\2" + b"\1\0\0\0" + b"\0\x0e"
    found = unpack_buckets(packing.guard(b"\2" + shape + again), BLOCK_60, 60)
    assert found.series.tolist() == [5, 6] and found.buckets.last.tolist() == [7, 7]
