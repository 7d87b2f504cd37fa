"""What the log means, folded: `evolve(view, event) → view`, the same live, at start-up and in a replay.

The fold is deterministic and has no clock (law core-has-no-clock). It evolves the view in place, because
it runs for every sample; whoever wants a copy folds one (law views-are-disposable).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from realtime.core.naming import series_text
from realtime.core.windows import Windows
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
    canonical,
)

VERSION = 2
"""Of the fold: raised when its result changes, so that older checkpoints are folded anew."""

UNNAMED = "unnamed"
"""What a series is called whose name is lost: `unnamed{id="7"}`."""

NOTIFICATIONS = 500
RESOLVED = 200
"""How many of the newest notifications and resolved alerts stay in memory; the log has them all."""
ANNOTATIONS = 10_000
ANNOTATION_CHARACTERS = 4_000_000
"""How many of the annotations, those noted last, stay in memory, and how much text; the log has them all."""
LAYOUTS = 200
"""How many dashboards of people's own there may be; `decide` refuses more."""


HOUR_US = 3_600_000_000
"""Length of the buckets that are kept longest."""

RUN = 4
"""Ticks from which taking a run at once pays."""


class End(Protocol):
    """What is known of a series without its readings: when the hour of its first began, and its last."""

    @property
    def first(self) -> int: ...
    @property
    def last_at(self) -> int: ...
    @property
    def last(self) -> float: ...


class SourceState(msgspec.Struct):
    """A host or application. `first_seen` and `last_seen` are the bounds of its samples' times, `at` is
    the time of the tick that came last: a clock that was set back, or a sample from the future, moves
    the bounds and not the present. µs UTC."""

    source: str
    state: Literal["live", "lost"]
    first_seen: int
    last_seen: int
    facts: dict[str, Any] = {}
    at: int = 0


class View:
    """Everything a dashboard shows, at `seq`."""

    def __init__(self, window_points: int = 960, window_us: int = 900_000_000) -> None:
        self.seq = 0
        self.at = 0
        """Time of the newest event that was folded."""
        self.series: dict[int, Series] = {}
        self.last_id = 0
        """The largest id of a series: ids are given one after the other."""
        self.ids: dict[tuple[str, str], int] = {}
        """(source, series text) → id"""
        self.texts: dict[int, str] = {}
        self.owner: dict[int, str] = {}
        self.of_source: dict[str, list[int]] = {}
        self.first: dict[int, int] = {}
        """Series id → time of its first sample."""
        self.windows = Windows(window_points, window_us)
        self.sources: dict[str, SourceState] = {}
        self.alerts: dict[str, Event] = {}
        """Open alerts by id."""
        self.resolved: deque[Event] = deque(maxlen=RESOLVED)
        self.notifications: deque[Event] = deque(maxlen=NOTIFICATIONS)
        """Newest last."""
        self.annotations: dict[str, Event] = {}
        """By id, as they were said last and in the order in which they were noted."""
        self.annotated = 0
        """Characters of them."""
        self.layouts: dict[str, Event] = {}
        """By id; the event's seq is the version."""

    @property
    def latest(self) -> Windows:
        """Series id → (at, value) of its newest sample."""
        return self.windows

    @property
    def next_id(self) -> int:
        return self.last_id + 1


def evolve(view: View, event: Event) -> View:
    fact = event.data
    if isinstance(fact, Metrics):
        _metrics(view, event, fact)
    elif isinstance(fact, Declared):
        for series in fact.series:
            declare(view, event.source, series)
    else:
        _fact(view, event)
    view.seq = event.seq
    if event.at > view.at:
        view.at = event.at
    return view


def _fact(view: View, event: Event) -> None:
    """What is no tick and names no series."""
    fact = event.data
    if isinstance(fact, Alert):
        _name(view, event.source, fact.series)
        if fact.state == "firing":
            view.alerts[fact.id] = event
        else:
            view.alerts.pop(fact.id, None)
            view.resolved.append(event)
    elif isinstance(fact, Notification):
        view.notifications.append(event)
    elif isinstance(fact, Annotation):
        _annotate(view, event, fact)
    elif isinstance(fact, Layout):
        view.layouts.pop(fact.id, None)  # the one saved last stands last
        if fact.state == "saved":
            view.layouts[fact.id] = event
    elif isinstance(fact, System):
        _system(view, event, fact)


def evolve_all(view: View, events: Sequence[Event]) -> View:
    """As `evolve` one after the other; a run of ticks with the same series is taken at once."""
    place = 0
    while place < len(events):
        end = _run(events, place)
        if end - place < RUN:
            evolve(view, events[place])
            place += 1
        else:
            _ticks(view, events[place:end])
            place = end
    return view


def _run(events: Sequence[Event], place: int) -> int:
    """The end of the run of ticks from `place` on: same source, same series, times not descending."""
    event = events[place]
    fact = event.data
    end = place + 1
    if isinstance(fact, Metrics):
        at = event.at
        while end < len(events):
            following = events[end]
            if (
                not isinstance(following.data, Metrics)
                or following.data.ids is not fact.ids  # one list for all ticks of a batch
                or following.source != event.source
                or following.at < at
            ):
                break
            at = following.at
            end += 1
    return end


def _ticks(view: View, events: Sequence[Event]) -> None:
    facts = [event.data for event in events if isinstance(event.data, Metrics)]
    ids = facts[0].ids
    ats = [event.at for event in events]
    view.windows.extend(ids, ats, [fact.values for fact in facts])
    first = view.first
    for id_ in ids:
        if id_ not in first or ats[0] < first[id_]:
            first[id_] = ats[0]
    _heard(view, events[0].source, ats[0], ats[-1])
    view.seq = events[-1].seq
    view.at = max(view.at, ats[-1])


def fold(view: View, events: Iterable[Event]) -> View:
    for event in events:
        evolve(view, event)
    return view


def _name(view: View, source: str, id_: int) -> None:
    """A series whose declaration cannot be read any more gets a name all the same."""
    if id_ not in view.series:
        declare(view, source, Series(id_, UNNAMED, {"id": str(id_)}))


def declare(view: View, source: str, series: Series) -> None:
    text = series_text(series.name, series.labels)
    view.series[series.id] = series
    view.last_id = max(view.last_id, series.id)
    view.ids[source, text] = series.id
    view.texts[series.id] = text
    view.owner[series.id] = source
    view.of_source.setdefault(source, []).append(series.id)


def _metrics(view: View, event: Event, fact: Metrics) -> None:
    at, first = event.at, view.first
    # A sample that follows others of its series is never its first: only the rest need a look.
    for id_ in view.windows.add_tick(at, fact.ids, fact.values):
        if id_ not in first:
            _name(view, event.source, id_)
        if id_ not in first or at < first[id_]:
            first[id_] = at
    _heard(view, event.source, at, at)


def hear(view: View, source: str, first: int, last: int, at: int) -> None:
    """Ticks of a source, of which is known only when the earliest, the latest and the last to come were."""
    _heard(view, source, first, last)
    view.sources[source].at = at
    view.at = max(view.at, last)


def meet(view: View, source: str, id_: int, first: int) -> None:
    """A series that ticks name, the earliest of them at `first`."""
    known = view.first.get(id_)
    if known is None:
        _name(view, source, id_)
    if known is None or first < known:
        view.first[id_] = first


def read(view: View, tick: Event) -> None:
    """The readings of a tick, of which all else is known."""
    fact = tick.data
    assert isinstance(fact, Metrics)
    for id_, value in zip(fact.ids, fact.values, strict=True):
        view.windows.add(id_, tick.at, value)


def _heard(view: View, source: str, first: int, last: int) -> None:
    state = view.sources.get(source)
    if state is None:
        state = view.sources[source] = SourceState(source, "live", first, last)
    state.at = last
    state.last_seen = max(state.last_seen, last)
    state.first_seen = min(state.first_seen or first, first)


def _annotate(view: View, event: Event, fact: Annotation) -> None:
    before = view.annotations.get(fact.id)
    view.annotated -= _characters(before) if before else 0
    if fact.state == "removed":
        view.annotations.pop(fact.id, None)
        return
    if before is None and fact.state == "changed":
        return  # of one that is too old to be in memory, and would be forgotten next
    view.annotations[fact.id] = event
    view.annotated += _characters(event)
    while len(view.annotations) > ANNOTATIONS or view.annotated > ANNOTATION_CHARACTERS:
        oldest = view.annotations.pop(next(iter(view.annotations)))
        view.annotated -= _characters(oldest)


def _characters(event: Event) -> int:
    fact = event.data
    assert isinstance(fact, Annotation)
    return len(fact.text) + len(fact.author) + sum(map(len, fact.tags))


def _system(view: View, event: Event, fact: System) -> None:
    if fact.what in ("source_seen", "started"):
        state = view.sources.setdefault(event.source, SourceState(event.source, "live", 0, 0))
        if fact.what == "source_seen":
            state.state = "live"
        state.facts = fact.detail.get("facts", state.facts)
    elif fact.what == "source_lost" and event.source in view.sources:
        view.sources[event.source].state = "lost"


def forget(view: View, since: int) -> View:
    """Readings before `since` (µs) are gone: of when a series began only the hour is known, which is what
    rollups tell whoever folds the log anew (law views-are-disposable)."""
    for id_, first in view.first.items():
        view.first[id_] = _hour(first, since)
    for state in view.sources.values():
        state.first_seen = _hour(state.first_seen, since)
    return view


def _hour(first: int, since: int) -> int:
    hour = first // HOUR_US * HOUR_US
    return hour if hour < since else first


def recall(view: View, remembered: Mapping[int, End], since: int) -> View:
    """What rollups remember of readings before `since` (µs), which the fold did not meet any more."""
    for id_, end in remembered.items():
        owner = view.owner.get(id_)
        if owner is None:  # of a damaged log, whose names are lost
            continue
        state = view.sources.setdefault(owner, SourceState(owner, "live", 0, 0))
        if end.first < since:
            view.first[id_] = min(end.first, view.first.get(id_, end.first))
            state.first_seen = min(end.first, state.first_seen or end.first)
        if id_ not in view.latest or view.latest[id_][0] < end.last_at:
            view.windows.add(id_, end.last_at, canonical(end.last))
        state.last_seen = max(state.last_seen, end.last_at)
        state.at = state.at or state.last_seen
        view.at = max(view.at, end.last_at)
    return view


class Saved(msgspec.Struct, array_like=True):
    """A checkpoint. `newest` is the time of the newest sample: the windows reach back from there."""

    at: int
    newest: int
    series: list[tuple[str, Series, int]]
    latest: list[tuple[int, int, int | float]]
    sources: list[SourceState]
    alerts: list[Event]
    resolved: list[Event]
    notifications: list[Event]
    annotations: list[Event]
    layouts: list[Event]


def save(view: View) -> bytes:
    """The view without its windows, which come back from the log's last minutes (see `remember`)."""
    return saving(view)()


def saving(view: View) -> Callable[[], bytes]:
    """As `save`: the copy is taken now, what it gives makes the bytes of it, in any thread. Of tens of
    thousands of series that takes longer than law loop-never-blocks allows."""
    at, newest = view.at, view.windows.newest
    series, owner, first = list(view.series.values()), dict(view.owner), dict(view.first)
    lasts = view.windows.lasts()
    sources = [msgspec.structs.replace(state) for state in view.sources.values()]
    alerts, resolved = list(view.alerts.values()), list(view.resolved)
    notifications = list(view.notifications)
    annotations, layouts = list(view.annotations.values()), list(view.layouts.values())

    def made() -> bytes:
        encode = _encoder.encode
        # One by one: an encoder at work on all of it lets no other thread run meanwhile.
        named = [encode((owner[one.id], one, first.get(one.id, 0))) for one in series]
        latest = [
            encode((id_, at, canonical(value))) for id_, at, value in zip(*lasts, strict=True)
        ]
        rest = (sources, alerts, resolved, notifications)
        noted = [encode(event) for event in annotations]
        parts = [encode(at), encode(newest), _listed(named), _listed(latest), *map(encode, rest)]
        parts += [_listed(noted), encode(layouts)]
        return bytes([0x90 | len(parts)]) + b"".join(parts)

    return made


def _listed(encoded: list[bytes]) -> bytes:
    """msgpack: an array of what is encoded already."""
    return b"\xdd" + len(encoded).to_bytes(4, "big") + b"".join(encoded)


def load(body: bytes) -> Saved:
    """
    Raises:
        msgspec.DecodeError: not a checkpoint of this `VERSION`.
    """
    return _decoder.decode(body)


def restore(view: View, seq: int, saved: Saved) -> None:
    """The inverse of `save`, into an empty view, but for the readings: `read` the log's `metrics` events of
    the window's span up to `seq` next, then call `recollect`."""
    view.seq, view.at = seq, saved.at
    for source, series, first in saved.series:
        declare(view, source, series)
        if first:
            view.first[series.id] = first
    view.sources = {state.source: state for state in saved.sources}
    view.alerts = {event.data.id: event for event in saved.alerts if isinstance(event.data, Alert)}
    view.resolved.extend(saved.resolved)
    view.notifications.extend(saved.notifications)
    for event in saved.annotations:
        if isinstance(event.data, Annotation):
            view.annotations[event.data.id] = event
            view.annotated += _characters(event)
    view.layouts = {one.data.id: one for one in saved.layouts if isinstance(one.data, Layout)}


def recollect(view: View, saved: Saved) -> None:
    """The last readings of series that have been silent for longer than the windows reach."""
    for id_, at, value in saved.latest:
        if id_ not in view.windows:
            view.windows.add(id_, at, value)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Saved)
