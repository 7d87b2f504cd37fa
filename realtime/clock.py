"""The one place where time comes from. Tests hand in a clock of their own."""

import time


class Clock:
    def now(self) -> int:
        """Wall clock, µs UTC: what facts are dated with. It may jump."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only go forward: what waiting is measured with."""
        return time.monotonic()


class Still(Clock):
    """It is always the same moment, though waiting takes as long as ever: for a tape that has an end."""

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        return self._at
