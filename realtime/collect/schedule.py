"""When to look: on the whole multiples of the interval, once each, never in a burst.

Every wait is aimed anew at the next multiple on the wall clock, so nothing adds up: no drift. It is
measured on the loop's steady clock and is never longer than two intervals, so neither a suspend nor
a clock that was set can stall it. Beats that were missed are missed.
"""

import asyncio
from collections.abc import Awaitable, Callable

MICROSECONDS = 1_000_000

LATE = 0.1
"""A beat later than this share of the interval bears the time it was taken, not the one it was due."""

AFTER_S = 0.0005
"""Aimed just behind the multiple: a wait that ends early would have to be waited again."""


def next_beat(now: int, last: int | None, interval: int) -> int:
    """The number of the beat to wait for: the first multiple after `now` that is not `last`."""
    beat = now // interval + 1
    return beat + 1 if beat == last else beat


class Schedule:
    """`now` is µs UTC. The interval is taken to the microsecond."""

    def __init__(
        self,
        interval_s: float,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._interval = max(1, round(interval_s * MICROSECONDS))
        self._now = now
        self._sleep = sleep
        self._last: int | None = None

    async def beat(self) -> int:
        """Waits for the next beat; its `at`."""
        now = self._now()
        number = next_beat(now, self._last, self._interval)
        await self._sleep((number * self._interval - now) / MICROSECONDS + AFTER_S)
        woken = self._now()
        self._last = max(number, woken // self._interval)  # it may have slept through some
        due = self._last * self._interval
        return due if abs(woken - due) <= LATE * self._interval else woken
