"""From the tail to the clients: every connection reads at its own pace, from its own cursor.

Nothing is queued for a client. A publish wakes the connections that wait, and each takes what came after
its cursor; one that is still writing takes it when it has written. So a slow reader holds a page of bytes
and no more (law slow-costs-itself): when it comes back, it finds its events in the tail or in the log,
ticks that were overtaken are merged into the latest, and facts are all there.

"After my cursor, up to the edge" is one look at the tail in one tick of the loop, so there is no seam
between history and live to lose an event in (law no-gap-no-double).
"""

import asyncio
import contextlib
import functools
import random
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import structlog

from realtime.clock import Clock
from realtime.core import frames, goodbyes
from realtime.core.cursor import Reset, cursor, resolve
from realtime.core.frames import Encoding, Frame, Road
from realtime.core.goodbyes import Goodbye
from realtime.core.session import Form, MetricsAnswer, Reply, Resume, Session
from realtime.core.times import rfc3339
from realtime.core.views import View
from realtime.errors import Closing, Crowded, StorageError
from realtime.tail import Entry, Tail
from storage.events import Event, Metrics
from storage.log import Log

PAGE_EVENTS = 500
PAGE_BYTES = 256 * 1024
"""What a connection writes before it waits for the socket: its whole buffer."""
MESSAGE_BYTES = 64 * 1024
SWEEP_S = 1.0

log_ = structlog.get_logger(__name__)


class Sink(Protocol):
    """A transport's end: moves bytes, knows nothing of events."""

    road: Road
    encoding: Encoding

    def write_out(self, data: bytes) -> "asyncio.Future[None]":
        """Resolves when the bytes have left for the kernel."""

    def close(self, goodbye: Goodbye) -> None:
        """After the last write; ends at once if the peer does not take it."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds, bytes and counts; what each bounds is told with its dial."""

    max_connections: int
    outbox_bytes: int
    resume_events: int
    heartbeat_s: float
    stall_s: float


class Hub:
    """The connections, the tail they read from, and what they have in common."""

    def __init__(
        self,
        tail: Tail,
        log: Log,
        view: View,
        clock: Clock,
        limits: Limits,
        snapshot: Callable[[], dict[str, Any]],
        latest: Callable[[], dict[str, Any]],
        version: str,
    ) -> None:
        self.tail = tail
        self.log = log
        self.view = view
        self.clock = clock
        self.limits = limits
        self.snapshot = snapshot
        self.latest = latest
        self.version = version
        self.closing = False
        self.goodbyes: dict[str, int] = {}
        """How many connections ended for which reason."""
        self._connections: set[Connection] = set()
        self._polls = 0
        self._published: asyncio.Event = asyncio.Event()

    def publish(self, events: list[Event]) -> None:
        """Events that are committed and applied (laws append-before-speak, edge-is-applied)."""
        self.tail.extend(events)
        for connection in tuple(self._connections):
            connection.wake()
        self._published.set()
        self._published = asyncio.Event()

    @property
    def cursor(self) -> str:
        return cursor(self.log.epoch, self.tail.edge)

    def count(self) -> dict[str, int]:
        """Open connections by road."""
        roads = {"websocket": 0, "sse": 0, "poll": self._polls}
        for connection in self._connections:
            roads[connection.sink.road] += 1
        return roads

    def admit(self) -> None:
        """
        Raises:
            Crowded, Closing: there are as many connections as there may be, or the server is stopping.
        """
        if self.closing:
            raise Closing()
        if len(self._connections) + self._polls >= self.limits.max_connections:
            raise Crowded()

    @contextlib.contextmanager
    def polling(self) -> Iterator[None]:
        """A long poll is a connection like the others while it waits; raises as `admit` does."""
        self.admit()
        self._polls += 1
        try:
            yield
        finally:
            self._polls -= 1

    def join(self, connection: "Connection") -> None:
        self._connections.add(connection)

    def leave(self, connection: "Connection") -> None:
        self._connections.discard(connection)

    def resolve(self, text: str) -> int | Reset:
        return resolve(
            text, self.log.epoch, self.log.floor, self.tail.edge, self.limits.resume_events
        )

    def hello(self, client_id: str, resumed: bool, heartbeat_s: float) -> Frame:
        return Frame(
            "hello",
            {
                "client_id": client_id,
                "epoch": self.log.epoch,
                "head": self.tail.edge,
                "floor": self.log.floor,
                "cursor": self.cursor,
                "resumed": resumed,
                "server_time": rfc3339(self.clock.now()),
                "heartbeat_s": heartbeat_s,
                "version": self.version,
                "limits": {
                    "message_bytes": MESSAGE_BYTES,
                    "stall_s": self.limits.stall_s,
                    "resume_events": self.limits.resume_events,
                },
            },
        )

    def reset(self, reset: Reset) -> Frame:
        return Frame(
            "reset", {"reason": reset.reason, "detail": reset.detail, "cursor": self.cursor}
        )

    async def entries(self, after: int) -> list[Entry]:
        """The next page after a seq, from the tail or else from the log; empty at the edge."""
        page = self.tail.after(after, PAGE_EVENTS)
        if page is None:
            # Up to the edge only: what is committed but not applied yet will be published in its turn.
            events = await self.log.read(after, PAGE_EVENTS, until=self.tail.edge)
            page = [Entry(event) for event in events]
        return page

    async def poll(
        self, session: Session, cursor_text: str | None, timeout_s: float
    ) -> tuple[list[bytes], str]:
        """The frames after a cursor for one long poll, at once or when there are some, and the new cursor."""
        if not cursor_text:
            hello = self.hello(secrets.token_hex(8), False, self.limits.heartbeat_s)
            return self._from_here(hello), self.cursor
        seq = self.resolve(cursor_text)
        if isinstance(seq, Reset):
            return self._from_here(self.reset(seq)), self.cursor
        deadline = self.clock.monotonic() + timeout_s
        while True:
            published = self._published
            out, seq = self._page(session, await self.entries(seq), seq)
            left = deadline - self.clock.monotonic()
            if out or left <= 0 or self.closing:
                return out, cursor(self.log.epoch, seq)
            if seq == self.tail.edge:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(published.wait(), left)

    def _from_here(self, first: Frame) -> list[bytes]:
        return [frames.encode(one, "poll") for one in (first, Frame("snapshot", self.snapshot()))]

    def _page(self, session: Session, page: list[Entry], seq: int) -> tuple[list[bytes], int]:
        out: list[bytes] = []
        size = 0
        for entry in page:
            told = told_to(session, entry, "poll", "json", self)
            seq = entry.event.seq
            out += told
            size += sum(map(len, told))
            if size > PAGE_BYTES:
                break
        return out, seq

    async def run(self) -> None:
        """Heartbeats and stalls: one sweep for all instead of timers for each."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self.clock.monotonic()
            for connection in tuple(self._connections):
                connection.sweep(now)

    def close(self) -> None:
        """Say goodbye to all; they may come back at different moments, so as not to come as a storm."""
        self.closing = True
        self._published.set()
        for connection in tuple(self._connections):
            connection.end(goodbyes.STOPPING)


class Connection:
    """One client on a stream. `session` knows what it wants, `sink` moves bytes, this keeps the place."""

    def __init__(self, hub: Hub, session: Session, sink: Sink) -> None:
        self.hub = hub
        self.session = session
        self.sink = sink
        self.client_id = secrets.token_hex(8)
        self.seq = hub.tail.edge
        """Everything up to here has been told or is not for this client."""
        self._outstanding = 0
        self._writes = 0
        self._reading: asyncio.Task[None] | None = None
        self._filling = False
        """A resume is being filled: every frame of it is told, however slowly it is read."""
        self._lagging = False
        self._held: dict[str, list[Event]] = {}
        self._due_us = 0
        self._timer: asyncio.TimerHandle | None = None
        self._progress = hub.clock.monotonic()
        # The first beat comes at a moment of its own, so that ten thousand do not come at once.
        self._beat = self._progress - random.uniform(0, hub.limits.heartbeat_s / 2)
        self._ended = False

    def start(self, cursor_text: str | None) -> None:
        """Join, then say hello from the same tick of the loop: nothing can come between."""
        self.hub.join(self)
        seq = self.hub.resolve(cursor_text) if cursor_text else None
        resumed = isinstance(seq, int)
        self._tell(self.hub.hello(self.client_id, resumed, self.hub.limits.heartbeat_s))
        self._place(seq)

    def receive(self, message: str | bytes) -> None:
        """One message of a client that can speak."""
        if self._ended:
            return
        answer = self.session.receive(message, isinstance(message, bytes), self.hub.clock.now())
        for effect in answer.effects:
            if isinstance(effect, Reply):
                self._answer(Frame(effect.event, effect.data), answer.id)
            elif isinstance(effect, MetricsAnswer):
                self._answer(Frame("metrics_response", self.hub.latest()), answer.id)
            elif isinstance(effect, Resume):
                self._resume(effect.cursor, answer.id)
            else:
                self.end(effect)
                return
        self.wake()

    def wake(self) -> None:
        """Tell what came since, unless the last page is still on its way."""
        while not (self._ended or self._reading or self._writes):
            page = self.hub.tail.after(self.seq, PAGE_EVENTS)
            if page is None:
                self._reading = asyncio.create_task(self._read())
                return
            if not page:
                self._lagging = self._filling = False
                return
            self._tell_page(page)
        if self._writes and not self._filling and self.seq < self.hub.tail.edge - 1:
            self._lagging = True

    def sweep(self, now: float) -> None:
        if self._writes and now - self._progress > self.hub.limits.stall_s:
            self.end(goodbyes.SLOW)
        elif not self._writes and now - self._beat >= self.hub.limits.heartbeat_s:
            self._beat = now
            self._tell(
                Frame(
                    "heartbeat",
                    {
                        "head": self.hub.tail.edge,
                        "cursor": cursor(self.hub.log.epoch, self._told()),
                        "server_time": rfc3339(self.hub.clock.now()),
                    },
                )
            )

    def end(self, goodbye: Goodbye) -> None:
        """Say why, and nothing after."""
        if self._ended:
            return
        self.hub.goodbyes[goodbye.reason] = self.hub.goodbyes.get(goodbye.reason, 0) + 1
        if not self._writes:
            self._tell(
                Frame(
                    "goodbye",
                    {
                        "code": goodbye.code,
                        "reason": goodbye.reason,
                        "detail": goodbye.detail,
                        "may_return": goodbye.may_return,
                        "after_ms": random.randrange(200, 2000) if goodbye.may_return else None,
                    },
                )
            )
        self.gone()
        self.sink.close(goodbye)

    def gone(self) -> None:
        """The peer is no longer there."""
        self._ended = True
        self.hub.leave(self)
        if self._timer:
            self._timer.cancel()
        if self._reading:
            self._reading.cancel()

    def _resume(self, cursor_text: str, id_: Any) -> None:
        seq = self.hub.resolve(cursor_text)
        if isinstance(seq, int):
            place = {"from": cursor_text, "to": self.hub.cursor}
            self._answer(Frame("resumed", place), id_)
        self._place(seq, id_)

    def _place(self, seq: int | Reset | None, id_: Any = None) -> None:
        self._held.clear()
        self._filling = isinstance(seq, int)
        if isinstance(seq, int):
            self.seq = seq
        else:
            if seq is not None:
                self._answer(self.hub.reset(seq), id_)
            self.seq = self.hub.tail.edge
            self._tell(Frame("snapshot", self.hub.snapshot()))
        self._lagging = False
        self.wake()

    async def _read(self) -> None:
        """A page from the log, for a reader that the tail has left behind."""
        before = self.seq
        try:
            page = await self.hub.entries(before)
        except StorageError as error:
            # Its cursor is safe: the client comes back and asks again.
            log_.warning("a reader could not be served from the log", reason=error.detail)
            self.end(goodbyes.STOPPING)
            return
        finally:
            self._reading = None
        if not self._ended and self.seq == before:
            self._tell_page(page)
        self.wake()

    def _tell_page(self, page: list[Entry]) -> None:
        out: list[bytes] = []
        size = 0
        for entry in page:
            for told in self._entry(entry):
                out.append(told)
                size += len(told)
            self.seq = entry.event.seq
            if size > PAGE_BYTES:
                break
        if self._lagging:
            out += self._release()
        for block in self._joined(out):
            self._write(block)

    def _entry(self, entry: Entry) -> list[bytes]:
        event = entry.event
        if isinstance(event.data, Metrics):
            if self._lagging or not self._may_tick():
                if self.session.wants(event):
                    self._held.setdefault(event.source, []).append(event)
                    self._shorten(event.source)
                return []
            if self._held:
                if self.session.wants(event):
                    self._held.setdefault(event.source, []).append(event)
                return self._release()
            return told_to(self.session, entry, self.sink.road, self.sink.encoding, self.hub)
        told = told_to(self.session, entry, self.sink.road, self.sink.encoding, self.hub)
        # A fact goes at once, and what was held goes before it: order is kept, and so is the cursor.
        return self._release() + told if told else told

    def _shorten(self, source: str) -> None:
        """What is held stays as big as one tick, however long it waits."""
        held = self._held[source]
        if len(held) > 16:
            merged = frames.merge(held)
            self._held[source] = [merged]

    def _may_tick(self) -> bool:
        interval = self.session.interval_us
        if not interval:
            return True
        now = int(self.hub.clock.monotonic() * 1_000_000)
        if now >= self._due_us:
            self._due_us = now + interval
            return True
        if self._timer is None:
            delay = (self._due_us - now) / 1_000_000
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)
        return False

    def _ring(self) -> None:
        self._timer = None
        self._due_us = int(self.hub.clock.monotonic() * 1_000_000) + self.session.interval_us
        if not self._ended and self._held:
            for block in self._joined(self._release()):
                self._write(block)

    def _release(self) -> list[bytes]:
        """What was held, merged into one tick a source, oldest first."""
        out: list[bytes] = []
        held, self._held = self._held, {}
        merged = sorted(
            ((frames.merge(events), len(events)) for events in held.values()),
            key=lambda pair: pair[0].seq,
        )
        for event, count in merged:
            form = self.session.wants(event)
            if form is None:
                continue
            only = self._only(form)
            frame = frames.of_event(
                event,
                self.hub.log.epoch,
                self.hub.view.texts,
                only=only,
                compact=form.compact,
                conflated=count,
            )
            if frame:
                out += named(
                    self.session, event, form, only, self.sink.road, self.sink.encoding, self.hub
                )
                out.append(frames.encode(frame, self.sink.road, self.sink.encoding))
        return out

    def _only(self, form: Form) -> set[int] | None:
        if not form.match:
            return None
        return self.session.matched(self.hub.view.series, self.hub.view.owner)

    def _told(self) -> int:
        held = [events[0].seq for events in self._held.values()]
        return min(held) - 1 if held else self.seq

    def _answer(self, frame: Frame, id_: Any) -> None:
        if id_ is None or self.sink.road == "sse":
            self._tell(frame)
        else:
            self._write(frames.encode_answer(frame, id_, self.sink.encoding))

    def _tell(self, frame: Frame) -> None:
        self._write(frames.encode(frame, self.sink.road, self.sink.encoding))

    def _joined(self, out: list[bytes]) -> list[bytes]:
        """SSE blocks can travel as one write; WebSocket messages are framed one by one by the sink."""
        return [b"".join(out)] if out and self.sink.road == "sse" else out

    def _write(self, data: bytes) -> None:
        if self._ended:
            return
        if self._outstanding > self.hub.limits.outbox_bytes:
            # Only answers can pile up here: it keeps asking and does not read.
            self.hub.goodbyes[goodbyes.SLOW.reason] = (
                self.hub.goodbyes.get(goodbyes.SLOW.reason, 0) + 1
            )
            self.gone()
            self.sink.close(goodbyes.SLOW)
            return
        if not self._writes:
            self._progress = self.hub.clock.monotonic()
        future = self.sink.write_out(data)
        if future.done() and not future.exception():
            return
        self._writes += 1
        self._outstanding += len(data)
        future.add_done_callback(functools.partial(self._written, len(data)))

    def _written(self, size: int, future: "asyncio.Future[None]") -> None:
        self._writes -= 1
        self._outstanding -= size
        self._progress = self.hub.clock.monotonic()
        if future.cancelled() or future.exception():
            self.gone()
        else:
            self.wake()


def told_to(
    session: Session, entry: Entry, road: Road, encoding: Encoding, hub: Hub
) -> list[bytes]:
    """The frames of one event for one session: names first, where it does not have them yet."""
    event = entry.event
    form = session.wants(event)
    if form is None:
        return []
    only = session.matched(hub.view.series, hub.view.owner) if form.match else None
    told = entry.told(form, only, road, encoding, hub.log.epoch, hub.view)
    return [*named(session, event, form, only, road, encoding, hub), told] if told else []


def named(
    session: Session,
    event: Event,
    form: Form,
    only: set[int] | None,
    road: Road,
    encoding: Encoding,
    hub: Hub,
) -> list[bytes]:
    """The `series` frame that has to go before a compact tick, if the client lacks a name."""
    fact = event.data
    if not form.compact or not isinstance(fact, Metrics) or max(fact.ids) <= session.known:
        return []
    view = hub.view
    new = [
        view.series[id_]
        for id_ in range(session.known + 1, len(view.series) + 1)
        if only is None or id_ in only
    ]
    session.known = len(view.series)
    return (
        [frames.encode(frames.of_series(new, view.texts, view.owner), road, encoding)]
        if new
        else []
    )
