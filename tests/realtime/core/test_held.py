"""Ticks merged while they wait."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.held import Held
from realtime.core.windows import Windows
from storage.events import Event, Metrics


def tick(seq, source="a", at=None, **values):
    ids = [int(name[1:]) for name in values]
    return Event(seq, seq * 10 if at is None else at, source, Metrics(ids, list(values.values())))


def held(*events):
    it = Held()
    for event in events:
        it.add(event)
    return it


def shown(it):
    return [
        (e.seq, e.at, e.source, dict(zip(e.data.ids, e.data.values, strict=True)), count)
        for e, count in it.release()
    ]


def test_nothing():
    """Empty is false, has no first, and releases nothing."""
    it = Held()
    assert not it
    assert it.first is None
    assert it.release() == []


def test_one_tick_stays_as_it_is():
    """What was not merged is the very event."""
    one = tick(3, s1=1)
    assert held(one).release() == [(one, 1)]


def test_the_latest_of_each_series():
    """Slow series are not lost under the ticks of quick ones."""
    it = held(tick(1, s1=1, s2=5), tick(2, s1=2), tick(3, s1=3, s3=9))
    assert it
    assert it.first == 1
    assert shown(it) == [(3, 30, "a", {1: 3, 2: 5, 3: 9}, 3)]
    assert not it


def test_a_late_arrival_does_not_overwrite():
    """Old samples that come in meanwhile fill what is missing and hide nothing newer."""
    it = held(tick(1, at=100, s1=1), tick(2, at=50, s1=7, s2=8))
    assert shown(it) == [(2, 100, "a", {1: 1, 2: 8}, 2)]


def test_late_is_judged_series_by_series():
    """A tick behind the newest is news of a series that was not in the newest."""
    it = held(tick(1, at=5, s2=5), tick(2, at=10, s1=10), tick(3, at=7, s2=7))
    assert shown(it) == [(3, 10, "a", {1: 10, 2: 7}, 3)]


PLANS = st.lists(
    st.tuples(st.integers(0, 6), st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)),
    min_size=1,
    max_size=20,
)


@given(PLANS)
def test_each_series_is_what_the_view_says(plan):
    """Whatever comes when: the newest sample of each series, of equals the one that came last."""
    it, windows = Held(), Windows(100, 1_000)
    for seq, (at, ids) in enumerate(plan, 1):
        it.add(Event(seq, at, "a", Metrics(ids, [seq] * len(ids))))
        windows.add_tick(at, ids, [seq] * len(ids))
    (_, at, _, told, count) = shown(it)[0]
    assert told == {id_: value for id_, (_, value) in windows.items()}
    assert (at, count) == (max(at for at, _ in plan), len(plan))


def test_sources_stay_apart():
    """One tick a source, in the order in which they began."""
    it = held(tick(1, "b", s1=1), tick(2, "a", s2=2), tick(3, "b", s1=3))
    assert it.first == 1
    assert [(s, v) for _, _, s, v, _ in shown(it)] == [("b", {1: 3}), ("a", {2: 2})]


def test_clearing():
    """What is cleared is not told."""
    it = held(tick(1, s1=1))
    it.clear()
    assert not it
    assert it.release() == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), min_size=1, max_size=30))
def test_a_break_in_between_loses_nothing(plan):
    """However sources interleave: seqs rise, and up to the seq of each released tick every sample
    has been told, so that a reader who is cut off there can resume there."""
    events = [tick(seq, source, **{f"s{id_}": seq}) for seq, (source, id_) in enumerate(plan, 1)]
    released = held(*events).release()
    seqs = [event.seq for event, _ in released]
    assert seqs == sorted(set(seqs))
    assert sum(count for _, count in released) == len(events)
    told: dict[Any, Any] = {}
    for event, _ in released:
        told |= {
            (event.source, i): v for i, v in zip(event.data.ids, event.data.values, strict=True)
        }
        wanted = {}
        for one in events[: event.seq]:
            wanted[one.source, one.data.ids[0]] = one.data.values[0]
        for place, value in wanted.items():
            assert told[place] >= value
