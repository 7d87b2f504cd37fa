"""The fold: the same state from the same events, at once or from a checkpoint on."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.core import views
from realtime.core.views import (
    ANNOTATION_CHARACTERS,
    ANNOTATIONS,
    NOTIFICATIONS,
    RESOLVED,
    View,
    evolve,
    fold,
    load,
    save,
    saving,
)
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
    Unreadable,
    canonical,
)
from storage.tiers import End

SOURCES = ("a", "b")
SERIES = {id_: Series(id_, "load", {"cpu": str(id_)}, "ratio") for id_ in range(1, 7)}
OWNER = {id_: SOURCES[id_ % 2] for id_ in SERIES}


def state(view):
    """Everything a view shows, so that two can be compared."""
    return {
        "seq": view.seq,
        "at": view.at,
        "series": view.series,
        "ids": view.ids,
        "texts": view.texts,
        "owner": view.owner,
        "of_source": view.of_source,
        "first": view.first,
        "next_id": view.next_id,
        "newest": view.windows.newest,
        "latest": sorted((id_, at, repr(v)) for id_, (at, v) in view.latest.items()),
        "windows": {
            id_: [column.tolist() for column in view.windows.columns(id_)] for id_ in view.series
        },
        "sources": view.sources,
        "alerts": view.alerts,
        "resolved": list(view.resolved),
        "notifications": list(view.notifications),
        "annotations": list(view.annotations.items()),
        "annotated": view.annotated,
        "layouts": list(view.layouts.items()),
    }


values = st.one_of(
    st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False).map(canonical)
)


MARK = Annotation("x", "noted", "words", 1, None, ["t"])
BOARD = Layout("u", "saved", "words", [{"kind": "text", "x": 1.5}])
PEOPLE = {
    "note": st.just(Notification("n", "info", "words")),
    "mark": st.builds(
        lambda id_, state: msgspec.structs.replace(MARK, id=id_, state=state),
        st.sampled_from("xyz"),
        st.sampled_from(["noted", "changed", "removed"]),
    ),
    "board": st.builds(
        lambda id_, state: msgspec.structs.replace(BOARD, id=id_, state=state),
        st.sampled_from("uvw"),
        st.sampled_from(["saved", "removed"]),
    ),
}
"""What people say."""


@st.composite
def logs(draw):
    """A log as the write path makes it: series declared before their samples, late ticks, alerts."""
    events: list[Event] = []
    declared: set[int] = set()

    def add(at, source, fact):
        events.append(Event(len(events) + 1, at, source, fact))

    clock = 1000
    for _ in range(draw(st.integers(0, 40))):
        clock += draw(st.integers(0, 12))
        source = draw(st.sampled_from(SOURCES))
        what = draw(st.sampled_from(["tick"] * 6 + ["alert", "note", "mark", "board", "system"]))
        if what == "tick":
            mine = [id_ for id_ in SERIES if OWNER[id_] == source]
            ids = draw(st.lists(st.sampled_from(mine), min_size=1, unique=True))
            new = sorted(set(ids) - declared)
            if new:
                # ids are given in order, so everything up to the newest one is declared with it
                for id_ in range(len(declared) + 1, max(new) + 1):
                    add(clock, OWNER[id_], Declared([SERIES[id_]]))
                    declared.add(id_)
            at = clock - draw(st.sampled_from([0, 0, 0, 3, 40, 900]))
            add(at, source, Metrics(ids, [draw(values) for _ in ids]))
        elif what == "alert" and declared:
            id_ = draw(st.sampled_from(sorted(declared)))
            change = draw(st.sampled_from(["firing", "resolved"]))
            fact = Alert(f"cpu-{id_}", "cpu", change, "critical", id_, 90, 80, clock, "words")
            add(clock, OWNER[id_], fact)
        elif what in PEOPLE:
            add(clock, source, draw(PEOPLE[what]))
        elif what == "system":
            what = draw(st.sampled_from(["started", "stopped", "source_seen", "source_lost"]))
            detail = {"facts": {"cpus": clock}} if what == "started" else {}
            add(clock, source, System(what, detail))
    return events


def view():
    return View(window_points=5, window_us=50)


@settings(max_examples=400)
@given(logs(), st.data())
def test_a_checkpoint_and_the_rest_is_the_whole(events, data):
    """fold(log) equals restore(checkpoint at any seq) and fold(the rest), in everything shown: what a
    restart folds is what was there before it (law views-are-disposable)."""
    whole = fold(view(), events)
    cut = data.draw(st.integers(0, len(events)))
    before = fold(view(), events[:cut])
    saved = load(save(before))
    since = saved.newest - before.windows.span
    ticks = [e for e in events[:cut] if isinstance(e.data, Metrics) and e.at >= since]
    again = view()
    views.restore(again, before.seq, saved)
    for tick in ticks:
        views.read(again, tick)
    views.recollect(again, saved)
    assert state(again) == state(before)
    assert state(fold(again, events[cut:])) == state(whole)


@given(logs())
def test_the_fold_is_deterministic(events):
    """Twice the same events, twice the same state: nothing but the events goes in."""
    assert state(fold(view(), events)) == state(fold(view(), events))


@given(logs(), st.data())
def test_a_copy_is_of_its_moment(events, data):
    """What is saved is the view as it stood when it was asked for, though the bytes are made later."""
    cut = data.draw(st.integers(0, len(events)))
    moving = fold(view(), events[:cut])
    at_once, later = save(moving), saving(moving)
    fold(moving, events[cut:])
    assert later() == at_once


def test_a_series_whose_name_is_lost_gets_one():
    """A sample or an alert of a series that nothing readable declares: its id is not given again."""
    fact = Alert("x", "cpu", "firing", "critical", 9, 1, 1, 5, "high")
    one = fold(view(), [Event(2, 5, "a", Metrics([3], [1])), Event(3, 5, "b", fact)])
    assert one.texts == {3: 'unnamed{id="3"}', 9: 'unnamed{id="9"}'}
    assert one.owner == {3: "a", 9: "b"}
    assert one.next_id == 10
    lost = Event(4, 0, "", Unreadable(4, 4, "torn"))
    assert state(evolve(one, lost)) | {"seq": 3} == state(
        fold(view(), [Event(2, 5, "a", Metrics([3], [1])), Event(3, 5, "b", fact)])
    )
    assert one.seq == 4


def test_a_series_is_known_once_it_is_declared():
    """By its id and by its source and text; it has no value before its first sample."""
    one = evolve(view(), Event(1, 5, "a", Declared([SERIES[1]])))
    assert one.texts == {1: 'load{cpu="1"}'}
    assert one.ids == {("a", 'load{cpu="1"}'): 1}
    assert (one.owner, one.next_id) == ({1: "a"}, 2)
    assert 1 not in one.latest
    evolve(one, Event(2, 9, "a", Metrics([1], [0.5])))
    assert one.latest[1] == (9, 0.5)
    assert one.first == {1: 9}


def test_late_samples_neither_turn_back_time_nor_the_latest():
    """The latest is by time, not by arrival; of equal times the one that came last."""
    one = fold(
        view(),
        [
            Event(1, 5, "a", Declared([SERIES[1]])),
            Event(2, 30, "a", Metrics([1], [1])),
            Event(3, 20, "a", Metrics([1], [2])),
        ],
    )
    assert (one.latest[1], one.at, one.first[1]) == ((30, 1), 30, 20)
    assert (one.sources["a"].first_seen, one.sources["a"].last_seen) == (20, 30)
    evolve(one, Event(4, 30, "a", Metrics([1], [3])))
    assert one.latest[1] == (30, 3)


def test_sources_are_seen_lost_and_seen_again():
    """Their facts are kept over a loss; a loss of one that nobody knows changes nothing."""
    one = view()
    evolve(one, Event(1, 5, "a", System("started", {"facts": {"cpus": 2}})))
    assert (one.sources["a"].state, one.sources["a"].facts) == ("live", {"cpus": 2})
    evolve(one, Event(2, 6, "a", System("source_lost")))
    assert one.sources["a"].state == "lost"
    evolve(one, Event(3, 7, "b", System("source_lost")))
    assert "b" not in one.sources
    evolve(one, Event(4, 8, "a", System("source_seen")))
    assert (one.sources["a"].state, one.sources["a"].facts) == ("live", {"cpus": 2})


def test_alerts_are_open_until_they_are_resolved():
    """By id; the resolved ones are remembered for a while."""
    fired = Alert("x", "cpu", "firing", "critical", 1, 90, 80, 5, "words")
    one = evolve(view(), Event(1, 5, "a", fired))
    assert [event.seq for event in one.alerts.values()] == [1]
    evolve(one, Event(2, 6, "a", msgspec.structs.replace(fired, state="resolved")))
    assert one.alerts == {}
    assert [event.seq for event in one.resolved] == [2]


def test_memory_is_bounded():
    """The newest notifications and resolved alerts stay; the log has them all."""
    one = view()
    for n in range(1, NOTIFICATIONS + 11):
        evolve(one, Event(n, n, "a", Notification(str(n), "info", "words")))
    assert len(one.notifications) == NOTIFICATIONS
    assert one.notifications[-1].seq == NOTIFICATIONS + 10
    ended = Alert("x", "cpu", "resolved", "critical", 1, 90, 80, 5, "words")
    for n in range(1, RESOLVED + 11):
        evolve(one, Event(n, n, "a", ended))
    assert len(one.resolved) == RESOLVED


def test_annotations_are_what_was_said_last():
    """A change takes the place of what it changes, and what is removed is gone; of one that nobody
    remembers there is nothing to change."""
    one = view()
    noted = Annotation("a", "noted", "x", 1)
    for n, (id_, said) in enumerate(
        [("a", "noted"), ("b", "noted"), ("a", "changed"), ("c", "changed"), ("b", "removed")], 1
    ):
        evolve(one, Event(n, n, "", msgspec.structs.replace(noted, id=id_, state=said)))
    assert [(id_, event.seq) for id_, event in one.annotations.items()] == [("a", 3)]
    assert one.annotated == 1


@pytest.mark.parametrize(("text", "kept"), [("x", ANNOTATIONS), ("x" * 4_000, 1_000)])
def test_annotations_are_bounded(text, kept):
    """By number and by length: those noted first leave memory first, and stay in the log."""
    one = view()
    for n in range(1, ANNOTATIONS + 11):
        evolve(one, Event(n, n, "", Annotation(str(n), "noted", text, n)))
    assert len(one.annotations) == kept
    assert [*one.annotations][-1] == str(ANNOTATIONS + 10)
    assert one.annotated == kept * len(text) <= ANNOTATION_CHARACTERS


def test_dashboards_of_people_are_those_saved_last():
    """The event's seq is the version; one that was removed is gone."""
    one = view()
    for n, (id_, state) in enumerate(
        [("a", "saved"), ("b", "saved"), ("a", "saved"), ("b", "removed"), ("z", "removed")], 1
    ):
        saved = Layout(id_, "saved", f"{n}", [])
        evolve(one, Event(n, n, "", msgspec.structs.replace(saved, state=state)))
    assert [(id_, event.seq) for id_, event in one.layouts.items()] == [("a", 3)]


@pytest.mark.parametrize("body", [b"", b"\x90", b"\xc1", msgspec.msgpack.encode([1, 2, "three"])])
def test_what_is_no_checkpoint_of_this_version_is_refused(body):
    """So that start-up can fold the log instead."""
    with pytest.raises(msgspec.DecodeError):
        load(body)
    assert views.VERSION >= 1


HOUR = 3_600_000_000


@given(st.data())
@settings(max_examples=60)
def test_what_is_gone_is_remembered_as_well_as_rollups_do(data):
    """A view that has seen readings go, and one folded from what is left with what rollups remember: of when
    a series began the hour, and its last reading to the bit."""
    ticks = data.draw(
        st.lists(
            st.tuples(st.integers(1, 5 * HOUR), st.sampled_from(SOURCES), st.integers(-5, 5)),
            min_size=1,
            max_size=12,
            unique_by=lambda tick: tick[0],
        )
    )
    names = [
        Event(n, 1, source, Declared([SERIES[n], SERIES[n + 2]]))
        for n, source in ((1, "b"), (2, "a"))
    ]
    readings = [
        Event(
            n,
            at,
            source,
            Metrics((1, 3) if source == "b" else (2,), (value, 1)[: 1 + (source == "b")]),
        )
        for n, (at, source, value) in enumerate(ticks, 3)
    ]
    gone = data.draw(st.integers(0, len(readings)))
    since = max([0, *(event.at + 1 for event in readings[:gone])])
    columns: dict[int, tuple[list[int], list[float]]] = {}
    for event in sorted(readings, key=lambda event: event.at):
        assert isinstance(event.data, Metrics)
        for id_, value in zip(event.data.ids, event.data.values, strict=True):
            ats, values_ = columns.setdefault(id_, ([], []))
            ats.append(event.at)
            values_.append(value)
    ends = {
        id_: End(ats[0] // HOUR * HOUR, ats[-1], float(values_[-1]))
        for id_, (ats, values_) in columns.items()
    }
    lived = views.forget(fold(View(), [*names, *readings]), since)
    left = fold(View(), [*names, *readings[gone:]])
    views.forget(views.recall(left, {**ends, 99: End(0, 1, 1.0)}, since), since)
    for view in (lived, left):
        for source in view.sources.values():
            source.at = 0  # when the last tick came nobody knows but from the tick
    before, after = state(lived), state(left)
    for name in ("first", "latest", "sources", "at", "series"):
        assert before[name] == after[name], name
    assert views.forget(lived, since).first == left.first
