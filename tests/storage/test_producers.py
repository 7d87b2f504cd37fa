"""How far a producer has come is written with what it sent, and the table has a bound."""

import pytest

from storage import producers
from storage.producers import Taken
from tests.storage.conftest import tick
from tests.storage.filled import change


def batch(number, producer="till", epoch="1", body=b"answer"):
    return Taken(producer, epoch, number, 1, 1, body)


@pytest.mark.gen_test
async def test_the_newest_batch_is_remembered_over_a_restart(opened):
    """Each producer in each of its epochs has one row: its newest batch, with absolute seqs."""
    async with opened() as log:
        assert await log.taken("till", "1") is None
        await log.append([tick()], [batch(3)])
        await log.append([tick(), tick()], [batch(7), batch(1, epoch="2")])
    async with opened() as log:
        assert await log.taken("till", "1") == Taken("till", "1", 7, 2, 2, b"answer")
        assert await log.taken("till", "2") == Taken("till", "2", 1, 2, 2, b"answer")
        assert await log.taken("other", "1") is None


@pytest.mark.gen_test
async def test_an_older_number_never_takes_the_place(opened):
    """Of two that are committed together, in whichever order, the higher number stays."""
    async with opened() as log:
        await log.append([tick(), tick()], [batch(7), batch(6, body=b"older")])
        assert await log.taken("till", "1") == Taken("till", "1", 7, 1, 1, b"answer")


@pytest.mark.gen_test
async def test_what_fails_leaves_no_trace(opened, monkeypatch):
    """The row stands in the transaction of its batch: without the one there is not the other."""
    async with opened() as log:
        await log.append([tick()], [batch(1)])

        def torn(*given):
            keep(*given)
            raise RuntimeError("torn")

        keep = producers.keep
        monkeypatch.setattr(producers, "keep", torn)
        with pytest.raises(RuntimeError):
            await log.append([tick()], [batch(2)])
        assert log.head == 1
        assert (await log.taken("till", "1")).number == 1


@pytest.mark.gen_test
async def test_those_longest_silent_are_forgotten(opened):
    """Beyond the bound the rows go whose newest batch is the oldest, however often they had spoken."""
    async with opened() as log:
        for number in range(5):
            await log.append([tick()], [batch(1, producer=f"p{number}")])
        await log.append([tick()], [batch(2, producer="p0")])
        async with log._engine.transaction() as connection:
            assert await producers.forget(connection, 3) == 2
        left = [n for n in range(5) if await log.taken(f"p{n}", "1") is not None]
        assert left == [0, 3, 4]


@pytest.mark.gen_test
async def test_a_damaged_row_is_none(opened, logs):
    """It is not believed, which is said; the producer's next batch takes its place, whatever the number."""
    async with opened() as log:
        await log.append([tick()], [batch(3)])
        assert change(log.path, "UPDATE producers SET pseq = 1000") == 1
        assert await log.taken("till", "1") is None
        logs.expect("damaged place='producer till 1'.*counts as its first")
        await log.append([tick()], [batch(4)])
        assert (await log.taken("till", "1")).number == 4
