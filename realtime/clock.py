"""The one place where time comes from. Tests hand in a clock of their own."""

import time


class Clock:
    def now(self) -> int:
        """Wall clock, µs UTC: what facts are dated with. It may jump."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only go forward: what waiting is measured with."""
        return time.monotonic()
