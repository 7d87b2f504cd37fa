"""The one road into the log: what was acknowledged is on disk, and what failed never was."""

import asyncio
import contextlib
import gc
import time
from types import SimpleNamespace

import pytest

from realtime.core import views
from realtime.core.batch import Batch, Columns, Key, Rejection
from realtime.core.decide import Bounds
from realtime.core.views import View
from realtime.errors import (
    BadInput,
    Busy,
    Closing,
    Overtaken,
    StorageBroken,
    StorageError,
    StorageFull,
)
from realtime.spine import BatchName, Limits, Receipt, Spine, touched
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Event,
    Fact,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
)
from storage.log import Log
from storage.migrate import migrate
from tests import rule
from tests.disk import small_disk
from tests.hands import Hands

S = 1_000_000
NOW = 1_795_403_506 * S
RULE = rule.cpu()
LIMITS = Limits(
    flush_s=0.0, flush_events=500, flush_bytes=262_144, queue_events=1000, queue_bytes=10**7
)


@contextlib.asynccontextmanager
async def spines(directory, limits=LIMITS, writing=True, view=None):
    """A spine on a real log, with what it published and its fatal errors."""
    path = directory / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(NOW)
    it = SimpleNamespace(log=log, published=[], fatal=[], clock=Hands(NOW))
    it.spine = Spine(
        log,
        view or View(),
        it.clock,
        [RULE],
        Bounds(1000, 10, 30 * S),
        limits,
        lambda events: it.published.append(list(events)),
        it.fatal.append,
    )
    await it.spine.load()
    it.start = lambda: setattr(it, "writer", asyncio.create_task(it.spine.run()))
    if writing:
        it.start()
    try:
        yield it
    finally:
        it.spine.close()
        if hasattr(it, "writer"):
            await it.writer
        await log.close()


def batch(*values, source="a", name="load", at=NOW):
    """A sample a microsecond."""
    ats = [at + n for n in range(len(values))]
    return Batch([Columns(source, ats, [Key(name, (), name)], [list(values)])])


def samples(events):
    return [v for e in events if isinstance(e.data, Metrics) for v in e.data.values]


async def queued(it, *wishes):
    """Tasks whose commands all stand in the queue."""
    tasks = [asyncio.create_task(wish) for wish in wishes]
    for _ in range(10):
        await asyncio.sleep(0)
    return tasks


@pytest.mark.gen_test
async def test_what_queued_together_is_committed_together(tmp_path):
    """Group commit: a hundred callers share one fsync, each gets the seqs of its own samples."""
    async with spines(tmp_path, writing=False) as it:
        before = it.log.commits
        tasks = await queued(it, *(it.spine.ingest(batch(n)) for n in range(100)))
        it.start()
        receipts = await asyncio.gather(*tasks)
        assert it.log.commits == before + 1
        events = await it.log.read(0)
        for n, receipt in enumerate(receipts):
            mine = events[receipt.first - 1 : receipt.last]
            assert samples(mine) == [n]
            assert receipt.cursor == f"{it.log.epoch}:{receipt.last}"
            assert (receipt.accepted, receipt.rejected, receipt.repeated) == (1, [], False)
        assert it.spine.queue_events == 0
        assert it.spine.events_committed == len(events) == it.spine.edge


@pytest.mark.gen_test
async def test_a_turn_has_a_size(tmp_path):
    """What is over `flush_events` waits for the next commit; one that is bigger goes alone."""
    limits = Limits(0.0, 10, 10**6, 1000, 10**7)
    async with spines(tmp_path, limits, writing=False) as it:
        before = it.log.commits
        tasks = await queued(it, *(it.spine.ingest(batch(1, 2)) for _ in range(5)))
        tasks += await queued(it, it.spine.ingest(batch(*range(30))))
        it.start()
        await asyncio.gather(*tasks)
        assert it.log.commits == before + 4  # 2 + 2 + 1 of four events each, and the big one
        assert samples(await it.log.read(0)) == [1, 2] * 5 + list(range(30))


@pytest.mark.gen_test
async def test_company_is_waited_for_but_not_long(tmp_path):
    """One alone is written at once. Where several came together others are waited for, up to
    `flush_s`, or until the turn is full."""
    limits = Limits(0.5, 10, 10**6, 1000, 10**7)
    async with spines(tmp_path, limits) as it:
        assert await took(it.spine.ingest(batch(1))) < 0.4
        tasks = await queued(it, it.spine.ingest(batch(1)), it.spine.ingest(batch(2)))
        await asyncio.gather(*tasks)
        assert 0.4 < await took(it.spine.ingest(batch(3))) < 3
        tasks = await queued(it, it.spine.ingest(batch(1)), it.spine.ingest(batch(2)))
        await asyncio.gather(*tasks)
        assert await took(it.spine.ingest(batch(*range(10)))) < 0.4


async def took(wish):
    """Seconds."""
    begun = time.monotonic()
    await wish
    return time.monotonic() - begun


@pytest.mark.gen_test
async def test_nothing_is_told_before_it_is_committed(tmp_path, monkeypatch):
    """Laws append-before-speak and ack-is-durable: while the commit is on its way to the disk nobody
    is answered, nothing is published, nothing applied; then it is applied, published and answered."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(0))
        gate, entered, append = asyncio.Event(), asyncio.Event(), it.log.append

        async def slow(*given):
            events = await append(*given)
            entered.set()
            await gate.wait()
            return events

        monkeypatch.setattr(it.log, "append", slow)
        published, edge = len(it.published), it.spine.edge
        task = asyncio.create_task(it.spine.ingest(batch(1)))
        await entered.wait()
        await asyncio.sleep(0.02)
        assert (task.done(), len(it.published), it.spine.edge) == (False, published, edge)
        gate.set()
        receipt = await task
        assert it.spine.edge == receipt.last == edge + 1
        assert [e.seq for e in it.published[-1]] == [receipt.last]


@pytest.mark.gen_test
async def test_publishing_and_applying_are_one_tick_of_the_loop(tmp_path):
    """Law edge-is-applied: whoever hears of an event finds it in the view, and no later one."""
    async with spines(tmp_path) as it:
        edges = []
        it.spine._publish = lambda events: edges.append((events[-1].seq, it.spine.edge))
        await asyncio.gather(*(it.spine.ingest(batch(*range(n + 1))) for n in range(20)))
        assert edges and all(told == edge for told, edge in edges)


@pytest.mark.gen_test
async def test_the_order_of_the_queue_is_the_order_of_the_log(tmp_path):
    """Samples, notifications and records stand in the log as they were asked for."""
    async with spines(tmp_path, writing=False) as it:
        tasks = await queued(
            it,
            it.spine.ingest(batch(1)),
            it.spine.notify("info", "words", "title", "kitchen", "a"),
            it.spine.record(System("collector_failed", {"collector": "cpu"}), "a"),
            it.spine.ingest(batch(2)),
        )
        it.start()
        first, note, record, last = await asyncio.gather(*tasks)
        assert first.last < note.seq < record.seq < last.first
        assert note.data == Notification(note.data.id, "info", "words", "title", "kitchen")
        assert (note.at, note.source) == (NOW, "a")
        assert [e.seq for e in await it.log.read(0)] == list(range(1, last.last + 1))
        assert [e.seq for run in it.published for e in run] == list(range(1, last.last + 1))


@pytest.mark.gen_test
async def test_a_retry_gets_the_first_answer_and_writes_nothing(tmp_path):
    """Same key, same body: the same seqs, count and rejections, also after a restart."""
    line = Rejection(3, "[3].value", "not a number")
    async with spines(tmp_path) as it:
        first = await it.spine.ingest(batch(1, 2), "key", b"body", [line])
        assert (first.accepted, first.rejected, first.repeated) == (2, [line], False)
        head = it.log.head
        second = await it.spine.ingest(batch(1, 2), "key", b"body", [line])
        assert it.log.head == head
    async with spines(tmp_path) as it:
        third = await it.spine.ingest(batch(1, 2), "key", b"body", [line])
        assert it.log.head == head
    for again in (second, third):
        assert (again.cursor, again.last, again.accepted) == (first.cursor, first.last, 2)
        assert (again.rejected, again.repeated) == ([line], True)


@pytest.mark.gen_test
async def test_a_key_names_one_body(tmp_path):
    """Another body under a used key is refused by the header's name, and nothing of it is kept."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(1), "key", b"body")
        head = it.log.head
        with pytest.raises(BadInput) as refused:
            await it.spine.ingest(batch(2), "key", b"another")
        assert [error.field for error in refused.value.errors] == ["Idempotency-Key"]
        assert it.log.head == head
        await it.spine.ingest(batch(2), "another key", b"another")
        assert samples(await it.log.read(0)) == [1, 2]


@pytest.mark.gen_test
async def test_a_producer_may_send_its_newest_batch_again(tmp_path):
    """The same number and body: the first answer, after a restart too; numbers may be left out."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(1), BatchName("till", "e", 0), b"0")
        first = await it.spine.ingest(batch(2, 3), BatchName("till", "e", 5), b"5")
        head = it.log.head
        again = await it.spine.ingest(batch(2, 3), BatchName("till", "e", 5), b"5")
        assert (again.cursor, again.accepted, again.repeated) == (first.cursor, 2, True)
    async with spines(tmp_path) as it:
        assert (await it.spine.ingest(batch(2, 3), BatchName("till", "e", 5), b"5")).repeated
        assert it.log.head == head
        # Another producer and another epoch count for themselves.
        assert not (await it.spine.ingest(batch(4), BatchName("till", "f", 5), b"5")).repeated
        assert not (await it.spine.ingest(batch(5), BatchName("bar", "e", 0), b"5")).repeated
        assert samples(await it.log.read(0)) == [1, 2, 3, 4, 5]


@pytest.mark.gen_test
async def test_an_older_batch_of_a_producer_is_refused(tmp_path):
    """Only the newest is remembered, so of an older one nobody can say whether it was written: it is
    refused by the header's name, and so is another body under the newest number."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(1), BatchName("till", "e", 5), b"5")
        head = it.log.head
        with pytest.raises(Overtaken, match="batch 4 of producer 'till'") as late:
            await it.spine.ingest(batch(2), BatchName("till", "e", 4), b"4")
        with pytest.raises(BadInput) as other:
            await it.spine.ingest(batch(2), BatchName("till", "e", 5), b"another")
        for refused in (late, other):
            assert [e.field for e in refused.value.errors] == ["Playhead-Producer-Seq"]
        assert it.log.head == head


@pytest.mark.gen_test
async def test_equal_batches_of_a_producer_at_once_are_written_once(tmp_path):
    """Of ten impatient retries one is written, the others get its answer."""
    async with spines(tmp_path) as it:
        answers = await asyncio.gather(
            *(it.spine.ingest(batch(1), BatchName("till", "e", 1), b"1") for _ in range(10))
        )
        assert samples(await it.log.read(0)) == [1]
        assert sum(not answer.repeated for answer in answers) == 1
        assert len({answer.cursor for answer in answers}) == 1
        assert it.spine._keys == {}


@pytest.mark.gen_test
async def test_equal_keys_at_once_are_written_once(tmp_path):
    """Of ten impatient retries one is written, the others get its answer; a bystander is not harmed."""
    async with spines(tmp_path) as it:
        answers = await asyncio.gather(
            *(it.spine.ingest(batch(1), "key", b"body") for _ in range(10)),
            it.spine.ingest(batch(2)),
        )
        assert sum(not answer.repeated for answer in answers[:10]) == 1
        assert len({answer.cursor for answer in answers[:10]}) == 1
        assert sorted(samples(await it.log.read(0))) == [1, 2]


@pytest.mark.gen_test
async def test_a_retry_after_a_failure_is_a_first_try(tmp_path, monkeypatch):
    """Those that waited for the same key are not told of a success that never was."""
    async with spines(tmp_path) as it:
        append, calls = it.log.append, []

        async def once(*given):
            calls.append(given)
            if len(calls) == 1:
                raise StorageError("no")
            return await append(*given)

        monkeypatch.setattr(it.log, "append", once)
        done = await asyncio.gather(
            *(it.spine.ingest(batch(1), "key", b"body") for _ in range(3)), return_exceptions=True
        )
        assert isinstance(done[0], StorageError)
        assert [answer.repeated for answer in done[1:] if isinstance(answer, Receipt)] == [
            False,
            True,
        ]
        assert samples(await it.log.read(0)) == [1]


@pytest.mark.gen_test
async def test_a_caller_that_goes_away_neither_loses_nor_doubles(tmp_path):
    """Its samples are written all the same, and its retry finds them, even while they are on their way."""
    async with spines(tmp_path, writing=False) as it:
        (gone,) = await queued(it, it.spine.ingest(batch(1), "key", b"body"))
        while not it.spine.queue_events:
            await asyncio.sleep(0.001)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        (retry,) = await queued(it, it.spine.ingest(batch(1), "key", b"body"))
        (plain,) = await queued(it, it.spine.ingest(batch(2)))
        plain.cancel()
        it.start()
        assert (await retry).repeated
        await it.spine.ingest(batch(3))
        assert samples(await it.log.read(0)) == [1, 2, 3]


@pytest.mark.gen_test
async def test_the_queue_has_a_bound(tmp_path):
    """Law slow-costs-itself: what is over it is refused with Busy and not kept; what is in is written;
    then there is room again. One that could never pass is let in alone."""
    limits = Limits(0.0, 500, 262_144, 10, 10**7)
    async with spines(tmp_path, limits, writing=False) as it:
        tasks = await queued(it, *(it.spine.ingest(batch(n)) for n in range(3)))
        assert it.spine.queue_events == 9
        with pytest.raises(Busy) as refused:
            await it.spine.ingest(batch(99))
        assert refused.value.retry_after_s > 0
        it.start()
        await asyncio.gather(*tasks)
        await it.spine.ingest(batch(*range(100, 150)))
        assert samples(await it.log.read(0)) == [0, 1, 2, *range(100, 150)]


@pytest.mark.gen_test
async def test_bytes_are_bounded_too(tmp_path):
    """A few wide batches fill the queue as well as many small ones."""
    limits = Limits(0.0, 500, 1_000_000, 10**6, 1000)
    async with spines(tmp_path, limits, writing=False) as it:
        tasks = await queued(it, *(it.spine.ingest(batch(n)) for n in range(4)))
        with pytest.raises(Busy):
            await it.spine.ingest(batch(5))
        it.start()
        await asyncio.gather(*tasks)


@pytest.mark.gen_test
async def test_a_full_disk_is_said_and_outlived(tmp_path, logs):
    """On a disk that is truly full: callers hear it, `full` is shown, reading goes on, nothing of the
    failed batch is left, and with the room the recording comes back by itself."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        async with spines(disk.path) as it:
            await it.spine.ingest(batch(1))
            disk.fill()
            told = []
            with pytest.raises(StorageFull) as full:
                for n in range(100):
                    await it.spine.ingest(batch(*[n + 0.5] * 500, source="b", name="cpu_ratio"))
                    told.append(n + 0.5)
            logs.expect("nothing can be recorded")
            assert "space" in full.value.hint
            assert it.spine.full
            for _ in range(3):
                with pytest.raises(StorageFull):
                    await it.spine.ingest(batch(*[0.1] * 500, source="c"))
            assert "c" not in it.spine.view.sources
            assert it.fatal == []
            kept = await it.log.read(0, 10**6)
            assert samples(kept) == [1] + [value for value in told for _ in range(500)]
            disk.clear()
            again = await it.spine.ingest(batch(2, source="c"))
            assert not it.spine.full
            assert again.last == it.log.head == it.spine.edge
        async with spines(disk.path) as it:
            events = await it.log.read(0, 10**6)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert samples(events)[-1] == 2


@pytest.mark.gen_test
async def test_deciding_remembers_over_commits(tmp_path):
    """An alert fires once however many commits it lasts, and a source is lost for its silence."""
    async with spines(tmp_path) as it:
        for n in range(3):
            await it.spine.ingest(batch(0.9, name="cpu_ratio", at=NOW + n * S))
        assert len(await it.log.read(0, types=["alert"])) == 1
        it.clock.at = NOW + 29 * S
        await it.spine.ingest(batch(1, source="b"))
        it.clock.at = NOW + 31 * S
        await it.spine.ingest(batch(1, source="b"))
        lost = (await it.log.read(0, types=["system"]))[-1]
        assert (lost.source, lost.data) == ("a", System("source_lost", {"last_seen": NOW + 2 * S}))


@pytest.mark.gen_test
async def test_a_failed_commit_leaves_no_trace(tmp_path, monkeypatch):
    """No id, no source, no alert, no receipt, no seq of it remains; everybody in it hears the error;
    the next commit declares and fires as if it were the first."""
    async with spines(tmp_path, writing=False) as it:

        async def no(*_given):
            raise StorageError("no")

        with monkeypatch.context() as patch:
            patch.setattr(it.log, "append", no)
            wish = batch(0.9, name="cpu_ratio")
            tasks = await queued(
                it, it.spine.ingest(wish), it.spine.notify("info", "x"), it.spine.ingest(wish)
            )
            it.start()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in done] == [StorageError] * 3
        assert (it.spine.edge, it.log.head, it.published) == (0, 0, [])
        assert it.spine.view.series == {} and it.spine.view.alerts == {}
        await it.spine.ingest(wish)
        events = await it.log.read(0)
        assert [e.type for e in events] == ["system", "series", "metrics", "alert"]
        assert isinstance(events[1].data, Declared)
        assert events[1].data.series[0].id == 1


@pytest.mark.gen_test
async def test_a_disk_that_cannot_be_trusted_is_fatal(tmp_path, monkeypatch):
    """Callers hear it, `fatal` is told, and nothing more is taken in: better no server than one that lies."""
    async with spines(tmp_path) as it:

        async def broken(*_given):
            raise StorageBroken("fsync failed")

        monkeypatch.setattr(it.log, "append", broken)
        with pytest.raises(StorageBroken):
            await it.spine.ingest(batch(1))
        assert [str(error) for error in it.fatal] == ["fsync failed"]
        with pytest.raises(Closing):
            await it.spine.ingest(batch(2))
        await asyncio.wait_for(it.writer, 5)


@pytest.mark.gen_test
async def test_a_writer_that_fails_leaves_nobody_waiting(tmp_path, monkeypatch):
    """A mistake of ours ends the writer loudly, and those in the queue are told."""
    async with spines(tmp_path, writing=False) as it:

        async def mistake(*_given):
            raise ZeroDivisionError

        monkeypatch.setattr(it.log, "append", mistake)
        tasks = await queued(it, *(it.spine.ingest(batch(*range(400))) for _ in range(2)))
        it.start()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [type(error) for error in done] == [Closing, Closing]
        with pytest.raises(ZeroDivisionError):
            await it.writer
        del it.writer


@pytest.mark.gen_test
async def test_close_writes_what_is_queued_and_takes_no_more(tmp_path):
    """Drain: what stands in the queue is acknowledged, the next one hears that the server stops."""
    async with spines(tmp_path, Limits(60.0, 500, 10**6, 1000, 10**7)) as it:
        tasks = await queued(it, *(it.spine.ingest(batch(n)) for n in range(5)))
        it.spine.close()
        with pytest.raises(Closing):
            await it.spine.ingest(batch(9))
        receipts = await asyncio.wait_for(asyncio.gather(*tasks), 5)
        await asyncio.wait_for(it.writer, 5)
        assert len({receipt.last for receipt in receipts}) == 5
        assert sorted(samples(await it.log.read(0))) == [0, 1, 2, 3, 4]


@pytest.mark.gen_test
async def test_a_batch_of_nothing_acceptable_writes_nothing(tmp_path):
    """Its answer is not a receipt either: with the cause removed, the same key may try again."""
    async with spines(tmp_path) as it:
        await asyncio.gather(*(it.spine.ingest(batch(1, source=f"s{n}")) for n in range(10)))
        head = it.log.head
        refused = await it.spine.ingest(batch(1, source="one more"), "key", b"body")
        assert (refused.accepted, refused.last, it.log.head) == (0, head, head)
        assert [line.field for line in refused.rejected] == ["source"]
        assert not (await it.spine.ingest(batch(2, source="s1"), "key", b"body")).repeated


@pytest.mark.gen_test
async def test_loading_is_folding(tmp_path):
    """With a checkpoint or without one, of this version or another: the same view, and no decision
    (laws views-are-disposable, decide-live-only)."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(0.9, 0.1, 0.9, name="cpu_ratio"))
        await it.spine.notify("info", "words")
        await it.spine.checkpoint()
        await it.spine.ingest(batch(1, 2, 3, source="b", at=NOW + S))
        head, shown = it.log.head, _shown(it.spine.view)
    async with spines(tmp_path) as it:
        assert (_shown(it.spine.view), it.log.head, it.published) == (shown, head, [])
        await it.log.save_checkpoint("view", 999, 2, b"of another fold")
    async with spines(tmp_path) as it:
        assert _shown(it.spine.view) == shown


@pytest.mark.gen_test
async def test_a_checkpoint_that_cannot_be_read_is_left_aside(tmp_path, logs):
    """It is said, and the log is folded from its beginning."""
    async with spines(tmp_path) as it:
        await it.spine.ingest(batch(1, 2, 3))
        await it.spine.checkpoint()
        shown = _shown(it.spine.view)
        seq, body = await it.log.checkpoint("view", views.VERSION)
        await it.log.save_checkpoint("view", views.VERSION, seq, body[: len(body) // 2])
    async with spines(tmp_path) as it:
        logs.expect("the checkpoint cannot be read")
        assert _shown(it.spine.view) == shown


@pytest.mark.gen_test
async def test_loading_reads_back_the_window_over_many_pages(tmp_path):
    """A checkpoint leaves the windows out; they come back from the log's last minutes, all of them."""
    async with spines(tmp_path) as it:
        for n in range(5):
            await it.spine.ingest(batch(*range(200 * n, 200 * n + 200), at=NOW + n * S))
        await it.spine.checkpoint()
        shown = _shown(it.spine.view)
    async with spines(tmp_path) as it:
        assert _shown(it.spine.view) == shown
        assert len(it.spine.view.windows.columns(1)[0]) == 960


def _shown(view):
    return (
        view.seq,
        view.at,
        view.series,
        view.first,
        sorted(view.latest.items()),
        [[c.tolist() for c in view.windows.columns(id_)] for id_ in view.series],
        view.sources,
        view.alerts,
        list(view.resolved),
        list(view.notifications),
        list(view.annotations.values()),
        list(view.layouts.values()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("series", [1, 200, 5000])
@pytest.mark.gen_test(timeout=60)
async def test_the_biggest_batch_leaves_the_loop_free(tmp_path, series):
    """Law loop-never-blocks: 200,000 samples in one request, as one tall column, a square, or wide
    rows; no callback holds the loop for more than 50 ms of this process' own time."""
    async with spines(tmp_path) as it:
        it.spine._bounds = Bounds(10_000, 10, 30 * S)
        rows = 200_000 // series
        wide = Batch(
            [
                Columns(
                    "a",
                    list(range(NOW, NOW + rows)),
                    [Key(f"m{n}", (), f"m{n}") for n in range(series)],
                    [[float(row) + 0.5 for row in range(rows)] for _ in range(series)],
                )
            ]
        )
        gc.collect()
        gc.freeze()  # as run.py does
        held = []

        async def watch():
            while True:
                begun = time.thread_time()
                await asyncio.sleep(0)
                # CPU time of this thread only: what other processes take from it is not its fault.
                held.append(time.thread_time() - begun)

        watching = asyncio.create_task(watch())
        receipt = await it.spine.ingest(wide)
        watching.cancel()
        gc.unfreeze()
        assert receipt.accepted == series * rows
        assert len(held) > 20
        assert max(held) < 0.05, f"{max(held) * 1000:.0f} ms"


def test_what_is_touched_goes_stale():
    """The shelf's tags, by what happened to whom."""
    alert = Alert("i", "cpu", "firing", "critical", 1, 2, 1, 0, "words")
    facts: dict[str, Fact] = {
        "metrics:a": Metrics([1], [1]),
        "series:a": Declared([Series(1, "x", {})]),
        "alerts": alert,
        "notifications": Notification("i", "info", "words"),
        "annotations": Annotation("i", "noted", "words", 1),
        "layouts": Layout("i", "saved", "words", []),
        "sources": System("started"),
    }
    for tag, fact in facts.items():
        assert touched([Event(1, 1, "a", fact)]) == {tag}
    assert touched([Event(1, 1, "a", fact) for fact in facts.values()]) == set(facts)
