import asyncio
import contextlib
import math
import re
import threading
import time
from collections.abc import Callable

import pytest

from realtime.collect.collector import Moment
from realtime.collect.lineup import default_collectors
from realtime.collect.reading import Reading, key, reading
from realtime.collect.recorder import WAITING_MAX, Recorder, merged
from realtime.core.batch import Descriptor
from realtime.errors import Busy, StorageFull

NOON_S = 1_795_435_200.0


class Fake:
    """A collector that tells its own name, or does what it is told to do."""

    def __init__(self, name, pace_s=0.0, on_loop=False, tells=True):
        self.name = name
        self.pace_s = pace_s
        self.on_loop = on_loop
        self.descriptors = {name: Descriptor("ratio", help=f"{name}.")}
        self.tells = tells
        self.act: Callable[[], object] = lambda: None
        self.moments = []
        self.threads = []

    def collect(self, moment):
        self.moments.append(moment)
        self.threads.append(threading.current_thread())
        self.act()
        return [reading(self.name, len(self.moments))] if self.tells else []


class Bench:
    """A recorder whose clock passes in sleep alone; `beat` waits until the next tick is handed on."""

    def __init__(self, *collectors, patience_s=5.0, take=None):
        self.second = 0.0
        self.batches = []
        self.news = []
        self.turn = asyncio.Semaphore(0)
        self.over = asyncio.Semaphore(0)
        self.take = take
        self.recorder = Recorder(
            collectors,
            1.0,
            "host",
            self.submit,
            self.failed,
            self.recovered,
            clock=lambda: Moment(NOON_S + self.second, 100 + self.second),
            sleep=self.sleep,
            patience_s=patience_s,
        )

    async def sleep(self, wait_s):
        self.over.release()
        await self.turn.acquire()
        self.second += wait_s

    async def submit(self, batch):
        if self.take:
            await self.take(batch)
        self.batches.append(batch)

    async def failed(self, name, error):
        self.news.append((name, error))

    async def recovered(self, name):
        self.news.append((name, None))

    async def beat(self, count=1):
        for _ in range(count):
            self.turn.release()
            await self.over.acquire()
            for _ in range(5):  # what was handed on passes through a task of its own
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.recorder.run())
        await self.over.acquire()
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def ticks(self):
        return [
            (
                c.ats[0] - int(NOON_S) * 10**6,
                {k.text: v for k, v in zip(c.keys, c.values, strict=True)},
            )
            for batch in self.batches
            for c in batch.columns
        ]


@pytest.mark.gen_test
async def test_one_tick_a_beat():
    """What all collectors read becomes one column of samples at the beat's own time, described."""
    async with Bench(Fake("a"), Fake("b")).running() as bench:
        await bench.beat(2)
    assert bench.ticks() == [
        (1_000_000, {"a": [1], "b": [1]}),
        (2_000_000, {"a": [2], "b": [2]}),
    ]
    assert bench.batches[0].columns[0].source == "host"
    assert bench.batches[0].size == 2
    assert bench.batches[0].descriptors == bench.recorder.descriptors
    assert set(bench.recorder.descriptors) == {"a", "b"}


@pytest.mark.gen_test
async def test_reading_is_done_off_the_loop():
    """Law loop-never-blocks: one thread reads them all, but for what belongs to the loop."""
    off, other, on = Fake("off"), Fake("other"), Fake("on", on_loop=True)
    async with Bench(off, other, on).running() as bench:
        await bench.beat(2)
    here = threading.current_thread()
    assert set(on.threads) == {here}
    assert len({*off.threads, *other.threads}) == 1
    assert here not in off.threads


@pytest.mark.gen_test
async def test_the_slow_have_their_own_pace():
    """One that wants five seconds of peace is asked at the first beat and every fifth after it."""
    slow = Fake("slow", pace_s=5.0)
    async with Bench(Fake("fast"), slow).running() as bench:
        await bench.beat(12)
    assert [round(m.steady_s - 100) for m in slow.moments] == [1, 6, 11]


@pytest.mark.gen_test
async def test_one_that_fails_costs_only_itself_and_says_so_once(logs):
    """The others go on; failing and recovering are each told one time."""
    good, bad = Fake("good"), Fake("bad")

    def broken():
        raise OSError("no such device")

    async with Bench(good, bad).running() as bench:
        await bench.beat()
        bad.act = broken
        await bench.beat(3)
        assert bench.recorder.errors == {"bad": "OSError: no such device"}
        bad.act = lambda: None
        await bench.beat(2)
    assert bench.news == [("bad", "OSError: no such device"), ("bad", None)]
    assert [sorted(values) for _, values in bench.ticks()] == [
        ["bad", "good"],
        ["good"],
        ["good"],
        ["good"],
        ["bad", "good"],
        ["bad", "good"],
    ]
    logs.expect("a collector failed")


@pytest.mark.gen_test
async def test_an_error_that_quotes_odd_bytes_can_be_recorded(logs):
    """A file name that is no UTF-8 reaches the log as something UTF-8 can hold."""
    bad = Fake("bad")

    def broken():
        raise ValueError("cannot read /mnt/\udcff")

    bad.act = broken
    async with Bench(bad).running() as bench:
        await bench.beat()
    [(_, error)] = bench.news
    assert error.encode() == b"ValueError: cannot read /mnt/?"
    logs.expect("a collector failed")


@pytest.mark.gen_test
async def test_one_that_hangs_is_left_behind(logs):
    """The others are read in the same beat; it is asked again once it has come back."""
    before, hung, after = Fake("before"), Fake("hung"), Fake("after")
    gate = threading.Event()
    hung.act = lambda: gate.wait(30)
    async with Bench(before, hung, after, patience_s=0.05).running() as bench:
        await bench.beat(3)
        assert [sorted(values) for _, values in bench.ticks()] == [["after", "before"]] * 3
        assert len(hung.moments) == 1, "it was asked again while it hung"
        assert bench.news == [("hung", "TimeoutError: no answer within 0.05 s")]
        assert len({*before.threads, *after.threads}) == 2
        gate.set()
        hung.threads[0].join(10)
        await bench.beat()
    assert bench.news[1:] == [("hung", None)]
    assert sorted(bench.ticks()[-1][1]) == ["after", "before", "hung"]
    logs.expect("a collector failed.*hung")


@pytest.mark.gen_test
async def test_a_stalled_disk_makes_no_hole():
    """While a commit takes its time the reading goes on, and all of it is handed on then."""
    gate = asyncio.Event()
    async with Bench(Fake("a"), take=lambda _: gate.wait()).running() as bench:
        await bench.beat(5)
        assert bench.batches == []
        gate.set()
        await bench.beat()
    assert [at for at, _ in bench.ticks()] == [n * 10**6 for n in range(1, 7)]
    assert len(bench.batches) < 6


@pytest.mark.parametrize("refusal", [Busy(), StorageFull("no room")])
@pytest.mark.gen_test
async def test_what_was_refused_is_handed_on_again(refusal, logs):
    """A full queue or disk costs nothing if it does not last; it is said once."""
    refusing = True

    async def take(batch):
        if refusing:
            raise refusal

    async with Bench(Fake("a"), take=take).running() as bench:
        await bench.beat(3)
        assert bench.batches == []
        refusing = False
        await bench.beat()
    assert [at for at, _ in bench.ticks()] == [n * 10**6 for n in range(1, 5)]
    logs.expect("does not take what was measured")


@pytest.mark.gen_test
async def test_news_that_were_refused_are_told_again(logs):
    """That a collector failed is a fact: a full queue delays it and does not lose it."""
    bad = Fake("bad")
    bad.act = lambda: 1 // 0
    bench = Bench(Fake("a"), bad)
    told, refusals = [], [Busy(), Busy()]

    async def failed(name, error):
        if refusals:
            raise refusals.pop()
        told.append(name)

    bench.recorder._failed = failed
    async with bench.running():
        await bench.beat(4)
    assert told == ["bad"]
    assert [at for at, _ in bench.ticks()] == [n * 10**6 for n in range(1, 5)]
    logs.expect("a collector failed")
    logs.expect("does not take what was measured")


@pytest.mark.gen_test
async def test_what_waits_is_bounded(logs):
    """Law slow-costs-itself: of too many ticks that wait the oldest are lost."""
    refusing = True

    async def take(batch):
        if refusing:
            raise Busy

    async with Bench(Fake("a"), take=take).running() as bench:
        await bench.beat(WAITING_MAX + 10)
        refusing = False
        await bench.beat()
    ticks = [at // 10**6 for at, _ in bench.ticks()]
    assert ticks == list(range(12, WAITING_MAX + 12))
    logs.expect("does not take what was measured")


@pytest.mark.gen_test
async def test_a_fault_of_ours_ends_the_recorder():
    """What nobody foresaw is not swallowed: the one who runs it hears of it."""

    async def take(batch):
        raise LookupError("a bug")

    bench = Bench(Fake("a"), take=take)
    task = asyncio.create_task(bench.recorder.run())
    await bench.over.acquire()
    await bench.beat()
    bench.turn.release()
    with pytest.raises(LookupError):
        await task


@pytest.mark.gen_test
async def test_nothing_read_is_no_tick():
    """A beat at which no collector had anything to tell leaves no empty event."""
    silent = Fake("silent", tells=False)
    async with Bench(silent).running() as bench:
        await bench.beat(3)
    assert bench.batches == []


def test_samples_are_canonical_and_single():
    """Integral values are integers, what is no number is no sample, of two the first stays."""
    found = merged(
        "host",
        5,
        [
            Reading(key("a"), 2.0),
            Reading(key("a"), 3),
            Reading(key("b"), math.nan),
            Reading(key("c"), math.inf),
            Reading(key("d"), 2**60),
            Reading(key("e"), 0.5),
        ],
    )
    assert found
    assert [k.text for k in found.keys] == ["a", "d", "e"]
    assert found.values == [[2], [2.0**60], [0.5]]
    assert [type(column[0]) for column in found.values] == [int, float, float]
    assert merged("host", 5, []) is None


@pytest.mark.gen_test
async def test_this_machine():
    """The real collectors on the real clock: a tick on the tenth, with all that matters in it."""
    batches = []

    async def submit(batch):
        batches.append(batch)

    async def unwanted(*news):
        raise AssertionError(news)

    recorder = Recorder(default_collectors(0.1), 0.1, "me", submit, unwanted, unwanted)
    task = asyncio.create_task(recorder.run())
    async with asyncio.timeout(20):
        while len(batches) < 5:
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    texts = {k.text for batch in batches for k in batch.columns[0].keys}
    names = {re.split("{", text)[0] for text in texts}
    assert names >= {
        "system_cpu_utilization_ratio",
        "system_load",
        "system_memory_utilization_ratio",
        "system_filesystem_utilization_ratio",
        "system_processes",
        "system_uptime_seconds",
        "playhead_process_resident_bytes",
    }


@pytest.mark.slow
@pytest.mark.gen_test
async def test_it_is_cheap():
    """The whole collection, the look at the processes included, is far below 1 % of a core a beat.

    Measured 4 ms; the bound leaves room for a machine that is busy with something else."""

    async def unwanted(*_):
        raise AssertionError("nothing is handed on or fails here")

    recorder = Recorder(default_collectors(), 1.0, "me", unwanted, unwanted, unwanted)
    await recorder._read()
    began = time.process_time()
    for _ in range(10):
        await recorder._read()
    cost_s = (time.process_time() - began) / 10
    assert recorder._worker
    recorder._worker.close()
    assert cost_s < 0.02
