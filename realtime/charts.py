"""Charts of a range: those of a dashboard, and those a page puts together.

They are drawn as a history answers, from the recent window where it reaches and from the log beyond it, and a long
one is kept up to where memory goes on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from realtime.core.charts import Drawn, Plan, Sheet, Strip, draw, plan, sheets, strips, wanted
from realtime.core.columns import Column
from realtime.core.downsample import Times, Values
from realtime.core.steps import Buckets
from realtime.history import (
    MINUTE,
    RAW,
    SECOND,
    SETTLED_US,
    TIERS,
    History,
    check_range,
    slices,
    tier_name,
)


class Charts(History):
    """A history that draws."""

    async def charts(self, source: str, start: int, end: int, points: int) -> list[dict[str, Any]]:
        """The five charts of `source` for `start ≤ at ≤ end` (µs), about `points` rows each.

        Raises:
            BadInput: the range or the points are out of bounds.
        """
        check_range(start, end, points)
        drawn = plan(self._view, source)
        five = sheets(drawn)
        ids = wanted(five)
        if start >= self._view.windows.since(ids):
            recent = {id_: self._remembered(id_, start, end) for id_ in ids}
            return await self._off_loop(_draw_recent, drawn, recent, start, end, points)
        read = await self._whole(five, start, end + 1, points)
        return await self._off_loop(
            draw, drawn, read.strips, read.start, max(end, read.beyond - 1), tier_name(read.tier)
        )

    async def compose(
        self, sheets: Sequence[Sheet], start: int, end: int, points: int, place: Callable[[], str]
    ) -> tuple[str, Callable[[], list[Drawn]]]:
        """Charts a page puts together, of any sources, for `start ≤ at ≤ end` (µs); about `points` rows each.

        `place` is asked in the very tick of the loop in which the newest readings are taken from memory: a
        stream resumed there goes on exactly where the rows end (law no-gap-no-double). What comes beside its
        answer draws the charts, in any thread. What memory does not hold is read before, each chart for
        itself, and its settled part stays on the shelf for as long as the range takes to move on by a row.

        Raises:
            BadInput: the range or the points are out of bounds.
        """
        check_range(start, end, points, max((len(sheet.ids) for sheet in sheets), default=1))
        start, _ = self.aligned(start, end, points)
        while True:
            begun = await asyncio.gather(
                *(self._begun(sheet, start, end, points) for sheet in sheets)
            )
            # From here to the end nothing is awaited.
            since = [self._view.windows.since(one.strip.sheet.ids) for one in begun]
            if all(one.seam > end or one.seam >= at for one, at in zip(begun, since, strict=True)):
                break
            # It took so long to read that memory has let go of what follows: once more.
        asked = {(id_, one.seam) for one in begun for id_ in one.strip.sheet.ids}
        newest = {key: self._remembered(*key, end) for key in asked}
        return place(), lambda: [_composed(one, newest, end) for one in begun]

    async def _begun(self, sheet: Sheet, start: int, end: int, points: int) -> "_Begun":
        """A chart up to where memory goes on."""
        if start >= self._view.windows.since(sheet.ids):
            return _Begun(Strip(sheet, points), RAW, start, start)
        seam, settled = self._seam(sheet.ids, start, end, points)

        async def make() -> _Begun:
            return await self._before(sheet, start, seam, end + 1, points)

        if self._shelf is None:
            return await make()
        owners = {self._view.owner[id_] for id_ in sheet.ids}
        tags = self._grant(owners, seam) if settled else {f"metrics:{one}" for one in owners}
        found: _Begun = (await self._shelf.get(("chart", sheet, start, seam, points), tags, make))[
            0
        ]
        return found

    def _seam(self, ids: Sequence[int], start: int, end: int, points: int) -> tuple[int, bool]:
        """Up to where (µs) to read, and whether that is settled.

        It moves by a row at a time, or oftener, so that memory always reaches back to it.
        """
        beyond, edge = end + 1, self._edge(ids)
        if beyond <= edge:
            return beyond, True
        most = (self._view.windows.span - SETTLED_US) // 2
        stride = max(SECOND, min((end - start) // points, most))
        unit = MINUTE if stride >= MINUTE else SECOND
        stride = stride // unit * unit
        seam, since = edge // stride * stride, self._view.windows.since(ids)
        if seam >= since:
            return seam, True
        # Nothing is settled so late: the source has been silent, or its time is not that of the others.
        return min(beyond, -(-since // stride) * stride), False

    async def _before(
        self, sheet: Sheet, start: int, seam: int, beyond: int, points: int
    ) -> "_Begun":
        """The chart up to `seam`, from buckets and what follows the last whole one from finer ones; if it
        cannot be told so finely any more, up to `beyond`."""
        first, _ = self._read_span(sheet.ids, start, beyond)
        while seam < beyond:
            tier = self._drawn_from(sheet.ids, start, beyond - 1, points)
            ends = [start // (tier * SECOND or 1) * (tier * SECOND or 1)]
            tiers = [one for one in (tier, TIERS[1], RAW) if one <= tier]
            ends += [seam // (one * SECOND or 1) * (one * SECOND or 1) for one in tiers]
            if tier and self._reaching(RAW, max(first, ends[1]), 1, None) != RAW:
                break
            parts = [
                (one, *span)
                for one, span in zip(tiers, pairwise(ends), strict=True)
                if span[0] < span[1]
            ]
            made = await self._strips([sheet], parts, points)
            if self._reaching(tier, first, 1, None) == tier:
                return _Begun(made[0], tier, ends[0], seam)
        read = await self._whole([sheet], start, beyond, points)
        return _Begun(read.strips[0], read.tier, read.start, read.beyond)

    async def _whole(
        self, sheets: Sequence[Sheet], start: int, beyond: int, points: int
    ) -> "_Read":
        """All of `start ≤ at < beyond` (µs) from the log, in whole buckets of one tier."""
        ids = wanted(sheets)
        tier = self._drawn_from(ids, start, beyond - 1, points)
        while True:
            unit = tier * SECOND or 1
            span = start // unit * unit, -(-beyond // unit) * unit
            made = await self._strips(sheets, [(tier, *span)], points)
            # Retention may have taken of the tier while it was read.
            first, last = self._read_span(ids, start, beyond)
            still = self._reaching(tier, first, 1, None)
            if still == tier:
                return _Read(
                    made, tier, span[0], max(beyond, min(span[1], -(-last // unit) * unit))
                )
            tier = still

    async def _strips(
        self, sheets: Sequence[Sheet], parts: Sequence[tuple[int, int, int]], points: int
    ) -> list[Strip]:
        """Of each part (tier, start, beyond) one after the other, in whole buckets."""
        ids = wanted(sheets)
        spans = []
        for tier, start, beyond in parts:
            unit = tier * SECOND or 1
            first, last = self._read_span(ids, start, beyond)
            whole = first // unit * unit, -(-last // unit) * unit
            spans += [(tier, *span) for span in slices(*whole, len(ids), tier or 1, unit)]
        made = strips(sheets, points, 1 / max(1, len(spans)))
        async with self._turn:
            for tier, begin, until in spans:
                if tier and self._buckets is not None:
                    found = await self._buckets(ids, begin, until, tier)
                    await self._off_loop(_add_buckets, made, found)
                else:
                    await self._off_loop(_add, made, await self._readings(ids, begin, until))
        return made

    async def _readings(self, ids: Sequence[int], start: int, end: int) -> dict[int, Any]:
        """Of whatever sources: columns by series id."""
        owner = self._view.owner
        found: dict[int, Any] = {}
        for source, group in groupby(sorted(ids, key=lambda id_: owner[id_]), owner.__getitem__):
            found |= await self._read(source, list(group), start, end)
        return found

    def _drawn_from(self, ids: Sequence[int], start: int, end: int, points: int) -> int:
        tier = self._tier(ids, start, end, None, points)
        first, _ = self._read_span(ids, start, end + 1)
        # Buckets of the finest tier are folded from the readings while those are there: nothing is gained.
        whole = tier == TIERS[0] and self._reaching(RAW, first, 1, None) == RAW
        return RAW if whole else tier

    def chart_tags(self, source: str, end: int) -> set[str]:
        """What makes charts up to `end` stale, though they stand while ticks go by; ask before they are drawn."""
        settled = min(end, self._edge(self._view.of_source.get(source, ())))
        return {f"series:{source}"} | self._grant([source], settled)

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


class _Begun(NamedTuple):
    """A chart up to `seam` (µs), on the shelf: what follows is in memory."""

    strip: Strip
    tier: int
    start: int
    seam: int

    @property
    def size(self) -> int:
        return self.strip.size


class _Read(NamedTuple):
    """Charts of `start ≤ at < beyond` (µs) as they come from the log."""

    strips: list[Strip]
    tier: int
    start: int
    beyond: int


def _composed(begun: _Begun, newest: Mapping[tuple[int, int], Column], end: int) -> Drawn:
    strip = begun.strip.copy()
    strip.add({id_: newest[id_, begun.seam] for id_ in strip.sheet.ids})
    strip.end()
    name = tier_name(begun.tier)
    return Drawn(strip.sheet.kind, name, begun.start, max(end, begun.seam - 1), strip.rows())


def _draw_recent(
    drawn: Plan, columns: Mapping[int, Column], start: int, end: int, points: int
) -> list[dict[str, Any]]:
    made = strips(sheets(drawn), points)
    _add(made, columns)
    return draw(drawn, made, start, end)


def _add(strips_: Sequence[Strip], columns: Mapping[int, tuple[Times, Values]]) -> None:
    named = {id_: Column(*column) for id_, column in columns.items()}
    for strip in strips_:
        strip.add(named)


def _add_buckets(strips_: Sequence[Strip], found: Mapping[int, Buckets]) -> None:
    for strip in strips_:
        strip.add_buckets(found)
