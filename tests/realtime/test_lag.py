"""The loop's lateness."""

import asyncio
import time

import pytest

from realtime.clock import Clock
from realtime.lag import BLOCKED_S, EVERY_S, Lag


@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_held_loop_is_measured():
    """What holds the loop shows, with its length, and counts as a breach of the law."""
    lag = Lag(Clock())
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(2.5 * EVERY_S)
    lag.take()
    blocked = lag.blocked
    time.sleep(0.3)
    await asyncio.sleep(2.5 * EVERY_S)
    worst = lag.take()
    assert 0.3 - EVERY_S - 0.01 <= worst < 1.0
    assert worst > BLOCKED_S
    assert lag.blocked >= blocked + 1
    assert lag.take() == 0.0
    task.cancel()


@pytest.mark.gen_test
async def test_the_worst_stays_until_it_is_taken():
    """`last_s` is the latest look; the worst since the last question is remembered."""

    class Hands(Clock):
        def __init__(self):
            self.at = 0.0

        def monotonic(self):
            self.at += EVERY_S
            return self.at + self.extra

        extra = 0.0

    clock = Hands()
    lag = Lag(clock)
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(EVERY_S / 2)
    clock.extra = 0.7
    await asyncio.sleep(EVERY_S)
    assert lag.last_s == pytest.approx(0.7)
    await asyncio.sleep(EVERY_S)
    assert lag.last_s < 0.1
    assert lag.blocked == 1
    assert lag.take() == pytest.approx(0.7)
    task.cancel()
