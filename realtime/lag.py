"""How late the loop is: the measure of law loop-never-blocks."""

import asyncio

from realtime.clock import Clock

EVERY_S = 0.1
BLOCKED_S = 0.05
"""Longer than this, and something held the loop that should have gone to a thread."""


class Lag:
    """`worst_s` is the longest delay since it was last taken."""

    def __init__(self, clock: Clock) -> None:
        self.last_s = 0.0
        self.blocked = 0
        """How often the loop was held for longer than the law allows."""
        self._clock = clock
        self._worst_s = 0.0

    async def run(self) -> None:
        while True:
            before = self._clock.monotonic()
            await asyncio.sleep(EVERY_S)
            self.last_s = max(0.0, self._clock.monotonic() - before - EVERY_S)
            self._worst_s = max(self._worst_s, self.last_s)
            if self.last_s > BLOCKED_S:
                self.blocked += 1

    def take(self) -> float:
        worst, self._worst_s = self._worst_s, 0.0
        return worst
