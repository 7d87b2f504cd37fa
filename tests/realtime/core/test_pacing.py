"""The clock of a replay, held against a stopwatch."""

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.pacing import Pacing, check_speed, moments

S = 1_000_000
T = 1_795_403_506 * S
speeds = st.sampled_from([0.25, 0.5, 1.0, 2.0, 10.0, 60.0, 1000.0])


@given(speeds, st.floats(0, 1e6), st.integers(0, 10**12))
def test_a_moment_shows_when_it_is_due(speed: float, now: float, ahead: int) -> None:
    """Both say the same, to a microsecond of the tape and what a double loses of the time."""
    pacing = Pacing(T, speed)
    pacing.play(now)
    due = pacing.due(T + ahead)
    assert due == pytest.approx(now + ahead / S / speed, rel=1e-12)
    assert abs(pacing.at(due) - (T + ahead)) <= max(1, 2 * speed * S * math.ulp(due))
    assert pacing.at(now - 5) == T


@given(
    st.lists(
        st.tuples(st.sampled_from(["play", "pause", "speed", "move"]), speeds, st.floats(0, 100))
    )
)
def test_it_is_what_a_stopwatch_says(words: list[tuple[str, float, float]]) -> None:
    """Whatever is pressed, the tape has moved by the time that it played at each speed."""
    pacing, at, now, speed, playing = Pacing(T), float(T), 0.0, 1.0, False
    for word, number, passed in words:
        now += passed
        at += passed * speed * S if playing else 0
        if word == "play":
            pacing.play(now)
            playing = True
        elif word == "pause":
            pacing.pause(now)
            playing = False
        elif word == "speed":
            pacing.set_speed(number, now)
            speed = number
        else:
            at = T + number * S
            pacing.move(int(at), now)
        assert abs(pacing.at(now) - at) <= 1 + len(words)
        assert pacing.state == ("playing" if playing else "paused")
        assert playing or pacing.due(T + 10**15) == math.inf


def test_at_most_everything_is_due() -> None:
    """And the playhead stands where it was put: it is moved by what is told."""
    pacing = Pacing(T, "max")
    assert pacing.due(T) == math.inf
    pacing.play(5.0)
    assert pacing.due(T + 10**15) == -math.inf
    assert pacing.at(9.0) == T
    pacing.move(T + 7, 9.0)
    assert pacing.at(99.0) == T + 7


def test_it_stands_at_its_end() -> None:
    """Neither time nor speed carries it further; seeking does."""
    pacing = Pacing(T, 10.0, T + 5 * S)
    pacing.play(0.0)
    assert pacing.at(0.25) == T + int(2.5 * S)
    assert pacing.at(100.0) == T + 5 * S
    pacing.end(100.0)
    assert (pacing.state, pacing.at(200.0)) == ("ended", T + 5 * S)
    pacing.move(T + 9 * S, 200.0)
    assert pacing.at(200.0) == T + 9 * S


@pytest.mark.parametrize("speed", [0.25, 1, 1000, "10", "max"])
def test_a_speed_is_a_number_or_max(speed: object) -> None:
    """As a number or as text."""
    assert check_speed(speed) == ("max" if speed == "max" else float(str(speed)))


@pytest.mark.parametrize("speed", [0, 0.2, 1001, -1, "fast", "nan", None, True, [], math.inf])
def test_what_is_no_speed_is_refused(speed: object) -> None:
    """With what came and what would do."""
    with pytest.raises(ValueError, match=r"speed: .*0\.25 to 1000, or max would do"):
        check_speed(speed)


class One(NamedTuple):
    at: int
    source: str = "host"
    type: str = "metrics"


def shown(events: list[One], before: int = 0) -> list[int]:
    return moments(events, "host", before)


@given(st.lists(st.integers(0, 10**9)).map(sorted))
def test_ticks_show_at_their_time(ats: list[int]) -> None:
    """As they came."""
    assert shown([One(at) for at in ats]) == ats


@given(st.lists(st.integers(0, 100)).map(sorted), st.data())
def test_what_others_sent_shows_between_the_ticks_it_came_between(
    ats: list[int], data: st.DataObject
) -> None:
    """Whatever time it bears, late or ahead, and it moves no tick of the host."""
    events: list[One] = []
    for at in ats:
        events.append(One(at))
        for _ in range(data.draw(st.integers(0, 2))):
            other = data.draw(st.sampled_from(["metrics", "alert"]))
            events.append(One(data.draw(st.integers(-500, 500)), "other", other))
    told = shown(events)
    assert told == sorted(told)
    assert [at for at, one in zip(told, events, strict=True) if one.source == "host"] == ats


def test_one_tick_that_is_dated_wrong_moves_nothing() -> None:
    """One from before and one from after."""
    assert shown([One(1), One(2), One(-90 * S), One(3)]) == [1, 2, 2, 3]
    assert shown([One(1), One(2), One(90 * S), One(3)]) == [1, 2, 3, 3]


def test_where_the_clock_was_set_back_the_tape_goes_back() -> None:
    """By a minute; the hour that comes twice plays twice."""
    ats = [60 * S, 61 * S, 2 * S, 3 * S, 4 * S]
    assert shown([One(at) for at in ats])[:4] == ats[:4]


def test_without_ticks_of_the_host_those_of_others_set_the_pace() -> None:
    """A server that only receives."""
    assert shown([One(1, "a"), One(5, "b"), One(9, "a")]) == [1, 5, 9]
