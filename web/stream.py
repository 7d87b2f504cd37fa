"""Server-sent events, and the long poll for clients that can do neither stream nor socket.

Both only move bytes: what is told, and from where, is `realtime.delivery`'s matter.
"""

import asyncio
import contextlib
import random
from typing import Annotated, Any, cast

import msgspec
from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError

from realtime.audience import Send
from realtime.connection import Connection, Gone
from realtime.core.cursor import Reset
from realtime.core.frames import Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.session import (
    DASHBOARD,
    ROOM_LENGTH,
    ROOMS,
    Session,
    Watch,
    check_room,
    watch,
)
from realtime.replay import Refused, check_end
from web.handler import Border, Handler
from web.problem import Problem
from web.schemas import Moment

Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=200, description="where to go on from; left out, a snapshot comes first"
    ),
]
Rooms = Annotated[
    str,
    msgspec.Meta(
        max_length=ROOMS * (ROOM_LENGTH + 1),
        description="rooms to be in from the start, with commas between; `dashboard` when left out",
    ),
]
Compact = Annotated[
    bool,
    msgspec.Meta(description="ticks as ids and values in two arrays, ids named once by `series`"),
]
Speed = Annotated[
    str,
    msgspec.Meta(
        max_length=20,
        description="how fast the past plays: a number from 0.25 to 1000, or `max`",
        examples=["10", "max"],
    ),
]
UNTAKEN = "the query string is not one this address takes"
Known = Annotated[
    int,
    msgspec.Meta(ge=0, le=2**53, description="the highest series id whose name is known already"),
]


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a stream begins and what it carries; the same on all three roads."""

    cursor: Cursor | None = None
    rooms: Rooms | None = None
    compact: Compact = False
    known: Known = 0

    def session(self) -> Session:
        """
        Raises:
            Problem: 400, a room that cannot be one.
        """
        names = [DASHBOARD] if self.rooms is None else [one for one in self.rooms.split(",") if one]
        try:
            rooms = frozenset(check_room(name) for name in names)
        except ValueError as error:
            raise Problem(400, UNTAKEN, [("rooms", str(error))]) from None
        if len(rooms) > ROOMS:
            raise Problem(
                400,
                "too many rooms",
                [("rooms", f"{len(rooms)} rooms came; at most {ROOMS} would do")],
            )
        return Session(rooms, self.compact, self.known)


class Watched(Place, frozen=True, forbid_unknown_fields=True):
    """A stream of now, or with `from` of the past."""

    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    speed: Speed | None = None
    loop: bool = False
    skip_idle_s: float = 0.0

    def watch(self, now: int) -> Watch | None:
        """
        Raises:
            Problem: 400, a moment or a speed that cannot be one.
        """
        if self.from_ is None:
            asked = {
                "to": self.to,
                "speed": self.speed,
                "loop": self.loop,
                "skip_idle_s": self.skip_idle_s,
            }
            wrong = [
                (name, "is of a replay, which needs a from")
                for name, value in asked.items()
                if value
            ]
            if wrong:
                raise Problem(400, UNTAKEN, wrong)
            return None
        try:
            return watch(
                self.from_,
                self.to,
                now,
                speed=self.speed or 1.0,
                loop=self.loop,
                skip_idle_s=self.skip_idle_s,
            )
        except ValueError as error:
            field, _, words = str(error).partition(": ")
            raise Problem(400, UNTAKEN, [(field, words)]) from None


class Polled(msgspec.Struct, frozen=True):
    """The frames after a cursor, and the cursor to ask from next."""

    frames: list[dict[str, Any]]
    cursor: str


def in_a_chunk(data: bytes) -> bytes:
    """HTTP/1.1 frames a body of unknown length (RFC 9112, 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def as_it_is(data: bytes) -> bytes:
    return data


CHUNKED = Wire("sse", "json", in_a_chunk)
UNTIL_CLOSE = Wire("sse", "json", as_it_is)
"""For HTTP/1.0, where the body ends with the connection."""
POLL = Wire("poll", "json", as_it_is)
GRACE_S = 5.0
"""How long the end of a stream waits for a reader that has stopped."""


class Stream(Border):
    """One client on an event stream (WHATWG HTML, 9.2)."""

    wire = CHUNKED
    _connection: Connection | None = None

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        # Proxies that buffer or compress hold events back; both headers ask them not to.
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")

    async def head(self) -> None:
        """What a stream would begin with."""
        self.services.hub.admit(self.request.remote_ip or "")

    async def get(self) -> None:
        place = self.asked(Watched)
        session = place.session()
        hub = self.services.hub
        # A browser that comes back by itself says where it stood in a header, and the address is old.
        resumed = self.request.headers.get("Last-Event-ID") or place.cursor
        watched = await self._watched(place, resumed)
        hub.admit(self.request.remote_ip or "", session.taste.rooms)
        if self.request.version == "HTTP/1.0":
            self.wire = UNTIL_CLOSE
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Frames go to the stream itself: Tornado's own `flush` remembers the last write only, and a
        # second one before the first has left would never be told that it has.
        self._stream = cast("HTTP1Connection", self.request.connection).stream
        # Frames without end are the last thing on a connection (RFC 9112, 9.6).
        self.set_header("Connection", "close")
        # Every client its own pause, so that a restart is not followed by a storm (in ms).
        self.write(b"retry: %d\n\n" % random.randrange(1500, 4500))
        self.flush()
        self._connection = Connection(hub, session, self, self.request.remote_ip or "")
        self._connection.start(resumed, watched)
        await self._left
        # What the kernel holds by now it may still deliver; nothing else follows on this connection.
        with contextlib.suppress(TimeoutError, StreamClosedError):
            await asyncio.wait_for(self.finish(), GRACE_S)
        self._stream.close()

    async def _watched(self, place: Watched, resumed: str | None) -> Watch | None:
        watched = place.watch(self.services.spine.now())
        if watched is None:
            return None
        self.services.replays.admit()
        begun = await self.services.past.begun()
        if begun > self.services.spine.now():
            raise Problem(400, UNTAKEN, [("from", "nothing is on tape yet")])
        try:
            check_end(watched.to, begun)
        except Refused as refused:
            field, _, words = refused.detail.partition(": ")
            raise Problem(400, UNTAKEN, [(field, words)]) from None
        place_then = await self.services.past.place(max(watched.start, begun))
        watched = watched._replace(begin=place_then.seq)
        if not resumed:
            return watched
        # One that comes back goes on after what it was told last, if that can be proved to be of this log.
        after = self.services.hub.told(resumed)
        if isinstance(after, Reset):
            return watched._replace(reset=after)
        if watched.to is not None:
            after = min(after, (await self.services.past.place(watched.to)).seq)
        return watched._replace(after=max(after, place_then.seq))

    def write_out(self, data: bytes | memoryview) -> "asyncio.Future[None] | None":
        if self._stream.closed():
            self._leave()
        return push(self._stream, data)

    def direct(self) -> Send | None:
        return straight(self._stream)

    def abort(self) -> None:
        self._stream.close()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._connection:
            self._connection.gone()
            self._leave()

    def close(self, goodbye: Goodbye) -> None:
        self._leave()

    def _leave(self) -> None:
        if not self._left.done():
            self._left.set_result(None)


def straight(stream: IOStream) -> Send | None:
    """The socket's own `send`, as long as nothing waits in the stream before it."""
    if stream.closed() or stream.writing() or type(stream) is not IOStream:
        return None
    send: Send = stream.socket.send
    return send


def push(stream: IOStream, data: bytes | memoryview) -> "asyncio.Future[None] | None":
    """Straight to an idle socket; the stream's own way takes five times as long, for a small frame to
    a thousand clients. What the socket does not take, and any error, is the stream's matter.

    Raises:
        Gone
    """
    if stream.closed():
        raise Gone()
    sent = 0
    if not stream.writing():
        with contextlib.suppress(OSError):
            sent = stream.socket.send(data)
        if sent == len(data):
            return None
    return stream.write(memoryview(data)[sent:])


class Poll(Handler):
    """The frames after a cursor, at once or when there are some."""

    _waiting: asyncio.Task[tuple[list[bytes], str]] | None = None

    async def get(self) -> None:
        place = self.asked(Place)
        session = place.session()
        hub = self.services.hub
        with hub.polling(self.request.remote_ip or ""):
            self._waiting = asyncio.ensure_future(
                hub.poll(session, place.cursor, self.services.poll_s, POLL)
            )
            try:
                told, cursor = await self._waiting
            except asyncio.CancelledError:
                if self._waiting.cancelled():
                    raise StreamClosedError() from None
                raise
        await self.send(
            b'{"status":"success","message":"","data":{"frames":[%s],"cursor":"%s"}}'
            % (b",".join(told), cursor.encode())
        )

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._waiting:
            self._waiting.cancel()
