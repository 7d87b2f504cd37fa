"""One client's state, without sockets: what it asked for, what it hears, and what to do with its words.

A message comes in through `receive` and effects come out; the transports carry them out. Its `taste` says
which events this client hears, and in which form. Time is an argument (law core-has-no-clock).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec

from realtime.core import goodbyes
from realtime.core.cursor import Reset
from realtime.core.goodbyes import Goodbye
from realtime.core.pacing import Speed, check_speed
from realtime.core.selectors import Selector
from realtime.core.times import parse_time, rfc3339
from storage.events import (
    Alert,
    Annotation,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
)

ROOMS = 64
"""Rooms a session may be in, so that nobody makes the server remember names without end."""
ROOM_LENGTH = 120
SELECTORS = 32
LOOKS = 1024
"""Series times selectors that are judged in one go, in some 3 ms."""
MESSAGES_PER_S, BURST = 50, 100
IDLE_LEAST_S, IDLE_MOST_S = 1.0, 86_400.0
MISTAKES = 20
"""Mistakes in a row after which a client is believed to mean harm."""

DASHBOARD, METRICS, ALERTS, NOTIFICATIONS = "dashboard", "metrics", "alerts", "notifications"
ANNOTATIONS = "annotations"
SEVERITIES = ("warning", "critical")
TICKS, SEVERITY = "\0ticks", "\0severity:"
"""Topics that are no rooms: no room has a character that cannot be printed."""


T = TypeVar("T")


class Form(NamedTuple):
    """How an event is told; sessions with an equal form share the bytes. `match` are selectors' texts."""

    compact: bool = False
    match: tuple[str, ...] = ()


class Reply(NamedTuple):
    event: str
    data: dict[str, Any]


class Resume(NamedTuple):
    cursor: str


class MetricsAnswer(NamedTuple):
    """The latest of every series, the shape of `metrics/live`."""


class Watch(NamedTuple):
    """A replay from a moment (µs), to another or until it is live; it goes on `after` an event that was told
    before, or says by `reset` why it does not. What comes more than `skip_us` later than the one before is not waited
    for. `begin` is the event after which it begins, where that is known."""

    start: int
    to: int | None = None
    speed: Speed = 1.0
    rooms: frozenset[str] | None = None
    paused: bool = False
    loop: bool = False
    skip_us: int = 0
    after: int | None = None
    reset: Reset | None = None
    begin: int | None = None


class Join(NamedTuple):
    replay: str


class Seek(NamedTuple):
    at: int


class SetSpeed(NamedTuple):
    speed: Speed


class Pause(NamedTuple):
    pass


class Play(NamedTuple):
    pass


class Step(NamedTuple):
    by: Literal["tick", "event", "alert"]
    back: bool


class Hand(NamedTuple):
    """The remote to another watcher; to oneself where nobody holds it."""

    to: str | None


class GoLive(NamedTuple):
    pass


Remote = Watch | Join | Seek | SetSpeed | Pause | Play | Step | Hand | GoLive
"""What a client asks of a replay."""

Effect = Reply | Resume | MetricsAnswer | Goodbye | Remote


class Answer(NamedTuple):
    """Effects, and the client's own id for the message, to be given back."""

    effects: list[Effect]
    id: Any = None


class Taste(NamedTuple):
    """What a client hears, and in which form: clients of one taste are told the same bytes.

    `severities` is None until the client subscribes to alerts by itself.
    """

    rooms: frozenset[str] = frozenset()
    compact: bool = False
    subscribed: bool = False
    match: tuple[str, ...] = ()
    severities: frozenset[str] | None = None

    def wants(self, event: Event) -> Form | None:
        fact = event.data
        rooms = self.rooms
        if isinstance(fact, Metrics):
            if self.subscribed:
                return Form(self.compact, self.match)
            if DASHBOARD in rooms or METRICS in rooms or f"{METRICS}:{event.source}" in rooms:
                return Form(self.compact)
            return None
        heard = False
        if isinstance(fact, Alert):
            if self.severities is not None:
                heard = fact.severity in self.severities
            else:
                heard = DASHBOARD in rooms or ALERTS in rooms
        elif isinstance(fact, Notification):
            heard = fact.room in rooms or (fact.room == DASHBOARD and NOTIFICATIONS in rooms)
        elif isinstance(fact, Annotation):
            heard = DASHBOARD in rooms or ANNOTATIONS in rooms
        elif isinstance(fact, System | Layout):
            heard = DASHBOARD in rooms
        return _PLAIN if heard else None

    def topics(self) -> frozenset[str]:
        """Names under which it is found: no event is wanted that has none of them (`topics_of`)."""
        more = {TICKS} if self.subscribed else set()
        return self.rooms | more | {SEVERITY + one for one in self.severities or ()}


def topics_of(event: Event) -> tuple[str, ...]:
    """Where to look for those who may want an event."""
    fact = event.data
    if isinstance(fact, Metrics):
        return (TICKS, DASHBOARD, METRICS, f"{METRICS}:{event.source}")
    if isinstance(fact, Alert):
        return (SEVERITY + fact.severity, DASHBOARD, ALERTS)
    if isinstance(fact, Notification):
        return (fact.room, NOTIFICATIONS) if fact.room == DASHBOARD else (fact.room,)
    if isinstance(fact, Annotation):
        return (DASHBOARD, ANNOTATIONS)
    return (DASHBOARD,) if isinstance(fact, System | Layout) else ()


class Matched:
    """The ids of the series that selectors name; looks only at those that are new, some at a time."""

    __slots__ = ("__weakref__", "_ids", "_judged", "_selectors")

    def __init__(self, match: Iterable[str]) -> None:
        self._selectors = [Selector.parse(text) for text in match]
        self._ids: set[int] = set()
        self._judged = 0

    def ids(self, series: Mapping[int, Series], owner: Mapping[int, str], newest: int) -> set[int]:
        """`newest` is the highest id there is; below it some may be missing, where the log is damaged."""
        self._judge(series, owner, newest)
        return self._ids

    def is_judged(
        self, series: Mapping[int, Series], owner: Mapping[int, str], newest: int
    ) -> bool:
        """Whether it knows of all, once it has looked at some more (law loop-never-blocks)."""
        self._judge(series, owner, min(newest, self._judged + LOOKS // len(self._selectors)))
        return self._judged >= newest

    def _judge(self, series: Mapping[int, Series], owner: Mapping[int, str], last: int) -> None:
        for id_ in range(self._judged + 1, last + 1):
            one = series.get(id_)
            if one and any(s.matches(one.name, one.labels, owner[id_]) for s in self._selectors):
                self._ids.add(id_)
        self._judged = last


class Session:
    """`taste` is what it hears; `known` is the highest series id whose name the client has."""

    __slots__ = ("_counted", "_given", "_mistakes", "_tokens", "interval_us", "known", "taste")

    def __init__(self, rooms: frozenset[str], compact: bool = False, known: int = 0) -> None:
        self.taste = Taste(rooms, compact)
        self.known = known
        self._given = known
        """What the client knew by itself, or was told while it heard every series."""
        self.interval_us = 0
        """Metrics frames no closer than this; 0 is every one."""
        self._tokens = float(BURST)
        self._counted = 0
        self._mistakes = 0

    def forget(self) -> None:
        """The client starts from nothing: what it knew may have been of another log."""
        self.known = self._given = 0

    def bound(self, newest: int) -> None:
        """Nobody knows names that there are not: whoever says so would stand alone, or keep all others out."""
        self.known = self._given = min(self._given, newest)

    def receive(
        self, message: bytes | str, binary: bool, now: int, passed: int | None = None
    ) -> Answer:
        """
        What one message asks for. A message that makes no sense is answered with an `error`. `passed` (µs) goes
        on where `now` stands still.
        """
        if not self._may_speak(now if passed is None else passed):
            return self._mistake(
                "too_fast", f"more than {MESSAGES_PER_S} messages a second; slow down"
            )
        try:
            asked = _msgpack.decode(message) if binary else _json.decode(message)  # type: ignore[arg-type]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._mistake(
                "malformed",
                f'not {{"event": name, "data": {{…}}}} in {"msgpack" if binary else "JSON"}: {error}',
            )
        action = _ACTIONS.get(asked.event)
        if action is None:
            return self._mistake(
                "unknown_event",
                f"{asked.event[:80]!r} is none of {', '.join(sorted(_ACTIONS))}",
                asked.id,
            )
        try:
            effect = action(self, asked.data, now)
        except ValueError as error:
            return self._mistake("bad_data", str(error), asked.id)
        self._mistakes = 0
        return Answer([effect], asked.id)

    def _may_speak(self, now: int) -> bool:
        # A clock that is set back must not make anybody a flooder.
        passed = max(0, now - self._counted)
        self._tokens = min(BURST, self._tokens + passed * MESSAGES_PER_S / 1_000_000)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _mistake(self, code: str, detail: str, id_: Any = None) -> Answer:
        self._mistakes += 1
        effects: list[Effect] = [Reply("error", {"code": code, "detail": detail})]
        if self._mistakes >= MISTAKES:
            effects.append(goodbyes.ABUSE)
        return Answer(effects, id_)

    def _join(self, data: dict[str, Any], _now: int) -> Effect:
        room = _room(data)
        rooms = self.taste.rooms
        if room not in rooms and len(rooms) >= ROOMS:
            raise ValueError(f"room: you are in {ROOMS} rooms, which is the limit; leave one first")
        self.taste = self.taste._replace(rooms=rooms | {room})
        return Reply("joined_room", {"room": room})

    def _leave(self, data: dict[str, Any], _now: int) -> Effect:
        room = _room(data)
        self.taste = self.taste._replace(rooms=self.taste.rooms - {room})
        return Reply("left_room", {"room": room})

    def _subscribe_metrics(self, data: dict[str, Any], _now: int) -> Effect:
        ask = _convert(data, _MetricsAsk)
        if len(ask.match) > SELECTORS:
            raise ValueError(f"match: {len(ask.match)} selectors; at most {SELECTORS}")
        if ask.max_hz is not None and not 0.01 <= ask.max_hz <= 1000:
            raise ValueError(f"max_hz: {ask.max_hz:g}; a number from 0.01 to 1000 would do")
        for place, text in enumerate(ask.match):
            try:
                Selector.parse(text)
            except ValueError as error:
                raise ValueError(f"match[{place}]: {error}") from error
        # Each is judged against every series: it counts as another message.
        self._tokens -= len(ask.match)
        if not self.taste.match:
            self._given = self.known
        # Of what it did not hear until now, it was not told the names.
        self.known = self._given
        self.taste = self.taste._replace(
            compact=ask.compact, subscribed=True, match=tuple(ask.match)
        )
        self.interval_us = int(1_000_000 / ask.max_hz) if ask.max_hz else 0
        return Reply(
            "subscribed_to_metrics",
            {"match": ask.match, "max_hz": ask.max_hz, "compact": ask.compact},
        )

    def _subscribe_alerts(self, data: dict[str, Any], _now: int) -> Effect:
        ask = _convert(data, _AlertsAsk)
        unknown = [one for one in ask.severity if one not in SEVERITIES]
        if unknown:
            raise ValueError(f"severity: {unknown[0]!r}; any of {', '.join(SEVERITIES)} would do")
        self.taste = self.taste._replace(severities=frozenset(ask.severity or SEVERITIES))
        return Reply("subscribed_to_alerts", {"severity": sorted(self.taste.severities or ())})

    def _request_metrics(self, _data: dict[str, Any], _now: int) -> Effect:
        return MetricsAnswer()

    def _ping(self, _data: dict[str, Any], now: int) -> Effect:
        return Reply("pong", {"server_time": rfc3339(now)})

    def _resume(self, data: dict[str, Any], _now: int) -> Effect:
        return Resume(_convert(data, _ResumeAsk).cursor)

    def _replay(self, data: dict[str, Any], now: int) -> Effect:
        if "join" in data:
            return Join(_convert(data, _JoinAsk).join)
        ask = _convert(data, _ReplayAsk)
        return watch(
            ask.from_,
            ask.to,
            now,
            speed=ask.speed,
            rooms=ask.rooms,
            paused=ask.paused,
            loop=ask.loop,
            skip_idle_s=ask.skip_idle_s,
        )

    def _seek(self, data: dict[str, Any], now: int) -> Effect:
        return Seek(_moment("at", _convert(data, _SeekAsk).at, now))

    def _speed(self, data: dict[str, Any], _now: int) -> Effect:
        return SetSpeed(check_speed(_convert(data, _SpeedAsk).speed))

    def _pause(self, _data: dict[str, Any], _now: int) -> Effect:
        return Pause()

    def _play(self, _data: dict[str, Any], _now: int) -> Effect:
        return Play()

    def _step(self, data: dict[str, Any], _now: int) -> Effect:
        ask = _convert(data, _StepAsk)
        return Step(ask.by, ask.direction == "backward")

    def _hand(self, data: dict[str, Any], _now: int) -> Effect:
        return Hand(_convert(data, _HandAsk).to)

    def _live(self, _data: dict[str, Any], _now: int) -> Effect:
        return GoLive()


def watch(
    start: str | float,
    to: str | float | None,
    now: int,
    *,
    speed: float | str = 1.0,
    rooms: Iterable[str] | None = None,
    paused: bool = False,
    loop: bool = False,
    skip_idle_s: float = 0.0,
) -> Watch:
    """
    A replay as it is asked for on every road.

    Raises:
        ValueError: it names the field, what came and what would do.
    """
    begin = _moment("from", start, now)
    end = None if to is None else _moment("to", to, now)
    if end is not None and end <= begin:
        raise ValueError(f"to: {rfc3339(end)} is not after from, {rfc3339(begin)}; swap them")
    if loop and end is None:
        raise ValueError("loop: a loop needs a to")
    if skip_idle_s and not IDLE_LEAST_S <= skip_idle_s <= IDLE_MOST_S:
        raise ValueError(
            f"skip_idle_s: {skip_idle_s:g}; 0, or from {IDLE_LEAST_S:g} to {IDLE_MOST_S:,g} would do"
        )
    heard = None if rooms is None else frozenset(check_room(room) for room in rooms)
    if heard is not None and len(heard) > ROOMS:
        raise ValueError(f"rooms: {len(heard)} came; at most {ROOMS} would do")
    return Watch(begin, end, check_speed(speed), heard, paused, loop, int(skip_idle_s * 1_000_000))


def _moment(field: str, text: str | float, now: int) -> int:
    try:
        at = parse_time(text, now)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
    if at > now:
        raise ValueError(f"{field}: {rfc3339(at)} is not over yet; a moment of the past would do")
    return at


Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""An integer that every JSON reader keeps as it is, and that msgpack can hold."""


class _Message(msgspec.Struct):
    event: str
    data: dict[str, Any] = {}
    id: str | Whole | float | None = None


class _RoomAsk(msgspec.Struct):
    room: str


class _MetricsAsk(msgspec.Struct):
    match: list[str] = []
    max_hz: float | None = None
    compact: bool = False


class _AlertsAsk(msgspec.Struct):
    severity: list[str] = []


class _ResumeAsk(msgspec.Struct):
    cursor: str


class _ReplayAsk(msgspec.Struct, forbid_unknown_fields=True):
    from_: str | float = msgspec.field(name="from")
    to: str | float | None = None
    speed: float | str = 1.0
    rooms: list[str] | None = None
    paused: bool = False
    loop: bool = False
    skip_idle_s: float = 0.0


class _JoinAsk(msgspec.Struct, forbid_unknown_fields=True):
    join: str


class _SeekAsk(msgspec.Struct):
    at: str | float


class _SpeedAsk(msgspec.Struct):
    speed: float | str


class _StepAsk(msgspec.Struct):
    by: Literal["tick", "event", "alert"] = "tick"
    direction: Literal["forward", "backward"] = "forward"


class _HandAsk(msgspec.Struct):
    to: str | None = None


_PLAIN = Form()
_json = msgspec.json.Decoder(_Message)
_msgpack = msgspec.msgpack.Decoder(_Message)

_ACTIONS: Mapping[str, Callable[[Session, dict[str, Any], int], Effect]] = {
    "join_room": Session._join,
    "leave_room": Session._leave,
    "subscribe_to_metrics": Session._subscribe_metrics,
    "subscribe_to_alerts": Session._subscribe_alerts,
    "request_metrics": Session._request_metrics,
    "ping": Session._ping,
    "resume": Session._resume,
    "replay": Session._replay,
    "replay_seek": Session._seek,
    "replay_speed": Session._speed,
    "replay_pause": Session._pause,
    "replay_play": Session._play,
    "replay_step": Session._step,
    "replay_hand": Session._hand,
    "live": Session._live,
}


def check_room(room: str) -> str:
    """The room's name, if it can be one.

    Raises:
        ValueError: empty, too long or unprintable.
    """
    if not 0 < len(room) <= ROOM_LENGTH or not room.isprintable() or room != room.strip():
        raise ValueError(
            f"room: {room[:80]!r}; up to {ROOM_LENGTH} printable characters would do, with no space at either end"
        )
    return room


def _room(data: dict[str, Any]) -> str:
    return check_room(_convert(data, _RoomAsk).room)


def _convert(data: dict[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        raise ValueError(f"data: {error}") from error
