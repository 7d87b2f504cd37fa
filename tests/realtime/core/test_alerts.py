"""Stories of alerts: a series of values in, a series of states out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.alerts import FRESH, GAP_US, Watch, alert, resume, rules_by_series, step
from storage.events import Event, Series
from tests import rule

S = 1_000_000
START = 1_795_403_506 * S

RULE = rule.cpu(hold_s=10)
SERIES = Series(7, "cpu_ratio", {"cpu": "0"}, "ratio")


def told(samples, rule=RULE, watch=FRESH):
    """(second, percent) in, (second, state) of each change out."""
    changes = []
    for second, percent in samples:
        watch, change = step(rule, watch, SERIES.id, START + round(second * S), percent / 100)
        if change:
            changes.append((second, change))
    return changes


def every_second(*runs):
    """`(90, 5), (10, 3)`: five seconds at 90, then three at 10."""
    values = [value for value, count in runs for _ in range(count)]
    return list(enumerate(values))


@pytest.mark.parametrize(
    ("samples", "story"),
    [
        pytest.param(every_second((90, 10)), [], id="ten seconds are not over before the eleventh"),
        pytest.param(every_second((90, 11)), [(10, "firing")], id="it fires when the hold is over"),
        pytest.param(every_second((80, 60)), [], id="at the trigger is not above it"),
        pytest.param(every_second((90, 60)), [(10, "firing")], id="it fires once"),
        pytest.param(
            every_second((90, 9), (79, 1), (90, 10), (10, 60)), [], id="a dip begins the hold anew"
        ),
        pytest.param(
            every_second((90, 11), (76, 60)), [(10, "firing")], id="between the levels it stays"
        ),
        pytest.param(
            every_second((90, 11), (75, 60)), [(10, "firing")], id="at the clear level it stays"
        ),
        pytest.param(
            every_second((90, 11), (74, 11)),
            [(10, "firing"), (21, "resolved")],
            id="below the clear level for as long, it ends",
        ),
        pytest.param(
            every_second((90, 11), (74, 9), (76, 1), (74, 10)),
            [(10, "firing")],
            id="one value above the clear level begins the ending anew",
        ),
        pytest.param(
            [(n, 81 if n % 2 else 76) for n in range(120)],
            [],
            id="trembling below the hold is silent",
        ),
        pytest.param(
            every_second((90, 11)) + [(11 + n, 81 if n % 2 else 74) for n in range(120)],
            [(10, "firing")],
            id="trembling about both levels does not flap",
        ),
        pytest.param(
            every_second((90, 11), (10, 11), (90, 11)),
            [(10, "firing"), (21, "resolved"), (32, "firing")],
            id="it can come back",
        ),
        pytest.param([(0, 90), (299, 90)], [(299, "firing")], id="sparse samples add up"),
        pytest.param([(0, 90), (301, 90)], [], id="a gap does not: nobody knows what was in it"),
        pytest.param(
            [(0, 90), (301, 90), (311, 90)],
            [(311, "firing")],
            id="after a gap the hold begins anew",
        ),
        pytest.param(
            [(0, 90), (10, 90), (11, 10), (400, 10), (409, 10), (410, 10)],
            [(10, "firing"), (410, "resolved")],
            id="nor does a gap add up to an ending",
        ),
        pytest.param(
            [(0, 90), (5, 90), (3, 10), (10, 90)],
            [(10, "firing")],
            id="late samples change nothing",
        ),
        pytest.param(
            [(0, 90), (5, 90), (5, 10), (10, 90)], [(10, "firing")], id="nor do second ones"
        ),
    ],
)
def test_stories(samples, story):
    """Hold, hysteresis, gaps and late samples, each told in seconds and percent."""
    assert told(samples) == story


def test_without_a_hold_it_fires_and_ends_at_once():
    """A hold of nought is allowed: the first sample decides."""
    rule = msgspec.structs.replace(RULE, hold_s=0)
    assert told([(0, 81), (1, 90), (2, 74), (3, 60)], rule) == [(0, "firing"), (2, "resolved")]


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 100)), max_size=200))
def test_firing_and_resolved_take_turns(steps):
    """Whatever comes, an alert ends before it fires again, and neither happens inside the hold."""
    second, samples = 0, []
    for pause, percent in steps:
        second += pause
        samples.append((second, percent))
    changes = told(samples)
    assert [state for _, state in changes] == ["firing", "resolved"] * (len(changes) // 2) + [
        "firing"
    ] * (len(changes) % 2)
    values = dict(samples)
    for second, state in changes:
        held = [values[s] for s in values if second - 10 <= s <= second]
        assert all(v > 80 for v in held) if state == "firing" else all(v < 75 for v in held)


def run(samples, watch=FRESH):
    change, at = None, 0
    for second, percent in samples:
        at = START + second * S
        watch, change = step(RULE, watch, SERIES.id, at, percent / 100)
    return watch, change, at


def test_the_fact_is_told_in_the_words_of_people():
    """Percent and not ratios; since when, for how long, above what. Both changes bear the same id."""
    watch, change, at = run(every_second((93.1234567, 11)))
    fired = alert(RULE, watch, change, SERIES, at, 0.931234567)
    assert (fired.state, fired.severity, fired.series) == ("firing", "critical", 7)
    assert (fired.value, fired.threshold, fired.unit) == (93.123, 80, "percent")
    assert fired.since == START
    assert fired.message == "CPU 0 at 93.12 % for 10 s (alert above 80 %)"
    watch, change, at = run([(11 + n, 50) for n in range(200)][:11], watch)
    ended = alert(RULE, watch, change, SERIES, at, 0.5)
    assert (ended.state, ended.id, ended.since) == ("resolved", fired.id, START)
    assert ended.message == "CPU 0 back to 50 % after 21 s (clear below 75 %)"
    again, _, _ = run([(22 + n, 90) for n in range(11)], watch)
    assert again.alert != fired.id


@pytest.mark.parametrize(
    ("seconds", "words"), [(119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h")]
)
def test_durations_are_short(seconds, words):
    """Seconds, then minutes, then hours."""
    watch = Watch("firing", START, START + seconds * S, "id", START)
    fact = alert(RULE, watch, "firing", SERIES, START + seconds * S, 0.9)
    assert f"for {words} (" in fact.message


def test_a_restart_does_not_fire_anew_and_can_still_end():
    """What was open in the log is open after the restart: no second alert, and the end is heard."""
    watch, change, at = run(every_second((90, 11)))
    event = Event(5, at, "a", alert(RULE, watch, change, SERIES, at, 0.9))
    watches = resume([event])
    assert list(watches) == [("cpu", 7)]
    later = [(60 + n, 90) for n in range(30)] + [(90 + n, 10) for n in range(11)]
    assert told(later, watch=watches["cpu", 7]) == [(100, "resolved")]
    watch, change, at = run(later, watches["cpu", 7])
    assert alert(RULE, watch, change, SERIES, at, 0.1).id == event.data.id  # type: ignore[union-attr]


def test_rules_are_found_by_what_they_watch():
    """Several rules may watch one series."""
    other = msgspec.structs.replace(RULE, rule="cpu_hot", above=95)
    third = msgspec.structs.replace(RULE, rule="memory", series="memory_ratio")
    assert rules_by_series([RULE, third, other]) == {
        "cpu_ratio": (RULE, other),
        "memory_ratio": (third,),
    }
    assert GAP_US == 300 * S
