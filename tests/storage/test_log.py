"""The log: nothing acknowledged is lost, nothing has two places, no place is empty."""

import asyncio
import contextlib
import sqlite3

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import StorageBroken, StorageError, TooMuch
from storage.events import Draft, Metrics, Notification, System, Unreadable
from storage.log import PAGE, Log
from storage.migrate import migrate
from storage.receipts import Receipt
from tests.storage.conftest import NOW, drafts, tick


def write(path, sql, *values):
    """Somebody else's hand in the file."""
    connection = sqlite3.connect(path)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


@pytest.mark.gen_test
async def test_facts_are_told_newest_first(opened, logs):
    """Of one kind, before a place, as many as asked; one that is damaged keeps its place."""
    async with opened() as log:
        notes = [Draft(NOW, "a", Notification(str(n), "info", "x")) for n in range(6)]
        await log.append([draft for note in notes for draft in (tick(), note)])
        assert [event.seq for event in await log.facts(["notification"], 10**9, 3)] == [12, 10, 8]
        assert [event.seq for event in await log.facts(["notification"], 8, 10)] == [6, 4, 2]
        assert await log.facts(["alert"], 10**9, 10) == []
        assert [event.seq for event in await log.facts((), 10**9, 2, source="a")] == [12, 10]
        assert await log.facts((), 10**9, 9, source="b") == []
        assert await log.facts((), 10**9, 9, start=NOW + 1) == []
        assert len(await log.facts(["alert", "notification"], 9, 9, end=NOW + 1)) == 4
        async with log._engine.transaction() as connection:
            await connection.exec_driver_sql("UPDATE events SET body = x'c1' WHERE seq = 4")
        told = await log.facts(["notification"], 8, 10)
        assert [event.type for event in told] == ["notification", "damaged", "notification"]
    logs.expect("part of the log is damaged")


@pytest.mark.gen_test
async def test_a_new_log_is_empty_and_has_an_identity(opened, tmp_path):
    """Two logs never have the same epoch; the floor is where the first event will be."""
    async with opened() as log:
        assert (log.head, log.floor, log.samples) == (0, 1, 0)
        assert await log.read(0) == []
    other = tmp_path / "other.db"
    migrate(other)
    second = Log(other)
    await second.open(NOW)
    await second.close()
    assert len({"", log.epoch, second.epoch}) == 3


@pytest.mark.gen_test
async def test_an_append_that_is_cancelled_anywhere(opened):
    """Before, at or after any of its waits: it is on disk and the log knows, or neither; the next one goes on."""
    async with opened() as log:
        ended: set[bool] = set()
        for turns in range(40):
            before = log.head
            task = asyncio.create_task(log.append([tick(s1=turns), tick(s1=turns + 0.5)]))
            for _ in range(turns):
                # Half of them wait for the thread, too, so that each statement is met on its way.
                await asyncio.sleep(0 if turns % 2 else 0.0002)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert log.head in (before, before + 2)
            ended.add(log.head == before)
            assert [one.seq for one in await log.append([tick(s1=-1)])] == [log.head]
            assert [e.seq for e in await log.read(before)] == list(range(before + 1, log.head + 1))
        assert ended == {True, False}


@pytest.mark.gen_test
async def test_seq_goes_on_without_a_hole_over_restarts(opened):
    """Whatever the sizes of the batches, seqs are 1, 2, 3 …, and the epoch is the same for ever."""
    epochs: set[str] = set()
    told: list[int] = []
    for sizes in ((1, 3), (), (2, 1, 0, 5), (1,)):
        async with opened() as log:
            epochs.add(log.epoch)
            assert log.head == len(told)
            for size in sizes:
                events = await log.append([tick(s1=0.5, s2=n) for n in range(size)])
                told += [event.seq for event in events]
    async with opened() as log:
        assert [event.seq for event in await log.read(0)] == told == list(range(1, 14))
        assert (log.head, log.samples) == (13, 26)
    assert len(epochs) == 1


@pytest.mark.gen_test
async def test_appends_at_once_take_their_turns(opened):
    """Two that append at the same time cannot be given the same place."""
    async with opened() as log:
        done = await asyncio.gather(
            *(log.append([tick(), tick()]) for _ in range(5)), return_exceptions=True
        )
        seqs = [event.seq for events in done if isinstance(events, list) for event in events]
        assert sorted(seqs) == list(range(1, 11))


@pytest.mark.gen_test
async def test_an_append_is_all_or_nothing(opened):
    """One draft that cannot be written takes the whole batch with it, and leaves no trace."""
    async with opened() as log:
        await log.append([tick()])
        hopeless = Draft(NOW, None, System("started"))  # type: ignore[arg-type]
        with pytest.raises(StorageError, match="NOT NULL"):
            await log.append([tick(), hopeless, tick()], [Receipt("key", NOW, 1, 3, b"")])
        assert (log.head, log.samples) == (1, 1)
        assert await log.receipt("key") is None
        assert [event.seq for event in await log.append([tick(s1=7)])] == [2]
        assert [event.seq for event in await log.read(0)] == [1, 2]


@settings(max_examples=20)
@given(st.lists(drafts))
def test_what_was_appended_is_read(given_drafts):
    """Every fact comes back equal, with its time and source, in order, after a restart."""
    import tempfile
    from pathlib import Path

    async def there_and_back():
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "playhead.db"
            migrate(path)
            log = Log(path)
            await log.open(NOW)
            told = await log.append(given_drafts)
            await log.close()
            again = Log(path)
            await again.open(NOW)
            read = await again.read(0)
            await again.close()
            return told, read

    told, read = asyncio.run(there_and_back())
    assert repr(read) == repr(told)
    assert [(e.at, e.source) for e in read] == [(d.at, d.source) for d in given_drafts]


@pytest.mark.gen_test
async def test_another_writer_is_noticed_before_harm_is_done(opened):
    """Law one-writer: when somebody else has moved the head, nothing is written over it."""
    async with opened() as log:
        await log.append([tick()])
        write(log.path, "UPDATE log SET head = 5")
        with pytest.raises(StorageBroken, match="another program"):
            await log.append([tick()])
        assert len(await log.read(0)) == 1
        assert log.head == 1


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events",
        "UPDATE log SET head = 2",
        "UPDATE log SET head = 9",
    ],
)
@pytest.mark.gen_test
async def test_a_log_that_lost_its_end_is_not_opened(opened, damage):
    """The newest event has to be the one on record: to go on would hand out seqs a second time."""
    async with opened() as log:
        await log.append([tick(), tick(), tick()])
        path = log.path
    write(path, damage)
    broken = Log(path)
    with pytest.raises(StorageBroken, match="newest") as told:
        await broken.open(NOW)
    await broken.close()
    assert "backup" in told.value.hint


@pytest.mark.gen_test
async def test_a_log_whose_past_was_given_up_is_opened(opened):
    """Retention raises the floor, up to a log that holds nothing any more; its seqs go on."""
    async with opened() as log:
        await log.append([tick(), tick(), tick()])
        path = log.path
    write(path, "DELETE FROM events WHERE seq < 3")
    write(path, "UPDATE log SET floor = 3, crc = NULL")
    async with opened() as log:
        assert (log.floor, log.head) == (3, 3)
    write(path, "DELETE FROM events")
    write(path, "UPDATE log SET floor = 4, crc = NULL")
    async with opened() as log:
        assert [event.seq for event in await log.append([tick()])] == [4]


@pytest.mark.gen_test
async def test_what_is_damaged_is_told_in_its_place(opened, logs):
    """An event that cannot be read is neither a wrong value nor the end of the others; nor is one that is gone,
    if nobody has given it up. Each is said once."""
    async with opened() as log:
        await log.append([tick(s1=n) for n in range(9)])
        write(log.path, "UPDATE events SET body = x'c1', crc = NULL WHERE seq = 2")
        write(log.path, "UPDATE events SET at = at + 1 WHERE seq = 3")
        write(log.path, "DELETE FROM events WHERE seq IN (5, 6, 9)")
        for limit in (100, 1, 2, 100):
            told, after = [], 0
            while page := await log.read(after, limit):
                told += page
                after = page[-1].seq
            assert [event.seq for event in told] == [1, 2, 3, 4, 6, 7, 8, 9]
            lost = [e.data for e in told if isinstance(e.data, Unreadable)]
            assert [(one.first, one.last) for one in lost] == [(2, 2), (3, 3), (5, 6), (9, 9)]
        assert (await log.stats()).damaged == 4
        assert log.damaged(0, NOW) == ["event 2", "event 3", "event 5 to 6", "event 9"]
    for words in ("payload", "checksum", "neither a row", "neither a row"):
        logs.expect(words)


@pytest.mark.gen_test
async def test_what_stands_beyond_the_head_is_damage_or_the_head_is(opened, logs):
    """A row whose seq was hit costs that row: the log goes on, over the place where it came to stand. Rows as
    they were written, beyond the head, say that the head is wrong."""
    async with opened() as log:
        await log.append([tick() for _ in range(4)])
    write(log.path, "UPDATE events SET seq = 6 WHERE seq = 4")
    async with opened() as log:
        logs.expect("event 6.*checksum")
        await log.append([tick(s1=7), tick(s1=8)])
        told = await log.read(0)
        assert [event.seq for event in told] == [1, 2, 3, 4, 5, 6]
        assert [event.type for event in told] == ["metrics"] * 3 + ["damaged"] + ["metrics"] * 2
        logs.expect("event 4")
    write(log.path, "UPDATE log SET head = 5")
    with pytest.raises(StorageBroken, match="newest event is 5, but 6"):
        async with opened():
            pass


@pytest.mark.gen_test
async def test_a_damaged_record_of_the_log_itself_is_refused(opened):
    """An epoch or a floor that is not what it was would hide the past, or take foreign cursors for ours."""
    async with opened() as log:
        await log.append([tick()])
    write(log.path, "UPDATE log SET floor = 2")
    with pytest.raises(StorageBroken, match="its epoch and its floor"):
        async with opened():
            pass


STORY = [
    Draft(10, "a", System("started")),
    Draft(20, "a", Metrics((1,), (1,))),
    Draft(20, "b", Metrics((2,), (1,))),
    Draft(15, "a", Metrics((1,), (2,))),
    Draft(30, "a", Notification("n", "info", "text")),
    Draft(30, "b", Metrics((2,), (3,))),
    Draft(5, "b", System("source_lost")),
    Draft(40, "a", Metrics((1,), (4,))),
    Draft(40, "a", Metrics((1,), (5,))),
    Draft(2**62 - 1, "a", Metrics((1,), (6,))),
]
moments = st.none() | st.sampled_from([0, 5, 6, 15, 20, 21, 30, 31, 40, 41, 2**62 - 1, 2**62])
kinds = st.sampled_from(["metrics", "system", "notification", "alert"])


@pytest.mark.gen_test
async def test_reading_agrees_with_a_naive_model(opened):
    """Every mix of place, limit, end, time range, types and source gives what a loop over a list gives."""
    async with opened() as log:
        events = await log.append(STORY)
        rng = st.tuples(
            st.integers(0, 12),
            st.integers(1, 12),
            st.none() | st.integers(0, 12),
            moments,
            moments,
            st.none() | st.lists(kinds, max_size=3),
            st.none() | st.sampled_from(["a", "b", "c"]),
        )
        questions: list[tuple] = []

        @given(rng)
        @settings(max_examples=300, database=None)
        def ask(question):
            questions.append(question)

        ask()
        for after, limit, until, start, end, types, source in questions:
            wanted = [
                event
                for event in events
                if event.seq > after
                and (until is None or event.seq <= until)
                and (start is None or event.at >= start)
                and (end is None or event.at < end)
                and (types is None or event.type in types)
                and (source is None or event.source == source)
            ][:limit]
            found = await log.read(
                after, limit, until=until, start=start, end=end, types=types, source=source
            )
            assert found == wanted, (after, limit, until, start, end, types, source)


@pytest.mark.gen_test
async def test_columns_agree_with_the_events(opened):
    """Range reads give each wanted series' own samples, in order of time, late ones in their place,
    over any number of pages and with series that come and go."""
    async with opened() as log:
        rng = np.random.default_rng(5)
        drafts = []
        model: dict[int, list[tuple[int, float]]] = {1: [], 2: [], 3: []}
        for n in rng.permutation(2 * PAGE + 700):
            ids = [id_ for id_ in (1, 2, 3) if rng.random() < 0.7] or [1]
            values = [float(rng.normal()) for _ in ids]
            drafts.append(Draft(int(n), "a", Metrics(ids, values)))
            for id_, value in zip(ids, values, strict=True):
                model[id_].append((int(n), value))
        for begin in range(0, len(drafts), 500):
            await log.append([*drafts[begin : begin + 500], tick(begin, "b", s4=1)])
        found = await log.columns("a", [1, 3, 9], 100, 2500)
        assert set(found) == {1, 3, 9}
        for id_ in (1, 3):
            ats, values = found[id_]
            wanted = [pair for pair in sorted(model[id_]) if 100 <= pair[0] < 2500]
            assert list(zip(ats.tolist(), values.tolist(), strict=True)) == wanted
            assert (ats.dtype, values.dtype) == (np.int64, np.float64)
        assert len(found[9][0]) == 0


@pytest.mark.gen_test
async def test_columns_have_a_bound(opened):
    """Law slow-costs-itself: one question cannot read without end, and the answer names the way out."""
    async with opened() as log:
        await log.append([tick(n) for n in range(100)])
        ats, _ = (await log.columns("a", [1], 0, 100, most=100))[1]
        assert len(ats) == 100
        with pytest.raises(TooMuch, match="99 unsealed ticks") as told:
            await log.columns("a", [1], 0, 100, most=99)
        assert "query_rows" in told.value.hint


@pytest.mark.gen_test
async def test_first_seq_since_finds_late_events_too(opened):
    """The lowest seq among those at or after a time, wherever they stand; None when there is none."""
    async with opened() as log:
        await log.append([tick(50), tick(10), tick(60), tick(55)])
        assert await log.first_seq_since(0) == 1
        assert await log.first_seq_since(51) == 3
        assert await log.first_seq_since(60) == 3
        assert await log.first_seq_since(61) is None


@pytest.mark.gen_test
async def test_receipts_are_kept_with_their_events(opened):
    """A receipt holds the true seqs of its part of the batch, and survives a restart."""
    async with opened() as log:
        await log.append([tick()])
        receipts = [Receipt("one", NOW, 1, 2, b"x"), Receipt("two", NOW, 3, 3, b"y")]
        await log.append([tick(), tick(), tick()], receipts)
    async with opened() as log:
        assert await log.receipt("one") == Receipt("one", NOW, 2, 3, b"x")
        assert await log.receipt("two") == Receipt("two", NOW, 4, 4, b"y")
        assert await log.receipt("three") is None


@pytest.mark.gen_test
async def test_the_newest_checkpoint_of_the_version_is_given_back(opened):
    """A checkpoint of another fold is none; nor is one from a future this log does not have."""
    async with opened() as log:
        await log.append([tick(), tick()])
        assert await log.checkpoint("view", 1) is None
        await log.save_checkpoint("view", 1, 1, b"first")
        await log.save_checkpoint("view", 1, 2, b"second")
        await log.save_checkpoint("other", 1, 1, b"other")
    async with opened() as log:
        assert await log.checkpoint("view", 1) == (2, b"second")
        assert await log.checkpoint("view", 2) is None
        await log.save_checkpoint("view", 1, 3, b"of a longer log")
        assert await log.checkpoint("view", 1) is None


@pytest.mark.gen_test
async def test_a_checkpoint_takes_little_room(opened):
    """Names repeat themselves; one that was written before they were packed is read all the same."""
    body = b"".join(b'system_cpu_mode_ratio{cpu="%d"}' % n for n in range(200))
    async with opened() as log:
        await log.append([tick()])
        await log.save_checkpoint("view", 1, 1, body)
        assert await log.checkpoint("view", 1) == (1, body)
        with sqlite3.connect(log.path) as connection:
            ((length,),) = connection.execute("SELECT length(body) FROM checkpoints").fetchall()
            connection.execute("UPDATE checkpoints SET body = ?, crc = NULL", (body,))
        connection.close()
        assert length < len(body) / 4
        assert await log.checkpoint("view", 1) == (1, body)


@pytest.mark.gen_test
async def test_stats_count_what_is_there(opened):
    """Head, floor, events, samples and bytes are the log's own; commits are timed."""
    async with opened() as log:
        empty = await log.stats()
        assert (empty.events, empty.samples, empty.bytes_per_sample) == (0, 0, None)
        for _ in range(3):
            await log.append([tick(s1=1, s2=2)])
        stats = await log.stats()
        assert (stats.epoch, stats.head, stats.floor) == (log.epoch, 3, 1)
        assert (stats.events, stats.samples, stats.commits) == (3, 6, 3)
        assert stats.bytes == log.path.stat().st_size + stats.wal_bytes > stats.wal_bytes > 0
        assert stats.bytes_per_sample == round((stats.bytes - stats.wal_bytes) / 6, 2)
        assert 0 < stats.commit_p50_s <= stats.commit_p99_s
        assert log.take_longest_commit() >= stats.commit_p99_s
        assert log.take_longest_commit() == 0


@pytest.mark.gen_test
async def test_a_tick_is_small_on_disk(opened):
    """A tick of 191 series is some 4 bytes a sample: what makes keeping history affordable."""
    async with opened() as log:
        await log.append([Draft(NOW, "a", Metrics(list(range(1, 192)), [0.0] * 191))])
        connection = sqlite3.connect(log.path)
        (body,) = connection.execute("SELECT body FROM events").fetchone()
        connection.close()
    assert msgpack.unpackb(body)[0] == list(range(1, 192))
    assert len(body) < 191 * 11


@pytest.mark.gen_test
async def test_the_tick_before_a_place(opened):
    """In the rows, in a segment that reaches beyond the place, or in the one before it; none before the first."""
    async with opened() as log:
        await log.append([Draft(NOW, "a", System("started"))])
        await log.append([tick(NOW + n) for n in range(10)])
        await log.append([Draft(NOW, "a", System("stopped")), Draft(NOW, "a", System("started"))])
        await log.append([tick(NOW + 100 + n) for n in range(3)])
        expected = {1: None, 2: None, 3: NOW, 12: NOW + 9, 13: NOW + 9, 14: NOW + 9, 17: NOW + 102}
        for _ in range(2):
            assert {seq: await log.last_before(seq) for seq in expected} == expected
            await log.seal(log.head, all_of_it=True)
        assert await log.sealed()
