"""The clock is the system's: these tests only see that it is read in the units that are promised."""

import asyncio
import time

import pytest

from realtime.clock import Clock, Still
from tests.app import PATIENCE_S


def test_now_is_microseconds_of_wall_time():
    """`now` lies between two looks at the system's clock, in whole µs."""
    before = time.time_ns() // 1000
    now = Clock().now()
    assert isinstance(now, int)
    assert before <= now <= time.time_ns() // 1000


def test_monotonic_never_goes_back():
    """`monotonic` is in seconds and ascends."""
    clock = Clock()
    looks = [clock.monotonic() for _ in range(1000)]
    assert looks == sorted(looks)
    assert abs(looks[0] - time.monotonic()) < 60


def test_a_clock_can_stand_still():
    """It is always the same moment, and waiting takes as long as ever."""
    clock = Still(7)
    before = clock.monotonic()
    time.sleep(0.01)
    assert (clock.now(), clock.now()) == (7, 7)
    assert clock.monotonic() > before


@pytest.mark.gen_test
async def test_it_waits_for_what_happens_and_no_longer_than_it_is_told():
    """The event that is set ends it at once; else the time does, and neither is an error."""
    event = asyncio.Event()
    before = time.monotonic()
    await Clock().wait(event, 0.02)
    assert time.monotonic() - before > 0.015 and not event.is_set()
    asyncio.get_running_loop().call_later(0.01, event.set)
    await asyncio.wait_for(Clock().wait(event, 3600), PATIENCE_S)
    assert event.is_set()
