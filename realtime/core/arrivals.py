"""Which events had come by a moment, told from the order of the log and the times in it.

The log does not say when it was written; it says what was written by what this server dated by its own clock: the
ticks of its own collectors, a second apart, and what it said of itself. An event between two such came between
their times. Two ticks that stand beside each other in the log with a moment between their times tell what was
known at that moment; samples that came late lie behind them, whatever time they bear (`storage.arrivals`).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

CLOSE_US = 10_000_000
"""Ticks nearer to a moment than this are its neighbours; what came late or ahead of time lies between them."""

FAR = 8
"""In a silence: so many times longer than the shortest one around is no silence but a clock that leapt."""

OURS = ("series", "notification", "system", "annotation", "layout")
"""Kinds of facts that are dated by this server's clock."""


class Arrival(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def type(self) -> str: ...


def crossing(arrivals: Iterable[Arrival], at: int) -> int | None:
    """The seq of an event that had come by `at` (µs), with the next of these behind it; None if none had.

    `arrivals` are those of this host around the moment, in order of seq. Where the log passes the moment more than
    once, because something came late or a clock was set, it is the first time that it does so in small steps.
    """
    ours = [one for one in arrivals if one.type == "metrics" or one.type in OURS]
    for one, after in pairwise(one for one in ours if one.at >= at - CLOSE_US):
        if one.at <= at < after.at <= at + CLOSE_US:
            return one.seq
    found = [
        (after.at - one.at, one.seq) for one, after in pairwise(ours) if one.at <= at < after.at
    ]
    if ours and ours[-1].at <= at:
        found.append((at - ours[-1].at, ours[-1].seq))
    least = min(found, default=(0, 0))[0]
    return next((seq for gap, seq in found if gap <= FAR * least), None)


def come(following: Sequence[Arrival], seq: int, at: int) -> tuple[int, bool]:
    """From an event that had come by `at` on: the last that had, and whether one is seen that had not."""
    for one in following:
        if one.at > at:
            return one.seq - 1, True
    return (following[-1].seq if following else seq), False
