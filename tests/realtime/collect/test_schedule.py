import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.collect.schedule import AFTER_S, MICROSECONDS, Schedule, next_beat

NOON = 1_795_435_200 * MICROSECONDS
S = MICROSECONDS


class Story:
    """A clock that passes only in sleep, plus what the world does meanwhile."""

    def __init__(self, start, *events):
        self.at = start
        self.events = list(events)
        self.waits = []

    def now(self):
        return self.at

    async def sleep(self, wait_s):
        self.waits.append(wait_s)
        self.at += round(wait_s * S)
        if self.events:
            self.at += self.events.pop(0)

    async def beats(self, count, interval_s=1.0, work=()):
        """The first beats; after the n-th `work[n]` µs pass before the next is asked for."""
        told = []
        work = list(work)
        schedule = Schedule(interval_s, self.now, self.sleep)
        for _ in range(count):
            told.append(await schedule.beat())
            self.at += work.pop(0) if work else 0
        return [at - NOON for at in told]


@pytest.mark.gen_test
async def test_beats_are_whole_multiples():
    """Whenever it is started, it beats on the second."""
    assert await Story(NOON + 300_000).beats(3) == [1 * S, 2 * S, 3 * S]


@pytest.mark.gen_test
async def test_it_does_not_drift():
    """Wakes that are late and work that takes time do not add up, not in a thousand beats."""
    story = Story(NOON, *[3_000] * 1000)
    beats = await story.beats(1000, work=[40_000] * 1000)
    assert beats == [n * S for n in range(1, 1001)]


@pytest.mark.gen_test
async def test_missed_beats_are_missed():
    """After a suspend of an hour comes one beat, not 3,600."""
    story = Story(NOON, 0, 3600 * S)
    assert await story.beats(4) == [1 * S, 3602 * S, 3603 * S, 3604 * S]
    assert max(story.waits) <= 1 + 2 * AFTER_S


@pytest.mark.gen_test
async def test_slow_work_costs_the_beats_it_took():
    """A beat whose work took 2.5 s is followed by the next whole second."""
    assert await Story(NOON).beats(3, work=[2_500_000]) == [1 * S, 4 * S, 5 * S]


@pytest.mark.gen_test
async def test_a_late_beat_bears_its_true_time():
    """A little late is on time; a loop that was held for half a second says so."""
    beats = await Story(NOON, 50_000, 500_000, 0).beats(3)
    assert beats == [1 * S, 2 * S + 500_000 + round(AFTER_S * S), 3 * S]


@pytest.mark.gen_test
async def test_a_clock_set_back_does_not_stall_it():
    """It follows the wall clock, and never waits for more than two intervals."""
    story = Story(NOON, 0, -3600 * S, 0)
    beats = await story.beats(4)
    assert beats[0] == 1 * S
    assert beats[2:] == [-3597 * S, -3596 * S]
    assert max(story.waits) <= 2 + AFTER_S


@pytest.mark.gen_test
async def test_an_early_wake_makes_no_second_beat():
    """A wait that ends before its time yields the beat it was for, once."""
    assert await Story(NOON, -1_000, 0, 0).beats(3) == [1 * S, 2 * S, 3 * S]


@given(st.integers(0, 2**53), st.integers(1, 10**9), st.booleans())
def test_the_wait_is_never_longer_than_two_intervals(now, interval, woken_early):
    """From any moment, at any interval."""
    last = now // interval + 1 if woken_early else None
    due = next_beat(now, last, interval) * interval
    assert 0 < due - now <= 2 * interval


@pytest.mark.gen_test
async def test_on_the_real_clock():
    """Ten beats a second really come at the tenths."""
    schedule = Schedule(0.1, lambda: time.time_ns() // 1000)
    async with asyncio.timeout(10):
        told = [await schedule.beat() for _ in range(5)]
    assert all(b > a for a, b in itertools.pairwise(told))
    # A beat more than a tenth late is dated when it came: on a busy machine that may happen, not always.
    assert sum(at % 100_000 == 0 for at in told) >= 1
