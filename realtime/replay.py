"""Replays: the feed of a moment that is over, paced by a clock, which becomes the feed of now where it meets it.

A replay is read like the tail is: whoever watches it takes what comes after its place up to an edge, and the frames
are made by the very code that makes them live (law same-frames). Only the edge moves by the replay's own clock, and
nothing is decided (law decide-live-only). It is read ahead by two pages and no more: when the one who holds the
remote does not read, nothing is read (law slow-costs-itself).

Where everything there is has been told, those who watch go on in the live feed from the event after it, in the same
tick of the loop (law no-gap-no-double).
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any, Literal, NamedTuple

import structlog

from realtime.connection import Connection, Silence
from realtime.core import goodbyes
from realtime.core.cursor import Reset
from realtime.core.frames import Frame, Wire
from realtime.core.pacing import Pacing, State
from realtime.core.session import (
    ROOMS,
    GoLive,
    Hand,
    Join,
    Pause,
    Play,
    Remote,
    Seek,
    SetSpeed,
    Step,
    Watch,
)
from realtime.core.times import NEVER, rfc3339
from realtime.core.views import View
from realtime.delivery import Hub
from realtime.errors import Crowded, StorageError
from realtime.past import Past, Place
from realtime.reel import CELLS, PAGE, Reel, Shown
from realtime.tail import SAMPLE, Entry
from storage.events import Event, Metrics, Unreadable

BEATS_S = 0.25
"""How often the clock is told while it runs."""
SLACK_S = 0.25
"""How late a page may be before the clock is held back for it instead of hurrying after."""
REST_S = 3_600.0
"""How long nobody looks, where nothing is due."""
TURN = 500
"""Entries that come due before others get the loop."""
AHEAD_BYTES = CELLS * SAMPLE
"""What may wait to be told, beside a page that is read: a page of wide ticks weighs as much."""
LAP_S = 0.5
"""How long a lap of a loop takes at least: each begins with a whole picture."""
WATCHERS = 100
"""Who may watch one replay together."""

log_ = structlog.get_logger(__name__)

Told = Literal["playing", "paused", "ended", "live"]


class Refused(Exception):
    """What was asked cannot be done; the words are for who asked."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Rooms(NamedTuple):
    """Those a watcher was in when it came, and those it was put into."""

    own: frozenset[str]
    given: frozenset[str]

    def after(self, now: frozenset[str]) -> frozenset[str]:
        """Its own when it goes: with what it joined since, as far as there may be so many, without what it left."""
        kept = self.own - (self.given - now)
        joined = sorted(now - self.given - kept)
        return kept | frozenset(joined[: max(0, ROOMS - len(kept))])


class Replay:
    """One playhead and those who watch it; as a feed its places are those of its reel."""

    lag_s = float("inf")

    def __init__(self, replays: "Replays", ask: Watch, until: int | None) -> None:
        self.id = secrets.token_hex(6)
        self.holder: Connection | None = None
        self.watchers: dict[Connection, Rooms] = {}
        self.edge = 0
        self._replays = replays
        self._hub = replays.hub
        self._start = ask.start
        self._loop = ask.loop
        self._skip_us = ask.skip_us
        self._pacing = Pacing(ask.start, ask.speed, ask.to)
        self._paused = ask.paused
        self._reel = replays.reel()
        self._reel.until = until
        self._reel.to = NEVER if ask.to is None else ask.to
        self._shown: deque[Shown] = deque()
        """Read, and not yet let go."""
        self._at = ask.start
        """The moment of the last entry that was told."""
        self._seq = 0
        """The last event up to the edge."""
        self._wind: tuple[Place, int] | None = None
        """Where to go on, when that has been asked for."""
        self._wound = 0
        """How often it has been."""
        self._waiting: list[tuple[Connection, Any]] = []
        """Who is to be shown the picture."""
        self._then_one = False
        """Let one entry come when it has been wound."""
        self.asked = 0
        """Moments asked for; the last one counts."""
        self._first: Place | None = None
        self._rooms = ask.rooms
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        """Who is waited for has gone on."""
        self._reading = asyncio.Lock()
        self._ahead: asyncio.Task[None] | None = None
        self._beat = self._lap = 0.0
        self._is_live = False
        self._task: asyncio.Task[None] | None = None

    # --- the feed -------------------------------------------------------------------------------

    def next(self, connection: Connection, plain: bool) -> list[Entry] | None:
        place = connection.place
        self._went_on(connection)
        if not self._shown or place + 1 < self._shown[0].entry.place:
            return None
        first = place + 1 - self._shown[0].entry.place
        last = min(self.edge + 1 - self._shown[0].entry.place, first + PAGE)
        return [self._shown[at].entry for at in range(first, last)]

    async def entries(self, place: int) -> list[Entry] | Reset:
        return Reset("too_far", "you were too far behind those who watch with you")

    def seq(self, place: int) -> int:
        return self._seq

    def reached(self, connection: Connection) -> None:
        self._went_on(connection)
        if self._is_live and not self._awaits(connection):
            self._hand_over(connection)

    def _went_on(self, connection: Connection) -> None:
        if connection is self._pacer:
            self._changed.set()
            self._taken.set()

    def lost(self, connection: Connection, reset: Reset) -> None:
        connection.tell(self._hub.reset(reset))
        self.bring(connection)
        connection.take(self, NEVER)  # until it has been shown the picture

    def _awaits(self, connection: Connection) -> bool:
        return any(one is connection for one, _ in self._waiting)

    def left(self, connection: Connection) -> None:
        rooms = self.watchers.pop(connection, None)
        if rooms is not None:
            session = connection.session
            session.taste = session.taste._replace(rooms=rooms.after(session.taste.rooms))
        if self.holder is connection:
            self.holder = None
        self._changed.set()
        self._taken.set()
        if self.watchers:
            self._tell_all()
        elif not self._waiting:
            self.end()

    def end(self) -> None:
        self._replays.ended(self)
        for task in (self._task, self._ahead):
            if task:
                task.cancel()
                self._replays.outlast(task)

    # --- the remote -----------------------------------------------------------------------------

    def begin(self, connection: Connection, place: Place, id_: Any) -> None:
        self.holder = connection
        self._first = place
        self._wind = place, self._start
        self._waiting.append((connection, id_))
        if not self._paused:
            self._pacing.state = "playing"
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._over)

    def go_on(self, place: Place, at: int) -> None:
        """Not from its beginning, before it has begun."""
        self._wind = place, at

    def bring(self, connection: Connection, id_: Any = None) -> None:
        """It gets the picture as it stands here, and goes on from there."""
        self._waiting.append((connection, id_))
        self._changed.set()

    def wind(self, place: Place, at: int, connection: Connection, id_: Any) -> None:
        """Go on from another place; who asked before and was not answered yet is answered with this."""
        self._wind = place, at
        self._wound += 1
        self.bring(connection, id_)

    def ask_number(self) -> int:
        self.asked += 1
        return self.asked

    @property
    def is_full(self) -> bool:
        return len(self.watchers) + len(self._waiting) >= WATCHERS

    def act(self, remote: Remote, connection: Connection, id_: Any) -> None:
        now = self._now()
        self._is_live = False  # until it is found to be so again
        if isinstance(remote, SetSpeed):
            self._pacing.set_speed(remote.speed, now)
        elif isinstance(remote, Pause):
            self._stop(now)
            if self._is_amid():
                self._replays.work(self._settle(connection, id_), connection, id_)
                return
        elif isinstance(remote, Play):
            ended = self._pacing.state == "ended"
            self._pacing.play(now)
            if ended and self._first is not None:
                self.wind(self._first, self._start, connection, id_)
                return
        elif isinstance(remote, Hand):
            self._hand(remote.to, connection)
        self._tell_all(but=connection)
        connection.tell(self.frame("replaying"), id_)
        self._changed.set()

    def _stop(self, now: float) -> None:
        """It stands where everything of the moment has been told (law same-frames): what was due and not yet looked
        for comes first, and so does what shows in the same microsecond as the last that came."""
        if self._pacing.state == "playing" and self._wind is None:
            if self._pacing.speed != "max":
                self._come_due(now)
            while (shown := self._coming()) is not None and shown.at == self._at:
                self._come(shown)
            self._wake()
        at = self._stands(now)
        self._pacing.pause(now)
        self._pacing.move(at, now)

    def _is_amid(self) -> bool:
        """What shows at this very moment may not all have been read."""
        return self._wind is None and not self._reel.is_over and self._coming() is None

    async def _settle(self, connection: Connection, id_: Any) -> None:
        """It stands where what was known at that moment has been told, late data that came then with it."""
        while (shown := await self._next()) is not None and shown.at == self._at:
            self._come(shown)
        self._wake()
        self._tell_all(but=connection)
        connection.tell(self.frame("replaying"), id_)
        self._changed.set()

    def check(self, remote: Remote, connection: Connection) -> None:
        """
        Raises:
            Refused: another holds the remote.
        """
        if self.holder is connection or (self.holder is None and isinstance(remote, Hand)):
            return
        if self.holder is None:
            raise Refused("not_holder", "nobody holds the remote; take it with replay_hand")
        raise Refused("not_holder", f"{self.holder.client_id} holds the remote")

    def _hand(self, to: str | None, connection: Connection) -> None:
        wanted = connection.client_id if to is None else to
        other = next((one for one in self.watchers if one.client_id == wanted), None)
        if other is None:
            raise Refused("bad_data", f"to: {wanted!r:.40} does not watch this replay")
        self.holder = other

    async def step(self, step: Step, connection: Connection, id_: Any) -> None:
        """A tick, an event or an alert on or back; it stands still then."""
        now = self._now()
        self._is_live = False
        self._stop(now)
        past = self._replays.past
        if step.by != "alert" and not step.back:
            await self._on(step.by == "tick")
            self._tell_all(but=connection)
            connection.tell(self.frame("replaying"), id_)
            return
        if step.by == "alert":
            seq = await past.alert(self._seq, step.back)
            place = None if seq is None else seq - 1  # so that the alert itself is told
        elif step.by == "tick":
            place = await past.tick_before(self._seq)
            place = None if place is None else (await past.rest(place)).seq
        else:
            place = self._seq - 1 if self._seq > 1 else None
        if place is None:
            where = "before" if step.back else "after"
            raise Refused("bad_data", f"by: there is no {step.by} {where} this moment")
        at = await past.moment(place + 1 if step.by == "alert" else place)
        self._then_one = step.by == "alert"
        self.wind(Place(place, True), at, connection, id_)

    async def _on(self, tick: bool) -> None:
        """Let one entry come, or as many as it takes to a tick and what shows with it."""
        while (shown := await self._next()) is not None:
            self._come(shown)
            if not tick or self._replays.sets_the_pace(shown.entry.event):
                self._pacing.move(shown.at, self._now())
                break
        while tick and (shown := await self._next()) is not None and shown.at == self._at:
            self._come(shown)
        self._wake()

    def _coming(self) -> Shown | None:
        """What has been read and is to come next."""
        place = self._index(self.edge + 1)
        return self._shown[place] if place < len(self._shown) else None

    async def _next(self) -> Shown | None:
        """What is to come next; it is read no quicker than they take it."""
        while self._wind is None and self.watchers:
            shown = self._coming()
            if shown is not None or self._reel.is_over:
                return shown
            self._wake()
            self._let_go()
            while self._is_behind():
                self._taken.clear()
                await self._taken.wait()
            await self._read()
        return None

    def _is_behind(self) -> bool:
        pacer = self._pacer
        return pacer is not None and not self._is_near(pacer.place, self.edge)

    # --- the clock ------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._replays.clock.monotonic()

    @property
    def _pacer(self) -> Connection | None:
        """Who is waited for: the holder, or else who is furthest."""
        if self.holder is not None:
            return self.holder
        there = [one for one in self.watchers if not self._awaits(one)]
        return max(there, key=lambda one: one.place, default=None)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            if self._wind is not None:
                await self._rewind()
            if self._waiting:
                await self._answer()
            if not self.watchers and not self._waiting:
                return self.end()
            self._let_go()
            if self._wants_more():
                self._read_ahead()
            wait = self._turn()
            if wait <= 0:
                await asyncio.sleep(0)
                continue
            await self._replays.clock.wait(self._changed, wait)

    def _over(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, StorageError):
            log_.warning("a replay could not be read", reason=error.detail)
        else:
            log_.error("a replay failed", exc_info=error)
        refused = Refused("failed", "the tape could not be read on; ask again")
        waiting, self._waiting = self._waiting, []
        for connection in tuple(self.watchers):
            connection.tell(_error(refused.code, refused.detail))
            connection.place_at(None)
        for connection, id_ in waiting:
            self._replays.refuse(connection, refused, id_)
        self.end()

    async def _rewind(self) -> None:
        assert self._wind is not None
        (place, at), self._wind = self._wind, None
        asked = self._wound
        picture = await self._replays.picture(place, at)
        async with self._reading:
            if self._wound == asked:  # and not to be elsewhere meanwhile
                self._stand(place, at, picture)
        if self._then_one and self._wound == asked:
            self._then_one = False
            await self._on(tick=False)

    def _stand(self, place: Place, at: int, frames: Callable[[Wire], bytes]) -> None:
        self._shown.clear()
        self._reel.wind(place.seq, at)
        self._seq, self._at, self.edge = place.seq, at, self._reel.place
        self._is_live = False
        now = self._lap = self._now()
        if self._pacing.state == "ended":
            self._pacing.state = "paused"
        self._pacing.move(at, now)
        waiting, self._waiting = self._waiting, []
        asked = {id(connection) for connection, _ in waiting}
        for connection in tuple(self.watchers):
            if id(connection) not in asked:
                self._show(connection, self.frame("playhead"), None, frames)
        for connection, id_ in waiting:
            self._show(connection, self.frame("replaying"), id_, frames)

    async def _answer(self) -> None:
        """Show the picture to those who came while it plays; they go on from where it was made of."""
        if self._wind is not None:
            return
        place, seq, at, wound = self.edge, self._seq, self._at, self._wound
        # Nothing comes meanwhile: the clock is held back by the few milliseconds that this takes.
        frames = await self._replays.picture(Place(seq, True), at)
        if self._wound != wound:
            return
        waiting, self._waiting = self._waiting, []
        for connection, id_ in waiting:
            self._show(connection, self.frame("replaying"), id_, frames, place)
        self._tell_all()

    def _show(
        self,
        connection: Connection,
        first: Frame,
        id_: Any,
        picture: Callable[[Wire], bytes],
        place: int | None = None,
    ) -> None:
        if connection.is_over:
            return
        if connection not in self.watchers:
            self._enter(connection)
            first = self.frame(first.event)
        connection.tell(first, id_)
        connection.take(self, self.edge if place is None else place, picture(connection.wire))

    def _enter(self, connection: Connection) -> None:
        connection.take(self, NEVER)
        session = connection.session
        own = session.taste.rooms
        wanted = own if self._rooms is None or connection is not self.holder else self._rooms
        rooms = self.watchers[connection] = Rooms(own, wanted | {room_of(self.id)})
        session.taste = session.taste._replace(rooms=rooms.given)

    def _wants_more(self) -> bool:
        if self._pacing.state != "playing" or self._reel.is_over or self._wind is not None:
            return False
        pacer = self._pacer
        place = self.edge if pacer is None else min(pacer.place, self.edge)
        return self._is_near(place, self._reel.place)

    def _is_near(self, place: int, last: int) -> bool:
        """Whether what is to be told after a place is not yet all that may wait."""
        if last - place > PAGE:
            return False
        waiting = islice(self._shown, self._index(place + 1), None)
        return sum(shown.entry.size for shown in waiting) <= AHEAD_BYTES

    def _read_ahead(self) -> None:
        """What was read comes meanwhile, when it is due."""
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._read())
            self._ahead.add_done_callback(self._was_read)

    def _was_read(self, task: "asyncio.Task[None]") -> None:
        self._ahead = None
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def _read(self) -> None:
        async with self._reading:
            await self._read_on()

    async def _read_on(self) -> None:
        starved = not self._shown or self._shown[-1].entry.place <= self.edge
        tier = self._reel.tier
        page = await self._reel.read()
        if self._wind is not None:
            return
        self._shown += page
        self._is_live = self._is_live and not page
        now = self._now()
        due = self._pacing.due(page[0].at) if page else now
        if starved and now - due > SLACK_S and self._pacing.speed != "max":
            self._pacing.move(page[0].at, now)
        if tier != self._reel.tier:
            self._tell_all()

    def _turn(self) -> float:
        """Let come what is due; in how many seconds something is due next."""
        now = self._now()
        come, waiting = self._come_due(now)
        if come:
            if self._pacing.speed == "max":
                self._pacing.move(self._at, now)
            self._wake()
        if self._pacing.state != "playing":
            return REST_S
        if waiting is None and self._reel.is_over and self._ahead is None:
            return self._finish(now)
        if now - self._beat >= BEATS_S:
            self._tell_all(beat=True)
        if come >= TURN:
            return 0.0
        due = BEATS_S if waiting is None else self._pacing.due(waiting.at) - now
        return min(due, self._beat + BEATS_S - now)

    def _come_due(self, now: float) -> tuple[int, Shown | None]:
        """How many came, and what is to come next if that is known."""
        come = 0
        for place in range(self._index(self.edge + 1), len(self._shown)):
            shown = self._shown[place]
            if self._pacing.state == "playing":
                if shown.at < self._at:  # the clock was set back there
                    self._pacing.move(shown.at, now)
                elif self._skip_us and shown.at - max(self._at, self._stands(now)) > self._skip_us:
                    self._skip(shown.at, now)
            if self._pacing.due(shown.at) > now or come >= TURN:
                return come, shown
            self._come(shown)
            come += 1
        return come, None

    def _index(self, place: int) -> int:
        return max(0, place - self._shown[0].entry.place) if self._shown else 0

    def _come(self, shown: Shown) -> None:
        event = shown.entry.event
        self.edge, self._at = shown.entry.place, shown.at
        if event.seq:
            self._seq = event.seq
        if isinstance(event.data, Unreadable):
            lost = event.data
            self._tell_all(gap={"first": lost.first, "last": lost.last, "detail": lost.detail})

    def _skip(self, at: int, now: float) -> None:
        self._wake()  # what comes before goes before
        begin = self._stands(now)
        self._pacing.move(at, now)
        self._tell_all(skipped={"from": rfc3339(begin), "to": rfc3339(at)})

    def _finish(self, now: float) -> float:
        """Everything there is has come."""
        if self._reel.until is None and self._pacing.to is None:
            self._is_live = True
            for connection in tuple(self.watchers):
                if connection.place >= self.edge:
                    self._hand_over(connection)
            return REST_S
        pacer = self._pacer
        if pacer is not None and pacer.place < self.edge:
            return REST_S  # it has still to be told
        to = self._pacing.to
        left = 0.0 if to is None else self._pacing.due(to) - now
        if left > 0 and self._pacing.speed != "max":
            return min(left, BEATS_S)
        if self._loop and self._first is not None:
            if pacer is not None and pacer.is_writing:
                return REST_S
            rest = self._lap + LAP_S - now
            if rest > 0:
                return rest
            self._wind = self._first, self._start
            return 0.0
        if to is not None:
            self._pacing.move(to, now)
        self._pacing.end(now)
        self._tell_all()
        return REST_S

    def _hand_over(self, connection: Connection) -> None:
        """It has been told everything up to an event: it goes on after that one, live."""
        if connection not in self.watchers:
            return
        connection.tell_held()
        connection.tell(self.frame("playhead", state="live"))
        edge = self._hub.tail.edge
        connection.take(self._hub.live, self._reel.seq, fill_to=edge)

    def _let_go(self) -> None:
        """What all have been told, or what those who are too far behind will not be told."""
        lowest = min((one.place for one in self.watchers), default=self.edge)
        lowest = max(lowest, self.edge - 2 * PAGE)
        size = 0
        for shown in reversed(self._shown):
            size += shown.entry.size
            if size > 3 * AHEAD_BYTES:
                lowest = max(lowest, min(shown.entry.place, self.edge))
                break
        pacer = self._pacer
        if pacer is not None:
            lowest = min(lowest, pacer.place)
        while self._shown and self._shown[0].entry.place <= lowest:
            self._shown.popleft()

    def _stands(self, now: float) -> int:
        """The moment that shows: before what is still to come."""
        at = self._pacing.at(now)
        if self._pacing.speed == "max":
            return max(at, self._at)
        first = self._index(self.edge + 1)
        if first < len(self._shown):
            return min(at, max(self._shown[first].at - 1, self._at))
        return at if self._reel.is_over else min(at, max(self._at, self._reel.at))

    def _wake(self) -> None:
        for connection in tuple(self.watchers):
            connection.wake()

    # --- what is told ---------------------------------------------------------------------------

    def _tell_all(self, but: Connection | None = None, beat: bool = False, **more: Any) -> None:
        self._beat = self._now()
        frame = self.frame("playhead", **more)
        for connection in tuple(self.watchers):
            # Who has still to read what came before it needs no newer time.
            if connection is not but and not (beat and connection.is_writing):
                connection.tell(frame)

    def frame(self, name: str, state: Told | None = None, **more: Any) -> Frame:
        pacing = self._pacing
        now = self._now()
        shown: State | Told = pacing.state if state is None else state
        data = {
            "id": self.id,
            "at": rfc3339(self._stands(now)),
            "speed": pacing.speed,
            "state": shown,
            "after": self._seq,
            "tier": f"{self._reel.tier}s" if self._reel.tier else "raw",
            "from": rfc3339(self._start),
            "to": None if pacing.to is None else rfc3339(pacing.to),
            "loop": self._loop,
            "skip_idle_s": self._skip_us / 1_000_000,
            "room": room_of(self.id),
            "holder": None if self.holder is None else self.holder.client_id,
            "watchers": [one.client_id for one in self.watchers],
            **more,
        }
        return Frame(name, data)


class Replays:
    """All replays, and what clients ask of them. `picture` makes the data of a `snapshot` of a view."""

    def __init__(
        self,
        hub: Hub,
        past: Past,
        host: str,
        snapshot: Callable[[View], dict[str, Any]],
        most: int,
    ) -> None:
        self.hub = hub
        self.clock = hub.clock
        """What paces them all."""
        self.past = past
        self._host = host
        self._snapshot = snapshot
        self._most = most
        self._open: dict[str, Replay] = {}
        self._coming = 0
        self._work: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        return len(self._open) + self._coming

    def reel(self) -> Reel:
        hub = self.hub
        return Reel(hub.log, hub.view, self._host, lambda: hub.tail.edge, hub.clock.now)

    def obey(self, connection: Connection, remote: Remote, id_: Any) -> None:
        replay = connection.feed if isinstance(connection.feed, Replay) else None
        try:
            if isinstance(remote, Watch):
                self._check_room()
                self.work(self._begin(connection, remote, id_), connection, id_)
            elif isinstance(remote, Join):
                self._join(connection, remote.replay, id_)
            elif replay is None:
                raise Refused("bad_data", "you watch no replay; begin one with replay")
            elif isinstance(remote, GoLive):
                connection.tell(replay.frame("replaying", state="live"), id_)
                connection.place_at(None)
            else:
                replay.check(remote, connection)
                if isinstance(remote, Seek):
                    self.seek(replay, remote.at, connection, id_)
                elif isinstance(remote, Step):
                    self.work(replay.step(remote, connection, id_), connection, id_)
                else:
                    replay.act(remote, connection, id_)
        except Refused as refused:
            self.refuse(connection, refused, id_)

    def refuse(self, connection: Connection, refused: Refused, id_: Any) -> None:
        connection.tell(_error(refused.code, refused.detail), id_)
        if isinstance(connection.feed, Silence):  # it came for nothing else
            connection.end(goodbyes.FAILED)

    def seek(self, replay: Replay, at: int, connection: Connection, id_: Any) -> None:
        number = replay.ask_number()

        async def found() -> None:
            place = await self._place(at)
            if number == replay.asked:
                replay.wind(place, at, connection, id_)
            else:  # it was asked to be elsewhere since, and is answered with that
                replay.bring(connection, id_)

        self.work(found(), connection, id_)

    def sets_the_pace(self, event: Event) -> bool:
        ours = event.source == self._host or self._host not in self.hub.view.of_source
        return isinstance(event.data, Metrics) and ours

    def ended(self, replay: Replay) -> None:
        self._open.pop(replay.id, None)

    def outlast(self, task: "asyncio.Task[None]") -> None:
        """It is over before this is."""
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def picture(self, place: Place, at: int) -> Callable[[Wire], bytes]:
        """The `snapshot` frame of what stood at a place, as bytes for each wire, made once for all."""
        standing = await self.past.standing(place, at)
        frame = Frame("snapshot", self._snapshot(standing.view))
        made: dict[Wire, bytes] = {}

        def told(wire: Wire) -> bytes:
            if wire not in made:
                made[wire] = wire.bytes_of(frame)
            return made[wire]

        return told

    async def _begin(self, connection: Connection, ask: Watch, id_: Any) -> None:
        self._coming += 1
        try:
            begun = await self.past.begun()
            check_end(ask.to, begun)
            ask = ask._replace(start=max(ask.start, begun))
            place = await self._place(ask.start)
            until = None
            if ask.to is not None:
                until = (await self.past.place(ask.to)).seq
            then, at = place, ask.start
            if ask.after is not None:
                then = Place(ask.after, True)
                at = await self.past.moment(then.seq)
        finally:
            self._coming -= 1
        replay = Replay(self, ask, until)
        self._open[replay.id] = replay
        replay.begin(connection, place, id_)
        if ask.after is not None:
            replay.go_on(then, at)

    def _join(self, connection: Connection, name: str, id_: Any) -> None:
        replay = self._open.get(name)
        if replay is None:
            raise Refused("bad_data", f"join: there is no replay {name!r:.40}")
        if connection.feed is replay:
            raise Refused("bad_data", "join: you watch it already")
        if replay.is_full:
            raise Refused("crowded", f"{WATCHERS} watch it already, and no more may")
        replay.bring(connection, id_)

    async def _place(self, at: int) -> Place:
        begun = await self.past.begun()
        if begun > at:
            raise Refused("bad_data", "nothing is on tape then")
        return await self.past.place(at)

    def admit(self) -> None:
        """
        Raises:
            Crowded: there are as many replays as there may be.
        """
        try:
            self._check_room()
        except Refused as refused:
            raise Crowded(refused.detail, "Join one of those, or try again later.") from None

    def _check_room(self) -> None:
        if self.count >= self._most:
            raise Refused(
                "crowded",
                f"there are as many replays as there may be (dial max_replays: {self._most}); and no more now",
            )

    def work(self, work: Coroutine[Any, Any, None], connection: Connection, id_: Any) -> None:
        async def guarded() -> None:
            try:
                await work
            except Refused as refused:
                self.refuse(connection, refused, id_)
            except StorageError as error:
                log_.warning("a replay could not be read", reason=error.detail)
                self.refuse(connection, Refused("failed", error.detail), id_)
            except Exception:
                connection.fail()

        self.outlast(asyncio.create_task(guarded()))

    async def close(self) -> None:
        """Nothing is played any more."""
        for replay in tuple(self._open.values()):
            replay.end()
        tasks = tuple(self._work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def check_end(to: int | None, begun: int) -> None:
    """
    Raises:
        Refused: it is over before the tape begins.
    """
    if to is not None and to <= begun:
        raise Refused(
            "bad_data", f"to: the tape begins at {rfc3339(begun)}; a later moment would do"
        )


def room_of(id_: str) -> str:
    return f"replay:{id_}"


def _error(code: str, detail: str) -> Frame:
    return Frame("error", {"code": code, "detail": detail})
