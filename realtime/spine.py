"""The one road into the log: take what has queued, decide, append, evolve, publish, answer.

Only the spine appends (law one-writer), and only here is `decide` called (law decide-live-only). Each turn
commits everything that queued while the last one was on its way to the disk: group commit.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import structlog

from realtime import trust
from realtime.clock import Clock
from realtime.core import views
from realtime.core.alerts import Rule, resume, rules_by_series
from realtime.core.annotations import Wish
from realtime.core.batch import Batch, Rejection
from realtime.core.cursor import cursor
from realtime.core.decide import Bounds, Desk, Live, Refusal
from realtime.core.views import View, evolve, evolve_all
from realtime.errors import (
    BadInput,
    Busy,
    Closing,
    Conflict,
    Damaged,
    FieldError,
    NotFound,
    Overtaken,
    PlayheadError,
    Stale,
    StorageBroken,
    StorageError,
    StorageFull,
)
from realtime.refold import refill, refold
from storage.events import Declared, Event, Layout, Metrics, Notification, System, Unreadable
from storage.log import Log
from storage.producers import Taken
from storage.receipts import Receipt as Kept

CHECKPOINT = "view"
SLICE = 20_000
"""Samples evolved before others get the loop (law loop-never-blocks)."""
EVENT = 10
"""What an event costs beyond its samples, in samples."""
SILENCE_US = 1_000_000
"""How often sources are looked over for silence."""

TAGS = {
    "alert": "alerts",
    "notification": "notifications",
    "annotation": "annotations",
    "layout": "layouts",
}
"""What of the shelf a fact makes stale, by its kind."""

log_ = structlog.get_logger(__name__)

T = TypeVar("T")


class Limits(msgspec.Struct, frozen=True):
    """Group commit: a turn begins `flush_s` after its first command, or at `flush_events` or
    `flush_bytes`. The queue refuses what goes over `queue_events` or `queue_bytes`."""

    flush_s: float
    flush_events: int
    flush_bytes: int
    queue_events: int
    queue_bytes: int


class Receipt(msgspec.Struct, frozen=True):
    """What became of a batch. `cursor` stands at its last event; `repeated` when an earlier
    request with the same name had written it, and nothing was written now."""

    cursor: str
    first: int
    last: int
    accepted: int
    rejected: list[Rejection]
    repeated: bool = False


class BatchName(NamedTuple):
    """The batch `number` of a producer, which counts up within an `epoch` of its own. Only the newest
    is remembered, so this costs a row a producer where an Idempotency-Key costs one a batch."""

    producer: str
    epoch: str
    number: int


class _Command:
    """One caller's wish. `act` runs at the desk and gives what is rejected; `future` gets the events."""

    __slots__ = ("act", "bytes", "events", "future", "key", "mark")

    def __init__(
        self,
        act: Callable[[Desk, int], Awaitable[list[Rejection]]],
        events: int,
        size: int,
        key: str | BatchName = "",
        mark: bytes = b"",
    ) -> None:
        self.act = act
        self.events = events
        self.bytes = size
        self.key = key
        self.mark = mark
        self.future: asyncio.Future[tuple[list[Event], list[Rejection]]] = (
            asyncio.get_running_loop().create_future()
        )


class Spine:
    """`publish` is called with events that are committed and applied, in order, in one tick of the loop
    with their application; `fatal` when the disk cannot be trusted any more."""

    def __init__(
        self,
        log: Log,
        view: View,
        clock: Clock,
        rules: Sequence[Rule],
        bounds: Bounds,
        limits: Limits,
        publish: Callable[[list[Event]], None],
        fatal: Callable[[StorageError], None],
    ) -> None:
        self.view = view
        self.full = False
        """The last commit found no room on the disk."""
        self.events_committed = 0
        self._log = log
        self._clock = clock
        self._rules = rules_by_series(rules)
        self._bounds = bounds
        self._limits = limits
        self._publish = publish
        self._fatal = fatal
        self._live = Live({}, {})
        self._queue: deque[_Command] = deque()
        self._queued_events = 0
        self._queued_bytes = 0
        self._keys: dict[str | tuple[str, str], asyncio.Task[Any]] = {}
        """Requests under way by their Idempotency-Key, or by producer and epoch."""
        self._ready = asyncio.Event()
        self._ripe = asyncio.Event()
        self._closing = False
        self._company = False
        """The last turn had more than one command: more are likely to come."""
        self._looked = 0

    async def load(self) -> None:
        """Fold the log into the view: from the checkpoint if there is one, to the head."""
        view, log = self.view, self._log
        saved = await log.checkpoint(CHECKPOINT, views.VERSION)
        if saved is not None:
            seq, body = saved
            try:
                state = views.load(body)
            except msgspec.DecodeError as error:
                log_.warning(
                    "the checkpoint cannot be read; folding the whole log", reason=str(error)
                )
            else:
                views.restore(view, seq, state)
                await refill(view, log, state.newest, seq)
                views.recollect(view, state)
        skipped = view.seq + 1 < log.floor
        if not view.seq:
            skipped |= not await refold(view, log)
        while view.seq < log.head:
            page = await log.read(view.seq, 200)
            for event in page:
                evolve(view, event)
            if not page:  # retention took what the log ended with
                view.seq = log.head
            await asyncio.sleep(0)
        if skipped:
            await self._recall()
        self.forgot()
        self._live = Live(resume(view.alerts.values()), {})

    async def _recall(self) -> None:
        try:
            remembered = await self._log.remembered()
        except Damaged as error:
            log_.error("part of the log is damaged", what=error.detail, hint=error.hint)
        else:
            views.recall(self.view, remembered, self._log.since(0))

    def forgot(self) -> None:
        """Let the view know no more of readings that are gone than the log does."""
        views.forget(self.view, self._log.since(0))

    @property
    def edge(self) -> int:
        """The last applied seq."""
        return self.view.seq

    @property
    def epoch(self) -> str:
        return self._log.epoch

    @property
    def floor(self) -> int:
        return self._log.floor

    @property
    def queue_events(self) -> int:
        return self._queued_events

    def cursor(self) -> str:
        return cursor(self._log.epoch, self.view.seq)

    def now(self) -> int:
        return self._clock.now()

    async def ingest(
        self,
        batch: Batch,
        key: str | BatchName | None = None,
        digest: bytes = b"",
        rejected: Sequence[Rejection] = (),
        own: bool = False,
    ) -> Receipt:
        """Samples, on disk when this returns (law ack-is-durable). `own`: measured here, and not sent.

        With a `key`, a retry of the same body (`digest`) is answered with the first answer.

        Raises:
            Busy, Closing, StorageFull: nothing was kept.
            BadInput: the key was used for another body.
            Overtaken: a later batch of this producer has been taken.
        """
        if not key:
            return await self._ingest(batch, rejected, own=own)
        mark = hashlib.sha256(digest).digest()
        return await self._alone(key, lambda: self._once(batch, rejected, key, mark))

    async def _alone(self, key: str | BatchName, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One after the other: the second of a key finds the receipt of the first."""
        place = key[:2] if isinstance(key, BatchName) else key
        while place in self._keys:
            await asyncio.wait({self._keys[place]})
        # A task of its own: a caller that goes away must not free the key before its facts are on disk.
        task = asyncio.create_task(work())
        self._keys[place] = task
        task.add_done_callback(lambda _: self._keys.pop(place))
        return await asyncio.shield(task)

    async def _once(
        self, batch: Batch, rejected: Sequence[Rejection], key: str | BatchName, mark: bytes
    ) -> Receipt:
        kept: Kept | Taken | None
        if isinstance(key, BatchName):
            kept = await self._log.taken(key.producer, key.epoch)
            if kept is not None and kept.number > key.number:
                raise _overtaken(key, kept.number)
            if kept is not None and kept.number < key.number:
                kept = None
        else:
            kept = await self._log.receipt(key)
        if kept is not None:
            return self._repeat(kept, mark)
        return await self._ingest(batch, rejected, key, mark)

    async def _ingest(
        self,
        batch: Batch,
        rejected: Sequence[Rejection],
        key: str | BatchName = "",
        mark: bytes = b"",
        own: bool = False,
    ) -> Receipt:
        async def act(desk: Desk, now: int) -> list[Rejection]:
            rejections = list(rejected)
            for _ in desk.ingest(batch, now, rejections, own):
                await asyncio.sleep(0)
            return rejections

        ticks = sum(len(columns.ats) for columns in batch.columns)
        command = _Command(act, ticks + 2, 10 * batch.size + 200 * ticks, key, mark)
        events, refused = await self._submit(command)
        last = events[-1].seq if events else self.view.seq
        return Receipt(
            cursor(self._log.epoch, last),
            events[0].seq if events else last,
            last,
            _samples(events),
            refused,
        )

    async def notify(
        self,
        kind: Literal["info", "success", "warning", "error"],
        message: str,
        title: str = "",
        room: str = "dashboard",
        source: str = "",
        key: str | None = None,
        digest: bytes = b"",
    ) -> Event:
        """A notification, stored and on its way to those in its room. With a `key`, a retry of the same
        body (`digest`) gives the first one, and tells nobody.

        Raises:
            Busy, Closing, StorageFull: nothing was kept.
            BadInput: the key was used for another body.
            Damaged: it was kept before, and cannot be read any more.
        """
        note = Notification(secrets.token_hex(8), kind, message, title, room)
        return await self._said(
            "notification",
            lambda desk, now: desk.notify(note, source, now),
            200 + len(message),
            key,
            digest,
        )

    async def annotate(
        self, wish: Wish, id_: str | None = None, key: str | None = None, digest: bytes = b""
    ) -> Event:
        """An annotation, new without an `id_`; else the one that has it is changed. A `key` works as for
        notifications.

        Raises:
            NotFound: there is none of this id.
            BadInput: it would end before it begins, or the key was used for another body.
            Busy, Closing, StorageFull: nothing was kept.
        """
        name = id_ or secrets.token_hex(8)
        return await self._said(
            "annotation",
            lambda desk, now: desk.annotate(name, wish, now, new=id_ is None),
            wish.size,
            key,
            digest,
        )

    async def erase(self, id_: str) -> Event:
        """An annotation taken back.

        Raises:
            NotFound: there is none of this id.
            Busy, Closing, StorageFull: nothing was kept.
        """
        return await self._said("annotation", lambda desk, now: desk.erase(id_, now), 300)

    async def arrange(
        self,
        layout: Layout,
        version: int | None = None,
        source: str = "",
        key: str | None = None,
        digest: bytes = b"",
    ) -> Event:
        """A dashboard saved: over the one that stands at `version`, as a new one with 0, over whatever is
        there with None.

        Raises:
            Conflict: there is one of the name, it comes from a file, or there are as many as may be.
            Stale: it does not stand at that version any more.
            Busy, Closing, StorageFull: nothing was kept.
        """
        return await self._said(
            "layout",
            lambda desk, now: desk.arrange(layout, version, source, now),
            500 + 300 * len(layout.panels),
            key,
            digest,
        )

    async def dismiss(
        self, id_: str, version: int | None = None, source: str = "", provisioned: bool = False
    ) -> Event:
        """A dashboard removed.

        Raises:
            NotFound, Conflict, Stale: as `arrange`.
            Busy, Closing, StorageFull: nothing was kept.
        """
        return await self._said(
            "layout",
            lambda desk, now: desk.dismiss(id_, version, source, now, provisioned),
            300,
        )

    async def _said(
        self,
        what: str,
        decide: Callable[[Desk, int], Refusal | None],
        size: int,
        key: str | None = None,
        digest: bytes = b"",
    ) -> Event:
        """The one fact that `decide` makes of a wish; with a `key`, that of the first such wish."""
        if not key:
            return await self._decided(decide, size)
        # Not the mark of the same bytes sent as samples: a key names a body at one address.
        mark = hashlib.sha256(what.encode() + b"\0" + digest).digest()
        return await self._alone(key, lambda: self._once_decided(decide, size, key, mark))

    async def _once_decided(
        self, decide: Callable[[Desk, int], Refusal | None], size: int, key: str, mark: bytes
    ) -> Event:
        kept = await self._log.receipt(key)
        if kept is None:
            return await self._decided(decide, size, key, mark)
        seq = self._repeat(kept, mark).first
        [event] = await self._log.read(seq - 1, 1, until=seq)
        if isinstance(event.data, Unreadable):
            raise Damaged(f"event {seq}, which was kept for this Idempotency-Key, is damaged")
        return event

    async def _decided(
        self,
        decide: Callable[[Desk, int], Refusal | None],
        size: int,
        key: str = "",
        mark: bytes = b"",
    ) -> Event:
        refusals: list[Refusal] = []

        async def act(desk: Desk, now: int) -> list[Rejection]:
            refusal = decide(desk, now)
            refusals.extend([refusal] if refusal else [])
            return []

        events, _ = await self._submit(_Command(act, 1, size, key, mark))
        if refusals:
            raise _refused(refusals[0])
        return events[0]

    async def record(self, fact: System, source: str) -> Event:
        """A change in the recorder's own life."""
        return await self._decided(lambda desk, now: desk.record(fact, source, now), 500)

    async def _submit(self, command: _Command) -> tuple[list[Event], list[Rejection]]:
        if self._closing:
            raise Closing()
        # A command bigger than the queue is let in alone: it could never pass otherwise.
        if self._queue and (
            self._queued_events + command.events > self._limits.queue_events
            or self._queued_bytes + command.bytes > self._limits.queue_bytes
        ):
            raise Busy()
        self._queue.append(command)
        self._queued_events += command.events
        self._queued_bytes += command.bytes
        self._ready.set()
        if self._is_ripe():
            self._ripe.set()
        # Shielded: a caller that goes away must not take back what may already be on its way to the disk.
        return await asyncio.shield(command.future)

    def _is_ripe(self) -> bool:
        return (
            self._queued_events >= self._limits.flush_events
            or self._queued_bytes >= self._limits.flush_bytes
        )

    async def run(self) -> None:
        """The writer. Ends when `close` was called and the queue is empty.

        Should it fail, those who wait are told, for nobody else would answer them.
        """
        taken: list[_Command] = []
        try:
            while taken := await self._next():
                await self._turn(taken)
                self._company = len(taken) > 1
        finally:
            self._closing = True
            for command in (*taken, *self._queue):
                if not command.future.done():
                    command.future.set_exception(Closing())
                    command.future.exception()

    async def _next(self) -> list[_Command]:
        """What is to be committed together; empty when the spine is closed and nothing is left."""
        while True:
            await self._ready.wait()
            if not self._queue:
                if self._closing:
                    return []
                self._ready.clear()
                continue
            # One alone waits for nobody: a group forms by itself while a commit is on its way.
            if self._company and not self._is_ripe() and not self._closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ripe.wait(), self._limits.flush_s)
            self._ripe.clear()
            return self._take()

    def close(self) -> None:
        """Take nothing more in; `run` writes what is queued and ends."""
        self._closing = True
        self._ready.set()
        self._ripe.set()

    def _take(self) -> list[_Command]:
        taken: list[_Command] = []
        events = size = 0
        while self._queue and (
            not taken
            or (
                events + self._queue[0].events <= self._limits.flush_events
                and size + self._queue[0].bytes <= self._limits.flush_bytes
            )
        ):
            command = self._queue.popleft()
            events, size = events + command.events, size + command.bytes
            taken.append(command)
        self._queued_events -= events
        self._queued_bytes -= size
        return taken

    async def _turn(self, commands: list[_Command]) -> None:
        now = self._clock.now()
        desk = Desk(self.view, self._live, self._rules, self._bounds)
        if now - self._looked >= SILENCE_US or now < self._looked:
            self._looked = now
            desk.silence(now)
        spans: list[tuple[int, int, list[Rejection]]] = []
        receipts: list[Kept | Taken] = []
        for command in commands:
            begin = len(desk.drafts)
            rejected = await command.act(desk, now)
            end = len(desk.drafts)
            spans.append((begin, end, rejected))
            if command.key and end > begin:
                receipts.append(_kept(command, now, begin, end, rejected, desk))
        try:
            events = await self._log.append(desk.drafts, receipts) if desk.drafts else []
        except StorageError as error:
            self._failed(commands, error)
            return
        if self.full:
            log_.info("there is room again; recording goes on")
        self.full = False
        desk.adopt()
        self.events_committed += len(events)
        await self._apply(events)
        for command, (begin, end, rejected) in zip(commands, spans, strict=True):
            if not command.future.done():
                command.future.set_result((events[begin:end], rejected))

    async def _apply(self, events: list[Event]) -> None:
        begin = weight = 0
        for place, event in enumerate(events):
            weight += EVENT + (len(event.data.ids) if isinstance(event.data, Metrics) else 0)
            if weight >= SLICE:
                self._show(events[begin : place + 1])
                begin, weight = place + 1, 0
                await asyncio.sleep(0)
        if begin < len(events):
            self._show(events[begin:])

    def _show(self, events: list[Event]) -> None:
        evolve_all(self.view, events)
        self._publish(events)

    def _failed(self, commands: list[_Command], error: StorageError) -> None:
        if isinstance(error, StorageFull):
            if not self.full:
                log_.error("nothing can be recorded", reason=error.detail, hint=error.hint)
            self.full = True
        for command in commands:
            if not command.future.done():
                command.future.set_exception(error)
                command.future.exception()  # a caller that has gone will not ask; this one line did
        if isinstance(error, StorageBroken):
            self._closing = True
            self._fatal(error)

    def _repeat(self, kept: Kept | Taken, mark: bytes) -> Receipt:
        answer = msgspec.msgpack.decode(kept.body, type=_Answer)
        if answer.mark != mark:
            header, advice = (
                ("Idempotency-Key", "a key names one body; use a new key for another")
                if isinstance(kept, Kept)
                else (
                    "Playhead-Producer-Seq",
                    "a number names one body; use the next for new samples",
                )
            )
            raise BadInput(f"this {header} was used for another body", [FieldError(header, advice)])
        return Receipt(
            cursor(self._log.epoch, kept.last),
            kept.first,
            kept.last,
            answer.accepted,
            answer.rejected,
            True,
        )

    async def checkpoint(self) -> None:
        """Save the view as it stands; a start from here folds only what came after."""
        seq, made = self.view.seq, views.saving(self.view)
        body = await asyncio.get_running_loop().run_in_executor(None, made)
        await self._log.save_checkpoint(CHECKPOINT, views.VERSION, seq, body)

    async def note(self, body: bytes) -> None:
        """Put on record what time it is for forgetting."""
        await self._log.save_checkpoint(trust.CHECKPOINT, trust.VERSION, self._log.head, body)


class _Answer(msgspec.Struct, array_like=True):
    mark: bytes
    accepted: int
    rejected: list[Rejection]


def _kept(
    command: _Command, now: int, begin: int, end: int, rejected: list[Rejection], desk: Desk
) -> Kept | Taken:
    accepted = sum(len(d.data.ids) for d in desk.drafts[begin:end] if isinstance(d.data, Metrics))
    body = msgspec.msgpack.encode(_Answer(command.mark, accepted, rejected))
    if isinstance(command.key, BatchName):
        return Taken(*command.key, begin + 1, end, body)
    return Kept(command.key, now, begin + 1, end, body)


def _overtaken(name: BatchName, newest: int) -> Overtaken:
    return Overtaken(
        f"batch {name.number} of producer {name.producer!r} comes after batch {newest} of its epoch "
        f"{name.epoch!r} was taken, and only the newest is remembered. Nothing of it was kept now; "
        "whether it was before, the log cannot tell.",
        errors=[FieldError("Playhead-Producer-Seq", f"got {name.number}; {newest} was the last")],
    )


def _refused(refusal: Refusal) -> PlayheadError:
    errors = [FieldError(refusal.field, refusal.detail)]
    match refusal.why:
        case "unknown":
            return NotFound(refusal.detail)
        case "conflict":
            return Conflict(refusal.detail, errors)
        case "stale":
            return Stale(refusal.detail, errors)
        case _:
            return BadInput(f"{refusal.field} {refusal.detail}", errors)


def _samples(events: Sequence[Event]) -> int:
    return sum(len(event.data.ids) for event in events if isinstance(event.data, Metrics))


def touched(events: Sequence[Event]) -> set[str]:
    """The shelf's tags that events make stale."""
    tags: set[str] = set()
    for event in events:
        fact: Any = event.data
        if isinstance(fact, Metrics):
            tags.add(f"metrics:{event.source}")
        elif isinstance(fact, Declared):
            tags.add(f"series:{event.source}")
        else:
            tags.add(TAGS.get(event.type, "sources"))
    return tags
