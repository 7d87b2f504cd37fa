"""Answers to idempotent writes: kept for a day, within a bound, believed only as they were written."""

import pytest

from storage import receipts
from storage.receipts import AGE_US, BITE, Receipt
from tests.storage.conftest import NOW, tick
from tests.storage.filled import change


def given(key, at=NOW):
    return Receipt(key, at, 1, 1, b"answer")


@pytest.mark.gen_test
async def test_receipts_are_forgotten_after_a_day(opened):
    """They do not pile up for ever; one that is a day old to the microsecond is still there."""
    async with opened() as log:
        await log.append([tick()], [given("old")])
        await log.append([tick()], [given("day", NOW + AGE_US)])
        assert await log.receipt("old") is not None
        await log.append([tick()], [given("more", NOW + AGE_US + 1)])
        assert await log.receipt("old") is None
        assert await log.receipt("day") is not None


@pytest.mark.gen_test
async def test_a_days_worth_goes_in_bites(opened):
    """No commit waits for all that has aged at once: a few more go with each than come."""
    async with opened() as log:
        await log.append([tick()], [given(f"old{n}") for n in range(3 * BITE)])
        left = []
        for n in range(4):
            await log.append([tick()], [given(f"new{n}", NOW + 2 * AGE_US)])
            left.append(sum([await log.receipt(f"old{k}") is not None for k in range(3 * BITE)]))
        assert left == [198, 96, 0, 0]


@pytest.mark.gen_test
async def test_there_is_a_bound_to_their_number(opened, monkeypatch):
    """At it the oldest are forgotten before their day is over; a restart counts what is there."""
    monkeypatch.setattr(receipts, "MOST", 5)
    for begin in (0, 10):
        async with opened() as log:
            for n in range(begin, begin + 10):
                await log.append([tick()], [given(f"k{n}", NOW + n)])
            held = [n for n in range(20) if await log.receipt(f"k{n}") is not None]
            assert held == [*range(begin + 5, begin + 10)]


@pytest.mark.gen_test
async def test_a_damaged_receipt_is_none(opened, logs):
    """It answers for nothing, which is said; the key can be used again."""
    async with opened() as log:
        await log.append([tick()], [given("key")])
        assert change(log.path, "UPDATE receipts SET last = 7") == 1
        assert await log.receipt("key") is None
        logs.expect("damaged place='receipt key'.*counts as a new one")
        await log.append([tick()], [given("key")])
        assert await log.receipt("key") == Receipt("key", NOW, 2, 2, b"answer")
