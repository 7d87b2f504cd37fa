"""How far a long command is, on one line of a terminal."""

import time
from typing import TextIO

PACE_S = 0.1


class ProgressLine:
    """Called with what is being done, how much of it is done, and of how much (0: unknown). Says nothing
    where nobody looks: `terminal` is None then."""

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal
        self._said = 0.0
        self._length = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal is None or now - self._said < PACE_S:
            return
        self._said = now
        share = f" {done:,} of {total:,}" if total else f" {done:,}" if done else ""
        line = f"{what}{share}"
        self._terminal.write("\r" + line.ljust(self._length))
        self._terminal.flush()
        self._length = len(line)

    def end(self) -> None:
        """Leaves the line as if nothing had been there."""
        if self._terminal is not None and self._length:
            self._terminal.write("\r" + " " * self._length + "\r")
            self._terminal.flush()
            self._length = 0
