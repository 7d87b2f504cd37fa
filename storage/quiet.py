"""Stretches of time known to be sealed throughout, so that a question about one needs no look at the disk.

No tick of the source stands as a row there, and these are the segments. That stays true until a late tick
is committed, or segments are given up: sealing takes nothing from a stretch and adds nothing to it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from storage.archive import Segment

KEPT = 16
"""Stretches remembered; the one learnt longest ago goes first."""
SEGMENTS = 2_000
"""Segments of all of them together, each looked at for a question: two weeks of a host, and less than a
millisecond. A stretch of more is not remembered."""


class Stretch(NamedTuple):
    """`start ≤ at < end` (µs), of one source, or of all (None)."""

    source: str | None
    start: int
    end: int
    segments: Sequence[Segment]


class Quiet:
    """Lives on the loop. What is learnt in a thread is taken over only if nothing came meanwhile."""

    def __init__(self) -> None:
        self._known: deque[Stretch] = deque(maxlen=KEPT)
        self._came: list[list[tuple[int, int]]] = []
        """A list for each who is learning: what came since."""

    def segments(self, source: str | None, start: int, end: int) -> list[Segment] | None:
        """Those that may hold something of `start ≤ at < end`; None where that is not known."""
        for one in self._known:
            if one.source == source and one.start <= start and end <= one.end:
                return [s for s in one.segments if s.end_at >= start and s.start_at < end]
        return None

    @contextmanager
    def learning(self) -> Iterator[list[Stretch]]:
        """What is put into the list is known afterwards."""
        came: list[tuple[int, int]] = []
        learnt: list[Stretch] = []
        self._came.append(came)
        try:
            yield learnt
        finally:
            self._came = [one for one in self._came if one is not came]
        for one in learnt:
            if not any(_meets(one, *span) for span in came):
                self._remember(one)

    def _remember(self, new: Stretch) -> None:
        if len(new.segments) > SEGMENTS:
            return
        # Who asks about other series of the same stretch learns it again.
        left = [one for one in self._known if not _covers(new, one)]
        while len(left) >= KEPT or sum(len(s.segments) for s in [new, *left]) > SEGMENTS:
            left.pop()
        self._known = deque([new, *left], KEPT)

    def came(self, first: int, last: int) -> None:
        """Ticks of these times (µs, both inside) were committed, or segments of them are gone."""
        for one in self._came:
            one.append((first, last))
        if any(_meets(one, first, last) for one in self._known):
            left = [one for one in self._known if not _meets(one, first, last)]
            self._known = deque(left, KEPT)


def _covers(new: Stretch, old: Stretch) -> bool:
    return new.source == old.source and new.start <= old.start and old.end <= new.end


def _meets(stretch: Stretch, first: int, last: int) -> bool:
    return first < stretch.end and last >= stretch.start
