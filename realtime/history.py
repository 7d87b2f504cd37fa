"""Questions about a range: from the recent window where it reaches, from the log beyond it.

A range is read in slices and thinned as it comes, so that a week costs no more memory than an hour.
The arithmetic runs in the pool (law loop-never-blocks); only the view is read on the loop.

What is older than `SETTLED_US` before the newest reading of its source is settled: answers about it
stand on the shelf without end, and who asks up to now has only the rest worked out. Should a late
reading come all the same, `outdated` names what it touches (law views-are-disposable).
"""

import asyncio
from collections import OrderedDict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import Executor
from functools import partial
from itertools import groupby, islice
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from realtime.core.columns import NOTHING, Column
from realtime.core.downsample import FINER, LEAST, Times, Values, cut, peaks
from realtime.core.frames import about
from realtime.core.media import Table
from realtime.core.selectors import Selector
from realtime.core.spelling import Piece, Spelled, joined, pieces, size, within
from realtime.core.steps import (
    COUNTED,
    Buckets,
    Fn,
    Grid,
    from_buckets,
    from_readings,
    lasts,
    outline,
    round_step,
)
from realtime.core.times import LATEST, rfc3339
from realtime.core.views import View
from realtime.errors import BadInput, FieldError, TooMuch
from realtime.shelf import Shelf
from storage.events import Event, Metrics

SECOND = 1_000_000
MINUTE = 60 * SECOND

MOST_SERIES = 200
"""Series in one answer: more is a mistyped selector, and would read the whole log for it."""

MOST_POINTS = 50_000
MOST_CELLS = 500_000
"""Points of one series, and series times points: 64 MB of columns at most while they are cut."""

MOST_READ = 5_000_000
"""Readings that `columns` gives at once."""

AT_ONCE = 2
"""Ranges read at a time: the others wait, and the writer keeps its share of the disk."""

SLICE_CELLS = 500_000
"""Readings in memory before they are thinned, at one reading a second."""

SHORTEST_SLICE_S = 600
LONGEST_SLICE_S = 86_400

MOST_SLICES = 2_000
"""One reading of 1970 must not make two million questions of a range up to now."""

RAW = 0
TIERS = (10, 60, 3_600)
"""Lengths of the buckets that are kept beside the readings, in seconds; `RAW` are the readings."""

CHEAP_CELLS = 100_000
"""Readings, at one a second, that are read themselves though buckets would do: peaks at their moment."""

SETTLED_US = 120 * SECOND
"""A source's readings come within this long of each other, but for the late ones."""

WORTH_CELLS = 5_000
"""Readings or buckets from which it pays to keep the settled part of a range by itself."""

LANDMARKS = 6
"""Rows that `cut` keeps beside two a bucket: the ends, first, last, lowest and highest."""

ROOMY = 32
"""Points of which the landmarks are few."""

LOOKED_AT = 5_000
"""Times a selector is held against a series before the loop gets its turn."""

MEMOS = 256

BLOCK_US = 300 * SECOND
"""Readings that are settled are kept as they are spelled in JSON, in blocks of the clock."""

SPELLED = 50_000
"""Numbers that are spelled on the loop: some 2 ms, which is what waking a thread may take."""

R = TypeVar("R")
V = TypeVar("V")

Read = Callable[[str, Sequence[int], int, int], Awaitable[Mapping[int, tuple[Times, Values]]]]
"""(source, ids, start, end) → sorted columns of the readings with `start ≤ at < end`, by series id."""


class ReadBuckets(Protocol):
    """Sorted buckets of `tier_s` seconds that begin at `start ≤ at < end` (µs), by series id.

    They are whole and up to the last commit: what is not rolled up yet is folded as it is read. A
    series without buckets may be absent.
    """

    async def __call__(
        self, ids: Sequence[int], start: int, end: int, tier_s: int
    ) -> Mapping[int, Buckets]: ...


class Question(NamedTuple):
    """A range question in full, and its own name on the shelf.

    `start ≤ at < beyond` (µs) in whole steps (`step` µs, `fn`) or in whole buckets of `tier` seconds,
    or any span of readings (`RAW`). Without `fn` it asks for at most `points` a series, peaks kept.
    """

    ids: tuple[int, ...]
    start: int
    beyond: int
    tier: int
    points: int
    step: int = 0
    fn: Fn | None = None

    @property
    def unit(self) -> int:
        """µs that one number of the answer stands for."""
        return self.step or self.tier * SECOND or max(SECOND, self.span // self.points)

    @property
    def span(self) -> int:
        return self.beyond - self.start

    @property
    def stride(self) -> int:
        """µs by which the ends of the settled part move: an eighth of the range, or up to half that."""
        return self.unit << max(0, (self.span // self.unit).bit_length() - 4)

    def told(self) -> dict[str, Any]:
        """What the answer says of itself. `to` is the last moment of readings, or where steps end."""
        whole = self.fn or self.tier
        told: dict[str, Any] = {
            "from": rfc3339(self.start),
            "to": rfc3339(min(self.beyond if whole else self.beyond - 1, LATEST)),
            "tier": tier_name(self.tier),
        }
        if self.fn:
            told |= {"step": self.step / SECOND, "fn": self.fn}
        return told


class History:
    """`read` asks the log for readings and `buckets` for those of a tier; `pool` crunches numbers.

    `held` says since when (µs) a tier is whole, `RAW` among them. Without `buckets` everything is read
    from the readings; without a `shelf` everything is worked out each time.
    """

    def __init__(
        self,
        read: Read,
        view: View,
        pool: Executor,
        *,
        buckets: ReadBuckets | None = None,
        held: Callable[[int], int] = lambda tier_s: 0,
        shelf: Shelf[Any] | None = None,
    ) -> None:
        self._read = read
        self._view = view
        self._pool = pool
        self._buckets = buckets
        self._held = held
        self._shelf = shelf
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._memos: OrderedDict[tuple[str, ...], tuple[int, list[int]]] = OrderedDict()
        self._granted: dict[str, int] = {}
        """Source → the end (µs) of what was given out as settled."""

    async def find(self, match: Sequence[str], field: str = "series") -> list[int]:
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
        found = await self._meant(selectors)
        self._few(found, field)
        return found

    async def _meant(self, selectors: Sequence[Selector]) -> list[int]:
        """A series keeps its name, so who asks again has only the new ones looked at."""
        view = self._view
        key = tuple(one.text for one in selectors)
        seen, found = self._memos.pop(key, (0, []))
        stride = max(1, LOOKED_AT // max(1, len(selectors)))
        while seen < len(view.series):
            fresh = list(islice(view.series.items(), seen, seen + stride))
            found = found + [
                id_
                for id_, series in fresh
                if any(s.matches(series.name, series.labels, view.owner[id_]) for s in selectors)
            ]
            seen += len(fresh)
            if seen < len(view.series):
                await asyncio.sleep(0)
        if len(found) <= MOST_SERIES:
            self._memos[key] = seen, found
            if len(self._memos) > MEMOS:
                self._memos.popitem(last=False)
        return list(found)

    async def columns(
        self, matchers: Sequence[Selector], start: int, end: int, step: int | None = None
    ) -> dict[int, Column]:
        """Readings of `start ≤ at < end` (µs) of the series any of `matchers` means, by series id.

        With a `step` (µs), the range grows to whole steps of the clock, and only the last reading of
        each is given, at its own time: all that an evaluation at such steps can see. This is where an
        expression language reads.

        Raises:
            BadInput: they mean more than `MOST_SERIES`, or the range is out of bounds.
            TooMuch: there are more than `MOST_READ` readings.
        """
        ids = await self._meant(matchers)
        self._few(ids, "match")
        check_range(start, end, LEAST)
        tier = self._tier(ids, start, end, step) if step else RAW
        while True:
            grid = Grid.over(start, end, _whole(step, tier)) if step else Grid(start, 0, end)
            parts: dict[int, list[Column]] = {id_: [] for id_ in ids}
            left = MOST_READ
            async with self._turn:
                async for found, _ in self._reads(ids, grid.start, grid.beyond, tier):
                    columns = await self._off_loop(_lasts, found, tier, grid.step)
                    for id_, column in columns.items():
                        left -= len(column.at)
                        parts[id_].append(column)
                    if left < 0:
                        detail = f"there are more than {MOST_READ:,} readings in this range"
                        raise TooMuch(detail)
            # Without a step it is the readings that are wanted, whole or not.
            first, _ = self._read_span(ids, grid.start, grid.beyond)
            still = self._reaching(tier, first, step, None) if step else RAW
            if still == tier:
                return await self._off_loop(_joined, parts, grid.step)
            tier = still

    def ask(
        self,
        ids: Sequence[int],
        start: int,
        end: int,
        points: int,
        step: int | None = None,
        fn: Fn | None = None,
    ) -> Question:
        """Which tier answers for `start ≤ at ≤ end` (µs), and in which steps.

        Without `step` and `fn`: at most `points` a series, peaks kept. Readings themselves where that
        is cheap; else the coarsest tier that has two points to give for each one asked. With either:
        whole steps of the clock, from the coarsest tier that divides them. Where retention has taken
        the finer tiers, the range or the step grows to what is still held.

        Raises:
            BadInput: the range, the points, the step or the number of series is out of bounds.
        """
        self._few(ids, "series")
        check_range(start, end, points, len(ids))
        if step is None and fn is None:
            tier = self._tier(ids, start, end, None, points)
            if tier == RAW:
                return Question(tuple(ids), start, end + 1, RAW, points)
            grid = Grid.over(start, end, tier * SECOND)
            return Question(tuple(ids), grid.start, grid.beyond, tier, points)
        if step is None:
            step = round_step((end - start) // points)
        tier = self._tier(ids, start, end, step, fn=fn)
        step = _whole(step, tier)
        grid = Grid.over(start, end, step)
        most = min(MOST_POINTS, MOST_CELLS // max(1, len(ids)))
        if grid.length > most:
            least = -(-(end - start) // max(1, most - 1))
            detail = (
                f"{grid.length:,} steps of {step / SECOND:g} s; for {len(ids)} series there may be "
                f"{most:,}: a step of {round_step(least) / SECOND:g} s or a shorter range would do"
            )
            raise BadInput("The range has too many steps.", [FieldError("step", detail)])
        return Question(tuple(ids), grid.start, grid.beyond, tier, points, step, fn or "last")

    def settled(self, question: Question) -> bool:
        """Whether nothing but a late reading can change the answer."""
        return self._shelf is not None and question.beyond <= self._edge(question.ids)

    def tags(self, question: Question) -> set[str]:
        """What makes the answer stale; ask before it is worked out."""
        owners = {self._view.owner[id_] for id_ in question.ids}
        tags = {f"series:{source}" for source in owners}
        if self.settled(question):
            return tags | self._grant(owners, question.beyond)
        return tags | {f"metrics:{source}" for source in owners}

    def outdated(self, events: Iterable[Event]) -> set[str]:
        """The shelf's tags that late readings make stale, though they were taken for settled."""
        tags = set()
        for event in events:
            if isinstance(event.data, Metrics) and event.at < self._granted.get(event.source, 0):
                del self._granted[event.source]
                tags.add(_late(event.source))
        return tags

    async def answer(self, question: Question, spelled: bool = False) -> Table:
        """A column a series, in the order asked for: readings, or every step of the range. `spelled`, if only
        JSON is wanted: what was spelled before comes as it was.

        A series of at most `points` readings comes whole. A step without a reading is NaN. Should
        retention take of the tier while it is read, it is asked anew of the next one: what comes is
        whole, so it stays true of its range whatever is taken later, and may stand on the shelf.
        """
        while True:
            table = await self._answer(question, spelled)
            if question.tier == self._still(question):
                return table
            step = question.step if question.fn else None
            last = question.beyond - 1
            question = self.ask(
                question.ids, question.start, last, question.points, step, question.fn
            )

    def _still(self, question: Question) -> int:
        """The finest tier from its own on that reaches back to where the answer begins."""
        first, _ = self._read_span(question.ids, question.start, question.beyond)
        return self._reaching(question.tier, first, question.step or 1, question.fn)

    async def _answer(self, question: Question, spelled: bool) -> Table:
        view, owner = self._view, self._view.owner
        described = [about(view.series[id_], view.texts[id_], owner[id_]) for id_ in question.ids]
        ready = await self._spelled(question) if spelled else None
        if ready is not None:
            return Table(question.told(), described, (), ready)
        work = self._stepped if question.fn else self._outlined
        return Table(question.told(), described, await work(question))

    async def _spelled(self, question: Question) -> list[Spelled] | None:
        """Readings that come whole, out of settled blocks and what was read since; None where they are to be
        thinned, or where no block is settled."""
        if question.fn or question.tier != RAW or question.span > question.points * SECOND:
            return None
        first, beyond = self._read_span(question.ids, question.start, question.beyond)
        begin = first // BLOCK_US
        end = min(self._edge(question.ids), -(-beyond // BLOCK_US) * BLOCK_US) // BLOCK_US
        if self._shelf is None or begin >= end:
            return None
        blocks = [one.of for one in await self._blocks(self._shelf, question.ids, begin, end)]
        blocks[0] = within(blocks[0], first, beyond)
        blocks[-1] = within(blocks[-1], first, beyond)
        if end * BLOCK_US < beyond:
            blocks.append(await self._pieces(question.ids, end * BLOCK_US, beyond))
        series = list(zip(*blocks, strict=True))
        if any(sum(len(piece.times) for piece in one) > question.points for one in series):
            return None
        return joined(series)

    async def _blocks(
        self, shelf: Shelf[Any], ids: tuple[int, ...], begin: int, end: int
    ) -> "list[_Block]":
        keys = {number: ("spelled", ids, number) for number in range(begin, end)}
        found: dict[int, Any] = {number: shelf.look(key) for number, key in keys.items()}
        missing = [number for number, block in found.items() if block is None]
        if missing:
            reading: asyncio.Task[dict[int, _Block]] | None = None

            async def make(number: int) -> _Block:
                # All are asked for before the first is read, so that whatever comes late outdates them all.
                nonlocal reading
                if reading is None:
                    reading = asyncio.create_task(
                        self._read_blocks(ids, missing[0], missing[-1] + 1)
                    )
                    reading.add_done_callback(_seen)
                return (await asyncio.shield(reading))[number]

            owners = {self._view.owner[id_] for id_ in ids}
            tags = self._grant(owners, (missing[-1] + 1) * BLOCK_US)
            made = await asyncio.gather(
                *(shelf.get(keys[one], tags, partial(make, one), lasting=True) for one in missing)
            )
            found |= {number: block for number, (block, _) in zip(missing, made, strict=True)}
        return [found[number] for number in keys]

    async def _read_blocks(self, ids: tuple[int, ...], begin: int, end: int) -> "dict[int, _Block]":
        columns = await self._unthinned(ids, begin * BLOCK_US, end * BLOCK_US)

        def split() -> dict[int, _Block]:
            return {
                number: _Block.of_columns(
                    _slice(column, number * BLOCK_US, (number + 1) * BLOCK_US) for column in columns
                )
                for number in range(begin, end)
            }

        return split() if _count(columns) <= SPELLED else await self._off_loop(split)

    async def _pieces(self, ids: tuple[int, ...], start: int, beyond: int) -> list[Piece]:
        columns = await self._unthinned(ids, start, beyond)
        if _count(columns) <= SPELLED:
            return pieces(columns)
        return await self._off_loop(pieces, columns)

    async def _unthinned(self, ids: tuple[int, ...], start: int, beyond: int) -> list[Column]:
        """All readings of `start ≤ at < beyond` (µs), a column a series."""
        parts: dict[int, list[Column]] = {id_: [] for id_ in ids}
        async with self._turn:
            async for found, _ in self._reads(ids, start, beyond, RAW):
                for id_, one in found.items():
                    parts[id_].append(Column(*one))
        whole = _joined({id_: some for id_, some in parts.items() if len(some) != 1}, 0)
        return [whole[id_] if id_ in whole else parts[id_][0] for id_ in ids]

    async def _stepped(self, question: Question) -> list[Column]:
        grid = Grid(question.start, question.step, question.beyond)
        ids, tier, fn = question.ids, question.tier, question.fn
        assert fn is not None
        span = self._closed(question)
        if span is None:
            values = await self._steps(ids, grid, tier, fn)
        else:
            first, beyond = span

            async def make() -> _Kept[Values]:
                return _kept(await self._steps(ids, Grid(first, grid.step, beyond), tier, fn))

            kept = await self._from_shelf((question.step, fn), question, span, make)
            rest = await self._steps(ids, Grid(beyond, grid.step, grid.beyond), tier, fn)
            skip = max(0, (grid.start - first) // grid.step)
            values = {id_: np.concatenate([kept.of[id_][skip:], rest[id_]]) for id_ in ids}
        axis = grid.axis()
        return [Column(axis, values[id_]) for id_ in ids]

    async def _steps(self, ids: Sequence[int], grid: Grid, tier: int, fn: Fn) -> dict[int, Values]:
        values = {id_: np.full(grid.length, np.nan) for id_ in ids}
        first, beyond = self._read_span(ids, grid.start, grid.beyond)
        if first >= beyond:
            return values
        before = grid.lookback if fn in COUNTED else 0
        # As many series at a time as have room in memory for one step each.
        most = max(1, SLICE_CELLS * max(tier, 1) * SECOND // grid.step)
        async with self._turn:
            for place in range(0, len(ids), most):
                some = ids[place : place + most]
                reads = self._reads(some, first, beyond, tier, grid.step, before)
                async for found, (begin, end) in reads:
                    part = Grid.over(begin, end, grid.step)
                    await self._off_loop(_fill, values, found, tier, grid, part, fn)
        return values

    async def _outlined(self, question: Question) -> list[Column]:
        start, beyond = question.start, question.beyond
        span = self._closed(question)
        if span is None:
            parts = [await self._drawn(question, start, beyond)]
        else:
            first, last = span

            async def make() -> _Kept[_Piece]:
                return _kept(await self._drawn(question, first, last))

            kept = await self._from_shelf((question.points, question.stride), question, span, make)
            parts = [await self._drawn(question, start, first)] if start < first else []
            parts += [kept.of, await self._drawn(question, last, beyond)]
        if all(sum(part[id_].came for part in parts) <= question.points for id_ in question.ids):
            return _outlines(question, parts)
        return await self._off_loop(_outlines, question, parts)

    async def _drawn(self, question: Question, start: int, beyond: int) -> dict[int, "_Piece"]:
        thinned = {id_: _Thinned(question.points) for id_ in question.ids}
        plain = True
        async with self._turn:
            tier = question.tier
            async for found, span in self._reads(question.ids, start, beyond, tier):
                share = (span[1] - span[0]) / question.span
                plain &= not tier and all(thinned[id_].whole(len(found[id_][0])) for id_ in found)
                if plain:  # nothing to cut: done sooner than a thread wakes up
                    _thin(thinned, found, tier, span, share)
                else:
                    await self._off_loop(_thin, thinned, found, tier, span, share)
        return _pieces(thinned) if plain else await self._off_loop(_pieces, thinned)

    async def _reads(
        self,
        ids: Sequence[int],
        start: int,
        beyond: int,
        tier: int,
        whole: int = 1,
        before: int = 0,
    ) -> AsyncIterator[tuple[Mapping[int, Any], tuple[int, int]]]:
        """Slice by slice (multiples of `whole` µs), with as much of what came `before` (µs) it."""
        start, beyond = self._read_span(ids, start, beyond)
        if tier:
            whole = max(whole, tier * SECOND)
        start = start // whole * whole
        beyond = -(-beyond // whole) * whole if whole > 1 else beyond
        if tier and self._buckets is not None:
            for first, end in slices(start, beyond, len(ids), tier, whole):
                yield await self._buckets(ids, first - before, end, tier), (first, end)
            return
        owner = self._view.owner
        for source, group in groupby(sorted(ids, key=lambda id_: owner[id_]), owner.__getitem__):
            members = list(group)
            first, end = self._read_span(members, start, beyond)
            for begin, until in slices(first // whole * whole, end, len(members), 1, whole):
                yield await self._read(source, members, begin - before, until), (begin, until)

    async def _from_shelf(
        self,
        kind: tuple[Any, ...],
        question: Question,
        span: tuple[int, int],
        make: Callable[[], Awaitable[R]],
    ) -> R:
        assert self._shelf is not None
        tags = self._grant({self._view.owner[id_] for id_ in question.ids}, span[1])
        key = ("settled", question.ids, question.tier, *kind, *span)
        kept, _ = await self._shelf.get(key, tags, make, lasting=True)
        found: R = kept
        return found

    def _closed(self, question: Question) -> tuple[int, int] | None:
        """The settled part of a range that is not settled as a whole, where keeping it pays.

        Its ends move in strides, so that who asks again a little later finds it.
        """
        first, beyond = self._read_span(question.ids, question.start, question.beyond)
        cells = self._cells(question.ids, first, beyond) // max(1, question.tier)
        if self._shelf is None or cells < WORTH_CELLS or self.settled(question):
            return None
        stride = question.stride
        # Steps and buckets before the range are cut off again; readings would count as points.
        early = 0 if question.fn or question.tier else stride - 1
        begin = (question.start + early) // stride * stride
        end = min(self._edge(question.ids), question.beyond) // stride * stride
        return (begin, end) if begin < end else None

    def _edge(self, ids: Sequence[int]) -> int:
        """What is older than this is settled. A source that is lost does not hold up the others."""
        states = self._view.sources
        sources = {self._view.owner[id_] for id_ in ids} & states.keys()
        live = [states[one].last_seen for one in sources if states[one].state == "live"]
        newest = min(live) if live else max((states[one].last_seen for one in sources), default=0)
        return newest - SETTLED_US

    def _grant(self, sources: Iterable[str], beyond: int) -> set[str]:
        for source in sources:
            self._granted[source] = max(beyond, self._granted.get(source, 0))
        return {_late(source) for source in sources}

    def _tier(
        self,
        ids: Sequence[int],
        start: int,
        end: int,
        step: int | None,
        points: int = 0,
        fn: Fn | None = None,
    ) -> int:
        """The tier, in seconds, for steps of `step` or for so many `points`."""
        if self._buckets is None:
            return RAW
        first, beyond = self._read_span(ids, start, end + 1)
        finest = RAW
        if self._cells(ids, first, beyond) > CHEAP_CELLS:
            for tier in TIERS:
                length = tier * SECOND
                if step % length == 0 if step else 2 * (beyond - first) >= points * length:
                    finest = tier
        return self._reaching(finest, first, step or 1, fn)

    def _reaching(self, finest: int, first: int, step: int, fn: Fn | None) -> int:
        """The first tier from `finest` on that is whole from the step on that holds `first` (µs), and as far
        before it as `fn` looks."""
        for tier in (RAW, *TIERS):
            unit = max(_whole(step, tier), tier * SECOND)
            before = Grid(first, unit, first).lookback if fn in COUNTED else 0
            if tier >= finest and self._held(tier) <= max(0, first // unit * unit - before):
                return tier
        return TIERS[-1]

    def _cells(self, ids: Sequence[int], first: int, beyond: int) -> int:
        """Readings of the range, at one a second."""
        return max(0, beyond - first) // SECOND * len(ids)

    def _remembered(self, id_: int, start: int, end: int) -> Column:
        at, value = self._view.windows.columns(id_, start)
        inside = slice(0, np.searchsorted(at, end, side="right"))
        return Column(at[inside], value[inside])

    def _read_span(self, ids: Sequence[int], start: int, beyond: int) -> tuple[int, int]:
        """The part of the range in which these series were read at all; empty where they were not."""
        firsts = self._view.first
        first = min([firsts[id_] for id_ in ids if id_ in firsts], default=beyond)
        last = self._view.windows.last_at(ids)
        if last is None:
            last = start - 1
        return max(start, first), min(beyond, last + 1)

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


def slices(
    start: int, end: int, series: int, pace_s: int = 1, whole: int = 1
) -> Iterator[tuple[int, int]]:
    """`start ≤ at < end` in parts of about `SLICE_CELLS` readings, one every `pace_s`.

    They begin at multiples of `whole` (µs) if `start` does.
    """
    length_s = min(max(SLICE_CELLS // max(1, series), SHORTEST_SLICE_S), LONGEST_SLICE_S)
    length = max(length_s * pace_s * SECOND, (end - start) // MOST_SLICES)
    length = max(length // whole, 1) * whole
    for first in range(start, end, length):
        yield first, min(first + length, end)


def tier_name(tier: int) -> str:
    return f"{tier}s" if tier else "raw"


def _whole(step: int, tier: int) -> int:
    """The step (µs), grown to whole buckets of the tier."""
    return -(-step // (tier * SECOND)) * tier * SECOND if tier else step


def _late(source: str) -> str:
    return f"late:{source}"


class _Piece(NamedTuple):
    """A part of one series: of so many readings (`came`) those that will show."""

    came: int
    at: Times
    value: Values

    def since(self, start: int) -> "_Piece":
        """What was kept for other questions may begin before this one's range (µs)."""
        first = int(np.searchsorted(self.at, start))
        if not first:
            return self
        return _Piece(self.came - first, self.at[first:], self.value[first:])


class _Kept(NamedTuple, Generic[V]):
    """What is settled, by series id, on the shelf."""

    of: dict[int, V]
    size: int


class _Block(NamedTuple):
    """A block of readings as JSON, a piece a series."""

    of: list[Piece]
    size: int

    @classmethod
    def of_columns(cls, columns: Iterable[Column]) -> "_Block":
        made = pieces(columns)
        return cls(made, size(made))


def _slice(column: Column, start: int, beyond: int) -> Column:
    first, last = np.searchsorted(column.at, (start, beyond))
    return Column(column.at[first:last], column.value[first:last])


def _count(columns: Iterable[Column]) -> int:
    return sum(len(column.at) for column in columns)


def _seen(task: "asyncio.Task[Any]") -> None:
    """Should nobody be left to be told."""
    if not task.cancelled():
        task.exception()


def _kept(of: dict[int, V]) -> _Kept[V]:
    arrays = (a for one in of.values() for a in (one if isinstance(one, tuple) else (one,)))
    return _Kept(of, sum(a.nbytes for a in arrays if isinstance(a, np.ndarray)))


class _Thinned:
    """One series on its way: whole while it is short, then what a fine cut of each slice keeps."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._count = 0
        self._ats: list[Times] = []
        self._values: list[Values] = []

    def whole(self, more: int) -> bool:
        """Whether all of it shows if so many come."""
        return self._count + more <= self._points

    def add(self, at: Times, value: Values, share: float) -> None:
        self._count += len(at)
        if self._count > self._points:
            kept = cut(at, [value], int(FINER * self._points * share))
            at, value = at[kept], value[kept]
        self._ats.append(at)
        self._values.append(value)

    def take(self, piece: _Piece) -> None:
        """What was thinned before."""
        self._count += piece.came
        self._ats.append(piece.at)
        self._values.append(piece.value)

    def piece(self) -> _Piece:
        if len(self._ats) == 1:
            return _Piece(self._count, self._ats[0], self._values[0])
        at = np.concatenate([NOTHING.at, *self._ats])
        return _Piece(self._count, at, np.concatenate([NOTHING.value, *self._values]))

    def column(self, even: bool) -> Column:
        """At most so many points. `even`: they come at about one pace, and one try will do."""
        _, at, value = self.piece()
        if len(at) <= self._points:
            return Column(at, value)
        if even and self._points >= ROOMY:
            kept = cut(at, [value], (self._points - LANDMARKS) // 2)
        else:
            kept = peaks(at, value, self._points)
        return Column(at[kept], value[kept])


def _thin(
    thinned: Mapping[int, _Thinned],
    found: Mapping[int, Any],
    tier: int,
    span: tuple[int, int],
    share: float,
) -> None:
    for id_, one in found.items():
        at, value = outline(one, *span) if tier else one
        thinned[id_].add(at, value, share)


def _pieces(thinned: Mapping[int, _Thinned]) -> dict[int, _Piece]:
    return {id_: one.piece() for id_, one in thinned.items()}


def _outlines(question: Question, parts: Sequence[Mapping[int, _Piece]]) -> list[Column]:
    columns = []
    for id_ in question.ids:
        thinned = _Thinned(question.points)
        for part in parts:
            thinned.take(part[id_].since(question.start))
        columns.append(thinned.column(even=question.tier != RAW))
    return columns


def _fill(
    values: Mapping[int, Values],
    found: Mapping[int, Any],
    tier: int,
    whole: Grid,
    part: Grid,
    fn: Fn,
) -> None:
    first = (part.start - whole.start) // whole.step
    for id_, one in found.items():
        answer = from_buckets(one, part, fn) if tier else from_readings(one[0], one[1], part, fn)
        values[id_][first : first + part.length] = answer


def _lasts(found: Mapping[int, Any], tier: int, step: int) -> dict[int, Column]:
    if tier:
        return {id_: lasts(one.last_at, one.last, step) for id_, one in found.items()}
    if step:
        return {id_: lasts(at, value, step) for id_, (at, value) in found.items()}
    return {id_: Column(at, value) for id_, (at, value) in found.items()}


def _joined(parts: Mapping[int, Sequence[Column]], step: int) -> dict[int, Column]:
    joined = {}
    for id_, columns in parts.items():
        at = np.concatenate([NOTHING.at, *(column.at for column in columns)])
        value = np.concatenate([NOTHING.value, *(column.value for column in columns)])
        # A slice may end within a step: its last reading is not the step's.
        joined[id_] = lasts(at, value, step) if step else Column(at, value)
    return joined
