"""The tape from afar, without a log."""

import numpy as np
import pytest

from realtime.core.tape import Break, Firing, Gap, firings, gaps, lives, silences, worst
from realtime.core.tape import told as told_
from storage.events import Alert, Event, System, Unreadable


def alert(seq, id_, state, since, severity="critical"):
    fact = Alert(id_, "cpu", state, severity, 1, 90, 80, since, f"{state} {id_}")
    return Event(seq, since + 5, "web-1", fact)


def test_an_alert_is_a_span():
    """From when its value first crossed to its end; one without an end is open, one without a beginning on
    record has its own word for it."""
    events = [
        alert(1, "a", "firing", 100),
        alert(2, "b", "firing", 50),
        Event(3, 0, "", Unreadable(3, 3, "damaged")),
        alert(4, "a", "resolved", 100),
        alert(5, "c", "resolved", 10),
    ]
    found = firings(events, {1: "cpu_ratio"})
    assert [(one.id, one.start, one.end, one.message) for one in found] == [
        ("c", 10, 15, "resolved c"),
        ("b", 50, None, "firing b"),
        ("a", 100, 105, "firing a"),
    ]
    assert found[0].series == "cpu_ratio"


def test_a_firing_is_told_in_the_words_of_the_interface():
    """RFC 3339 times, null while it is open."""
    one = firing(1_795_403_506_000_000, None, "critical")
    assert told_(one)["from"] == "2026-11-23T03:11:46.000000Z"
    assert told_(one)["to"] is None
    assert told_(one._replace(end=one.start))["to"] == told_(one)["from"]


def life(seq, at, what):
    return Event(seq, at, "web-1", System(what))


def test_runs_of_the_recorder():
    """A start after a stop, a start out of nowhere; what else is said of its life is none of it."""
    events = [
        life(1, 10, "started"),
        life(2, 12, "source_seen"),
        life(3, 20, "stopped"),
        life(4, 30, "started"),
        life(5, 40, "started"),
        life(6, 50, "stopped"),
    ]
    told = lives(events)
    assert told.starts == [10, 30, 40]
    assert told.breaks == [Break(20, 4, 30), Break(None, 5, 40)]
    assert told.since == 10
    assert lives([]).since is None
    assert lives(events[2:4]).breaks == [Break(20, 4, 30)]


def test_silences_are_runs_of_steps_without_a_reading():
    """At the beginning, in between and at the end."""
    values = np.array([np.nan, 1, np.nan, np.nan, 0, np.nan])
    at = np.arange(6) * 10 + 100
    assert silences(at, values, 10) == [(100, 110), (120, 140), (150, 160)]
    assert silences(at[:0], values[:0], 10) == []


SPAN = (0, 1000)


@pytest.mark.parametrize(
    ("known", "quiet", "starts", "told"),
    [
        ([], [(100, 200)], [0], [Gap(100, 200, "silent")]),
        ([], [(100, 200)], [], [Gap(100, 200, "unknown")]),
        ([], [(100, 200)], [0, 150], [Gap(100, 200, "unknown")]),
        ([], [(100, 105)], [0], []),
        ([Gap(104, 196, "stopped")], [(100, 200)], [0, 196], [Gap(104, 196, "stopped")]),
        (
            [Gap(150, 160, "crashed")],
            [(100, 200)],
            [0, 160],
            [Gap(100, 140, "silent"), Gap(150, 160, "crashed"), Gap(170, 200, "silent")],
        ),
        ([Gap(-50, 20, "stopped"), Gap(990, 2000, "stopped")], [], [0], [
            Gap(0, 20, "stopped"),
            Gap(990, 1000, "stopped"),
        ]),
        ([Gap(-50, -20, "stopped")], [(-100, 30)], [-20], [Gap(0, 30, "silent")]),
    ],
)  # fmt: skip
def test_a_gap_has_a_cause(known, quiet, starts, told):
    """What is known to the moment explains the steps around it; what is left was silent if it ran, and
    otherwise nobody knows. Nothing reaches beyond the span."""
    assert gaps(known, quiet, 10, 6, starts, SPAN) == told


def firing(start, end, severity):
    return Firing(f"{start}", "cpu", severity, "s", "a", "m", start, end)


def test_the_most_severe_are_told_first_when_there_are_too_many():
    """Those open at some time in the span; critical before warning, then the latest; listed by time."""
    found = [
        firing(0, 5, "critical"),
        firing(1, None, "warning"),
        firing(10, 20, "warning"),
        firing(15, 16, "critical"),
        firing(100, None, "critical"),
    ]
    told, more = worst(found, 10, 100, 10)
    assert ([one.start for one in told], more) == ([1, 10, 15], 0)
    told, more = worst(found, 10, 100, 2)
    assert ([one.start for one in told], more) == ([10, 15], 1)
