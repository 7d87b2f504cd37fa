"""The recent samples of every series, as columns: charts are drawn from here without touching disk."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from storage.events import Number, canonical

SLACK = 1.25
"""A column may outgrow its bound by this factor before its front is cut: cutting moves memory."""


class Windows(Mapping[int, tuple[int, Number]]):
    """As a mapping: series id → its latest (at µs, value). `columns` gives the window itself.

    Bounds: `points` samples a series; nothing older than `span` µs before the newest sample of all,
    but for each series' last sample, which stays.
    """

    def __init__(self, points: int, span: int) -> None:
        self.points = points
        self.span = span
        self.newest = 0
        self._most = int(points * SLACK)
        self._ats: dict[int, array[int]] = {}
        self._values: dict[int, array[float]] = {}

    def add(self, id_: int, at: int, value: Number) -> None:
        ats = self._ats.get(id_)
        if ats is None:
            self._ats[id_] = array("q", (at,))
            self._values[id_] = array("d", (value,))
        elif at >= ats[-1]:
            ats.append(at)
            self._values[id_].append(value)
        else:  # late: found by its time like any other
            place = bisect_right(ats, at)
            ats.insert(place, at)
            self._values[id_].insert(place, value)
        if ats is not None and len(ats) > self._most:
            del ats[: -self.points]
            del self._values[id_][: -self.points]
        if at > self.newest:
            self.newest = at

    def extend(
        self, ids: Sequence[int], ats: Sequence[int], rows: Sequence[Sequence[Number]]
    ) -> None:
        """As `add` for each sample of a run of ticks that name the same series, times ascending."""
        times = array("q", ats)
        columns = np.array(rows, np.float64).T
        for id_, column in zip(ids, columns, strict=True):
            known = self._ats.get(id_)
            if known is not None and times[0] < known[-1]:
                for at, value in zip(ats, column.tolist(), strict=True):
                    self.add(id_, at, value)
                continue
            if known is None:
                known = self._ats[id_] = array("q")
                self._values[id_] = array("d")
            known.extend(times)
            self._values[id_].frombytes(column.tobytes())
            if len(known) > self._most:
                del known[: -self.points]
                del self._values[id_][: -self.points]
        self.newest = max(self.newest, times[-1])

    def fill(self, id_: int, ats: np.ndarray, values: np.ndarray) -> None:
        """All samples of a series that has none yet, in order of time."""
        self._ats[id_] = array("q", ats[-self.points :].tobytes())
        self._values[id_] = array("d", values[-self.points :].tobytes())
        self.newest = max(self.newest, int(ats[-1]))

    def add_tick(self, at: int, ids: Sequence[int], values: Sequence[Number]) -> list[int]:
        """All samples of one moment; gives the ids whose sample was not simply their next one: series
        that are new, samples that came late. The same as `add` for each, in a third of the time."""
        all_ats, all_values, most = self._ats, self._values, self._most
        unusual = []
        for id_, value in zip(ids, values, strict=True):
            ats = all_ats.get(id_)
            if ats is not None and len(ats) < most and at >= ats[-1]:
                ats.append(at)
                all_values[id_].append(value)
            else:
                if ats is None or at < ats[-1]:
                    unusual.append(id_)
                self.add(id_, at, value)
        if at > self.newest:
            self.newest = at
        return unusual

    def columns(self, id_: int, since: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Times (int64 µs) and values (float64) from `since` on; empty arrays for a series never seen."""
        ats = self._ats.get(id_)
        if ats is None:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        times = np.array(ats, dtype=np.int64)[-self.points :]
        first = int(np.searchsorted(times, max(since, self.newest - self.span)))
        return times[first:], np.array(self._values[id_], dtype=np.float64)[-self.points :][first:]

    def since(self, ids: Iterable[int]) -> int:
        """The moment (µs) from which on every reading of these series is here."""
        since = self.newest - self.span
        for id_ in ids:
            ats = self._ats.get(id_)
            # One quicker than the window was made for has lost its oldest readings to its bound.
            if ats is not None and len(ats) >= self.points:
                since = max(since, ats[-self.points])
        return since

    def lasts(self) -> tuple[list[int], list[int], list[float]]:
        """Ids, times and values of the newest sample of each series: a copy of this moment. Values are
        doubles, not yet in their canonical spelling. Three lists, and not a tuple for each: of tens of
        thousands the collector would walk them all (law loop-never-blocks)."""
        ats = [column[-1] for column in self._ats.values()]
        return list(self._ats), ats, [self._values[id_][-1] for id_ in self._ats]

    def last_at(self, ids: Iterable[int]) -> int | None:
        """Time (µs) of the newest sample of any of these."""
        ats = self._ats
        return max([ats[id_][-1] for id_ in ids if id_ in ats], default=None)

    def __getitem__(self, id_: int) -> tuple[int, Number]:
        return self._ats[id_][-1], canonical(self._values[id_][-1])

    def __iter__(self) -> Iterator[int]:
        return iter(self._ats)

    def __len__(self) -> int:
        return len(self._ats)
