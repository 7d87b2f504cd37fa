"""What was measured or asked becomes facts, and nothing is remembered of a batch that was dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.alerts import resume, rules_by_series
from realtime.core.annotations import Wish
from realtime.core.batch import Batch, Columns, Descriptor, Key
from realtime.core.decide import BREATH, JUDGED_US, Bounds, Desk, Live, Refusal
from realtime.core.naming import series_text
from realtime.core.views import LAYOUTS, View, evolve
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Draft,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
)
from tests import rule

S = 1_000_000
NOW = 1_795_403_506 * S
RULES = rules_by_series([rule.cpu(hold_s=2)])


def key(name, **labels):
    pairs = tuple(sorted(labels.items()))
    return Key(name, pairs, series_text(name, pairs))


def columns(ats, source="a", **values):
    return Columns(source, list(ats), [key(name) for name in values], list(values.values()))


class Desks:
    """Batch after batch, as the spine does it; only what is committed is applied and adopted."""

    def __init__(self, **bounds):
        self.view = View()
        self.live = Live({}, {})
        self.bounds = Bounds(**{"max_series": 5, "max_sources": 3, "lost_us": 30 * S, **bounds})
        self.rejected = []

    def open(self):
        return Desk(self.view, self.live, RULES, self.bounds)

    def commit(self, desk):
        events = []
        for draft in desk.drafts:
            events.append(Event(self.view.seq + 1, draft.at, draft.source, draft.data))
            evolve(self.view, events[-1])
        desk.adopt()
        return events

    def ingest(self, *batch, now=NOW, commit=True, own=False, **descriptors):
        desk = self.open()
        desk.silence(now)
        self.rejected = []
        for _ in desk.ingest(Batch(list(batch), descriptors), now, self.rejected, own):
            pass
        return self.commit(desk) if commit else desk.drafts

    def pass_time(self, now):
        desk = self.open()
        desk.silence(now)
        return self.commit(desk)


def kinds(facts):
    """Types in order, with what happened where a type does not say it."""
    return [
        getattr(one.data, "what", None) or getattr(one.data, "state", None) or one.data.type
        for one in facts
    ]


def test_a_new_source_and_its_series_are_told_before_their_samples():
    """Whoever reads in order never meets a name he does not know."""
    desks = Desks()
    events = desks.ingest(
        columns([NOW], load=[1.0], temp=[0.5]), load=Descriptor("1", "gauge", "?")
    )
    assert kinds(events) == ["source_seen", "series", "metrics"]
    assert events[1].data == Declared(
        [Series(1, "load", {}, "1", "gauge", "?"), Series(2, "temp", {})]
    )
    assert events[2].data == Metrics((1, 2), (1, 0.5))
    assert repr(events[2].data.values) == "(1, 0.5)", "canonical"


def test_declaring_is_done_once():
    """In later batches and within one batch alike; the same name on another source is another series."""
    desks = Desks()
    desks.ingest(columns([NOW], load=[1]))
    assert kinds(desks.ingest(columns([NOW + S], load=[2]))) == ["metrics"]
    events = desks.ingest(columns([NOW], "b", load=[3]), columns([NOW + 1], "b", load=[4]))
    assert kinds(events) == ["source_seen", "series", "metrics", "metrics"]
    assert [e.data.ids for e in events[2:]] == [(2,), (2,)]


def test_labels_make_another_series():
    """And their order does not."""
    desks = Desks()
    both = Columns(
        "a", [NOW], [key("load", cpu="0", x="1"), key("load", x="1", cpu="1")], [[1], [2]]
    )
    events = desks.ingest(both)
    assert [one.labels for one in events[1].data.series] == [
        {"cpu": "0", "x": "1"},
        {"cpu": "1", "x": "1"},
    ]
    assert kinds(desks.ingest(both)) == ["metrics"]


def test_a_dropped_batch_leaves_no_trace():
    """When the commit fails, ids, sources, holds and what was heard are as before: the next batch
    decides the very same."""
    desks = Desks()
    desks.ingest(columns([NOW], cpu_ratio=[0.9]))
    late = columns([NOW + S, NOW + 2 * S], cpu_ratio=[0.9, 0.9], load=[1, 2])
    other = columns([NOW], "b", load=[1])
    dropped = desks.ingest(late, other, now=NOW + 2 * S, commit=False)
    again = desks.ingest(late, other, now=NOW + 2 * S)
    assert [(d.at, d.source, d.data) for d in dropped] == [(e.at, e.source, e.data) for e in again]
    assert "firing" in kinds(again)
    assert kinds(desks.ingest(columns([NOW + 3 * S], cpu_ratio=[0.9]))) == ["metrics"]


def test_holes_are_left_out():
    """A None is no sample: neither nought nor the value before; a row of them is no tick."""
    desks = Desks()
    events = desks.ingest(columns([1, 2, 3], load=[1, None, None], temp=[2, None, 5]))
    ticks = [event for event in events if event.type == "metrics"]
    assert [(t.at, t.data.ids, t.data.values) for t in ticks] == [
        (1, (1, 2), (1, 2)),
        (3, (2,), (5,)),
    ]


def test_series_have_a_bound_for_each_source():
    """What is over it is left out by name; what is known goes on, and other sources have their own."""
    desks = Desks(max_series=2)
    events = desks.ingest(
        columns([NOW], load=[1]), columns([NOW, NOW + 1], temp=[1, 1], fan=[2, None], disk=[3, 3])
    )
    assert kinds(events) == ["source_seen", "series", "metrics", "series", "metrics", "metrics"]
    assert [(r.field, r.samples) for r in desks.rejected] == [("fan", 1), ("disk", 2)]
    assert "max_series" in desks.rejected[0].detail
    assert desks.ingest(columns([NOW + 2], fan=[1])) == []
    assert kinds(desks.ingest(columns([NOW + 3], temp=[1]))) == ["metrics"]
    assert desks.rejected == []
    assert kinds(desks.ingest(columns([NOW], "b", x=[1], y=[2]))) == [
        "source_seen",
        "series",
        "metrics",
    ]


def test_a_watched_series_over_the_bound_is_left_out_quietly():
    """No alert on what is not recorded."""
    desks = Desks(max_series=1)
    desks.ingest(columns([NOW], load=[1]))
    events = desks.ingest(columns([NOW, NOW + 3 * S], load=[1, 1], cpu_ratio=[0.9, 0.9]))
    assert kinds(events) == ["metrics", "metrics"]
    assert len(desks.rejected) == 1


def test_sources_have_a_bound():
    """One more is refused with all its samples, also within one batch; the known ones go on."""
    desks = Desks(max_sources=2)
    desks.ingest(columns([NOW], "a", load=[1]))
    events = desks.ingest(
        columns([NOW], "b", load=[1]),
        columns([NOW], "c", load=[1], temp=[1]),
        columns([NOW], "a", x=[1]),
    )
    assert {event.source for event in events} == {"a", "b"}
    (refused,) = desks.rejected
    assert (refused.field, refused.samples) == ("source", 2)
    assert "'c'" in refused.detail and "max_sources" in refused.detail


def test_a_silent_source_is_lost_once_and_seen_again():
    """After the bound and not at it; dated now; one word when it is back."""
    desks = Desks()
    desks.ingest(columns([NOW], load=[1]))
    assert desks.pass_time(NOW + 30 * S) == []
    (lost,) = desks.pass_time(NOW + 30 * S + 1)
    assert (lost.data, lost.at) == (System("source_lost", {"last_seen": NOW}), NOW + 30 * S + 1)
    assert desks.pass_time(NOW + 90 * S) == []
    assert kinds(desks.ingest(columns([NOW + 91 * S], load=[1]), now=NOW + 91 * S)) == [
        "source_seen",
        "metrics",
    ]
    assert kinds(desks.ingest(columns([NOW + 92 * S], load=[1]), now=NOW + 92 * S)) == ["metrics"]


def test_silence_is_measured_by_arrival_and_not_by_the_sources_clock():
    """A source whose clock is off by an hour is heard all the same."""
    desks = Desks()
    for second in range(0, 120, 20):
        events = desks.ingest(columns([NOW - 3600 * S + second], load=[1]), now=NOW + second * S)
        assert "source_lost" not in kinds(events)


def test_after_a_restart_a_source_has_time_to_speak():
    """Nobody is lost because the server was away."""
    desks = Desks()
    desks.ingest(columns([NOW], load=[1]))
    desks.live = Live({}, {})
    later = NOW + 3600 * S
    assert desks.pass_time(later) == []
    assert desks.pass_time(later + 30 * S) == []
    assert kinds(desks.pass_time(later + 31 * S)) == ["source_lost"]


def test_one_that_comes_back_in_the_very_batch_in_which_it_is_lost():
    """Lost and seen, in this order: both are true."""
    desks = Desks()
    desks.ingest(columns([NOW], load=[1]))
    events = desks.ingest(columns([NOW + 60 * S], load=[1]), now=NOW + 60 * S)
    assert kinds(events) == ["source_lost", "source_seen", "metrics"]
    assert desks.view.sources["a"].state == "live"


def test_alerts_follow_the_samples_that_made_them():
    """In the same batch, right after their tick, dated with it; across batches the hold goes on."""
    desks = Desks()
    ats = [NOW + n * S for n in range(6)]
    events = desks.ingest(columns(ats, cpu_ratio=[0.9, 0.9, 0.9, 0.5, 0.5, 0.5]), now=ats[-1])
    assert kinds(events)[2:] == [*["metrics"] * 3, "firing", *["metrics"] * 3, "resolved"]
    assert [e.at for e in events if isinstance(e.data, Alert)] == [ats[2], ats[5]]
    for n in range(3):
        later = NOW + (10 + n) * S
        events = desks.ingest(columns([later], cpu_ratio=[0.9]), now=later)
    assert kinds(events) == ["metrics", "firing"]
    assert list(desks.view.alerts) == [events[1].data.id]


def test_every_series_is_judged_by_itself():
    """Two sources, and two series of one rule, do not share a hold."""
    desks = Desks()
    desks.ingest(columns([NOW], "a", cpu_ratio=[0.9]))
    events = desks.ingest(columns([NOW + 2 * S], "b", cpu_ratio=[0.9]), now=NOW + 2 * S)
    assert "firing" not in kinds(events)
    events = desks.ingest(columns([NOW + 2 * S], "a", cpu_ratio=[0.9]), now=NOW + 2 * S)
    assert "firing" in kinds(events)


def test_what_is_long_past_wakes_nobody():
    """Old samples are stored and shown; at the bound they are still judged."""
    desks = Desks()
    old = [NOW - JUDGED_US - 1 - n * S for n in (3, 2, 1, 0)]
    assert "firing" not in kinds(desks.ingest(columns(old, cpu_ratio=[0.9] * 4)))
    desks = Desks()
    young = [NOW - JUDGED_US + n * S for n in range(3)]
    assert "firing" in kinds(desks.ingest(columns(young, cpu_ratio=[0.9] * 3)))


def test_a_restart_resumes_what_was_open():
    """The alert fires no second time, and its end is heard, under the same id."""
    desks = Desks()
    ats = [NOW + n * S for n in range(3)]
    (fired,) = (
        e for e in desks.ingest(columns(ats, cpu_ratio=[0.9] * 3), now=ats[-1]) if e.type == "alert"
    )
    desks.live = Live(resume(desks.view.alerts.values()), {})
    ats = [NOW + (10 + n) * S for n in range(6)]
    events = desks.ingest(columns(ats, cpu_ratio=[0.9] * 3 + [0.1] * 3), now=ats[-1])
    (ended,) = (event for event in events if event.type == "alert")
    assert (ended.data.state, ended.data.id) == ("resolved", fired.data.id)


def test_notifications_and_records_are_drafts_like_others():
    """Dated now, in the order in which they were asked for."""
    desk = Desks().open()
    note = Notification("id", "info", "words")
    desk.notify(note, "a", NOW)
    desk.record(System("started"), "b", NOW + 1)
    assert desk.drafts == [Draft(NOW, "a", note), Draft(NOW + 1, "b", System("started"))]


def test_an_annotation_is_changed_as_it_stands():
    """What was said before in the same batch counts; what is not said stays, and what is gone is gone."""
    desks = Desks()
    desk = desks.open()
    assert desk.annotate("m", Wish("deploy", ["a"], NOW, source="shop"), NOW, new=True) is None
    assert desk.annotate("m", Wish(until=NOW + S), NOW + 1, new=False) is None
    said = Annotation("m", "noted", "deploy", NOW, None, ["a"])
    changed = Annotation("m", "changed", "deploy", NOW, NOW + S, ["a"])
    assert desk.drafts == [Draft(NOW, "shop", said), Draft(NOW + 1, "shop", changed)]
    desks.commit(desk)
    desk = desks.open()
    refusal = desk.annotate("m", Wish(since=NOW + 2 * S), NOW, new=False)
    assert isinstance(refusal, Refusal) and (refusal.why, refusal.field) == ("bad", "until")
    assert desk.erase("m", NOW + 5) is None
    assert desk.drafts == [
        Draft(NOW + 5, "shop", Annotation("m", "removed", "deploy", NOW, NOW + S, ["a"]))
    ]
    for refusal in (desk.erase("m", NOW), desk.annotate("m", Wish("x"), NOW, new=False)):
        assert refusal and refusal.why == "unknown"


def why(refusal):
    return refusal and refusal.why


def test_a_dashboard_is_saved_over_the_version_that_was_meant():
    """Two who changed the same one cannot both be right: not even within one batch."""
    desks = Desks()
    shop = Layout("shop", "saved", "Shop", [])
    desk = desks.open()
    assert desk.arrange(shop, 0, "", NOW) is None
    assert why(desk.arrange(shop, 0, "", NOW)) == "conflict"
    assert why(desk.arrange(shop, 1, "", NOW)) == "stale"
    [saved] = desks.commit(desk)
    assert saved.seq == 1
    desk = desks.open()
    assert desk.arrange(shop, 1, "", NOW) is None
    assert why(desk.arrange(shop, 1, "", NOW)) == "stale"
    assert why(desk.dismiss("shop", 1, "", NOW, False)) == "stale"
    desks.commit(desk)
    desk = desks.open()
    assert why(desk.arrange(shop, 1, "", NOW)) == "stale"
    assert desk.arrange(shop, None, "", NOW) is None
    assert desk.dismiss("shop", None, "", NOW, False) is None
    assert why(desk.dismiss("shop", None, "", NOW, False)) == "unknown"
    assert desk.arrange(shop, 0, "", NOW) is None


def test_a_dashboard_without_an_id_gets_one():
    """Made of its title, and not one that somebody has."""
    desks = Desks()
    desk = desks.open()
    for title in ("Über shop!", "uber  SHOP", "☃"):
        assert desk.arrange(Layout("", "saved", title, []), 0, "", NOW) is None
    assert [event.data.id for event in desks.commit(desk)] == [
        "uber-shop",
        "uber-shop-2",
        "dashboard",
    ]


def test_a_dashboard_from_a_file_is_changed_in_the_file():
    """The refusal says which; the file itself may."""
    desk = Desks().open()
    filed = Layout("shop", "saved", "Shop", [], provisioned="shop.json")
    assert desk.arrange(filed, None, "", NOW) is None
    refusal = desk.arrange(Layout("shop", "saved", "Mine", []), None, "", NOW)
    assert refusal and refusal.why == "conflict" and "shop.json" in refusal.detail
    assert why(desk.dismiss("shop", None, "", NOW, False)) == "conflict"
    assert desk.arrange(filed, None, "", NOW) is None
    assert desk.dismiss("shop", None, "", NOW, True) is None
    assert desk.arrange(Layout("shop", "saved", "Mine", []), 0, "", NOW) is None


def test_dashboards_are_bounded():
    """One more than may be is refused; those that are there can be changed, and one that goes makes room."""
    desks = Desks()
    desk = desks.open()
    for n in range(LAYOUTS):
        assert desk.arrange(Layout(f"d{n}", "saved", "x", []), 0, "", NOW) is None
    more = Layout("more", "saved", "x", [])
    assert why(desk.arrange(more, 0, "", NOW)) == "conflict"
    desks.commit(desk)
    desk = desks.open()
    assert why(desk.arrange(more, 0, "", NOW)) == "conflict"
    assert desk.arrange(Layout("d1", "saved", "y", []), None, "", NOW) is None
    assert desk.dismiss("d2", None, "", NOW, False) is None
    assert desk.arrange(more, 0, "", NOW) is None


@pytest.mark.parametrize(("series", "rows"), [(1, 50_000), (1000, 50), (50, 1000)])
def test_it_pauses_in_time(series, rows):
    """Tall, wide and square batches alike: never more than a breath of work between two pauses."""
    desk = Desks(max_series=10_000).open()
    batch = Batch(
        [
            Columns(
                "a", list(range(rows)), [key(f"m{n}") for n in range(series)], [[1] * rows] * series
            )
        ]
    )
    done = 0
    for _ in desk.ingest(batch, NOW, []):
        work = sum(1 + len(d.data.ids) for d in desk.drafts[done:] if isinstance(d.data, Metrics))
        assert work <= BREATH + series + 1
        done = len(desk.drafts)
    assert sum(d.data.type == "metrics" for d in desk.drafts) == rows
    assert done > 0


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from("abcd"),
                st.integers(0, 50),
                st.dictionaries(
                    st.sampled_from("uvwxyz"), st.none() | st.integers(0, 9), min_size=1
                ),
            ),
            max_size=5,
        ),
        max_size=6,
    )
)
def test_every_sample_is_kept_or_refused_by_name(batches):
    """Count in equals count kept and count refused; ids have no hole and name what was sent."""
    desks = Desks(max_series=4, max_sources=2)
    for batch in batches:
        given_columns = [
            columns([NOW + at], source, **{name: [value] for name, value in values.items()})
            for source, at, values in batch
        ]
        events = desks.ingest(*given_columns)
        kept = sum(len(e.data.ids) for e in events if isinstance(e.data, Metrics))
        assert kept + sum(r.samples for r in desks.rejected) == sum(c.size for c in given_columns)
        sent = {
            (c.source, at, k.text, v[0])
            for c in given_columns
            for at in c.ats
            for k, v in zip(c.keys, c.values, strict=True)
        }
        for event in events:
            if isinstance(event.data, Metrics):
                for id_, value in zip(event.data.ids, event.data.values, strict=True):
                    assert desks.view.owner[id_] == event.source
                    assert (event.source, event.at, desks.view.texts[id_], value) in sent
    assert list(desks.view.series) == list(range(1, len(desks.view.series) + 1))
    assert all(len(ids) <= 4 for ids in desks.view.of_source.values())
    assert len(desks.view.sources) <= 2


def test_what_is_pushed_leaves_room_for_what_the_host_measures():
    """Under any name, the host's own too: neither bound can be filled before the first reading of the host."""
    desks = Desks(max_series=100, max_sources=9, max_series_total=300, host="host")
    many = {f"n{n}": [n] for n in range(200)}
    desks.ingest(columns([NOW], "host", **many))
    assert len(desks.view.series) == 90
    assert (
        "90 allowed on source 'host' (dial max_series; 10 more are kept for"
        in desks.rejected[0].detail
    )
    desks.ingest(columns([NOW], "a", **many))
    assert len(desks.view.series) == 190
    desks.ingest(columns([NOW], "b", **many))
    assert len(desks.view.series) == 270
    assert (
        "270 allowed in all (dial max_series_total; 30 more are kept for"
        in desks.rejected[0].detail
    )
    mine = {f"m{n}": [n] for n in range(20)}
    desks.ingest(columns([NOW], "host", **mine), own=True)
    assert (len(desks.view.of_source["host"]), len(desks.rejected)) == (100, 10)
    assert "100 allowed on source 'host' (dial max_series)" in desks.rejected[0].detail


def test_a_burst_of_new_series_has_a_bound_over_all_sources():
    """What fits is kept, in order; the rest is named one by one with the dial, and what was known goes on."""
    desks = Desks(max_series=5_000, max_sources=3, max_series_total=7_000)
    many = {f"n{n}": [n] for n in range(10_000)}
    desks.ingest(columns([NOW], "a", **many))
    assert (len(desks.view.series), len(desks.rejected)) == (5_000, 5_000)
    assert "n5000 would be one more than the 5000 allowed on source 'a'" in desks.rejected[0].detail
    desks.ingest(columns([NOW], "b", **many), columns([NOW + 1], "c", **many))
    assert (len(desks.view.series), len(desks.rejected)) == (6_300, 18_700)
    assert "6300 allowed in all (dial max_series_total" in desks.rejected[0].detail
    assert desks.rejected[0].field == "n1300"
    assert kinds(desks.ingest(columns([NOW + S], "a", n1=[2]))) == ["metrics"]
    assert desks.rejected == []


def test_what_is_named_as_a_counter_is_one():
    """Readings are pushed without a kind: the name says it, by the convention of Prometheus."""
    desks = Desks()
    desks.ingest(columns([NOW], "shop", orders_total=[1], total=[1], queue_bytes=[1]))
    kinds = {series.name: series.kind for series in desks.view.series.values()}
    assert kinds == {"orders_total": "counter", "total": "gauge", "queue_bytes": "gauge"}
