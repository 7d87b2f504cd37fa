"""The clock of a replay: which moment of the tape shows when, and when an event is due; `arrivals.py` says which
moment that is.

It has no clock of its own (law core-has-no-clock): `now` is an argument, in monotonic seconds; moments of the tape
are µs UTC. The browser's `timeline.js` is the other side.
"""

import math
from typing import Literal

SECOND = 1_000_000
SLOWEST, FASTEST = 0.25, 1000.0

State = Literal["playing", "paused", "ended"]
Speed = float | Literal["max"]


def check_speed(speed: object) -> Speed:
    """
    Raises:
        ValueError: it is none.
    """
    if speed == "max":
        return "max"
    number = math.nan
    if isinstance(speed, int | float | str) and not isinstance(speed, bool):
        try:
            number = float(speed)
        except ValueError:
            number = math.nan
    if not SLOWEST <= number <= FASTEST:
        raise ValueError(
            f"speed: {speed!r:.40}; a number from {SLOWEST:g} to {FASTEST:g}, or max would do"
        )
    return number


class Pacing:
    """Anchored where something changed last, so that no rounding adds up however long it plays."""

    __slots__ = ("_at", "_since", "speed", "state", "to")

    def __init__(self, at: int, speed: Speed = 1.0, to: int | None = None) -> None:
        self.speed: Speed = speed
        self.state: State = "paused"
        self.to = to
        """Where it ends (µs)."""
        self._at = at
        self._since = 0.0

    def at(self, now: float) -> int:
        """The moment that shows."""
        at = self._at
        if self.state == "playing" and self.speed != "max":
            at += round(max(0.0, now - self._since) * self.speed * SECOND)
        return at if self.to is None else min(at, max(self.to, self._at))

    def due(self, at: int) -> float:
        """When a moment shows (monotonic seconds): never while it does not play."""
        if self.state != "playing":
            return math.inf
        if self.speed == "max":
            return -math.inf
        return self._since + (at - self._at) / (self.speed * SECOND)

    def play(self, now: float) -> None:
        self._anchor(self.at(now), now)
        self.state = "playing"

    def pause(self, now: float) -> None:
        self._anchor(self.at(now), now)
        self.state = "paused"

    def end(self, now: float) -> None:
        self._anchor(self.at(now), now)
        self.state = "ended"

    def set_speed(self, speed: Speed, now: float) -> None:
        self._anchor(self.at(now), now)
        self.speed = speed

    def move(self, at: int, now: float) -> None:
        """That moment shows now: a seek, a step, a gap that is skipped, or a wait for who reads slowly."""
        self._anchor(at, now)

    def _anchor(self, at: int, now: float) -> None:
        self._at, self._since = at, now
