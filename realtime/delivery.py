"""From the tail to the clients: every connection reads at its own pace, from its own cursor.

Nothing is queued for a client. Those who stand at the edge with nothing on its way to them are told a
publish in one loop, audience by audience, with bytes that all share; whoever cannot be told so takes what
came after its cursor when it has written. So a slow reader holds a page of bytes and no more (law
slow-costs-itself): when it comes back, it finds its events in the tail or in the log, ticks that were
overtaken are merged into the latest, and facts are all there.

"After my cursor, up to the edge" is one look at the tail in one tick of the loop, so there is no seam
between history and live to lose an event in (law no-gap-no-double).
"""

import asyncio
import contextlib
import heapq
import random
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog

from realtime.addresses import Tally, customer
from realtime.audience import PAGE_BYTES, PAGE_EVENTS, Audience, Cohort, Page, Send
from realtime.clock import Clock
from realtime.connection import LAG_S, MESSAGE_BYTES, Connection
from realtime.core.cursor import Reset, cursor, resolve
from realtime.core.frames import Encoding, Frame, Packed, Wire, packed
from realtime.core.goodbyes import Goodbye
from realtime.core.session import (
    ALERTS,
    ANNOTATIONS,
    DASHBOARD,
    METRICS,
    NOTIFICATIONS,
    Matched,
    Remote,
    Session,
    Taste,
    topics_of,
)
from realtime.core.times import rfc3339
from realtime.core.views import View
from realtime.errors import Closing, Crowded
from realtime.tail import Entry, Tail
from storage.events import Event, Unreadable
from storage.log import Log

SWEEP_S = 1.0
TURN_S = 0.005
"""How long connections are served before the loop gets its turn (law loop-never-blocks)."""
CHUNK = 32
"""Members told between two looks at the clock."""
COPIED = 2048
"""Bytes below which Tornado's buffer copies what it is given; longer ones stay everybody's."""
ROOMS_TOLD = 50
ALWAYS = frozenset((DASHBOARD, METRICS, ALERTS, NOTIFICATIONS, ANNOTATIONS))
"""Rooms that are there without anybody in them, as is that of each source: nobody is kept out of these by
those who name others."""
FAREWELLS = 200
"""Goodbyes between two turns of the loop."""
RETURNS_PER_S = 1000
"""So many are asked back a second after a stop: the next server shakes hands with some more than that."""

log_ = structlog.get_logger(__name__)


AT_ONCE = 3_000
"""Series whose latest are told in some 5 ms."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds, bytes and counts; what each bounds is told with its dial."""

    max_connections: int
    outbox_bytes: int
    resume_events: int
    heartbeat_s: float
    stall_s: float
    outboxes_bytes: int = 1 << 28
    max_per_address: int = 0
    max_rooms: int = 20_000


class Shared:
    """Bytes that several wait for, and how many."""

    __slots__ = ("count", "whole")

    def __init__(self, whole: Any) -> None:
        self.whole = whole
        self.count = 0


class Live:
    """The feed of now: places are seqs."""

    lag_s = LAG_S

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    @property
    def edge(self) -> int:
        return self._hub.tail.edge

    def next(self, connection: Connection, plain: bool) -> Page | list[Entry] | None:
        """The bytes that all get, or events to be told to this one by itself."""
        if plain and connection.audience is not None:
            return connection.audience.page(connection.place, connection.session.known)
        return self._hub.tail.after(connection.place, PAGE_EVENTS)

    async def entries(self, place: int) -> list[Entry] | Reset:
        return await self._hub.entries(place)

    def seq(self, place: int) -> int:
        return place

    def reached(self, connection: Connection) -> None:
        if connection.is_level:
            self._hub.settle(connection)

    def lost(self, connection: Connection, reset: Reset) -> None:
        connection.place_at(reset)

    def left(self, connection: Connection) -> None:
        pass


def _deaf(connection: Connection, remote: Remote, id_: Any) -> None:
    connection.tell(
        Frame("error", {"code": "unknown_event", "detail": "there are no replays here"}), id_
    )


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
        latest: Callable[[], Callable[[], dict[str, Any]]],
        version: str,
    ) -> None:
        self.tail = tail
        self.log = log
        self.view = view
        self.clock = clock
        self.about: dict[str, Any] = {}
        """More that `hello` tells: what is shown, where it is no server's own present."""
        self.limits = limits
        self.latest = latest
        self.version = version
        self.closing = False
        self.goodbyes: dict[str, int] = {}
        """How many connections ended for which reason."""
        self.log_reads = 0
        """Pages that readers needed and the tail did not hold."""
        self.sockets = 0
        """Open WebSockets of every kind, those too that have not said yet who they are, or have said goodbye."""
        self.waiting_bytes = 0
        """What waits in all connections together; bytes that several wait for count once."""
        self._latest: dict[Encoding, asyncio.Task[Packed]] = {}
        self._snapshot = snapshot
        self._snapshots: dict[Wire, bytes] = {}
        self._snapshots_at = -1
        self._connections: dict[Connection, None] = {}
        self._audiences: dict[tuple[Wire, Taste], Audience] = {}
        self._topics: dict[str, dict[Audience, None]] = {}
        self._matches: WeakValueDictionary[tuple[str, ...], Matched] = WeakValueDictionary()
        """What audiences of the same selectors share."""
        self._present: dict[str, int] = {}
        self._named: set[str] = set()
        """Of the rooms with somebody in them those that are there because a client said so."""
        self._roads = {"websocket": 0, "sse": 0, "poll": 0, "socketio": 0}
        self._addresses = Tally()
        self._solo: dict[Connection, None] = {}
        """Those that are not in their audience's loop."""
        self._owed: deque[Audience] = deque()
        self._due: deque[Connection] = deque()
        self._serving = False
        self._writing: dict[Connection, deque[tuple[Shared | None, int]]] = {}
        """Who has bytes waiting, the one that has taken nothing for longest first."""
        self._held_bytes: dict[int, Shared] = {}
        """By address, which is theirs alone for as long as they are held here."""
        self._relieving = False
        self._wheel: list[dict[Connection, None]] = [
            {} for _ in range(max(1, int(limits.heartbeat_s / SWEEP_S)))
        ]
        self._hand = 0
        self._beats: dict[tuple[Wire, int], bytes] = {}
        self._reads: dict[int, asyncio.Task[list[Entry]]] = {}
        self._polls = 0
        self._held_places = 0
        self._published: asyncio.Event = asyncio.Event()
        self.live = Live(self)
        self.obey: Callable[[Connection, Remote, Any], None] = _deaf
        """Carries out what a client asks of a replay."""

    def publish(self, events: list[Event]) -> None:
        """Events that are committed and applied (laws append-before-speak, edge-is-applied)."""
        before = self.tail.edge
        self.tail.extend(events)
        now = self.clock.monotonic()
        for topic in {topic for event in events for topic in topics_of(event)}:
            for audience in self._topics.get(topic, ()):
                if audience.concern(before, now) and not audience.queued:
                    audience.queued = True
                    self._owed.append(audience)
        for connection in self._solo:
            self._enqueue(connection)
        self._published.set()
        self._published = asyncio.Event()
        if not self._serving:
            self._serve()

    def again(self, connection: Connection) -> None:
        """There is more for it at once, but others come first."""
        self._enqueue(connection)
        if not self._serving:
            self._serving = True
            asyncio.get_running_loop().call_soon(self._serve)

    @property
    def idle(self) -> bool:
        """Nobody waits for a turn."""
        return not self._owed and not self._due

    @property
    def connections(self) -> Collection[Connection]:
        return self._connections.keys()

    def _enqueue(self, connection: Connection) -> None:
        if not connection.due:
            connection.due = True
            self._due.append(connection)

    def _serve(self) -> None:
        # What a connection reads is its own affair, so nobody misses anything while waiting for a turn.
        # The crowd at the edge goes first: those who catch up can make any number of pages.
        self._serving = True
        until = self.clock.monotonic() + TURN_S
        try:
            if self._due:
                self._wake()
            while self._owed and self.clock.monotonic() < until:
                self._tell(self._owed[0])
            while self._due and self.clock.monotonic() < until:
                self._wake()
        except Exception:
            log_.exception("a turn failed")
            self._disperse()
        finally:
            self._serving = not self.idle
            if self._serving:
                asyncio.get_running_loop().call_soon(self._serve)

    def _wake(self) -> None:
        connection = self._due.popleft()
        connection.due = False
        connection.wake()

    def _tell(self, audience: Audience) -> None:
        """The next members of an audience get their page: for each a `send`, and nothing else."""
        cohort = audience.behind[0]
        late = self.clock.monotonic() - cohort.since >= LAG_S
        try:
            page = audience.page(cohort.seq, cohort.known, late) if audience.is_judged() else None
        except Exception:
            log_.exception("a page could not be made")
            page = None
        if page is None:
            # By themselves they read the log, wait for what they mean, or learn what is wrong with them.
            self._scatter(audience, cohort)
        else:
            arrived = self._send_some(cohort, page)
            # Only now: what was published meanwhile, nobody here has been told.
            target = audience.target(page, cohort)
            if target is not None:
                target.members.update(arrived)
            else:
                for connection in arrived:
                    self._alone(connection, page, len(page.data))
        if not cohort.members:
            audience.behind.remove(cohort)
        if not audience.behind:
            audience.queued = False
            self._owed.popleft()
        elif len(self._owed) > 1:
            self._owed.rotate(-1)

    def _disperse(self) -> None:
        """Whoever is owed a page by the audience that failed goes by itself."""
        if not self._owed:
            return
        audience = self._owed.popleft()
        audience.queued = False
        while audience.behind:
            self._scatter(audience, audience.behind.popleft())

    def _send_some(self, cohort: Cohort, page: Page) -> dict[Connection, Send]:
        """Those who have the whole page now; the others go on by themselves."""
        members, data = cohort.members, page.data
        size = len(data)
        if not size:
            cohort.members = {}
            return members
        arrived: dict[Connection, Send] = {}
        for _ in range(min(CHUNK, len(members))):
            connection, send = members.popitem()
            try:
                sent = send(data)
            except OSError:  # full, or gone: the stream will tell
                sent = 0
            if sent == size:
                arrived[connection] = send
            else:
                self._alone(connection, page, sent)
        return arrived

    def _alone(self, connection: Connection, page: Page, sent: int) -> None:
        connection.settled = False
        self._solo[connection] = None
        connection.rest(page, sent)

    def _scatter(self, audience: Audience, cohort: Cohort) -> None:
        for connection in cohort.members:
            connection.leave_loop(cohort.seq, cohort.known)
            self._solo[connection] = None
            self._enqueue(connection)
        cohort.members.clear()

    def settle(self, connection: Connection) -> None:
        """It stands at the edge and has taken everything: from here on it is told in its audience's loop."""
        audience = connection.audience
        send = connection.sink.direct()
        if audience is None or send is None or connection not in self._solo:
            return
        if audience.settle(connection, send, connection.session.known):
            connection.settled = True
            del self._solo[connection]

    def unsettle(self, connection: Connection) -> None:
        """It goes by itself, from where it stands."""
        if not connection.settled or connection.audience is None:
            return
        cohort = connection.audience.place(connection)
        assert cohort is not None
        del cohort.members[connection]
        at_edge = cohort is connection.audience.ready
        connection.leave_loop(self.tail.edge if at_edge else cohort.seq, cohort.known)
        self._solo[connection] = None

    def regroup(self, connection: Connection) -> None:
        """
        What it wants to hear may have changed.

        Raises:
            Crowded: it names a room that would be one too many; it stays where it was.
        """
        if connection.audience is None or connection.audience.taste is connection.session.taste:
            return
        try:
            self._check_rooms(connection.session.taste.rooms)
        except Crowded:
            connection.session.taste = connection.audience.taste
            raise
        self._exit(connection)
        self._enter(connection)

    def _enter(self, connection: Connection) -> None:
        key = (connection.wire, connection.session.taste)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = self._audience(*key)
            for topic in audience.taste.topics():
                self._topics.setdefault(topic, {})[audience] = None
        # One object for all, so that ten thousand do not each hold their own set of rooms.
        connection.session.taste = audience.taste
        connection.audience = audience
        audience.count += 1
        self._named.update(self._unheard(audience.taste.rooms))
        for room in audience.taste.rooms:
            self._present[room] = self._present.get(room, 0) + 1

    def _exit(self, connection: Connection) -> None:
        audience = connection.audience
        if audience is None:
            return
        connection.audience = None
        audience.count -= 1
        for room in audience.taste.rooms:
            self._present[room] -= 1
            if not self._present[room]:
                del self._present[room]
                self._named.discard(room)
        if not audience.count:
            del self._audiences[audience.wire, audience.taste]
            for topic in audience.taste.topics():
                del self._topics[topic][audience]
                if not self._topics[topic]:
                    del self._topics[topic]

    def _audience(self, wire: Wire, taste: Taste) -> Audience:
        most = min(PAGE_BYTES, self.limits.outbox_bytes)
        matched = None
        if taste.match:
            matched = self._matches.get(taste.match)
            if matched is None:
                matched = self._matches[taste.match] = Matched(taste.match)
        return Audience(wire, taste, self.tail, self.view, self.log.epoch, most, matched)

    def present(self, room: str) -> int:
        """How many streams are in a room."""
        return self._present.get(room, 0)

    def stats(self) -> dict[str, Any]:
        """What `performance/stats` tells of delivery; of rooms only the fullest, for clients name them."""
        rooms = self._present
        fullest = heapq.nsmallest(ROOMS_TOLD, rooms.items(), key=lambda pair: (-pair[1], pair[0]))
        return {
            "rooms": dict(fullest),
            "rooms_total": len(rooms),
            "audiences": len(self._audiences),
            "waiting": len(self._writing),
            "waiting_bytes": self.waiting_bytes,
            "log_reads": self.log_reads,
            "goodbyes": dict(self.goodbyes),
        }

    def waits(self, connection: Connection, data: bytes | memoryview) -> None:
        """The socket did not take these bytes. Beyond what may wait in all, the slowest are let go."""
        whole: Any = data.obj if isinstance(data, memoryview) else data
        shared, size = None, len(data)
        if size >= COPIED:
            size = len(whole)
            shared = self._held_bytes.setdefault(id(whole), Shared(whole))
            shared.count += 1
        if shared is None or shared.count == 1:
            self.waiting_bytes += size
        self._writing.setdefault(connection, deque()).append((shared, size))
        if self.waiting_bytes > self.limits.outboxes_bytes and not self._relieving:
            self._relieving = True
            try:
                while self._writing and self.waiting_bytes > self.limits.outboxes_bytes:
                    slowest = next(iter(self._writing))
                    slowest.cut()
                    self._forget(slowest)
            finally:
                self._relieving = False

    def waits_no_more(self, connection: Connection, nothing_left: bool) -> None:
        """The oldest of its bytes have left."""
        waiting = self._writing.pop(connection, None)
        if waiting is None:
            return
        self._let_go(*waiting.popleft())
        if not nothing_left:
            self._writing[connection] = waiting  # it has moved: behind those that have not

    def _forget(self, connection: Connection) -> None:
        for held in self._writing.pop(connection, ()):
            self._let_go(*held)

    def _let_go(self, shared: Shared | None, size: int) -> None:
        if shared is not None:
            shared.count -= 1
            if shared.count:
                return
            del self._held_bytes[id(shared.whole)]
        self.waiting_bytes -= size

    @property
    def cursor(self) -> str:
        return cursor(self.log.epoch, self.tail.edge)

    def count(self) -> dict[str, int]:
        """Open connections by road."""
        return {**self._roads, "poll": self._polls}

    def admit(self, address: str = "", rooms: frozenset[str] = frozenset()) -> None:
        """
        Raises:
            Crowded, Closing: there are as many connections as there may be, in all or of this address, or
                as many rooms, or the server is stopping.
        """
        if self.closing:
            raise Closing()
        self._check_rooms(rooms)
        if len(self._connections) + self._held_places >= self.limits.max_connections:
            raise Crowded()
        most = self.limits.max_per_address
        if self._addresses.is_full(address, most):
            raise Crowded(
                f"{customer(address)} holds as many connections as one address may: {most}."
            )

    def _check_rooms(self, rooms: frozenset[str]) -> None:
        new, named, most = self._unheard(rooms), len(self._named), self.limits.max_rooms
        if new and named + len(new) > most:
            raise Crowded(
                f"rooms: {named:,} are there, and with {min(new)!r} there would be more than max_rooms "
                f"allows: {most:,}",
                "A room is there while somebody is in it: join one of those, or try again later.",
            )

    def _unheard(self, rooms: frozenset[str]) -> list[str]:
        """Those that would be there only because somebody names them."""
        return [
            room
            for room in rooms - ALWAYS
            if room not in self._present
            and not (
                room.startswith(f"{METRICS}:")
                and room.removeprefix(f"{METRICS}:") in self.view.sources
            )
        ]

    def hold(self, address: str = "") -> None:
        """A place for one who was admitted and has no stream, or none yet."""
        self._held_places += 1
        self._addresses.add(address, 1)

    def release(self, address: str = "") -> None:
        self._held_places -= 1
        self._addresses.add(address, -1)

    @contextlib.contextmanager
    def polling(self, address: str = "") -> Iterator[None]:
        """A long poll is a connection like the others while it waits; raises as `admit` does."""
        self.admit(address)
        self.hold(address)
        self._polls += 1
        try:
            yield
        finally:
            self._polls -= 1
            self.release(address)

    def join(self, connection: Connection) -> None:
        self._connections[connection] = None
        self._roads[connection.wire.road] += 1
        self._solo[connection] = None
        self._enter(connection)
        self._addresses.add(connection.address, 1)
        # A moment of its own, so that ten thousand heartbeats do not come at once.
        connection.slot = random.randrange(len(self._wheel))
        self._wheel[connection.slot][connection] = None

    def leave(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self.unsettle(connection)
        self._exit(connection)
        del self._connections[connection]
        self._roads[connection.wire.road] -= 1
        del self._solo[connection]
        del self._wheel[connection.slot][connection]
        self._addresses.add(connection.address, -1)
        self._forget(connection)

    def said(self, goodbye: Goodbye) -> None:
        self.goodbyes[goodbye.reason] = self.goodbyes.get(goodbye.reason, 0) + 1

    def resolve(self, text: str) -> int | Reset:
        return resolve(
            text, self.log.epoch, self.log.floor, self.tail.edge, self.limits.resume_events
        )

    def told(self, text: str) -> int | Reset:
        """The event of this log at which a cursor stands, however long ago."""
        return resolve(text, self.log.epoch, 0, self.tail.edge, self.tail.edge)

    def hello(self, client_id: str, after: int | None, begin: int | None = None) -> Frame:
        """`cursor` is where this client stands: the frames after it are what follows. `after` is where
        it resumes, None when it starts from a snapshot: of now, or of the event `begin`."""
        place = self._cursor_at(begin if after is None else after)
        return Frame(
            "hello",
            {
                "client_id": client_id,
                "epoch": self.log.epoch,
                "head": self.tail.edge,
                "floor": self.log.floor,
                "cursor": place,
                "resumed": after is not None,
                "server_time": rfc3339(self.clock.now()),
                "heartbeat_s": self.limits.heartbeat_s,
                "version": self.version,
                **self.about,
                "limits": {
                    "message_bytes": MESSAGE_BYTES,
                    "stall_s": self.limits.stall_s,
                    "resume_events": self.limits.resume_events,
                },
            },
        )

    def reset(self, reset: Reset, begin: int | None = None) -> Frame:
        """It goes on from now, or after the event `begin`."""
        place = self._cursor_at(begin)
        return Frame("reset", {"reason": reset.reason, "detail": reset.detail, "cursor": place})

    def _cursor_at(self, seq: int | None) -> str:
        return self.cursor if seq is None else cursor(self.log.epoch, seq)

    def heartbeat(self, wire: Wire, told: int) -> bytes:
        """The `heartbeat` of a moment for all who stand at the same place."""
        beat = self._beats.get((wire, told))
        if beat is None:
            data = {
                "head": self.tail.edge,
                "cursor": cursor(self.log.epoch, told),
                "server_time": rfc3339(self.clock.now()),
            }
            beat = self._beats[wire, told] = wire.bytes_of(Frame("heartbeat", data))
        return beat

    def snapshot(self, wire: Wire) -> bytes:
        """The `snapshot` frame at the edge, made once for all who come at the same moment."""
        if self._snapshots_at != self.tail.edge:
            self._snapshots.clear()
            self._snapshots_at = self.tail.edge
        told = self._snapshots.get(wire)
        if told is None:
            told = self._snapshots[wire] = wire.bytes_of(Frame("snapshot", self._snapshot()))
        return told

    def metrics(self, encoding: Encoding) -> "Frame | asyncio.Task[Packed]":
        """The `metrics_response` as of now. Of many series it is made in a thread, and meanwhile one for all
        who ask (law loop-never-blocks)."""
        making = self._latest.get(encoding)
        if making is not None and not making.done():
            return making
        make = self.latest()
        if len(self.view.series) <= AT_ONCE:
            return Frame("metrics_response", make())

        def made() -> Packed:
            return packed(Frame("metrics_response", make()), encoding)

        making = self._latest[encoding] = asyncio.create_task(asyncio.to_thread(made))
        return making

    async def entries(self, after: int) -> list[Entry] | Reset:
        """The next page after a seq, from the tail or else from the log; empty at the edge only."""
        page = self.tail.after(after, PAGE_EVENTS)
        if page is not None:
            return page
        reading = self._reads.get(after)
        if reading is None:
            # One read for all who stand here: after a restart that is everybody.
            reading = self._reads[after] = asyncio.create_task(self._read(after))
            reading.add_done_callback(lambda task: self._was_read(after, task))
        page = await asyncio.shield(reading)
        for entry in page:
            if isinstance(entry.event.data, Unreadable):
                lost = entry.event.data
                return Reset(
                    "damaged", f"of what came after {after}, event {lost.first} cannot be read"
                )
        # Facts outlive the ticks between them: a page with a hole is part of a gap, never the whole.
        if not page or page[-1].event.seq - after != len(page):
            return Reset("truncated", f"what came after {after} is no longer held in full")
        return page

    async def _read(self, after: int) -> list[Entry]:
        self.log_reads += 1
        # Up to the edge only: what is committed but not applied yet will be published in its turn.
        events = await self.log.read(after, PAGE_EVENTS, until=self.tail.edge)
        return [Entry(event) for event in events]

    def _was_read(self, after: int, task: "asyncio.Task[list[Entry]]") -> None:
        del self._reads[after]
        if not task.cancelled():
            task.exception()  # those who wait have it; when all have gone, nobody needs to hear

    async def poll(
        self, session: Session, cursor_text: str | None, timeout_s: float, wire: Wire
    ) -> tuple[list[bytes], str]:
        """The frames after a cursor for one long poll, at once or when there are some, and the new cursor."""
        if not cursor_text:
            return self._from_here(self.hello(secrets.token_hex(8), None), wire), self.cursor
        seq = self.resolve(cursor_text)
        if isinstance(seq, Reset):
            session.forget()
            return self._from_here(self.reset(seq), wire), self.cursor
        deadline = self.clock.monotonic() + timeout_s
        while True:
            published = self._published
            page = await self.entries(seq)
            if isinstance(page, Reset):
                session.forget()
                return self._from_here(self.reset(page), wire), self.cursor
            out, seq = self._page(session, page, seq, wire)
            left = deadline - self.clock.monotonic()
            if out or left <= 0 or self.closing:
                return out, cursor(self.log.epoch, seq)
            if seq == self.tail.edge:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(published.wait(), left)

    def _from_here(self, first: Frame, wire: Wire) -> list[bytes]:
        return [wire.bytes_of(first), self.snapshot(wire)]

    def _page(
        self, session: Session, page: list[Entry], seq: int, wire: Wire
    ) -> tuple[list[bytes], int]:
        audience = self._audience(wire, session.taste)
        out: list[bytes] = []
        size = 0
        for entry in page:
            told, session.known = audience.told(entry, session.known)
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
            await self.sweep()

    async def sweep(self) -> None:
        """Let go who has taken nothing for too long, and give the next slot of the wheel its heartbeat."""
        now = self.clock.monotonic()
        for connection in tuple(self._writing):
            connection.check(now)
        slot = self._wheel[self._hand]
        self._hand = (self._hand + 1) % len(self._wheel)
        self._beats.clear()
        edge = self.tail.edge
        for number, connection in enumerate(tuple(slot), 1):
            connection.beat()
            if number % FAREWELLS == 0:
                await asyncio.sleep(0)
                if self.tail.edge != edge:  # what a beat tells is of its moment
                    self._beats.clear()
                    edge = self.tail.edge

    async def close(self) -> None:
        """Say goodbye to all, some at a time; they are asked back spread out, so as not to come as a storm."""
        self.closing = True
        self._published.set()
        spread_ms = 2000 + len(self._connections) * 1000 // RETURNS_PER_S
        for number, connection in enumerate(tuple(self._connections), 1):
            connection.dismiss(spread_ms)
            if number % FAREWELLS == 0:
                await asyncio.sleep(0)
