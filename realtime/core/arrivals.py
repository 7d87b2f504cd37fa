"""Which events had come by a moment, and when each shows, told from the order of the log and the times in it.

The log does not say when it was written; it says what was written by what this server dated by its own clock: the
ticks of its own collectors, a second apart, and what it said of itself. Those are its readings of the clock, and an
event between two such came between their times. `moments` gives each event the moment at which it shows, whatever
time it bears: a replay goes by it, and what was known at T is what shows by T. It is one rule, so what stands where a
replay is paused is what `state?at=` says of that moment.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

CLOSE_US = 10_000_000
"""Ticks nearer to a moment than this are its neighbours; what came late or ahead of time lies between them."""

FAR = 8
"""In a silence: so many times longer than the shortest one around is no silence but a clock that leapt."""

OURS = ("series", "notification", "system", "annotation", "layout")
"""Kinds of facts that are dated by this server's clock."""

WITNESSES = 4
"""Ticks behind a reading of the clock that are looked at."""

SAY_SO = 2
"""Of these have to be earlier, before it is one that leapt; or to go on from it, before the clock was set back."""


class Happened(Protocol):
    @property
    def at(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def type(self) -> str: ...


class Arrival(Happened, Protocol):
    @property
    def seq(self) -> int: ...


def paces(one: Happened, host: str | None) -> bool:
    """Whether it is a tick of the host's own; without one every tick counts as such."""
    return one.type == "metrics" and (host is None or one.source == host)


class Tick(NamedTuple):
    at: int
    source: str
    type: str = "metrics"


class Behind(NamedTuple):
    """What follows some events: as far as WITNESSES ticks of the host, or to the end of the log; there it is the
    time (µs) by `now` that nothing has come after."""

    events: Sequence[Happened] = ()
    now: int | None = None


NOTHING = Behind()


def moments(
    events: Sequence[Happened], host: str, before: int, behind: Behind = NOTHING
) -> list[int]:
    """When on the tape each event shows (µs), in the order of the log; `before` is when the last one did.

    The ticks of `host` (of all, where it has none there) and what this server says itself are readings of its clock,
    and the tape is at the latest of them. One that ticks behind it are earlier than is taken for an error, and shows
    when the next reading does; where they go on from an earlier time the clock was set back, and so is the tape. What
    others sent shows at the time it bears, but between the readings it came between.
    """
    line = _Line(events, host, behind)
    told: list[int] = []
    for place in range(len(events)):
        before = line.shows(place, before)
        told.append(before)
    return told


class _Line:
    """Events and what follows them."""

    def __init__(self, events: Sequence[Happened], host: str, behind: Behind) -> None:
        line = [*events, *behind.events]
        own = next((host for one in line if paces(one, host)), None)
        if behind.now is not None:  # no tick that is to come is dated before
            line += [Tick(behind.now, host)] * SAY_SO
        self._ats = [one.at for one in line]
        self._reads = [one.type in OURS or paces(one, own) for one in line]
        self._readings = [place for place, reads in enumerate(self._reads) if reads]
        self._witnesses: list[list[int]] = []
        """The times of the ticks behind each."""
        ticks = [place for place, one in enumerate(line) if paces(one, own)]
        after = 0
        for place in range(len(line)):
            while after < len(ticks) and ticks[after] <= place:
                after += 1
            self._witnesses.append([self._ats[tick] for tick in ticks[after : after + WITNESSES]])

    def shows(self, place: int, before: int) -> int:
        at = self._ats[place]
        if not self._reads[place] or self._leapt(place, before):
            return min(at, self._bound(place, before)) if at > before else before
        return at if at > before or self._goes_on(place, before) else before

    def _leapt(self, place: int, before: int) -> bool:
        at = self._ats[place]
        return sum(before <= tick < at for tick in self._witnesses[place]) >= SAY_SO

    def _goes_on(self, place: int, before: int) -> bool:
        """From an earlier time: the clock was set back."""
        at, after = self._ats[place], self._witnesses[place][:SAY_SO]
        if len(after) < SAY_SO or after != sorted(after):
            return False
        return at <= after[0] < at + CLOSE_US and after[-1] < before

    def _bound(self, place: int, before: int) -> int:
        """What the clock said next."""
        for number in range(bisect_right(self._readings, place), len(self._readings)):
            later = self._readings[number]
            at = self._ats[later]
            if at >= before and not self._leapt(later, before):
                return at
        return before


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
