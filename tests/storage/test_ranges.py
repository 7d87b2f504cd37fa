"""One question of a range, whatever part of it is sealed, rolled up or forgotten."""

import numpy as np
import pytest

from storage.errors import TooMuch
from storage.rollups import fold
from tests.storage.conftest import tick
from tests.storage.test_sealer import BEGIN, SECOND, logged

DAY_US = 86_400 * SECOND


def same(one, other):
    return all(
        (a == b).all()
        for a, b in zip((*one.columns, one.sum), (*other.columns, other.sum), strict=True)
    )


@pytest.mark.gen_test
async def test_every_tier_joins_what_is_rolled_up_with_what_is_not(tmp_path):
    """Late ticks included: buckets of any range are the fold of all its samples."""
    dice = np.random.default_rng(3)
    async with logged(tmp_path / "a.db") as log:
        ats, values = [], []
        for n in range(300):
            at = BEGIN + int(n - dice.integers(0, 25)) * 5 * SECOND
            ats.append(at)
            values.append(round(float(dice.normal()), 3))
            await log.append([tick(at, s1=values[-1])])
            if n % 70 == 0:
                await log.seal(log.head - 5)
        for tier in (10, 60, 3600):
            wanted = fold(np.array(ats), np.array(values), tier)
            found = (await log.buckets([1, 2], BEGIN - DAY_US, BEGIN + DAY_US, tier))[1]
            assert same(found, wanted)
            inner = wanted.within(BEGIN + 600 * SECOND, BEGIN + 1200 * SECOND)
            found = (await log.buckets([1], BEGIN + 599 * SECOND, BEGIN + 1195 * SECOND, tier))[1]
            assert same(found, inner)
        raw = (await log.columns("a", [1], 0, 2**62))[1]
        order = np.argsort(np.array(ats), kind="stable")
        assert raw[0].tolist() == np.array(ats)[order].tolist()
        assert raw[1].tolist() == np.array(values)[order].tolist()


@pytest.mark.gen_test
async def test_only_unsealed_ticks_count_against_the_bound(tmp_path):
    """What is sealed is cheap to read."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND) for n in range(40)])
        with pytest.raises(TooMuch):
            await log.columns("a", [1], 0, 2**62, most=30)
        await log.seal(log.head)
        assert len((await log.columns("a", [1], 0, 2**62, most=30))[1][0]) == 40
