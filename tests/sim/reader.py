"""Clients of the simulation: what they hold, what they check, and a wire that can be slow or break.

Frames are checked in the moment in which they are written, when it is known what the client wants; what a
client has, and may resume from, is what has crossed the wire by the time at which it breaks.
"""

import asyncio
import random
from collections import deque
from typing import Any

import msgspec

from realtime.audience import PAGE_BYTES, Send
from realtime.connection import Connection, Gone
from realtime.core.frames import Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.session import Session
from tests.sim.truth import Course, Truth, Wish
from web.duplex import JSON_WIRE, MSGPACK_WIRE
from web.stream import CHUNKED

WIRES = {"json": JSON_WIRE, "msgpack": MSGPACK_WIRE, "sse": CHUNKED}


class Pipe:
    """A sink whose socket takes all, nothing or a little, or is broken."""

    def __init__(self, wire: Wire, heard: Any) -> None:
        self.wire = wire
        self.full = False
        self.broken = False
        self.ended: Goodbye | None = None
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.held = 0
        self.crossed = 0
        """Bytes that have reached the client."""
        self.written = 0
        self._taken = 0
        self._heard = heard

    def write_out(self, data: bytes | memoryview) -> "asyncio.Future[None] | None":
        if self.broken:
            raise Gone()
        self.written += len(data)
        self._heard(bytes(data))
        if not self.full and not self.waiting:
            self.crossed += len(data)
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((len(data), future))
        self.held += len(data)
        return future

    def direct(self) -> Send | None:
        return None if self.waiting or self.broken else self._send

    def _send(self, data: bytes) -> int:
        """As a socket does: it fails, or takes a part, where `write_out` would have to wait."""
        if self.broken:
            raise ConnectionResetError
        taken = len(data) // 3 if self.full else len(data)
        self.written += taken
        self.crossed += taken
        self._heard(bytes(data[:taken]))
        return taken

    def abort(self) -> None:
        self.cut()

    def drain(self, most: int) -> None:
        """The client reads so many bytes, wherever they end."""
        while self.waiting and most > 0:
            size, future = self.waiting[0]
            took = min(most, size - self._taken)
            most -= took
            self._taken += took
            self.crossed += took
            self.held -= took
            if self._taken == size:
                self._taken = 0
                self.waiting.popleft()
                if not future.done():
                    future.set_result(None)

    def cut(self) -> None:
        self.broken = True
        while self.waiting:
            _, future = self.waiting.popleft()
            if not future.done():
                future.set_exception(ConnectionResetError())
        self.held = 0

    def close(self, goodbye: Goodbye) -> None:
        self.ended = goodbye


class Unwrapped:
    """Bytes → frames with the place at which each ends, whatever pieces the bytes come in."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._rest = b""
        self._text = b""
        self._end = 0

    def feed(self, data: bytes) -> list[tuple[int, str, dict[str, Any], Any]]:
        self._rest += data
        frames: list[tuple[int, str, dict[str, Any], Any]] = []
        while True:
            payload = self._chunk() if self._kind == "sse" else self._message()
            if payload is None:
                return frames
            if self._kind == "sse":
                self._text += payload
                *blocks, self._text = self._text.split(b"\n\n")
                frames += [(self._end, *_block(block)) for block in blocks]
            else:
                coder: Any = msgspec.msgpack if self._kind == "msgpack" else msgspec.json
                told = coder.decode(payload)
                frames.append((self._end, told["event"], told["data"], told.get("id")))

    def _message(self) -> bytes | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        assert rest[0] == (0x82 if self._kind == "msgpack" else 0x81)
        size, head = rest[1], 2
        if size > 125:
            head = 4 if size == 126 else 10
            if len(rest) < head:
                return None
            size = int.from_bytes(rest[2:head], "big")
        return self._cut(head, size, 0) if len(rest) >= head + size else None

    def _chunk(self) -> bytes | None:
        line, found, _ = self._rest.partition(b"\r\n")
        if not found:
            return None
        size, head = int(line, 16), len(line) + 2
        return self._cut(head, size, 2) if len(self._rest) >= head + size + 2 else None

    def _cut(self, head: int, size: int, tail: int) -> bytes:
        payload = self._rest[head : head + size]
        self._rest = self._rest[head + size + tail :]
        self._end += head + size + tail
        return payload


def _block(block: bytes) -> tuple[str, dict[str, Any], None]:
    fields = dict(line.split(b": ", 1) for line in block.split(b"\n"))
    data = msgspec.json.decode(fields[b"data"])
    event = fields[b"event"].decode()
    placed = "seq" in data or event in ("heartbeat", "snapshot")
    assert (fields[b"id"].decode() == data["cursor"]) if placed else b"id" not in fields
    return event, data, None


class Numbered(Connection):
    """Sets of connections are walked in an order of their own, the same in every run."""

    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class Client:
    """One that watches, on one road, over many connections."""

    def __init__(self, world: Any, number: int, kind: str, dice: random.Random) -> None:
        self.world = world
        self.number = number
        self.kind = kind
        self.rooms = frozenset(dice.choice((("dashboard",), ("dashboard",), ("metrics", "attic"))))
        self.compact = dice.random() < 0.4
        self.names: dict[int, str] = {}
        """What has reached the client, by id."""
        self.cursor = ""
        self.cursors: list[str] = []
        """Every place it was ever told."""
        self.pipe: Pipe | None = None
        self.connection: Numbered | None = None
        self.course: Course | None = None
        self.goodbye: dict[str, Any] | None = None
        self.polling: asyncio.Task[None] | None = None
        self.stalled = False

    @property
    def truth(self) -> Truth:
        truth: Truth = self.world.truth
        return truth

    @property
    def known(self) -> int:
        """Up to which id every name has reached it."""
        known = 0
        while known + 1 in self.names:
            known += 1
        return known

    @property
    def up(self) -> bool:
        return self.pipe is not None and not self.pipe.broken and self.pipe.ended is None

    # A connection

    def connect(self, cursor: str, dice: random.Random) -> None:
        server = self.world.server
        self.rooms = frozenset(self.rooms)
        known = self.known if dice.random() < 0.8 else 0
        self.told_names = {id_: self.names[id_] for id_ in range(1, known + 1)}
        self.expected: str | int | None = server.verdict(cursor) if cursor else None
        self.resumed = isinstance(self.expected, int)
        self.wish = Wish(self.rooms, compact=self.compact)
        self.course = None
        self.goodbye = None
        self.greeted = False
        self.awaited: dict[Any, Any] = {}
        self.asked = 0
        self.stalled = dice.random() < 0.15
        self.arriving: deque[tuple[int, str, dict[str, Any]]] = deque()
        self.unwrapped = Unwrapped(self.kind)
        self.biggest = self.ended_at = 0
        self.pipe = Pipe(WIRES[self.kind], self._heard)
        self.pipe.full = self.stalled
        session = Session(self.rooms, self.compact, known)
        self.connection = Numbered(server.hub, session, self.pipe)
        self.connection.number = self.number
        self.connection.start(cursor or None)

    def _heard(self, data: bytes) -> None:
        with self.world.blamed(self):
            for end, event, told, id_ in self.unwrapped.feed(data):
                self.arriving.append((end, event, told))
                self.biggest = max(self.biggest, end - self.ended_at)
                self.ended_at = end
                assert self.goodbye is None, f"{event} after goodbye"
                self._check(event, told, id_)

    def _check(self, event: str, data: dict[str, Any], id_: Any) -> None:
        if not self.greeted:
            assert event in ("hello", "goodbye"), f"{event} came before hello"
            self.greeted = True
        kinds = {
            "hello": self._hello,
            "snapshot": self._snapshot,
            "heartbeat": self._heartbeat,
            "goodbye": self._farewell,
            "series": self._series,
        }
        if event in kinds:
            kinds[event](data)
        elif event == "reset":
            self._reset(data, id_)
        elif "seq" in data:
            assert data["cursor"] == f"{self.truth.epoch}:{data['seq']}"
            if event == "metrics":
                self._course(event).tick(data, self.told_names)
            else:
                self._course(event).fact(event, data)
        else:
            assert id_ in self.awaited, f"an answer to nothing: {event} {data}"
            wanted, act = self.awaited.pop(id_)
            assert event == wanted, f"{event} for {wanted}: {data}"
            if act is not None:
                act(data)

    def _heartbeat(self, data: dict[str, Any]) -> None:
        course = self._course("heartbeat")
        epoch, _, seq = data["cursor"].rpartition(":")
        assert epoch == self.truth.epoch
        assert int(seq) >= course.at, "a heartbeat goes back"
        course.prove(int(seq))

    def _farewell(self, data: dict[str, Any]) -> None:
        self.goodbye = data
        self.world.farewell(self, data["reason"])

    def _series(self, data: dict[str, Any]) -> None:
        for one in data["series"]:
            assert self.truth.texts[one["id"]] == one["series"]
            self.told_names[one["id"]] = one["series"]

    def _course(self, event: str) -> Course:
        assert self.course is not None, f"{event} came before a place was told"
        return self.course

    def _hello(self, data: dict[str, Any]) -> None:
        edge = self.world.server.edge
        assert data["epoch"] == self.truth.epoch
        assert (data["head"], data["floor"]) == (edge, self.world.server.log.floor)
        assert data["resumed"] is self.resumed, (data, self.expected)
        place = self.expected if isinstance(self.expected, int) else edge
        assert data["cursor"] == f"{self.truth.epoch}:{place}"
        if self.resumed:
            self._begin(place)

    def _begin(self, seq: int) -> None:
        self.course = Course(
            self.truth,
            self.wish,
            seq,
            self.world.server.edge,
            self.stalled or self.wish.max_hz is not None,
        )

    def _reset(self, data: dict[str, Any], id_: Any) -> None:
        asked = self.awaited.pop(id_, None) if id_ is not None else None
        if asked is None and self.course is not None:
            # On its way through the log it was overtaken by retention.
            assert data["reason"] == "truncated", data
            floor = self.world.server.log.floor
            assert self.course.at + 1 < floor, "there was nothing missing"
        else:
            expected = asked[0] if asked else self.expected
            assert data["reason"] == expected, f"{data['reason']} instead of {expected}"
        self.course = None
        self.told_names.clear()

    def _snapshot(self, data: dict[str, Any]) -> None:
        assert self.course is None, "a snapshot where the gap can be filled"
        seq = self.world.snapshot(data)
        for one in data["series"]:
            self.told_names[one["id"]] = one["series"]
        self._begin(seq)

    # What it asks for

    def ask(self, event: str, data: dict[str, Any], answer: str, act: Any = None) -> None:
        assert self.connection is not None
        self.asked += 1
        self.awaited[self.asked] = answer, act
        said = {"event": event, "data": data, "id": self.asked}
        if self.kind == "msgpack":
            self.connection.receive(msgspec.msgpack.encode(said))
        else:
            self.connection.receive(msgspec.json.encode(said).decode())

    def want(self, event: str, data: dict[str, Any], answer: str, **wish: Any) -> None:
        """Ask for something else from here on; the place is known before it is asked."""
        assert self.connection is not None
        if self.course is not None:
            self.course.change(self.connection.place, **wish)
            self.course.may_merge |= wish.get("max_hz") is not None
            self.wish = self.course.wish
        self.ask(event, data, answer)

    def resume(self, cursor: str) -> None:
        verdict = self.world.server.verdict(cursor)

        def go_on(data: dict[str, Any]) -> None:
            edge = self.world.server.edge
            assert data == {"from": cursor, "to": f"{self.truth.epoch}:{edge}"}
            self._begin(verdict)

        if isinstance(verdict, int):
            self.ask("resume", {"cursor": cursor}, "resumed", go_on)
        else:
            self.ask("resume", {"cursor": cursor}, verdict)

    # What reaches it

    def take(self) -> None:
        """What has crossed the wire is the client's, in whole frames."""
        if self.pipe is None:
            return
        while self.arriving and self.arriving[0][0] <= self.pipe.crossed:
            _, event, data = self.arriving.popleft()
            self._own(event, data)

    def _own(self, event: str, data: dict[str, Any]) -> None:
        if event == "reset" or (event == "hello" and self.cursor.split(":")[0] != data["epoch"]):
            self.names.clear()
        if event in ("series", "snapshot"):
            self.names |= {one["id"]: one["series"] for one in data["series"]}
        if event in ("hello", "reset"):
            return  # the place they tell is that of what follows
        if "cursor" in data:
            self.cursor = data["cursor"]
            if self.cursor not in self.cursors[-3:]:
                self.cursors.append(self.cursor)

    def check_bounds(self) -> None:
        """Law slow-costs-itself: a page, its answers, and what one frame adds to either."""
        if self.pipe is None:
            return
        outbox = self.world.server.limits.outbox_bytes
        most = min(PAGE_BYTES, outbox) + outbox + 5 * self.biggest
        assert self.pipe.held <= most, f"{self.pipe.held} bytes wait; {most} may"

    def slow(self) -> None:
        assert self.pipe is not None
        self.pipe.full = self.stalled = True
        if self.course is not None:
            self.course.may_merge = True

    def recover(self) -> None:
        if self.pipe is not None:
            self.pipe.full = False
            self.pipe.drain(1 << 60)

    def drop(self, noticed: bool) -> None:
        """The wire breaks; the server may notice at once, or with its next write."""
        if self.pipe is not None:
            self.pipe.cut()
        self.take()
        if noticed and self.connection is not None:
            self.connection.gone()
        self.pipe = self.connection = self.course = None

    # Long polls

    async def poll(self, cursor: str, timeout_s: float) -> None:
        """One poll. A failing disk is an answer to come back after."""
        server = self.world.server
        known = self.known
        self.told_names = dict(self.names)
        self.expected = server.verdict(cursor) if cursor else None
        self.course = None
        self.wish = Wish(self.rooms, compact=self.compact)
        if isinstance(self.expected, int):
            self.course = Course(self.truth, self.wish, self.expected, server.edge)
        session = Session(self.rooms, self.compact, known)
        told, place = await server.hub.poll(session, cursor or None, timeout_s, server.poll_wire)
        self.greeted = True
        with self.world.blamed(self):
            if isinstance(self.expected, int):
                self.resumed = True
            for one in told:
                frame = msgspec.json.decode(one)
                event, data = frame["event"], frame["data"]
                if event == "hello":
                    assert not cursor
                    assert data["resumed"] is False
                elif event == "reset":
                    self._reset(data, None)
                elif event == "snapshot":
                    self.resumed = False
                    self._snapshot(data)
                else:
                    self._check(event, data, None)
                self._own(event, data)
            epoch, _, seq = place.rpartition(":")
            assert epoch == self.truth.epoch
            self._course("the end of a poll").prove(int(seq))
            self._own("poll", {"cursor": place})
