"""What is past its time goes, oldest first; facts stay; the space comes back; commits hardly wait."""

import contextlib
import sqlite3

import pytest

from storage.errors import StorageError
from storage.events import Draft, Metrics, Notification
from storage.retention import DAY_US, Keep
from tests.storage.conftest import tick
from tests.storage.test_sealer import BEGIN, SECOND, logged, rows, write

FOR_EVER = 100_000
ALL = Keep(FOR_EVER, FOR_EVER, FOR_EVER, FOR_EVER, 0)


async def filled(log, spans=5):
    for span in range(spans):
        at = BEGIN + span * 10 * SECOND
        await log.append([tick(at + n * SECOND, s1=n, s2=span) for n in range(10)])
        await log.append([Draft(at, "a", Notification(f"n{span}", "info", "words"))])
    await log.seal(log.head, all_of_it=True)


def past(span):
    """Keeps raw samples so long that spans before this one are too old."""
    return ALL._replace(raw_days=1), BEGIN + span * 10 * SECOND + DAY_US


@pytest.mark.gen_test
async def test_whole_segments_go_and_facts_stay(tmp_path):
    """The floor is the first seq from which everything is held; the finest tier remembers what went."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        before = (await log.buckets([1, 2], BEGIN, BEGIN + 60 * SECOND, 10))[1]
        gone = await log.forget(*past(2))
        assert gone == (2, 40, 22)
        assert (log.floor, log.samples) == (22, 60)
        assert (await log.stats()).events == len(await log.read(0, 100))
        events = await log.read(0, 100)
        assert next(e.seq for e in events if e.type == "metrics") == 23
        assert [e.seq for e in events if e.type == "notification"] == [11, 22, 33, 44, 55]
        after = (await log.buckets([1, 2], BEGIN, BEGIN + 60 * SECOND, 10))[1]
        assert [c.tolist() for c in after.columns] == [c.tolist() for c in before.columns]
        assert log.since(0) == BEGIN + 19 * SECOND + 1
        assert log.since(10) == 0
        assert await log.forget(*past(2)) == (0, 0, 0)
    async with logged(tmp_path / "a.db") as log:
        assert (log.floor, log.samples) == (22, 60)
        assert log.since(0) == BEGIN + 19 * SECOND + 1


@pytest.mark.gen_test
async def test_a_log_that_ends_with_what_went_is_opened_again(tmp_path):
    """Its newest events were ticks, and all ticks are past their time: seqs go on, and nothing that
    was read of the old segments is taken for the new ones, which have their numbers."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log, 2)
        await log.append([tick(BEGIN + n * SECOND, s1=7) for n in range(20, 30)])
        await log.seal(log.head, all_of_it=True)
        assert len(await log.read(0, 100)) == 32
        await log.forget(*past(9))
        assert (log.floor, log.samples) == (33, 0)
        assert [e.type for e in await log.read(0, 100)] == ["notification"] * 2
        told = await log.append([tick(BEGIN + n * SECOND, s3=n) for n in range(40, 50)])
        await log.seal(log.head, all_of_it=True)
        assert rows(log.path, "SELECT min(id) FROM segments") == 1
        assert await log.read(22, 100) == told
        await log.forget(*past(99))
    async with logged(tmp_path / "a.db") as log:
        assert (log.head, log.floor) == (42, 43)
        assert [e.seq for e in await log.append([tick()])] == [43]


@pytest.mark.gen_test
async def test_each_tier_has_its_own_time(tmp_path):
    """Blocks go whole, when the last of their buckets is past."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        await log.forget(*past(5))
        late = BEGIN + 40 * DAY_US
        for keep, tiers in (
            (ALL._replace(fine_days=1), {60, 3600}),
            (ALL._replace(minute_days=1), {3600}),
            (ALL._replace(hour_days=1), set()),
        ):
            await log.forget(keep, late)
            held = {
                tier
                for tier in (10, 60, 3600)
                if len((await log.buckets([1], BEGIN, BEGIN + 3600 * SECOND, tier))[1].at)
            }
            assert held == tiers


@pytest.mark.gen_test
async def test_a_budget_is_kept_by_what_weighs_most(tmp_path, logs):
    """Neither do rollups crowd out the newest raw samples, nor the other way round; the file shrinks."""
    async with logged(tmp_path / "a.db") as log:
        for span in range(60):
            drafts = []
            for n in range(10):
                values = tuple(((span * 10 + n) * k) % 997 / 7 for k in range(1, 101))
                drafts.append(
                    Draft(
                        BEGIN + (span * 10 + n) * SECOND, "a", Metrics(tuple(range(1, 101)), values)
                    )
                )
            await log.append(drafts)
        await log.seal(log.head, all_of_it=True)
        full = await log._retention.used()
        budget = full // 2
        for _ in range(4):
            await log.forget(ALL._replace(bytes=budget), BEGIN + 600 * SECOND)
        gone = await log.forget(ALL._replace(bytes=budget), BEGIN + 600 * SECOND)
        assert gone.segments == 0
        assert await log._retention.used() <= budget
        weights = await log._retention._weights()
        assert weights[0] > budget // 8, "the newest raw samples are still there"
        await log._engine.truncate_wal()
        assert log.path.stat().st_size <= budget + 300 * 1024
        # A bound too narrow for anything is not kept, does not spin, costs not what is newest, and is said once.
        for _ in range(2):
            await log.forget(ALL._replace(bytes=1), BEGIN + 600 * SECOND)
            assert log.samples == 2 * 10 * 100
            assert (await log.stats()).over_bytes == await log._retention.used() - 1
        logs.expect("larger than its bound.*retain_bytes")
        assert not logs.lines
        assert len((await log.buckets([1], 0, 2**60, 3600))[1].at) > 0
        await log.forget(ALL, BEGIN + 600 * SECOND)
        assert (await log.stats()).over_bytes == 0


@pytest.mark.gen_test
async def test_a_damaged_segment_does_not_stop_the_others(tmp_path, logs):
    """It goes in its turn, with what of it can be read kept in the finest tier, and is named."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        write(log.path, "UPDATE segments SET head = x'00' WHERE id = 1")
        write(log.path, "DELETE FROM strips WHERE place >> 32 = 2")
        gone = await log.forget(*past(4))
        assert gone.segments == 4
        logs.expect("damaged.*segment=1")
        logs.expect("damaged.*segment=2")
        assert not logs.lines
        fine = await log.buckets([1, 2], BEGIN, BEGIN + 60 * SECOND, 10)
        assert fine[1].at.tolist() == [BEGIN + n * 10 * SECOND for n in (2, 3, 4)]
        assert fine[2].at.tolist() == [BEGIN + n * 10 * SECOND for n in (1, 2, 3, 4)]


@pytest.mark.gen_test
async def test_space_comes_back_and_the_wal_is_cut(tmp_path, monkeypatch):
    """In bites, with the writer's turn given up between them."""
    monkeypatch.setattr("storage.log.WAL_BYTES", 0)
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        await log.append([tick(s1=0.1)] * 20_000)
        write_free = "PRAGMA freelist_count"
        with contextlib.closing(sqlite3.connect(log.path)) as connection, connection:
            connection.execute("DELETE FROM events WHERE seq > 60 AND seq < 20050")
        free = rows(log.path, write_free)
        assert free > 1000
        await log.forget(ALL, BEGIN)
        assert rows(log.path, write_free) <= 256
        assert (await log.stats()).wal_bytes == 0


@pytest.mark.gen_test
async def test_a_horizon_stays_where_it_is(tmp_path):
    """A late sample does not bring back what was given up, nor does a log without any raw sample forget that
    it had some; a start finds it again."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log, 3)
        await log.forget(*past(2))
        assert log.since(0) == BEGIN + 19 * SECOND + 1
        await log.append([tick(BEGIN, s1=0.5)])
        await log.seal(log.head, all_of_it=True)
        await log.forget(ALL, BEGIN + 30 * SECOND)
        assert log.since(0) == BEGIN + 19 * SECOND + 1
        await log.forget(*past(9))
        assert log.samples == 0
        assert log.since(0) == BEGIN + 29 * SECOND + 1
    async with logged(tmp_path / "a.db") as log:
        assert log.since(0) == BEGIN + 29 * SECOND + 1
        assert log.since(10) == log.since(60) == 0


@pytest.mark.gen_test
async def test_each_tier_has_its_own_horizon(tmp_path):
    """It is at the end of the newest block that went, though a late sample begins that block anew."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log, 3)
        await log.forget(*past(9))
        assert log.since(10) == 0
        await log.forget(ALL._replace(fine_days=1), BEGIN + 2 * DAY_US)
        assert log.since(10) == BEGIN + 3600 * SECOND
        assert (log.since(60), log.since(3600)) == (0, 0)
        await log.append([tick(BEGIN, s1=0.5)])
        await log.seal(log.head, all_of_it=True)
        await log.forget(*past(9))
        assert log.since(10) == BEGIN + 3600 * SECOND
        found = await log.buckets([1], BEGIN, BEGIN + 60 * SECOND, 10)
        assert len(found[1].at) == 0, "what is given up does not come back in part"
        assert (await log.buckets([1], BEGIN, BEGIN + 60 * SECOND, 60))[1].count.tolist() == [31]


@pytest.mark.gen_test
async def test_it_is_told_before_anyone_can_see_it(tmp_path, monkeypatch):
    """Whoever reads a state of the log in which something is gone, and asks afterwards, is told."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        seen = []
        monkeypatch.setattr(log._retention, "_dropped", lambda *_: seen.append(log.since(0)))
        await log.forget(*past(2))
        assert seen == [BEGIN + 9 * SECOND + 1, BEGIN + 19 * SECOND + 1]

        async def fails(*_):
            raise StorageError("no room")

        monkeypatch.setattr("storage.retention._unsealable", fails)
        with pytest.raises(StorageError):
            await log.forget(*past(3))
        assert log.since(0) == BEGIN + 19 * SECOND + 1
        assert rows(log.path, "SELECT count(*) FROM segments") == 3


@pytest.mark.gen_test
async def test_what_is_dated_ahead_keeps_nothing(tmp_path):
    """Neither a tick from the future among others, nor a run of them, holds up what is past its time; and the
    horizon is not theirs."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(5)])
        await log.append([tick(BEGIN + 400 * DAY_US, s1=9)])
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(5, 10)])
        await log.seal(log.head, all_of_it=True)
        await log.append([tick(BEGIN + 500 * DAY_US + n * SECOND, s1=n) for n in range(10)])
        await log.seal(log.head, all_of_it=True)
        await filled(log, 3)
        held = rows(log.path, "SELECT count(*) FROM segments")
        gone = await log.forget(*past(2))
        assert gone.segments == held - 1
        assert log.since(0) == BEGIN + 19 * SECOND + 1


@pytest.mark.gen_test
async def test_damaged_rows_leave_with_what_is_around_them(tmp_path, logs):
    """What could not be sealed is not kept for ever; what cannot be sealed yet is. How many samples such a row
    had is not what its damaged bytes say."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n, s2=n) for n in range(10)])
        write(log.path, "UPDATE events SET body = x'92dc0fff' || substr(body, 3) WHERE seq = 5")
        write(log.path, "UPDATE events SET body = CAST(body AS BLOB) WHERE seq = 5")
        await filled(log, 3)
        logs.expect("damaged.*event 5")
        assert rows(log.path) == 1
        await log.append([tick(BEGIN + 60 * SECOND)])
        before = log.samples
        gone = await log.forget(*past(1))
        assert rows(log.path) == 1, "the newest, which waits for its segment"
        assert before - log.samples == gone.samples
        held = rows(log.path, "SELECT sum(samples) FROM segments")
        assert log.samples == held + 1 == rows(log.path, "SELECT samples FROM log")


@pytest.mark.gen_test
async def test_a_damaged_row_that_stays_counts_nothing(tmp_path, logs):
    """Beyond what goes there may be another, whose bytes say what they like: the count is of what can be read,
    when the one goes and when the other does."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log, 2)
        await log.append([tick(BEGIN + n * SECOND, s1=n, s2=n) for n in range(20, 40)])
        write(log.path, "UPDATE events SET body = x'92ddffffffff' WHERE seq IN (25, 35)")
        await log.seal(log.head, all_of_it=True)
        while logs.lines:
            logs.expect("damaged.*event (25|35)")
        assert rows(log.path) == 2
        await log.append([tick(BEGIN + 60 * SECOND, s1=1, s2=2, s3=3)])
        for span, left in ((3, 1), (4, 0)):
            before = log.samples
            gone = await log.forget(*past(span))
            assert before - log.samples == gone.samples
            held = rows(log.path, "SELECT coalesce(sum(samples), 0) FROM segments")
            assert log.samples == held + 3 == rows(log.path, "SELECT samples FROM log")
            assert rows(log.path) == left + 1
