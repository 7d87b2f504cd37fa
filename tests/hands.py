"""Wall time for tests, moved by hand."""

from realtime.clock import Clock


class Hands(Clock):
    """It is the moment `at` (µs UTC) until a test says another; waiting is real."""

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += int(seconds * 1_000_000)
