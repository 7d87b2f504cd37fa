"""One client on a stream: its place in the log, and what is on its way to it.

It pulls: when its last page has left for the kernel it takes the next one after its cursor. A live
reader that stays behind gets ticks merged into the latest; facts, and everything a resume has to
fill, are told one by one, however slowly they are read.
"""

import asyncio
import functools
import random
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol

import structlog

from realtime.core import frames, goodbyes
from realtime.core.cursor import Reset, cursor
from realtime.core.frames import Frame, Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.held import Held
from realtime.core.session import Form, MetricsAnswer, Reply, Resume, Session
from realtime.core.times import rfc3339
from realtime.errors import StorageError
from realtime.tail import Entry
from storage.events import Event, Metrics

if TYPE_CHECKING:
    from realtime.delivery import Hub

PAGE_EVENTS = 500
PAGE_BYTES = 256 * 1024
"""What a connection takes before it waits for the socket: its whole buffer, answers apart."""
PIECE_BYTES = 16 * 1024
"""Bytes are handed on in pieces, so that a reader who takes one in `stall_s` is seen to read."""
MESSAGE_BYTES = 64 * 1024
LAG_S = 1.0
"""A live reader that has not been at the edge for so long gets the latest instead of everything."""

log_ = structlog.get_logger(__name__)

P = ParamSpec("P")


class Gone(Exception):
    """The peer is no longer there."""


class Sink(Protocol):
    """A transport's end: moves bytes, knows nothing of events."""

    wire: Wire

    def write_out(self, data: bytes | memoryview) -> "asyncio.Future[None] | None":
        """Resolves when the bytes have left for the kernel; None if they have already.

        Raises:
            Gone
        """

    def close(self, goodbye: Goodbye) -> None:
        """After the last write; soon, if the peer does not take it."""


def _border(
    act: Callable[Concatenate["Connection", P], None],
) -> Callable[Concatenate["Connection", P], None]:
    """A failure in here ends this connection, and nothing else (law slow-costs-itself)."""

    @functools.wraps(act)
    def guarded(self: "Connection", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(self, *args, **kwargs)
        except Exception:
            self.fail()

    return guarded


class Connection:
    """`session` knows what the client wants, `sink` moves bytes, this keeps the place."""

    def __init__(self, hub: "Hub", session: Session, sink: Sink) -> None:
        self.hub = hub
        self.session = session
        self.sink = sink
        self.wire = sink.wire
        self.client_id = secrets.token_hex(8)
        self.seq = hub.tail.edge
        """Everything up to here has been told, is held, or is not for this client."""
        self.due = False
        """It is in the hub's queue."""
        self._fill_to = 0
        """Up to here every frame is told: a resume fills the whole gap (law prove-or-reset)."""
        self._writes = 0
        self._asked = 0
        """Bytes of answers on their way. Pages wait for the socket by themselves; answers do not."""
        self._reading: asyncio.Task[None] | None = None
        self._behind: float | None = None
        """Since when a live reader has not been at the edge."""
        self._held = Held()
        self._due_us = 0
        self._timer: asyncio.TimerHandle | None = None
        self._progress = hub.clock.monotonic()
        # The first beat comes at a moment of its own, so that ten thousand do not come at once.
        self._beat = self._progress - random.uniform(0, hub.limits.heartbeat_s / 2)
        self._ended = False

    @_border
    def start(self, cursor_text: str | None) -> None:
        """Join, then say hello from the same tick of the loop: nothing can come between."""
        hub = self.hub
        hub.join(self)
        if hub.closing:
            self.end(goodbyes.STOPPING)
            return
        place = hub.resolve(cursor_text) if cursor_text else None
        self._tell(hub.hello(self.client_id, place if isinstance(place, int) else None))
        self._place(place)

    @_border
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

    @_border
    def wake(self) -> None:
        """Tell what came since, unless the last page is still on its way."""
        self._pull()

    @_border
    def sweep(self, now: float) -> None:
        if self._writes:
            if now - self._progress > self.hub.limits.stall_s:
                self.end(goodbyes.SLOW)
        elif now - self._beat >= self.hub.limits.heartbeat_s:
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
        self.hub.said(goodbye)
        # A reader that has stopped gets it behind what it has not read, if it goes on in time.
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

    def fail(self) -> None:
        """Called where an exception that nobody foresaw is being handled."""
        log_.exception("a connection failed", road=self.wire.road)
        try:
            self.end(goodbyes.FAILED)
        except Exception:
            log_.exception("and could not be ended", road=self.wire.road)
            self.gone()

    def gone(self) -> None:
        """The peer is no longer there."""
        self._ended = True
        self.hub.leave(self)
        self._held.clear()
        if self._timer:
            self._timer.cancel()

    def _resume(self, cursor_text: str, id_: Any) -> None:
        place = self.hub.resolve(cursor_text)
        if isinstance(place, int):
            self._answer(Frame("resumed", {"from": cursor_text, "to": self.hub.cursor}), id_)
        self._place(place, id_)

    def _place(self, place: int | Reset | None, id_: Any = None) -> None:
        """Go on after a seq, or from a snapshot of now."""
        self._held.clear()
        self._behind = None
        self._fill_to = self.hub.tail.edge
        if isinstance(place, int):
            self.seq = place
            self._pull()
            return
        self.seq = self.hub.tail.edge
        if place is not None:
            self.session.forget()
            self._answer(self.hub.reset(place), id_)
        self._send(self.hub.snapshot(self.wire), asked=id_ is not None)

    def _pull(self) -> None:
        if self._ended or self._reading:
            return
        if not self._is_drained():
            self._mark()
            return
        page = self.hub.tail.after(self.seq, PAGE_EVENTS)
        if page is None:
            self._reading = asyncio.create_task(self._read())
            return
        if page:
            self._tell_page(page)
        if self._held and self._is_drained() and self._may_tick():
            self._send(b"".join(self._release()))
        self._mark()
        if self._is_drained() and self.seq < self.hub.tail.edge:
            self.hub.again(self)

    def _is_drained(self) -> bool:
        return self._writes == 0

    def _mark(self) -> None:
        """Note since when a live reader has been behind."""
        if self.seq >= self.hub.tail.edge:
            self._behind = None
        elif self._behind is None and self.seq >= self._fill_to:
            self._behind = self.hub.clock.monotonic()

    async def _read(self) -> None:
        """A page from the log, for a reader that the tail has left behind."""
        before = self.seq
        try:
            page = await self.hub.entries(before)
            self._reading = None
            if self._ended:
                return
            if self.seq == before:  # otherwise it has asked to go on from somewhere else
                if isinstance(page, Reset):
                    self._place(page)
                else:
                    self._tell_page(page)
                    self._mark()
            if self._is_drained():
                self.hub.again(self)
        except StorageError as error:
            # Its cursor is safe: the client comes back and asks again.
            log_.warning("a reader could not be served from the log", reason=error.detail)
            self.end(goodbyes.FAILED)
        except Exception:
            self.fail()

    def _tell_page(self, page: list[Entry]) -> None:
        lagging = (
            len(page) > 1
            and self._behind is not None
            and self.hub.clock.monotonic() - self._behind >= LAG_S
        )
        most = min(PAGE_BYTES, self.hub.limits.outbox_bytes)
        out: list[bytes] = []
        size = 0
        for entry in page:
            for told in self._entry(entry, lagging):
                out.append(told)
                size += len(told)
            self.seq = entry.event.seq
            if size > most:
                break
        if lagging and self._held and self._may_tick():
            out += self._release()
        # One frame is everybody's bytes; it goes as it is.
        self._send(out[0] if len(out) == 1 else b"".join(out))

    def _entry(self, entry: Entry, lagging: bool) -> list[bytes]:
        event = entry.event
        if (
            isinstance(event.data, Metrics)
            and event.seq > self._fill_to
            and (lagging or self._held or self.session.interval_us)
        ):
            if not self._is_for_us(event):
                return []
            if lagging or self._held or not self._may_tick():
                self._held.add(event)
                return self._release() if not lagging and self._may_tick() else []
        told = told_to(self.session, entry, self.wire, self.hub)
        # A fact goes at once, and what was held goes before it: order is kept, and so is the cursor.
        return self._release() + told if told and self._held else told

    def _is_for_us(self, event: Event) -> bool:
        form = self.session.wants(event)
        if form is None or not form.match:
            return form is not None
        assert isinstance(event.data, Metrics)
        return not self._only(form).isdisjoint(event.data.ids)

    def _may_tick(self) -> bool:
        """Whether the client's `max_hz` allows a tick now; if not, it is told when it does."""
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

    @_border
    def _ring(self) -> None:
        self._timer = None
        self._pull()

    def _release(self) -> list[bytes]:
        """What was held, as the client wants it now."""
        out: list[bytes] = []
        for event, count in self._held.release():
            form = self.session.wants(event)
            if form is None:
                continue
            hub = self.hub
            only = self._only(form) if form.match else None
            frame = frames.of_event(
                event,
                hub.log.epoch,
                hub.view.texts,
                only=only,
                compact=form.compact,
                conflated=count,
            )
            if frame:
                out += named(self.session, event, form, only, self.wire, hub)
                out.append(self.wire.bytes_of(frame))
        return out

    def _only(self, form: Form) -> set[int]:
        return self.session.matched(self.hub.view.series, self.hub.view.owner) or set()

    def _told(self) -> int:
        first = self._held.first
        return self.seq if first is None else first - 1

    def _answer(self, frame: Frame, id_: Any) -> None:
        if self._asked > self.hub.limits.outbox_bytes:
            # It keeps asking and does not read.
            self.end(goodbyes.SLOW)
        else:
            self._send(self.wire.answer(frame, id_), asked=True)

    def _tell(self, frame: Frame) -> None:
        self._send(self.wire.bytes_of(frame))

    def _send(self, data: bytes, asked: bool = False) -> None:
        if not data:
            return
        if len(data) <= PIECE_BYTES:
            self._write(data, asked)
            return
        pieces = memoryview(data)
        for start in range(0, len(data), PIECE_BYTES):
            self._write(pieces[start : start + PIECE_BYTES], asked)

    def _write(self, data: bytes | memoryview, asked: bool) -> None:
        if self._ended:
            return
        try:
            future = self.sink.write_out(data)
        except Gone:
            self.gone()
            return
        if future is None:
            return
        if not self._writes:
            self._progress = self.hub.clock.monotonic()
        size = len(data) if asked else 0
        self._writes += 1
        self._asked += size
        future.add_done_callback(functools.partial(self._written, size))

    @_border
    def _written(self, asked: int, future: "asyncio.Future[None]") -> None:
        self._writes -= 1
        self._asked -= asked
        self._progress = self.hub.clock.monotonic()
        if future.cancelled() or future.exception() is not None:
            self.gone()
        elif not self._writes:
            self._pull()


def told_to(session: Session, entry: Entry, wire: Wire, hub: "Hub") -> list[bytes]:
    """The frames of one event for one session: names first, where it does not have them yet."""
    event = entry.event
    form = session.wants(event)
    if form is None:
        return []
    only = session.matched(hub.view.series, hub.view.owner) if form.match else None
    told = entry.told(form, only, wire, hub.log.epoch, hub.view)
    if told and form.compact:
        return [*named(session, event, form, only, wire, hub), told]
    return [told] if told else []


def named(
    session: Session, event: Event, form: Form, only: set[int] | None, wire: Wire, hub: "Hub"
) -> list[bytes]:
    """The `series` frame that has to go before a compact tick, if the client lacks a name."""
    view = hub.view
    newest = view.last_id
    if not form.compact or session.known >= newest or not isinstance(event.data, Metrics):
        return []
    new = [
        view.series[id_]
        for id_ in range(session.known + 1, newest + 1)
        if id_ in view.series and (only is None or id_ in only)
    ]
    session.known = newest
    return [wire.bytes_of(frames.of_series(new, view.texts, view.owner))] if new else []
