"""Runs the collectors on every beat and hands on what they read, one tick a beat.

The reading is done in one worker thread. A collector that has not answered within `patience_s` is
left behind with that thread: it counts as failed, a new thread goes on with the others, and it is
asked again only after it has come back. So a hang costs one late tick and one sleeping thread.

Handing on is apart from reading: while a commit takes its time the ticks wait, the oldest of too
many are lost, and the reading keeps its beat.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from realtime.collect.collector import Collector, Moment
from realtime.collect.reading import Reading, clean
from realtime.collect.round import Outcome, Round, clocks, collected
from realtime.collect.schedule import Schedule
from realtime.collect.worker import Worker
from realtime.core.batch import Batch, Columns, Descriptor, Key
from realtime.errors import Busy, Closing, StorageError
from storage.events import Number, canonical

MICROSECONDS = 1_000_000

WAITING_MAX = 120
"""Ticks that wait for the log; at one a second a disk may stall for two minutes and no tick is lost."""

log = structlog.get_logger(__name__)


class Recorder:
    """`submit` returns when the batch is durable; if it raises, nothing of the batch was kept.

    `failed(name, error)` and `recovered(name)` are told once for each change, by collector.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        interval_s: float,
        source: str,
        submit: Callable[[Batch], Awaitable[object]],
        failed: Callable[[str, str], Awaitable[object]],
        recovered: Callable[[str], Awaitable[object]],
        *,
        clock: Callable[[], Moment] = clocks,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        patience_s: float = 5.0,
    ) -> None:
        self._collectors = list(collectors)
        self._interval_s = interval_s
        self._source = source
        self._submit = submit
        self._failed = failed
        self._recovered = recovered
        self._clock = clock
        self._patience_s = patience_s
        self._schedule = Schedule(interval_s, lambda: int(clock().wall_s * MICROSECONDS), sleep)
        self._descriptors = {n: d for c in self._collectors for n, d in c.descriptors.items()}
        self._asked_s: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._hung: dict[str, Round] = {}
        self._worker: Worker | None = None
        self._ticks: deque[Columns] = deque(maxlen=WAITING_MAX)
        self._news: deque[tuple[str, str | None]] = deque()
        self._arrived = asyncio.Event()
        self._refused = ""

    @property
    def errors(self) -> Mapping[str, str]:
        """Collectors that fail at present, each with its last error."""
        return self._errors

    @property
    def descriptors(self) -> Mapping[str, Descriptor]:
        """Every metric the collectors can tell."""
        return self._descriptors

    async def run(self) -> None:
        """Until cancelled."""
        handing_on = asyncio.create_task(self._hand_on(), name="recorder: hand on")
        try:
            while True:
                at = await self._schedule.beat()
                if tick := merged(self._source, at, await self._read()):
                    self._ticks.append(tick)
                self._arrived.set()
                if handing_on.done():
                    handing_on.result()  # it ends by an error only: one of ours, to be heard of
        finally:
            handing_on.cancel()
            await asyncio.gather(handing_on, return_exceptions=True)
            if self._worker is not None:
                self._worker.close()
                self._worker = None

    async def _read(self) -> list[Reading]:
        self._readmit()
        now_s = self._clock().steady_s
        due = [collector for collector in self._collectors if self._is_due(collector, now_s)]
        for collector in due:
            self._asked_s[collector.name] = now_s
        outcomes = [collected(c, self._clock()) for c in due if c.on_loop]
        outcomes += await self._walk([c for c in due if not c.on_loop])
        for outcome in outcomes:
            self._judge(outcome)
        return [reading for outcome in outcomes for reading in outcome.readings]

    def _is_due(self, collector: Collector, now_s: float) -> bool:
        if collector.name in self._hung:
            return False
        asked_s = self._asked_s.get(collector.name, -math.inf)
        # Half a beat early is on time: beats jitter, and 4.999 s must not become six.
        return now_s - asked_s >= collector.pace_s - self._interval_s / 2

    def _readmit(self) -> None:
        for name in [name for name, walk in self._hung.items() if walk.returned]:
            del self._hung[name]

    async def _walk(self, due: list[Collector]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while due:
            if self._worker is None:
                self._worker = Worker("collectors")
            walk = Round(due, self._clock)
            done = self._worker.run(walk.run)
            await asyncio.wait([done], timeout=self._patience_s)
            hung: Collector | None = None
            due = []
            if done.done():
                done.result()
            else:
                hung, due = walk.abandon()
                self._worker.close()
                self._worker = None
            outcomes += walk.outcomes()
            if hung is not None:
                self._hung[hung.name] = walk
                error = TimeoutError(f"no answer within {self._patience_s:g} s")
                outcomes.append(Outcome(hung, [], error))
        return outcomes

    def _judge(self, outcome: Outcome) -> None:
        name = outcome.collector.name
        if outcome.error is None:
            if self._errors.pop(name, None) is not None:
                log.info("collector works again", collector=name)
                self._news.append((name, None))
            return
        # An error may quote a file name, and to the system those are bytes of any kind.
        error = clean(f"{type(outcome.error).__name__}: {outcome.error}")
        if name not in self._errors:
            log.warning(
                "a collector failed, the others go on",
                collector=name,
                error=error,
                exc_info=outcome.error,
            )
            self._news.append((name, error))
        self._errors[name] = error

    async def _hand_on(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._tell()
                await self._deliver()
            except (Busy, Closing, StorageError) as error:
                # Kept, and tried again on the next beat; said once until it goes well.
                if not self._refused:
                    log.warning("the log does not take what was measured", error=str(error))
                self._refused = str(error)
            else:
                self._refused = ""

    async def _tell(self) -> None:
        while self._news:
            name, error = self._news[0]
            await (self._recovered(name) if error is None else self._failed(name, error))
            self._news.popleft()

    async def _deliver(self) -> None:
        if not self._ticks:
            return
        ticks = list(self._ticks)
        self._ticks.clear()
        try:
            await self._submit(Batch(ticks, self._descriptors))
        except (Busy, Closing, StorageError):
            # Before those that came meanwhile; the oldest are lost when there are too many.
            newer = [*ticks, *self._ticks]
            self._ticks.clear()
            self._ticks.extend(newer)
            raise


def merged(source: str, at: int, readings: Iterable[Reading]) -> Columns | None:
    """One tick; None if nothing was read. The first of two samples of one series stays."""
    found: dict[str, tuple[Key, Number]] = {}
    for key, value in readings:
        number = float(value)
        if math.isfinite(number):  # a driver's NaN is no sample
            found.setdefault(key.text, (key, canonical(number)))
    if not found:
        return None
    keys = [key for key, _ in found.values()]
    return Columns(source, [at], keys, [[value] for _, value in found.values()])
