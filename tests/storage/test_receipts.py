"""Answers to idempotent writes: kept for a day, within a bound, believed only as they were written."""

import pytest

from storage import receipts
from storage.receipts import AGE_US, Receipt
from tests.storage.conftest import NOW, tick
from tests.storage.filled import change
from tests.storage.test_retention import ALL


def given(key, at=NOW):
    return Receipt(key, at, 1, 1, b"answer")


@pytest.mark.gen_test
async def test_receipts_are_forgotten_after_a_day(opened, monkeypatch):
    """They do not pile up for ever; one that is a day old to the microsecond is still there. As many as there
    are go in one round, and those that are left are counted."""
    monkeypatch.setattr(receipts, "AGED", 2)
    monkeypatch.setattr(receipts, "MOST", 3)
    async with opened() as log:
        await log.append([tick()], [given(f"old{n}") for n in range(3)])
        await log.forget(ALL, NOW + AGE_US)
        assert await log.receipt("old0") is not None
        await log.append([tick()], [given("day", NOW + 1), given("dusk", NOW + 2)])
        await log.forget(ALL, NOW + AGE_US + 1)
        held = ("day", "dusk", "new")
        await log.append([tick()], [given("new", NOW + AGE_US)])
        for key in held:
            assert await log.receipt(key) is not None
        for n in range(3):
            assert await log.receipt(f"old{n}") is None


@pytest.mark.gen_test
async def test_a_clock_that_leaps_takes_no_answer(opened):
    """A batch that is dated days ahead is one batch; a retry of another is still answered."""
    async with opened() as log:
        await log.append([tick()], [given("before")])
        await log.append([tick()], [given("ahead", NOW + 2 * AGE_US)])
        await log.append([tick()], [given("after", NOW + 5)])
        for key in ("before", "ahead", "after"):
            assert await log.receipt(key) is not None


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
