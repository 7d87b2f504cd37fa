"""The clock of a replay: which moment of the tape shows when, and when an event is due.

It has no clock of its own (law core-has-no-clock): `now` is an argument, in monotonic seconds; moments of the tape
are µs UTC. The browser's `timeline.js` is the other side.
"""

import math
from collections.abc import Sequence
from typing import Literal, Protocol

from realtime.core.arrivals import CLOSE_US, OURS

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


class Happened(Protocol):
    @property
    def at(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def type(self) -> str: ...


def moments(events: Sequence[Happened], host: str, before: int) -> list[int]:
    """When on the tape each event is to show (µs), in the order of the log; `before` is when the last one did.

    The ticks of `host` (of all, where it has none) set the pace, and what this server says itself. What others sent
    shows between the ticks it came between, whatever time it bears; so does a tick that came late or is dated
    ahead. Only where the ticks go on from an earlier time, a clock was set back, and so is the tape.
    """
    own = any(one.type == "metrics" and one.source == host for one in events)
    paced = [
        one.source == host or not own if one.type == "metrics" else one.type in OURS
        for one in events
    ]
    following: list[int | None] = [None] * len(events)
    after: int | None = None
    for place in range(len(events) - 1, -1, -1):
        following[place] = after
        if paced[place]:
            after = events[place].at
    told: list[int] = []
    for one, sets, after in zip(events, paced, following, strict=True):
        at = one.at
        # What is near to the tick before it goes on from there, though it be earlier than others.
        if sets and at < before and after is not None and at <= after < at + CLOSE_US:
            before = at if after < before else before
        elif at > before:
            behind = before if after is None else max(before, after)
            if not sets or (after is not None and before <= after < at):
                at = min(at, behind)
            before = at
        told.append(before)
    return told
