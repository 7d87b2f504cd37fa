"""One client on a stream: its place in the log, and what is on its way to it.

It pulls: when its last page has left for the kernel it takes the next one after its cursor. A live
reader that stays behind gets ticks merged into the latest; facts, and everything a resume has to
fill, are told one by one, however slowly they are read.
"""

import asyncio
import contextlib
import functools
import random
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol

import structlog

from realtime.audience import Audience, Page, Send
from realtime.core import goodbyes
from realtime.core.cursor import Reset
from realtime.core.frames import Frame, Packed, Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.held import Held
from realtime.core.session import MetricsAnswer, Remote, Reply, Resume, Session, Watch
from realtime.errors import Crowded, StorageError
from realtime.tail import Entry
from storage.events import Event, Metrics

if TYPE_CHECKING:
    from realtime.delivery import Hub

PIECE_BYTES = 16 * 1024
"""Bytes are handed on in pieces, so that a reader who takes one in `stall_s` is seen to read."""
MESSAGE_BYTES = 64 * 1024
WAITING = 100
"""Answers of many series that one client may wait for."""
LAG_S = 1.0
"""A live reader that has not been at the edge for so long gets the latest instead of everything."""

PRESENT = ("joined_room", "left_room")
"""Answers that tell how many are in the room."""

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

    def direct(self) -> Send | None:
        """How bytes go to the socket itself, while nothing waits before it; None if they cannot."""

    def close(self, goodbye: Goodbye) -> None:
        """After the last write; soon, if the peer does not take it."""

    def abort(self) -> None:
        """At once, with all that waits."""


def _crowded(error: Crowded) -> Frame:
    return Frame("error", {"code": "crowded", "detail": f"{error.detail}. {error.hint}"})


class Feed(Protocol):
    """Where a connection reads: events in order, by their places, up to an edge that moves."""

    lag_s: float
    """A reader that has not been at the edge for so long gets the latest instead of everything."""

    @property
    def edge(self) -> int: ...

    def next(self, connection: "Connection", plain: bool) -> "Page | list[Entry] | None":
        """What comes after its place in memory; `plain`: it is told what any other there would be."""

    async def entries(self, place: int) -> list[Entry] | Reset:
        """What comes after a place, wherever it has to be read from."""

    def seq(self, place: int) -> int:
        """The event of the log that stands there."""

    def reached(self, connection: "Connection") -> None:
        """It has been told everything up to the edge."""

    def lost(self, connection: "Connection", reset: Reset) -> None:
        """What comes after its place cannot be told in full (law prove-or-reset)."""

    def left(self, connection: "Connection") -> None:
        """It reads elsewhere from now on, or nowhere."""


class Silence:
    """Where nothing comes: for who waits for another feed, and has nothing else to hear."""

    lag_s = LAG_S
    edge = 0

    def next(self, connection: "Connection", plain: bool) -> list[Entry]:
        return []

    async def entries(self, place: int) -> list[Entry]:
        return []

    def seq(self, place: int) -> int:
        return place

    def reached(self, connection: "Connection") -> None:
        pass

    def lost(self, connection: "Connection", reset: Reset) -> None:
        pass

    def left(self, connection: "Connection") -> None:
        pass


SILENCE = Silence()


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

    __slots__ = (
        "_asked",
        "_behind",
        "_due_us",
        "_ended",
        "_fill_to",
        "_held",
        "_progress",
        "_reading",
        "_seq",
        "_timer",
        "_waiting",
        "_writes",
        "address",
        "audience",
        "client_id",
        "due",
        "feed",
        "hub",
        "session",
        "settled",
        "sink",
        "slot",
        "wire",
    )

    def __init__(self, hub: "Hub", session: Session, sink: Sink, address: str = "") -> None:
        self.hub = hub
        self.session = session
        self.sink = sink
        self.wire = sink.wire
        self.address = address
        self.client_id = secrets.token_hex(8)
        self.audience: Audience | None = None
        self.settled = False
        """It stands in its audience's loop, and its place is told there."""
        self.slot = 0
        """When it gets its heartbeat."""
        self.due = False
        """It is in the hub's queue."""
        self.feed: Feed = hub.live
        self._seq = hub.tail.edge
        """Its place in the feed."""
        self._fill_to = 0
        """Up to here every frame is told: a resume fills the whole gap (law prove-or-reset)."""
        self._writes = 0
        self._asked = 0
        """Bytes of answers on their way. Pages wait for the socket by themselves; answers do not."""
        self._waiting = 0
        """Answers that are being made in a thread."""
        self._reading: asyncio.Task[None] | None = None
        self._behind: float | None = None
        """Since when a live reader has not been at the edge."""
        self._held: Held | None = None
        self._due_us = 0
        self._timer: asyncio.TimerHandle | None = None
        self._progress = hub.clock.monotonic()
        self._ended = False

    @property
    def place(self) -> int:
        """Everything up to here has been told, is held, or is not for this client."""
        if self.settled and self.audience is not None:
            cohort = self.audience.place(self)
            if cohort is not None:
                return self.hub.tail.edge if cohort is self.audience.ready else cohort.seq
        return self._seq

    @_border
    def start(self, cursor_text: str | None, watch: Watch | None = None) -> None:
        """Join, then say hello from the same tick of the loop: nothing can come between. Who came to `watch` hears
        nothing until that begins."""
        hub = self.hub
        self.session.bound(hub.view.last_id)
        hub.join(self)
        if hub.closing:
            self.end(goodbyes.STOPPING)
            return
        if watch is not None:
            self._tell(hub.hello(self.client_id, watch.after, watch.begin))
            if watch.reset is not None:
                self.session.forget()
                self._tell(hub.reset(watch.reset, watch.begin))
            self.feed = SILENCE
            hub.obey(self, watch, None)
            return
        place = hub.resolve(cursor_text) if cursor_text else None
        self._tell(hub.hello(self.client_id, place if isinstance(place, int) else None))
        self.place_at(place)

    @_border
    def receive(self, message: str | bytes) -> None:
        """One message of a client that can speak."""
        if self._ended:
            return
        # What it says may change where it stands, what it hears and what it knows.
        self.hub.unsettle(self)
        clock = self.hub.clock
        passed = int(clock.monotonic() * 1_000_000)
        answer = self.session.receive(message, isinstance(message, bytes), clock.now(), passed)
        for effect in answer.effects:
            if isinstance(effect, Reply):
                data = effect.data
                if effect.event in PRESENT:
                    try:
                        self.hub.regroup(self)
                    except Crowded as error:
                        self._answer(_crowded(error), answer.id)
                        continue
                    data = {**data, "present": self.hub.present(data["room"])}
                self._answer(Frame(effect.event, data), answer.id)
            elif isinstance(effect, MetricsAnswer):
                self._latest(answer.id)
            elif isinstance(effect, Resume):
                self._resume(effect.cursor, answer.id)
            elif isinstance(effect, Remote):
                self.hub.obey(self, effect, answer.id)
            else:
                self.end(effect)
        if not self._ended:
            self.hub.regroup(self)
            self._pull()

    @_border
    def wake(self) -> None:
        """Tell what came since, unless the last page is still on its way."""
        self._pull()

    @_border
    def check(self, now: float) -> None:
        """Let it go if it has taken nothing for too long."""
        if self._writes and now - self._progress > self.hub.limits.stall_s:
            self.end(goodbyes.SLOW)

    @_border
    def beat(self) -> None:
        """A heartbeat, unless the client has still to read what came before it, or has no place yet to be told."""
        if not self._writes and not self._ended and self.feed is not SILENCE:
            self._send(self.hub.heartbeat(self.wire, self._told()))

    @_border
    def tell(self, frame: Frame, id_: Any = None) -> None:
        """A frame that is not of the feed."""
        if not self._ended:
            self._answer(frame, id_)

    @_border
    def tell_held(self) -> None:
        """What `max_hz` holds back, at once."""
        self._send(b"".join(self._release()))

    @_border
    def take(self, feed: Feed, place: int, first: bytes = b"", fill_to: int = 0) -> None:
        """Read elsewhere from now on, after a place there; `first` goes before what comes from there."""
        if self._ended:
            return
        self.hub.unsettle(self)
        if feed is not self.feed:
            before, self.feed = self.feed, feed
            before.left(self)
        # Rooms are never refused that were there a moment ago, or else it stays in those it is in.
        with contextlib.suppress(Crowded):
            self.hub.regroup(self)
        self._held = None
        self._behind = None
        self._fill_to = fill_to
        self._seq = place
        if first:
            self._reply(first)
        self._pull()

    def end(self, goodbye: Goodbye, spread_ms: int = 2000) -> None:
        """Say why, and nothing after. Who may return is asked to at a moment within `spread_ms`."""
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
                    "after_ms": random.randrange(200, spread_ms) if goodbye.may_return else None,
                },
            )
        )
        self.gone()
        self.sink.close(goodbye)

    def fail(self) -> None:
        """Called where an exception that nobody foresaw is being handled."""
        log_.exception("a connection failed", road=self.wire.road)
        try:
            if not self._ended:
                self.end(goodbyes.FAILED)
                return
        except Exception:
            log_.exception("and could not be ended", road=self.wire.road)
        self.gone()
        try:
            self.sink.abort()
        except Exception:
            log_.exception("nor cut", road=self.wire.road)

    def gone(self) -> None:
        """The peer is no longer there."""
        if not self._ended:
            self._ended = True
            self.feed.left(self)
        self.hub.leave(self)
        self._held = None
        if self._timer:
            self._timer.cancel()

    @_border
    def cut(self) -> None:
        """End it for the sake of the others: what waits for it goes at once, and a goodbye behind it would, too."""
        if not self._ended:
            self.hub.said(goodbyes.SLOW)
            self.gone()
        self.sink.abort()

    @_border
    def dismiss(self, spread_ms: int) -> None:
        """The server stops."""
        self.end(goodbyes.STOPPING, spread_ms)

    @_border
    def rest(self, page: Page, sent: int) -> None:
        """Go on by itself: the socket has taken `sent` bytes of a page, or is in trouble."""
        self._seq = page.seq
        if self.session.taste.compact:
            self.session.known = page.known
        self._send(memoryview(page.data)[sent:] if sent else page.data)
        # An error leaves nothing to wait for, and the stream has told it by now.
        if not self._writes:
            self._pull()

    def leave_loop(self, seq: int, known: int) -> None:
        """It is served by itself from here on."""
        self.settled = False
        self._seq = seq
        if self.session.taste.compact:
            self.session.known = known

    def _latest(self, id_: Any) -> None:
        made = self.hub.metrics(self.wire.encoding)
        if isinstance(made, Frame):
            self._answer(made, id_)
        elif self._waiting >= WAITING:
            self.end(goodbyes.SLOW)  # it keeps asking and does not wait
        else:
            self._waiting += 1
            made.add_done_callback(functools.partial(self._made, id_))

    @_border
    def _made(self, id_: Any, made: "asyncio.Task[Packed]") -> None:
        self._waiting -= 1
        if not self._ended:
            self._answer(made.result(), id_)

    def _resume(self, cursor_text: str, id_: Any) -> None:
        place = self.hub.resolve(cursor_text)
        if isinstance(place, int):
            self._answer(Frame("resumed", {"from": cursor_text, "to": self.hub.cursor}), id_)
        self.place_at(place, id_)

    def place_at(self, place: int | Reset | None, id_: Any = None) -> None:
        """Go on after a seq, or from a snapshot of now."""
        self.hub.unsettle(self)
        if self.feed is not self.hub.live:
            before, self.feed = self.feed, self.hub.live
            before.left(self)
            with contextlib.suppress(Crowded):
                self.hub.regroup(self)
        self._held = None
        self._behind = None
        self._fill_to = self.hub.tail.edge
        if isinstance(place, int):
            self._seq = place
            self._pull()
            return
        self._seq = self.hub.tail.edge
        if place is not None:
            self.session.forget()
            self._answer(self.hub.reset(place), id_)
        self._send(self.hub.snapshot(self.wire), asked=id_ is not None)
        self._pull()

    def _pull(self) -> None:
        if self._ended or self._reading or self.settled:
            return
        if not self._is_drained():
            self._mark()
            return
        if not self._is_judged():
            self._mark()
            self.hub.again(self)
            return
        if self._seq < self.feed.edge:
            page = self.feed.next(self, self._is_plain())
            if page is None:
                self._reading = asyncio.create_task(self._read())
                return
            self._tell_page(page)
        if self._held and self._is_drained() and self._may_tick():
            self._send(b"".join(self._release()))
        self._mark()
        if not self._is_drained():
            return
        if self._seq < self.feed.edge:
            self.hub.again(self)
        else:
            self.feed.reached(self)

    @property
    def is_over(self) -> bool:
        return self._ended

    @property
    def is_writing(self) -> bool:
        """Something is on its way to it."""
        return self._writes > 0

    @property
    def is_level(self) -> bool:
        """Nothing is held back for it, now or ever."""
        return not self._held and not self.session.interval_us

    def _is_judged(self) -> bool:
        return self.audience is not None and self.audience.is_judged()

    def _is_plain(self) -> bool:
        """Whether it is told what any other at its place would be."""
        return not (self._held or self.session.interval_us or self._is_lagging())

    def _is_lagging(self) -> bool:
        return self._behind is not None and (
            self.hub.clock.monotonic() - self._behind >= self.feed.lag_s
        )

    def _is_drained(self) -> bool:
        return self._writes == 0

    def _mark(self) -> None:
        """Note since when a live reader has been behind."""
        if self._seq >= self.feed.edge:
            self._behind = None
        elif self._behind is None and self._seq >= self._fill_to:
            self._behind = self.hub.clock.monotonic()

    async def _read(self) -> None:
        """A page from the log, for a reader that the tail has left behind."""
        before, feed = self._seq, self.feed
        try:
            page = await feed.entries(before)
            self._reading = None
            if self._ended:
                return
            # Otherwise it has asked to go on from somewhere else, or there are series to be judged first.
            if self._seq == before and self.feed is feed and self._is_judged():
                if isinstance(page, Reset):
                    feed.lost(self, page)
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

    def _tell_page(self, page: Page | list[Entry]) -> None:
        if isinstance(page, Page):
            self._seq = page.seq
            if self.session.taste.compact:
                self.session.known = page.known
            self._send(page.data)
            return
        lagging = len(page) > 1 and self._is_lagging()
        assert self.audience is not None
        most = self.audience.most
        out: list[bytes] = []
        size = 0
        for entry in page:
            for told in self._entry(entry, lagging):
                out.append(told)
                size += len(told)
            self._seq = entry.place
            if size > most:
                break
        if lagging and self._held and self._may_tick():
            out += self._release()
        # One frame is everybody's bytes; it goes as it is.
        self._send(out[0] if len(out) == 1 else b"".join(out))

    def _entry(self, entry: Entry, lagging: bool) -> list[bytes]:
        event = entry.event
        assert self.audience is not None
        if (
            isinstance(event.data, Metrics)
            and event.seq > self._fill_to
            and (lagging or self._held or self.session.interval_us)
        ):
            if not self.audience.wants(event):
                return []
            if lagging or self._held or not self._may_tick():
                self._hold(event)
                return self._release() if not lagging and self._may_tick() else []
        told, self.session.known = self.audience.told(entry, self.session.known)
        # A fact goes at once, and what was held goes before it: order is kept, and so is the cursor.
        return self._release() + told if told and self._held else told

    def _hold(self, event: Event) -> None:
        if self._held is None:
            self._held = Held()
        self._held.add(event)

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
        if self._held is None or self.audience is None:
            return out
        for event, count in self._held.release():
            told, self.session.known = self.audience.merged(event, count, self.session.known)
            out += told
        return out

    def _told(self) -> int:
        first = self._held.first if self._held else None
        return self.feed.seq(self.place) if first is None else first - 1

    @_border
    def reply(self, data: bytes) -> None:
        """Bytes that the transport owes for something the client sent."""
        self._reply(data)

    def _answer(self, frame: Frame | Packed, id_: Any) -> None:
        self._reply(self.wire.answer(frame, id_))

    def _reply(self, data: bytes) -> None:
        if self._asked > self.hub.limits.outbox_bytes:
            # It keeps asking and does not read.
            self.end(goodbyes.SLOW)
        else:
            self._send(data, asked=True)

    def _tell(self, frame: Frame) -> None:
        self._send(self.wire.bytes_of(frame))

    def _send(self, data: bytes | memoryview, asked: bool = False) -> None:
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
            self.hub.unsettle(self)
            self._progress = self.hub.clock.monotonic()
        size = len(data) if asked else 0
        self._writes += 1
        self._asked += size
        future.add_done_callback(functools.partial(self._written, size))
        self.hub.waits(self, data)

    @_border
    def _written(self, asked: int, future: "asyncio.Future[None]") -> None:
        self._writes -= 1
        self._asked -= asked
        self._progress = self.hub.clock.monotonic()
        self.hub.waits_no_more(self, self._writes == 0)
        if future.cancelled() or future.exception() is not None:
            self.gone()
        elif not self._writes:
            self._pull()
