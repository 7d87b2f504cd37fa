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
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from realtime.clock import Clock
from realtime.connection import MESSAGE_BYTES, PAGE_BYTES, PAGE_EVENTS, Connection, told_to
from realtime.core import goodbyes
from realtime.core.cursor import Reset, cursor, resolve
from realtime.core.frames import Frame, Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.session import Session
from realtime.core.times import rfc3339
from realtime.core.views import View
from realtime.errors import Closing, Crowded
from realtime.tail import Entry, Tail
from storage.events import Event, Unreadable
from storage.log import Log

SWEEP_S = 1.0
TURN_S = 0.005
"""How long connections are served before the loop gets its turn (law loop-never-blocks)."""


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
        self.latest = latest
        self.version = version
        self.closing = False
        self.goodbyes: dict[str, int] = {}
        """How many connections ended for which reason."""
        self._snapshot = snapshot
        self._snapshots: dict[Wire, bytes] = {}
        self._snapshots_at = -1
        self._connections: set[Connection] = set()
        self._due: deque[Connection] = deque()
        self._serving = False
        self._reads: dict[int, asyncio.Task[list[Entry]]] = {}
        self._polls = 0
        self._published: asyncio.Event = asyncio.Event()

    def publish(self, events: list[Event]) -> None:
        """Events that are committed and applied (laws append-before-speak, edge-is-applied)."""
        self.tail.extend(events)
        for connection in self._connections:
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

    def _enqueue(self, connection: Connection) -> None:
        if not connection.due:
            connection.due = True
            self._due.append(connection)

    def _serve(self) -> None:
        # What a connection reads is its own affair, so nobody misses anything while waiting for a turn.
        self._serving = True
        until = self.clock.monotonic() + TURN_S
        while self._due and self.clock.monotonic() < until:
            connection = self._due.popleft()
            connection.due = False
            connection.wake()
        self._serving = bool(self._due)
        if self._serving:
            asyncio.get_running_loop().call_soon(self._serve)

    @property
    def cursor(self) -> str:
        return cursor(self.log.epoch, self.tail.edge)

    def count(self) -> dict[str, int]:
        """Open connections by road."""
        roads = {"websocket": 0, "sse": 0, "poll": self._polls, "socketio": 0}
        for connection in self._connections:
            roads[connection.wire.road] += 1
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

    def join(self, connection: Connection) -> None:
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def said(self, goodbye: Goodbye) -> None:
        self.goodbyes[goodbye.reason] = self.goodbyes.get(goodbye.reason, 0) + 1

    def resolve(self, text: str) -> int | Reset:
        return resolve(
            text, self.log.epoch, self.log.floor, self.tail.edge, self.limits.resume_events
        )

    def hello(self, client_id: str, after: int | None) -> Frame:
        """`cursor` is where this client stands: the frames after it are what follows. `after` is where
        it resumes, None when it starts from a snapshot."""
        place = self.cursor if after is None else cursor(self.log.epoch, after)
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

    def snapshot(self, wire: Wire) -> bytes:
        """The `snapshot` frame at the edge, made once for all who come at the same moment."""
        if self._snapshots_at != self.tail.edge:
            self._snapshots.clear()
            self._snapshots_at = self.tail.edge
        told = self._snapshots.get(wire)
        if told is None:
            told = self._snapshots[wire] = wire.bytes_of(Frame("snapshot", self._snapshot()))
        return told

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
        out: list[bytes] = []
        size = 0
        for entry in page:
            told = told_to(session, entry, wire, self)
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
