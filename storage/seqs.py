"""Which seqs were met."""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from storage.scan import LAST


class Seqs:
    """Kept as runs: a sound log is one, whatever its length."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        if self._runs and self._runs[-1][1] + 1 == first:
            self._runs[-1] = (self._runs[-1][0], last)
        else:
            self._runs.append((first, last))

    def take(self, seqs: NDArray[np.int64]) -> None:
        """Ascending seqs of a segment: runs with the facts between them."""
        breaks = np.flatnonzero(np.diff(seqs) != 1)
        firsts = np.concatenate(([0], breaks + 1))
        lasts = np.concatenate((breaks, [len(seqs) - 1]))
        for first, last in zip(seqs[firsts].tolist(), seqs[lasts].tolist(), strict=True):
            self.add(first, last)

    def merge(self, other: "Seqs") -> None:
        """As if all that `other` met had been met here; ready to be asked what it `holds`."""
        self._runs = sorted([*self._runs, *other._runs])

    def holds(self, seq: int) -> bool:
        """Whether it was met, after `merge` and before anything is added."""
        place = bisect_right(self._runs, (seq, LAST)) - 1
        return place >= 0 and self._runs[place][1] >= seq

    @property
    def newest(self) -> int:
        return max((last for _, last in self._runs), default=0)

    def missing(self, floor: int, head: int) -> list[tuple[int, int]]:
        """Runs from `floor` to `head` that were not met."""
        found, reached = [], floor - 1
        for first, last in sorted(self._runs):
            if first > head:
                break
            if first > reached + 1:
                found.append((reached + 1, first - 1))
            reached = max(reached, last)
        if reached < head:
            found.append((reached + 1, head))
        return found

    def twice(self) -> list[tuple[int, int]]:
        """Runs that were met more than once."""
        found: list[tuple[int, int]] = []
        reached = 0
        for first, last in sorted(self._runs):
            if first <= reached:
                found.append((first, min(last, reached)))
            reached = max(reached, last)
        return found
