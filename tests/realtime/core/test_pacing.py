"""The clock of a replay, held against a stopwatch."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.pacing import Pacing, check_speed

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
