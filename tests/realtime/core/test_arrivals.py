"""What had come by a moment, from the order of the log and the times in it."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.arrivals import come, crossing

S = 1_000_000


class One(NamedTuple):
    seq: int
    at: int
    source: str = "host"
    type: str = "metrics"


def ticks(*seconds: float) -> list[One]:
    return [One(seq, int(second * S)) for seq, second in enumerate(seconds, 1)]


def test_it_is_the_last_tick_that_is_not_later() -> None:
    """The moment of a tick is after it."""
    assert crossing(ticks(1, 2, 3), 2 * S) == 2
    assert crossing(ticks(1, 2, 3), 2 * S - 1) == 1
    assert crossing(ticks(1, 2, 3), 9 * S) == 3
    assert crossing(ticks(1, 2, 3), 0) is None
    assert crossing([], 5) is None


def test_what_came_late_is_not_where_the_log_passes() -> None:
    """Neither between the two ticks, nor much later with the same time."""
    assert crossing(ticks(1, 2, -300, 3, 4), 2 * S) == 2
    assert crossing(ticks(1, 2, 3, 50, 2.2, 51), int(2.5 * S)) == 2


def test_of_two_passes_it_is_the_first() -> None:
    """A clock that was set back by a minute."""
    assert crossing(ticks(100, 101, 102, 41, 42, 43), int(42.5 * S)) == 5
    assert crossing(ticks(100, 101, 102, 99, 100, 101, 102), int(101.5 * S)) == 2


def test_a_silence_is_passed_where_it_was() -> None:
    """Also when samples for it came afterwards, or the clock has leapt before."""
    assert crossing(ticks(1, 2, 900, 901, 300, 902), 400 * S) == 2
    assert crossing(ticks(1, 9_000_000, 2, 3, 900, 901), 400 * S) == 4


def test_a_fact_that_bears_the_time_of_its_sample_tells_nothing() -> None:
    """An alert is dated by the sample, which may be late; a notification by this server."""
    told = [One(1, S), One(2, 2 * S, type="alert"), One(3, 9 * S)]
    assert crossing(told, 3 * S) == 1
    told[1] = told[1]._replace(type="notification")
    assert crossing(told, 3 * S) == 2


def test_what_had_come_ends_before_the_first_that_had_not() -> None:
    """Whatever stands behind it."""
    assert come(ticks(1, 2, 3, 1), 0, 2 * S) == (2, True)
    assert come(ticks(1, 2), 0, 2 * S) == (2, False)
    assert come([], 7, 2 * S) == (7, False)


@given(st.lists(st.integers(1, 5_000), min_size=2, max_size=40), st.data())
def test_of_a_tape_without_oddities_it_is_plain(steps: list[int], data: st.DataObject) -> None:
    """The last tick that is not after the moment, however they are spaced."""
    seconds = [sum(steps[: place + 1]) for place in range(len(steps))]
    tape = ticks(*seconds)
    at = data.draw(st.integers(seconds[0], seconds[-1] - 1))
    wanted = max(one.seq for one in tape if one.at <= at * S)
    if steps[wanted] <= 8 * min(steps):
        assert crossing(tape, at * S) == wanted
