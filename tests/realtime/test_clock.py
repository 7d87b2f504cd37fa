"""The clock is the system's: these tests only see that it is read in the units that are promised."""

import time

from realtime.clock import Clock, Still


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
