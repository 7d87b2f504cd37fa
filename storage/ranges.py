"""What is read of a range: samples of some series, or their buckets, sealed or not, as one."""

import asyncio
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec, tiers
from storage.archive import Archive, Columns, Pieces, joined
from storage.arrivals import as_of
from storage.damages import Damages
from storage.engine import Engine, Plan, fetched, followed
from storage.errors import Damaged, TooMuch
from storage.quiet import Quiet, Stretch
from storage.rollups import BLOCK, Buckets, block_start, fold, merge, width
from storage.rows import EVENT, check_row

T = TypeVar("T")

PAGE = 2000
SERIES = (1 << 32) - 1
"""The part of a rollup's place that names its first series."""
RECALLED = 2_000
"""Columns that are put together from memory on the loop: some milliseconds (law loop-never-blocks)."""
AROUND_US = 3600 * 1_000_000
"""How far before and after a range it is looked whether all is sealed, at most."""
FINE = 10
"""The tier that is not stored while raw columns say the same."""


class Ranges:
    """Reads through one snapshot a question, so that a sealing in between is not seen by halves."""

    def __init__(self, engine: Engine, archive: Archive, damages: Damages) -> None:
        self._engine = engine
        self._archive = archive
        self._damages = damages
        self._quiet = Quiet()

    async def columns(
        self,
        source: str | None,
        ids: Iterable[int],
        start: int,
        end: int,
        most: int,
        until: int | None = None,
    ) -> Columns:
        """The samples of some series with `start ≤ at < end` (µs), decoded off the loop; with `until`, none that
        came behind that seq.

        Raises:
            TooMuch: more than `most` ticks still stand as rows in the range.
        """
        wanted = frozenset(ids)
        known = self._quiet.segments(source, start, end)
        if known is not None and until is not None and any(s.last_seq > until for s in known):
            known = None
        if known is not None and len(known) * len(wanted) <= RECALLED:
            recalled = self._archive.remembered(known, wanted, start, end)
            if recalled is not None:
                return _together(recalled, {})
        with self._quiet.learning() as learnt:
            settled = await self._engine.look(
                self._settled(source, wanted, start, end, learnt, until)
            )
        if settled is not None:
            return settled
        async with self._engine.snapshot() as connection:
            sealed = await followed(connection, self._sealed(wanted, start, end, until))
            hot = await self._hot(connection, source, wanted, start, end, most, until)
        return await _off_loop(lambda: _together(sealed, hot))

    def _settled(
        self,
        source: str | None,
        wanted: frozenset[int],
        start: int,
        end: int,
        learnt: list[Stretch],
        until: int | None,
    ) -> Plan[Columns | None]:
        """As `columns`, where no tick of the range stands as a row; None where one does. Looks around a
        little, for who asks next."""
        around = min(end - start, AROUND_US)
        low, high = start - around, end + around
        asked = "SELECT at FROM events WHERE at >= ? AND at < ? AND type = 'metrics'"
        asked += " AND source = ?" if source is not None else ""
        named = () if source is None else (source,)
        after = yield f"{asked} ORDER BY at LIMIT 1", (start, high, *named)
        if after and after[0][0] < end:
            return None
        before = yield f"{asked} ORDER BY at DESC LIMIT 1", (low, start, *named)
        low, high = before[0][0] + 1 if before else low, after[0][0] if after else high
        segments = yield from self._archive.within(low, high)
        stretch = Stretch(source, low, high, segments)
        inside = [s for s in segments if s.end_at >= start and s.start_at < end]
        sealed = yield from self._archive.columns(inside, wanted, start, end, until)
        learnt.append(stretch)
        return _together(sealed, {})

    def _sealed(
        self, wanted: frozenset[int], start: int, end: int, until: int | None
    ) -> Plan[Pieces]:
        segments = yield from self._archive.within(start, end)
        return (yield from self._archive.columns(segments, wanted, start, end, until))

    def came(self, first: int, last: int) -> None:
        """Ticks of these times (µs, both inside) were committed, or segments of them are gone."""
        self._quiet.came(first, last)

    async def buckets(
        self,
        ids: Collection[int],
        start: int,
        end: int,
        tier: int,
        most: int,
        until: int | None = None,
        whole: int = 0,
    ) -> dict[int, Buckets]:
        """The buckets of `tier` seconds that begin at `start ≤ at < end`, up to the last commit: what
        is not rolled up yet is folded as it is read.

        With `until`, nothing that came behind that seq is in them: where some did, the samples themselves are
        folded anew. Of what is older than `whole` (µs) these are gone, and it stays as it is.
        """
        step = width(tier)
        start, end = -(-start // step) * step, -(-end // step) * step
        wanted = frozenset(ids)
        holes: dict[int, str] = {}
        async with self._engine.snapshot() as connection:
            stored = await tiers.read(connection, wanted, start, end, tier, holes)
            fresh = await self._hot(connection, None, wanted, start, end, most, until)
            if tier == FINE:
                sealed = await followed(connection, self._sealed(wanted, start, end, until))
                fresh = await _off_loop(lambda: _together(sealed, fresh))
            elif until is not None:
                late = await followed(connection, as_of(self._archive, until, end))
                for begin, beyond in _stale(late.late, step, max(start, whole), end):
                    stored = {id_: _without(one, begin, beyond) for id_, one in stored.items()}
                    sealed = await followed(connection, self._sealed(wanted, begin, beyond, until))
                    fresh = await _off_loop(functools.partial(_together, sealed, fresh))
        for place, detail in holes.items():
            begin = block_start(tiers.block_at(place), tier)
            self._damages.note(f"rollup {place}", detail, begin, begin + BLOCK * step - 1)
        found = await _off_loop(
            lambda: {
                id_: merge(stored[id_], fold(*fresh[id_], tier))
                if len(fresh[id_][0])
                else stored[id_]
                for id_ in wanted
            }
        )
        # What is fresh of a bucket whose sealed part is lost would be a wrong answer, not a part of one.
        for place in holes:
            begin = block_start(tiers.block_at(place), tier)
            for id_ in wanted & {*range(place & SERIES, (place & SERIES) + tiers.GROUP)}:
                buckets = found[id_]
                hit = (buckets.at >= begin) & (buckets.at < begin + BLOCK * step)
                found[id_] = buckets.take(~hit)
        return found

    async def _hot(
        self,
        connection: AsyncConnection,
        source: str | None,
        wanted: frozenset[int],
        start: int,
        end: int,
        most: int,
        until: int | None = None,
    ) -> Columns:
        """From the ticks that still stand as rows."""
        gather = _Gather(wanted)
        at, seq, left = start, 0, most
        of_source = "AND source = ? " if source is not None else ""
        bounds: list[Any] = [source] if source is not None else []
        if until is not None:
            of_source += "AND seq <= ? "
            bounds.append(until)
        while True:
            page = await fetched(
                connection,
                f"SELECT {EVENT} FROM events WHERE (at, seq) > (?, ?) AND at >= ? AND at < ? "
                f"{of_source}AND type = 'metrics' ORDER BY at, seq LIMIT ?",
                (at, seq, at, end, *bounds, PAGE),
            )
            if not page:
                return await _off_loop(gather.columns) if left < most else gather.columns()
            for lost, detail in await _off_loop(functools.partial(gather.add, page)):
                self._damages.note(f"event {lost}", detail)
            seq, at = page[-1][0], page[-1][1]
            left -= len(page)
            if left < 0:
                raise TooMuch(f"there are more than {most:,} unsealed ticks in this range")


def _stale(
    late: Iterable[tuple[int, int]], step: int, start: int, end: int
) -> list[tuple[int, int]]:
    """The whole buckets within a range (µs) that late samples touch, in runs."""
    runs: list[tuple[int, int]] = []
    start = -(-start // step) * step
    for first, last in late:
        begin, beyond = max(start, first // step * step), min(end, (last // step + 1) * step)
        if begin >= beyond:
            continue
        if runs and begin <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(beyond, runs[-1][1])
        else:
            runs.append((begin, beyond))
    return runs


def _without(buckets: Buckets, begin: int, beyond: int) -> Buckets:
    return buckets.take((buckets.at < begin) | (buckets.at >= beyond))


def _together(sealed: Pieces, hot: Columns) -> Columns:
    return {
        id_: joined([*pieces, hot[id_]] if id_ in hot and len(hot[id_][0]) else pieces)
        for id_, pieces in sealed.items()
    }


async def _off_loop(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)


class _Gather:
    """Collects samples of the wanted series out of pages of ticks."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._ats: dict[int, list[int]] = {id_: [] for id_ in wanted}
        self._values: dict[int, list[int | float]] = {id_: [] for id_ in wanted}
        self._ids: list[int] = []
        self._places: list[tuple[int, int]] = []

    def add(self, page: Sequence[Any]) -> list[tuple[int, str]]:
        """What of the page cannot be read is left out, and told by its seq."""
        lost: list[tuple[int, str]] = []
        for row in page:
            try:
                check_row(row)
                ids, values = codec.samples(row[5])
            except (Damaged, *codec.UNREADABLE) as error:
                lost.append((row[0], str(error)))
                continue
            at = row[1]
            if (
                ids != self._ids
            ):  # a source's ticks mostly name the same series: look the places up once
                self._ids = ids
                self._places = [
                    (place, id_) for place, id_ in enumerate(ids) if id_ in self._wanted
                ]
            for place, id_ in self._places:
                self._ats[id_].append(at)
                self._values[id_].append(values[place])
        return lost

    def columns(self) -> Columns:
        return {
            id_: (
                np.array(self._ats[id_], dtype=np.int64),
                np.array(self._values[id_], dtype=np.float64),
            )
            for id_ in self._wanted
        }
