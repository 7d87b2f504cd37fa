"""What is made once for many, and who stands where."""

from typing import Any

import msgspec
import pytest

from realtime.audience import PAGE_BYTES, PAGE_EVENTS, PAGES, Audience, Cohort
from realtime.core.frames import Wire
from realtime.core.session import Taste
from realtime.core.views import View, evolve
from realtime.tail import Tail
from storage.events import Declared, Event, Metrics, Notification, Series

NOW = 1_795_403_506_000_000


def lined(data):
    return data + b"\n"


LINES = Wire("websocket", "json", lined)
DASHBOARD = Taste(frozenset(["dashboard"]))
COMPACT = DASHBOARD._replace(compact=True)


class Stage:
    """A tail and a view that grow together."""

    def __init__(self, taste=DASHBOARD, **more):
        self.tail, self.view = Tail(10_000, 1 << 30), View()
        self.it = Audience(LINES, taste, self.tail, self.view, "e", **more)
        self.say(Declared([Series(n, f"m{n}", {}) for n in (1, 2)]))

    def say(self, *facts, source="here"):
        for fact in facts:
            event = Event(self.tail.edge + 1, NOW, source, fact)
            evolve(self.view, event)
            self.tail.extend([event])

    def page(self, seq, known=0, **more):
        page = self.it.page(seq, known, **more)
        assert page is not None
        return page


def frames(page):
    return [msgspec.json.decode(line) for line in page.data.splitlines()]


def member() -> Any:
    return object()


def test_all_who_ask_from_one_place_get_the_same_bytes():
    """A page is made once while the edge stands: not equal bytes, the very same."""
    stage = Stage()
    stage.say(*(Metrics([1], [n]) for n in range(5)))
    first = stage.page(1)
    assert [frame["data"]["seq"] for frame in frames(first)] == [2, 3, 4, 5, 6]
    assert stage.page(1).data is first.data
    assert stage.page(3).data is not first.data
    stage.say(Metrics([1], [9]))
    assert frames(stage.page(1))[:-1] == frames(first)


def test_one_frame_is_everybodys_whatever_their_audience():
    """At the edge a page is one frame, and that is the tail's own bytes."""
    stage = Stage()
    stage.say(Metrics([1], [1]))
    other = Audience(LINES, Taste(frozenset(["metrics"])), stage.tail, stage.view, "e")
    page = other.page(1, 0)
    assert page is not None
    assert page.data is stage.page(1).data


def test_pages_kept_are_bounded():
    """Readers choose where they resume; they do not choose how much is kept."""
    stage = Stage()
    stage.say(*(Notification(str(n), "info", "x") for n in range(3 * PAGES)))
    for seq in range(2 * PAGES):
        assert stage.page(seq).seq == stage.tail.edge
    assert stage.it._pages is not None
    assert len(stage.it._pages) == PAGES


@pytest.mark.parametrize("most", [PAGE_BYTES, 300])
def test_a_page_ends_at_its_bounds(most):
    """At so many events, or after so many bytes; the next one goes on where it ended."""
    stage = Stage(most=most)
    stage.say(*(Metrics([1], [n]) for n in range(PAGE_EVENTS + 20)))
    seq, told = 0, []
    while seq < stage.tail.edge:
        page = stage.page(seq)
        assert page.seq - seq <= PAGE_EVENTS
        assert len(page.data) <= most + 200
        told += [frame["data"]["values"]["m1"] for frame in frames(page)]
        seq = page.seq
    assert told == list(range(PAGE_EVENTS + 20))


def test_what_the_tail_has_lost_is_no_page():
    """None, never a part (law prove-or-reset)."""
    tail = Tail(2, 1 << 30)
    stage = Audience(LINES, DASHBOARD, tail, View(), "e")
    tail.extend(Event(n, NOW, "", Notification(str(n), "info", "x")) for n in range(1, 6))
    assert stage.page(1, 0) is None
    assert stage.page(3, 0) is not None


def test_those_who_lag_get_the_latest_and_every_fact():
    """Ticks between facts are merged and say so; facts are all there, and order is kept."""
    stage = Stage()
    stage.say(Metrics([1], [1]), Metrics([1, 2], [2, 2]), Notification("n", "info", "x"))
    stage.say(Metrics([2], [4]), Metrics([1], [5]))
    told = [(frame["event"], frame["data"]) for frame in frames(stage.page(1, lagging=True))]
    assert [event for event, _ in told] == ["metrics", "notification", "metrics"]
    assert [data["seq"] for _, data in told] == [3, 4, 6]
    assert told[0][1]["values"] == {"m1": 2, "m2": 2}
    assert (told[0][1]["conflated"], told[2][1]["conflated"]) == (2, 2)
    assert told[2][1]["values"] == {"m2": 4, "m1": 5}


def test_names_go_before_the_first_compact_tick_that_needs_them():
    """By what each knows: those who know all the same share a page, others have their own."""
    stage = Stage(COMPACT)
    stage.say(Metrics([1, 2], [1, 2]))
    new, knowing = stage.page(1, 0), stage.page(1, 2)
    assert [frame["event"] for frame in frames(new)] == ["series", "metrics"]
    assert [frame["event"] for frame in frames(knowing)] == ["metrics"]
    assert new.known == knowing.known == 2


def test_a_match_is_judged_once_for_all():
    """Nothing is told, and nothing counts as wanted, where no series matches."""
    stage = Stage(Taste(frozenset(), False, True, ("m2",)))
    stage.say(Metrics([1], [1]), Metrics([1, 2], [1, 2]))
    (frame,) = frames(stage.page(1))
    assert frame["data"]["values"] == {"m2": 2}
    ticks = stage.tail.after(1, 2) or []
    assert [stage.it.wants(entry.event) for entry in ticks] == [False, True]


def test_who_is_ready_moves_with_the_edge():
    """Settled members have no place of their own until something concerns them; then all are owed it."""
    stage = Stage()
    one, two = member(), member()
    assert stage.it.settle(one, len, 0)
    assert stage.it.settle(two, len, 0)
    assert stage.it.place(one) is stage.it.ready
    stage.say(Notification("n", "info", "x", room="kitchen"))
    edge = stage.tail.edge
    stage.say(Metrics([1], [1]))
    assert stage.it.concern(edge, 1.0)
    (owed,) = stage.it.behind
    assert (owed.seq, owed.since, [*owed.members]) == (edge, 1.0, [one, two])
    assert stage.it.place(one) is owed
    assert not stage.it.concern(edge + 1, 2.0), "nobody is ready, so nobody is newly owed"
    page = stage.page(owed.seq)
    assert stage.it.target(page, owed) is stage.it.ready


def test_a_page_that_ends_before_the_edge_leads_to_a_place_between():
    """Those who got it stand together there, before all who are owed less."""
    stage = Stage()
    stage.it.settle(member(), len, 0)
    stage.it.concern(0, 1.0)
    stage.say(*(Metrics([1], [n]) for n in range(PAGE_EVENTS + 5)))
    (first,) = stage.it.behind
    page = stage.page(first.seq)
    between = stage.it.target(page, first)
    assert between is not None
    assert (between.seq, between.since) == (page.seq, 1.0)
    assert [*stage.it.behind] == [first, between]
    assert stage.it.target(page, first) is between


def test_who_knows_other_names_stands_apart_at_the_same_place():
    """In compact form those would never be told the names that the others have."""
    for taste, apart in ((COMPACT, True), (DASHBOARD, False)):
        stage = Stage(taste)
        stage.it.settle(member(), len, 1)
        stage.it.concern(0, 1.0)
        stage.say(*(Notification("n", "info", "x") for _ in range(PAGE_EVENTS + 5)))
        (first,) = stage.it.behind
        page = stage.page(first.seq, 1)
        there = Cohort(page.seq, 2, 1.0)
        stage.it.behind.append(there)
        target = stage.it.target(page, first)
        assert target is not None
        assert (target is not there) == apart
        assert target.seq == page.seq
        assert stage.it.target(page, first) is target, "one for all who know the same"


def test_who_knows_other_names_does_not_stand_with_the_rest():
    """In compact form one page cannot serve both; who is alone sets what is known."""
    stage = Stage(COMPACT)
    assert stage.it.settle(member(), len, 1)
    assert not stage.it.settle(member(), len, 2)
    assert stage.it.settle(member(), len, 1)
    assert Stage().it.settle(member(), len, 7), "names do not matter where none are told"
