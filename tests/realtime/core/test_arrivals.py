"""What had come by a moment, and when each thing shows, from the order of the log and the times in it."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.arrivals import Behind, crossing, moments

S = 1_000_000


class One(NamedTuple):
    seq: int
    at: int
    source: str = "host"
    type: str = "metrics"


Said = float | One


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


@given(st.lists(st.integers(1, 5_000), min_size=2, max_size=40), st.data())
def test_of_a_tape_without_oddities_it_is_plain(steps: list[int], data: st.DataObject) -> None:
    """The last tick that is not after the moment, however they are spaced."""
    seconds = [sum(steps[: place + 1]) for place in range(len(steps))]
    tape = ticks(*seconds)
    at = data.draw(st.integers(seconds[0], seconds[-1] - 1))
    wanted = max(one.seq for one in tape if one.at <= at * S)
    if steps[wanted] <= 8 * min(steps):
        assert crossing(tape, at * S) == wanted


def dated(*seconds: Said) -> list[One]:
    return [one if isinstance(one, One) else One(0, int(one * S)) for one in seconds]


def shown(*seconds: Said, behind: Sequence[Said] = ()) -> list[float]:
    """When they show (s): a number is a tick of the host."""
    events = dated(*seconds)
    told = moments(events, "host", events[0].at, Behind(dated(*behind)))
    return [at / S for at in told]


def word(second: float) -> One:
    return One(0, int(second * S), type="notification")


def other(second: float, kind: str = "metrics") -> One:
    return One(0, int(second * S), "other", kind)


@given(st.lists(st.integers(0, 10**9)).map(sorted))
def test_ticks_show_at_their_time(ats: list[int]) -> None:
    """As they came."""
    assert moments([One(0, at) for at in ats], "host", 0) == ats


@given(st.lists(st.integers(0, 100), unique=True).map(sorted), st.data())
def test_what_others_sent_shows_between_the_ticks_it_came_between(
    ats: list[int], data: st.DataObject
) -> None:
    """Whatever time it bears, late or ahead, and it moves no tick of the host."""
    events: list[One] = []
    for at in ats:
        events.append(One(0, at))
        for _ in range(data.draw(st.integers(0, 2))):
            kind = data.draw(st.sampled_from(["metrics", "alert"]))
            events.append(One(0, data.draw(st.integers(-500, 500)), "other", kind))
    told = moments(events, "host", 0, Behind([], 101))
    assert told == sorted(told)
    assert [at for at, one in zip(told, events, strict=True) if one.source == "host"] == ats


def test_what_is_said_between_two_ticks_shows_when_it_was_said() -> None:
    """Though a tick that was begun before stands behind it: by then nobody knew that tick. And one that is dated
    before the tick it stands behind shows with it."""
    assert shown(1, word(2.003), 2, 3, 4) == [1, 2.003, 2.003, 3, 4]
    assert shown(1, 2, word(1.998), 3, 4) == [1, 2, 2, 3, 4]
    assert shown(1, other(2.5), 3, other(4.2), 4, 5) == [1, 2.5, 3, 4, 4, 5]


def test_one_tick_that_is_dated_wrong_moves_nothing() -> None:
    """From before, from after, or every other one, as of who sends under the host's name by another clock."""
    assert shown(1, 2, -90, 3, 4) == [1, 2, 2, 3, 4]
    assert shown(1, 2, 1.5, 3, 4) == [1, 2, 2, 3, 4]
    assert shown(1, 2, 90, 3, 4) == [1, 2, 3, 3, 4]
    assert shown(1, 2, 7, 3, 8, 4, 9, 5, 6) == [1, 2, 3, 3, 4, 4, 5, 5, 6]
    assert shown(1, word(90), 2, 3, 4) == [1, 2, 2, 3, 4]


def test_what_comes_behind_a_page_says_when_its_last_events_show() -> None:
    """Wherever a page ends, they show at the same time."""
    line: list[Said] = [1, word(2.003), 2, other(99), 50, 3, 4, other(3.5), 5, 6, 7, 8]
    for cut in range(1, 9):
        assert shown(*line[:cut], behind=line[cut:]) == shown(*line)[:cut]


def test_at_the_end_of_the_log_nothing_shows_later_than_now() -> None:
    """A sample that is dated ahead has come by now."""
    told = moments(dated(10, other(11), other(99), 90), "host", 10 * S, Behind([], 12 * S))
    assert [at / S for at in told] == [10, 11, 12, 12]


def test_where_the_clock_was_set_back_the_tape_goes_back() -> None:
    """By a minute; the hour that comes twice plays twice. Two late ticks in a row set no clock back."""
    assert shown(60, 61, 2, 3, 4) == [60, 61, 2, 3, 4]
    assert shown(60, 61, 2, 3, 62, 63) == [60, 61, 61, 61, 62, 63]
    assert shown(61, word(2), 2.5, 3, 4) == [61, 2, 2.5, 3, 4]


def test_without_ticks_of_the_host_those_of_others_set_the_pace() -> None:
    """A server that only receives."""
    assert shown(other(1), other(5), other(9)) == [1, 5, 9]
