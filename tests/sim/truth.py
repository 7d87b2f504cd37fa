"""What a client has to hear, told from a plain list of the events that were committed.

Nothing of `realtime` decides here: who wants what, how ticks are merged and which cursor can be resumed
is said a second time, as simply as it can be, in the words of docs/api.md.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from realtime.core.times import rfc3339
from storage.events import Alert, Declared, Event, Metrics, Notification, Number, Series, System


class Truth:
    """The list. `epoch` is the log's, `floor` where its ticks begin."""

    def __init__(self) -> None:
        self.epoch = ""
        self.floor = 1
        self.events: list[Event] = []
        self.series: dict[int, tuple[str, Series]] = {}
        self.texts: dict[int, str] = {}

    @property
    def head(self) -> int:
        return len(self.events)

    def add(self, event: Event) -> None:
        assert event.seq == self.head + 1, f"{event.seq} was committed after {self.head}"
        self.events.append(event)
        if isinstance(event.data, Declared):
            for one in event.data.series:
                self.series[one.id] = event.source, one
                labels = ",".join(f'{k}="{v}"' for k, v in one.labels.items())
                self.texts[one.id] = one.name + (f"{{{labels}}}" if labels else "")

    def cut(self, head: int, epoch: str) -> None:
        """An older copy has taken the log's place."""
        kept = self.events[:head]
        self.events, self.series, self.texts = [], {}, {}
        self.epoch = epoch
        for event in kept:
            self.add(event)

    def verdict(self, cursor: str, edge: int, most: int) -> int | str:
        """The seq to go on from, or the reason why not."""
        epoch, _, seq = cursor.rpartition(":")
        if not epoch or not seq.isdecimal():
            return "malformed"
        if epoch != self.epoch:
            return "epoch"
        if int(seq) > edge:
            return "future"
        if int(seq) + 1 < self.floor:
            return "truncated"
        return "too_far" if edge - int(seq) > most else int(seq)

    def stands(self, seq: int, source: str) -> dict[str, Any]:
        """What a snapshot at `seq` shows: the list up to there, folded."""
        latest: dict[str, tuple[Number, str]] = {}
        alerts: dict[str, str] = {}
        notes: list[str] = []
        names: dict[str, int] = {}
        seen: set[str] = set()
        for event in self.events[:seq]:
            fact = event.data
            if isinstance(fact, Metrics):
                seen.add(event.source)
                if event.source == source:
                    for id_, value in zip(fact.ids, fact.values, strict=True):
                        latest[self.texts[id_]] = value, rfc3339(event.at)
            elif isinstance(fact, Notification):
                notes.append(fact.id)
            elif isinstance(fact, Alert):
                alerts[fact.id] = fact.state
            elif isinstance(fact, Declared) and event.source == source:
                names |= {self.texts[one.id]: one.id for one in fact.series}
            elif isinstance(fact, System) and fact.what in ("started", "source_seen"):
                seen.add(event.source)
        return {
            "metrics": latest,
            "alerts": {id_ for id_, state in alerts.items() if state == "firing"},
            "notifications": notes[:-51:-1],
            "series": names,
            "sources": seen,
        }


@dataclass(frozen=True)
class Wish:
    """What a client hears. `match` is (name, value of label k or None) of each selector."""

    rooms: frozenset[str]
    subscribed: bool = False
    match: tuple[tuple[str, str | None], ...] = ()
    compact: bool = False
    max_hz: float | None = None
    severities: frozenset[str] | None = None

    def heard(self, event: Event, truth: Truth) -> dict[int, Number] | bool:
        """The samples of a tick, or whether a fact is heard."""
        fact, rooms = event.data, self.rooms
        if isinstance(fact, Metrics):
            if not self.subscribed and not rooms & {
                "dashboard",
                "metrics",
                f"metrics:{event.source}",
            }:
                return {}
            return {
                id_: value
                for id_, value in zip(fact.ids, fact.values, strict=True)
                if not (self.subscribed and self.match) or self._matches(truth.series[id_][1])
            }
        if isinstance(fact, Alert):
            if self.severities is not None:
                return fact.severity in self.severities
            return bool(rooms & {"dashboard", "alerts"})
        if isinstance(fact, Notification):
            return fact.room in rooms or (fact.room == "dashboard" and "notifications" in rooms)
        return isinstance(fact, System) and "dashboard" in rooms

    def _matches(self, series: Series) -> bool:
        return any(
            series.name == name and (label is None or series.labels.get("k") == label)
            for name, label in self.match
        )


@dataclass
class Owed:
    event: Event
    doubtful: bool = False
    """It was held when the client asked for something else: it may come, and may not."""


@dataclass
class Course:
    """One stretch of frames from a place on, without a break. `at` is the newest seq proven."""

    truth: Truth
    wish: Wish
    at: int
    fill_to: int
    """Up to here nothing may be merged."""
    may_merge: bool = False
    """It was slow, or asked for less."""
    owed: deque[Owed] = field(default_factory=deque)
    judged: int = -1
    told: int = -1
    """Seq of the last frame."""

    def __post_init__(self) -> None:
        self.judged = self.told = self.at

    def judge(self, seq: int) -> None:
        """What of the list up to `seq` is to be told, as the client wants it now."""
        assert seq <= self.truth.head, f"{seq} is told, and {self.truth.head} is committed"
        while self.judged < seq:
            event = self.truth.events[self.judged]
            self.judged += 1
            if self.wish.heard(event, self.truth):
                self.owed.append(Owed(event))

    def change(self, seq: int, **wish: Any) -> None:
        """From `seq` on the client wants something else; what is held is told as it wants it then."""
        self.judge(max(seq, self.judged))
        self.wish = replace(self.wish, **wish)
        for one in self.owed:
            if isinstance(one.event.data, Metrics):
                one.doubtful |= not self.wish.heard(one.event, self.truth)

    def fact(self, name: str, data: dict[str, Any]) -> None:
        seq = data["seq"]
        self._rises(seq)
        self.judge(seq)
        mine = [one for one in self.owed if one.event.seq == seq]
        assert mine, f"{name} {seq} was not asked for"
        self.owed.remove(mine[0])
        event = mine[0].event
        assert event.type == name, f"{seq} is {event.type} and is told as {name}"
        assert data["source"] == event.source
        fact = event.data
        if isinstance(fact, Alert):
            assert (data["id"], data["rule"], data["state"]) == (fact.id, fact.rule, fact.state)
        elif isinstance(fact, Notification):
            assert (data["id"], data["message"], data["room"]) == (fact.id, fact.message, fact.room)
        self.prove(seq)

    def tick(self, data: dict[str, Any], names: dict[int, str]) -> None:
        seq, source, count = data["seq"], data["source"], data.get("conflated", 1)
        self._rises(seq)
        assert count >= 1
        taken = self._take(source, count, seq)
        if count > 1:
            assert self.may_merge, f"{seq}: {count} ticks in one, for a client that keeps up"
            assert taken[0].seq > self.fill_to, f"{seq}: a gap was thinned out"
        assert seq == taken[-1].seq or (count > 1 and seq == taken[0].seq), (seq, taken)
        wanted: dict[int, Number] = {}
        for event in taken:
            wanted |= self.wish.heard(event, self.truth) or {}  # type: ignore[arg-type]
        assert data["at"] == rfc3339(taken[-1].at)
        if "ids" in data:
            assert self.wish.compact
            told = dict(zip(data["ids"], data["values"], strict=True))
            for id_ in told:
                assert names.get(id_) == self.truth.texts[id_], f"{seq}: nobody named {id_}"
            assert told == wanted, f"{seq}: {told} instead of {wanted}"
        else:
            assert not self.wish.compact
            spelled = {self.truth.texts[id_]: value for id_, value in wanted.items()}
            assert data["values"] == spelled, f"{seq}: {data['values']} instead of {spelled}"
        self.prove(seq)

    def _take(self, source: str, count: int, seq: int) -> list[Event]:
        """The oldest `count` ticks owed of a source: a frame merges what waited, all of it."""
        while True:
            mine = [
                one
                for one in self.owed
                if one.event.source == source and isinstance(one.event.data, Metrics)
            ][:count]
            if len(mine) < count:
                assert self.judged < self.truth.head, (
                    f"{seq}: more ticks of {source} than there are"
                )
                self.judge(self.judged + 1)
            elif mine[0].doubtful and seq not in (mine[0].event.seq, mine[-1].event.seq):
                self.owed.remove(mine[0])
            else:
                break
        for one in mine:
            self.owed.remove(one)
        return [one.event for one in mine]

    def _rises(self, seq: int) -> None:
        assert seq > self.told, f"{seq} after {self.told}: twice, or out of order"
        self.told = seq

    def prove(self, seq: int) -> None:
        """A reader that goes on from `seq` has heard everything up to there (law no-gap-no-double)."""
        self.judge(max(seq, self.judged))
        while self.owed and self.owed[0].event.seq <= seq:
            one = self.owed.popleft()
            assert one.doubtful, (
                f"{one.event.seq} ({one.event.type}) was left out before the cursor {seq}"
            )
        self.at = max(self.at, seq)
