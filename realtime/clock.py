"""The one place where time comes from. Tests hand in a clock of their own."""

import asyncio
import contextlib
import time


class Clock:
    def now(self) -> int:
        """Wall clock, µs UTC: what facts are dated with. It may jump."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only go forward: what waiting is measured with."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until it is set, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class Still(Clock):
    """It is always the same moment, though waiting takes as long as ever: for a tape that has an end."""

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        return self._at
