"""Questions about a range: from the recent window where it reaches, from the log beyond it.

A range is read in slices and thinned as it comes, so that a week costs no more memory than an hour.
The arithmetic runs in the pool (law loop-never-blocks); only the view is read on the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from realtime.core.charts import Plan, Strip, plan, strips, wanted
from realtime.core.columns import NOTHING, Column, numbers, seconds
from realtime.core.downsample import FINER, LEAST, Times, Values, cut, peaks
from realtime.core.frames import about
from realtime.core.selectors import Selector
from realtime.core.times import LATEST, rfc3339
from realtime.core.views import View
from realtime.errors import BadInput, FieldError

SECOND = 1_000_000

MOST_SERIES = 200
"""Series in one answer: more is a mistyped selector, and would read the whole log for it."""

MOST_POINTS = 50_000
MOST_CELLS = 500_000
"""Points of one series, and series times points: 64 MB of columns at most while they are cut."""

AT_ONCE = 2
"""Ranges read at a time: the others wait, and the writer keeps its share of the disk."""

SLICE_CELLS = 500_000
"""Readings in memory before they are thinned, at one reading a second."""

SHORTEST_SLICE_S = 600
LONGEST_SLICE_S = 86_400

MOST_SLICES = 2_000
"""One reading of 1970 must not make two million questions of a range up to now."""

R = TypeVar("R")

Read = Callable[[str, Sequence[int], int, int], Awaitable[Mapping[int, tuple[Times, Values]]]]
"""(source, ids, start, end) → sorted columns of the readings with `start ≤ at < end`, by series id."""


class History:
    """`read` asks the log; `pool` is where numbers are crunched."""

    def __init__(self, read: Read, view: View, pool: Executor) -> None:
        self._read = read
        self._view = view
        self._pool = pool
        self._turn = asyncio.Semaphore(AT_ONCE)

    def find(self, match: Sequence[str], field: str = "series") -> list[int]:
        """Ids of the series any of the selectors means, in the order they were first seen.

        Raises:
            BadInput: none was given, one cannot be read, or they mean more than `MOST_SERIES`.
        """
        selectors = []
        problems = [] if match else [FieldError(field, "name at least one series")]
        for place, text in enumerate(match):
            try:
                selectors.append(Selector.parse(text))
            except ValueError as error:
                problems.append(FieldError(f"{field}[{place}]", str(error)))
        if problems:
            raise BadInput(f"{field} does not say which series are meant.", problems)
        view = self._view
        found = [
            id_
            for id_, series in view.series.items()
            if any(one.matches(series.name, series.labels, view.owner[id_]) for one in selectors)
        ]
        self._few(found, field)
        return found

    async def query(self, ids: Sequence[int], start: int, end: int, points: int) -> dict[str, Any]:
        """Readings of `start ≤ at ≤ end` (µs), both included: at most `points` a series, peaks kept.

        `{"from", "to", "tier", "series": [{…the series, "at": [epoch s], "value": [number]}]}`, in
        the order asked for. A series of at most `points` readings comes whole.

        Raises:
            BadInput: the range, the points or the number of series is out of bounds.
        """
        self._few(ids, "series")
        check_range(start, end, points, len(ids))
        view, owner = self._view, self._view.owner
        described = {id_: about(view.series[id_], view.texts[id_], owner[id_]) for id_ in ids}
        thinned = {id_: _Thinned(points) for id_ in ids}
        async with self._turn:
            for source, group in groupby(
                sorted(ids, key=lambda id_: owner[id_]), owner.__getitem__
            ):
                members = list(group)
                for first, beyond in self._slices(members, start, end):
                    columns = await self._read(source, members, first, beyond)
                    share = (beyond - first) / (end + 1 - start)
                    await self._off_loop(_thin, thinned, columns, share)
        series = await self._off_loop(_answer, described, thinned)
        return {"from": rfc3339(start), "to": rfc3339(end), "tier": "raw", "series": series}

    async def charts(self, source: str, start: int, end: int, points: int) -> list[dict[str, Any]]:
        """The five charts of `source` for `start ≤ at ≤ end` (µs), about `points` rows each.

        Raises:
            BadInput: the range or the points are out of bounds.
        """
        check_range(start, end, points)
        drawn = plan(self._view, source)
        ids = wanted(drawn)
        recent = self._recent(ids, start, end)
        if recent is not None:
            return await self._off_loop(_draw_recent, drawn, recent, start, end, points)
        spans = list(self._slices(ids, start, end))
        strips_ = strips(drawn, points, 1 / max(1, len(spans)))
        async with self._turn:
            for first, beyond in spans:
                columns = await self._read(source, ids, first, beyond)
                await self._off_loop(_add, strips_, columns)
        return await self._off_loop(_draw, strips_, start, end)

    def aligned(self, start: int, end: int, points: int) -> tuple[int, int]:
        """The range grown to whole steps, the step being what one point of it covers.

        Whoever asks again within the step asks for the same range and finds it on the shelf. Inside
        the recent window, where an answer is quick and each tick changes it, the range stays.
        """
        if self._in_window(start):
            return start, end
        step = max(SECOND, (end - start) // points)
        return start // step * step, -(-end // step) * step

    def _in_window(self, start: int) -> bool:
        windows = self._view.windows
        return start >= windows.newest - windows.span

    def _recent(self, ids: Sequence[int], start: int, end: int) -> dict[int, Column] | None:
        """From memory, or None when memory does not reach back to `start` for all of them."""
        if not self._in_window(start):
            return None
        columns = {}
        for id_ in ids:
            at, value = self._view.windows.columns(id_)
            # A series quicker than the window was made for has lost its oldest readings to its bound.
            if len(at) >= self._view.windows.points and at[0] > start:
                return None
            inside = slice(np.searchsorted(at, start), np.searchsorted(at, end, side="right"))
            columns[id_] = Column(at[inside], value[inside])
        return columns

    def _slices(self, ids: Sequence[int], start: int, end: int) -> Iterator[tuple[int, int]]:
        """Of the part of the range in which these series were read at all."""
        view = self._view
        first = min((view.first[id_] for id_ in ids if id_ in view.first), default=end + 1)
        last = max((view.latest[id_][0] for id_ in ids if id_ in view.latest), default=start - 1)
        return slices(max(start, first), min(end, last) + 1, len(ids))

    def _few(self, ids: Sequence[int], field: str) -> None:
        if len(ids) > MOST_SERIES:
            detail = f"{len(ids)} series are meant; {MOST_SERIES} is the most one answer holds"
            raise BadInput("Too many series for one answer.", [FieldError(field, detail)])

    async def _off_loop(self, work: Callable[..., R], *args: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)


def check_range(start: int, end: int, points: int, series: int = 1) -> None:
    """
    Raises:
        BadInput: naming `from`, `to` or `points`, and what would do.
    """
    problems = [
        FieldError(field, f"{at} µs is outside 1970 to 2200")
        for field, at in (("from", start), ("to", end))
        if not 0 <= at <= LATEST
    ]
    if not problems and start >= end:
        text = f"{rfc3339(start)} is not before `to`, {rfc3339(end)}"
        problems.append(FieldError("from", text))
    most = min(MOST_POINTS, MOST_CELLS // max(1, series))
    if not LEAST <= points <= most:
        text = f"{points} points; for {series} series it may be {LEAST} to {most}"
        problems.append(FieldError("points", text))
    if problems:
        raise BadInput("The range cannot be answered as asked.", problems)


def slices(start: int, end: int, series: int) -> Iterator[tuple[int, int]]:
    """`start ≤ at < end` in parts that bring about `SLICE_CELLS` readings at one a second."""
    length_s = min(max(SLICE_CELLS // max(1, series), SHORTEST_SLICE_S), LONGEST_SLICE_S)
    length = max(length_s * SECOND, (end - start) // MOST_SLICES)
    for first in range(start, end, length):
        yield first, min(first + length, end)


class _Thinned:
    """One series on its way: whole while it is short, then what a fine cut of each slice keeps."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._count = 0
        self._ats: list[Times] = []
        self._values: list[Values] = []

    def add(self, at: Times, value: Values, share: float) -> None:
        self._count += len(at)
        if self._count > self._points:
            kept = cut(at, [value], int(FINER * self._points * share))
            at, value = at[kept], value[kept]
        self._ats.append(at)
        self._values.append(value)

    def column(self) -> Column:
        at = np.concatenate([NOTHING.at, *self._ats])
        value = np.concatenate([NOTHING.value, *self._values])
        kept = peaks(at, value, self._points)
        return Column(at[kept], value[kept])


def _thin(
    thinned: Mapping[int, _Thinned], columns: Mapping[int, tuple[Times, Values]], share: float
) -> None:
    for id_, (at, value) in columns.items():
        thinned[id_].add(at, value, share)


def _answer(
    described: Mapping[int, dict[str, Any]], thinned: Mapping[int, _Thinned]
) -> list[dict[str, Any]]:
    answer = []
    for id_, series in described.items():
        at, value = thinned[id_].column()
        answer.append({**series, "at": seconds(at), "value": numbers(value)})
    return answer


def _draw_recent(
    drawn: Plan, columns: Mapping[int, Column], start: int, end: int, points: int
) -> list[dict[str, Any]]:
    strips_ = strips(drawn, points)
    _add(strips_, columns)
    return _draw(strips_, start, end)


def _add(strips_: Sequence[Strip], columns: Mapping[int, tuple[Times, Values]]) -> None:
    named = {id_: Column(*column) for id_, column in columns.items()}
    for strip in strips_:
        strip.add(named)


def _draw(strips_: Sequence[Strip], start: int, end: int) -> list[dict[str, Any]]:
    return [strip.draw(start, end) for strip in strips_]
