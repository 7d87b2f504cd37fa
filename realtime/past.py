"""The view as it was: what had come by a moment, folded from the nearest rung and the log, and no later.

Facts are few: they are folded, from a rung of those that were folded before. Of readings a view keeps when each
series was first read, its last value, and the recent window, so these are read as columns. What comes of it is
what `evolve` makes of every event up to that seq (law views-are-disposable); only of what retention has taken it
knows no more than rollups do.
"""

import asyncio
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

from realtime.charts import Charts
from realtime.core import arrivals, views
from realtime.core.arrivals import OURS, Arrival, Behind, moments, paces
from realtime.core.times import NEVER
from realtime.core.views import View, evolve
from realtime.history import TIERS
from realtime.reel import behind
from realtime.shelf import Shelf
from storage.events import canonical
from storage.log import Log

PAGE = 500
RUNG = 2_000
"""Facts between two rungs of the ladder: some 15 ms of folding."""
RUNGS_BYTES = 16 * 1024 * 1024
"""What all rungs may weigh; when they are heavier, every other one goes."""
WALK = 1_000
"""Arrivals looked at in one go."""
NEAR = 100
"""Arrivals that tell when one of them shows."""
HOUR_S = 3_600
BREATH = 200
"""Facts or series handled before others get the loop (law loop-never-blocks)."""

ROLLED = 360
"""Buckets of a tier looked back through for a value, before a coarser one is asked."""


class Standing(NamedTuple):
    """The view at its `seq`, for the moment `at` (µs). `history` asks about ranges as they were known then."""

    at: int
    view: View
    history: Charts
    size: int


class Place(NamedTuple):
    """`seq` is the last event that had come; it is `settled` if something is on tape that had not."""

    seq: int
    settled: bool


class Past:
    """`now` is the view as it stands: names never change, so it knows those of the past too. `new` makes an
    empty view, `pool` does arithmetic, `query_rows` bounds what one question reads, `time` tells it (µs)."""

    def __init__(
        self,
        log: Log,
        now: View,
        new: Callable[[], View],
        host: str,
        pool: Executor,
        shelf: Shelf[Any],
        query_rows: int,
        time: Callable[[], int],
    ) -> None:
        self._log = log
        self._now = now
        self._new = new
        self._host = host
        self._pool = pool
        self._shelf = shelf
        self._query_rows = query_rows
        self._time = time
        self._rungs: list[tuple[int, bytes]] = []
        self._every = RUNG
        self._begun: int | None = None

    async def begun(self) -> int:
        """When the tape begins (µs)."""
        if self._begun is None:
            first = await self._log.following(0, self._now.seq, 1)
            if not first:
                return NEVER
            self._begun = first[0].at
        return self._begun

    async def place(self, at: int) -> Place:
        """The last event that had come by `at` (µs): seq 0 if none had."""
        edge = self._now.seq
        if at < await self.begun():
            return Place(0, True)
        around = await self._log.near(at, self._host)
        if not any(one.type == "metrics" for one in around):
            around = await self._log.near(at, None)
        seq = arrivals.crossing((one for one in around if one.seq <= edge), at)
        while seq:
            told = await self._told(seq)
            shown = next(
                ((one.seq, moment) for one, moment in reversed(told) if moment <= at), None
            )
            if shown is not None:
                return await self._onward(*shown, at)
            # Something came before, and says that it was later by then.
            seq = told[0][0].seq - 1 if told else None
        return Place(0, True)

    async def moment(self, seq: int) -> int:
        """When on the tape an event shows (µs)."""
        told = await self._told(seq)
        return told[-1][1] if told else await self.begun()

    async def rest(self, seq: int) -> Place:
        """The last event that shows at the moment of this one."""
        at = await self.moment(seq)
        return await self._onward(seq, at, at)

    async def _told(self, seq: int) -> list[tuple[Arrival, int]]:
        """The last arrivals up to an event, and when they show."""
        events: list[Arrival] = []
        for most in (NEAR, WALK):
            events = await self._before(seq, most)
            if any(one.type in OURS or paces(one, self._host) for one in events):
                break
        if not events:
            return []
        told = moments(events, self._host, events[0].at, await self._behind(seq))
        return list(zip(events, told, strict=True))

    async def _onward(self, seq: int, before: int, at: int) -> Place:
        """From an event that shows at `before` on: the last that shows by `at`."""
        edge = self._now.seq
        while seq < edge:
            events = await self._log.following(seq, edge, NEAR)
            if not events:
                return Place(edge, False)
            told = moments(events, self._host, before, await self._behind(events[-1].seq))
            for one, before in zip(events, told, strict=True):
                if before > at:
                    return Place(one.seq - 1, True)
            seq = events[-1].seq
        return Place(edge, False)

    async def _behind(self, seq: int) -> Behind:
        return await behind(self._log, self._host, seq, self._now.seq, self._time())

    async def tick_before(self, seq: int) -> int | None:
        """The tick of this host (of any, where it has none) before the last one up to an event."""
        around = await self._before(seq, WALK)
        ticks = [one for one in around if one.type == "metrics"]
        ours = [one.seq for one in ticks if one.source == self._host] or [one.seq for one in ticks]
        return ours[-2] if len(ours) > 1 else None

    async def _before(self, seq: int, most: int) -> list[Arrival]:
        """The last arrivals up to an event, and that."""
        found: list[Arrival] = []
        after = max(0, seq - most)
        while after < seq and (page := await self._log.following(after, seq, most)):
            found += page
            after = page[-1].seq
        return found

    async def alert(self, seq: int, back: bool) -> int | None:
        """The alert event next to an event, on or back."""
        return await self._log.alert(seq, back, self._now.seq)

    async def standing(self, place: Place, at: int) -> Standing:
        """What stood at a place, from the shelf if it was asked for lately."""

        async def make() -> Standing:
            return await self._stand(place.seq, at)

        if not place.settled:
            return await make()
        kept, _ = await self._shelf.get(("past", place.seq, at), ("past",), make, lasting=True)
        standing: Standing = kept
        return standing

    async def _stand(self, seq: int, at: int) -> Standing:
        view = await self.view(seq, at)
        log, rows = self._log, self._query_rows
        history = Charts(
            partial(log.columns, most=rows, until=seq),
            view,
            self._pool,
            buckets=partial(log.buckets, most=rows, until=seq),
            held=log.since,
        )
        size = sum(view.windows.columns(id_)[0].nbytes for id_ in view.windows) * 2
        return Standing(at, view, history, size + 1_000 * len(view.series))

    async def view(self, seq: int, at: int | None = None) -> View:
        """The fold of all up to a seq. Where samples are gone the log has the facts alone in order: readings are then
        those of the moment `at` (µs), as the rollups know them."""
        view = await self._facts(seq)
        as_of = await self._log.as_of(seq)
        ids = list(view.series)
        windows = view.windows
        if as_of.newest:
            since = as_of.newest - windows.span
            columns = await self._log.columns(
                None, ids, since, as_of.newest + 1, self._query_rows, seq
            )
            for place, (id_, (ats, values)) in enumerate(columns.items()):
                if len(ats):
                    windows.fill(id_, ats, values)
                if place % BREATH == 0:
                    await asyncio.sleep(0)
            windows.newest = as_of.newest
            await self._silent(view, seq, as_of.newest)
            await self._firsts(view, seq, as_of.late, as_of.newest)
        elif at is not None and at < self._log.since(0):
            await self._rolled(view, at)
        self._sources(view, as_of.ats)
        view.at = max(view.at, windows.newest)
        view.seq = seq
        return view

    async def _facts(self, seq: int) -> View:
        view = self._new()
        below = bisect_right(self._rungs, (seq, b"\xff")) - 1
        if below >= 0:
            views.restore(view, self._rungs[below][0], views.load(self._rungs[below][1]))
        folded = 0
        while view.seq < seq:
            page = await self._log.facts_after(view.seq, seq, PAGE)
            for place, event in enumerate(page):
                evolve(view, event)
                folded += 1
                if place % BREATH == 0:
                    await asyncio.sleep(0)
            if len(page) < PAGE:
                break
            if folded >= self._every:
                folded = 0
                await self._keep(view)
        view.seq = seq
        return view

    async def _keep(self, view: View) -> None:
        place, made = view.seq, views.saving(view)
        body = await asyncio.get_running_loop().run_in_executor(self._pool, made)
        if all(seq != place for seq, _ in self._rungs):
            insort(self._rungs, (place, body))
        while sum(len(body) for _, body in self._rungs) > RUNGS_BYTES:
            del self._rungs[::2]
            self._every *= 2

    async def _silent(self, view: View, seq: int, newest: int) -> None:
        """The last readings of series that were silent for longer than the window reaches."""
        silent = [id_ for id_ in view.series if id_ not in view.windows]
        if not silent:
            return
        hours = await self._hours(silent, seq, newest)
        moments: dict[int, list[int]] = {}
        for id_, found in hours.items():
            if len(found.last_at):
                moments.setdefault(int(found.last_at[-1]), []).append(id_)
        for at, ids in moments.items():
            read = await self._log.columns(None, ids, at, at + 1, self._query_rows, seq)
            for id_ in ids:
                values = read[id_][1]
                value = float(values[-1]) if len(values) else float(hours[id_].last[-1])
                view.windows.add(id_, at, canonical(value))

    async def _rolled(self, view: View, at: int) -> None:
        """The last value of each series in a bucket that was over by `at`, from the finest tier that reaches back."""
        left = [id_ for id_ in view.series if self._now.first.get(id_, NEVER) <= at]
        view.first = {id_: self._now.first[id_] for id_ in left}
        for tier in TIERS:
            step = tier * 1_000_000
            start = 0 if tier == HOUR_S else at - ROLLED * step
            found = await self._log.buckets(left, start, at // step * step, tier, self._query_rows)
            for id_, buckets in found.items():
                if len(buckets.at):
                    view.windows.add(
                        id_, int(buckets.last_at[-1]), canonical(float(buckets.last[-1]))
                    )
            left = [id_ for id_ in left if id_ not in view.windows]

    async def _firsts(
        self, view: View, seq: int, late: Iterable[tuple[int, int]], newest: int
    ) -> None:
        """When each series was read first: as is known now, unless that came later."""
        spans = list(late)
        doubtful: list[int] = []
        for id_ in view.windows:
            first = self._now.first.get(id_)
            if first is None:
                continue
            if first > newest or any(start <= first <= end for start, end in spans):
                doubtful.append(id_)
            else:
                view.first[id_] = first
        if not doubtful:
            return
        hours = await self._hours(doubtful, seq, newest)
        begins: dict[int, list[int]] = {}
        for id_, found in hours.items():
            if len(found.at):
                begins.setdefault(int(found.at[0]), []).append(id_)
        for begin, ids in begins.items():
            end = begin + HOUR_S * 1_000_000
            read = await self._log.columns(None, ids, begin, end, self._query_rows, seq)
            for id_ in ids:
                ats = read[id_][0]
                view.first[id_] = int(ats[0]) if len(ats) else begin

    async def _hours(self, ids: list[int], seq: int, newest: int) -> Mapping[int, Any]:
        return await self._log.buckets(ids, 0, newest + 1, HOUR_S, self._query_rows, seq)

    def _sources(self, view: View, ats: Mapping[str, int]) -> None:
        """Who was heard when; they stand in the order in which they were heard first."""
        for source, ids in view.of_source.items():
            firsts = [view.first[id_] for id_ in ids if id_ in view.first]
            lasts = [view.latest[id_][0] for id_ in ids if id_ in view.latest]
            if firsts and lasts:
                last = max(lasts)
                views.hear(view, source, min(firsts), last, ats.get(source, last))
