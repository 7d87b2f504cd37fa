"""The overview of the whole tape: how busy it was, what was wrong, what was marked, where it is torn.

From a minute to years it costs about the same: figures come from the tier that fits, and the facts of alerts
and of the recorder's own life are folded once and stand on the shelf until another such fact comes.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from cachetools import LRUCache

from realtime.core.annotations import Search, found, since
from realtime.core.columns import SECOND, Column, numbers, seconds
from realtime.core.frames import Data
from realtime.core.tape import Firing, Gap, Lives, firings, gaps, lives, silences, told, worst
from realtime.core.times import rfc3339
from realtime.core.views import View
from realtime.history import RAW, TIERS, History, tier_name
from realtime.shelf import Shelf
from storage.events import Event
from storage.log import Log

BUSY = "system_cpu_utilization_ratio"
ALERTS, ANNOTATIONS, GAPS, STARTS = 200, 200, 500, 200
"""Of each so many in one answer."""
FACTS = 10_000
PAGE = 500
"""Facts of a kind that are looked back upon, and read at once."""
LOOKED = 100
"""Crashes whose last tick is looked up for one answer; the other gaps are told by the step."""
REMEMBERED = 10_000
LEAST_SILENCE = 10 * SECOND
SILENCE = 5
"""So many ticks that do not come are a silence, and no hiccup."""

T = TypeVar("T")


class _Kept(NamedTuple):
    """On the shelf; a fact folded takes some 400 bytes."""

    value: Any
    size: int


class Timeline:
    """`tell` makes the data of an event's frame, `source` is the host, which is read every `interval_s`."""

    def __init__(
        self,
        log: Log,
        view: View,
        history: History,
        shelf: Shelf[Any],
        source: str,
        interval_s: float,
        tell: Callable[[Event], Data],
    ) -> None:
        self._log = log
        self._view = view
        self._history = history
        self._shelf = shelf
        self._source = source
        self._silence = max(LEAST_SILENCE, int(SILENCE * interval_s * SECOND))
        self._lasts: LRUCache[int, int | None] = LRUCache(REMEMBERED)
        self._tell = tell

    async def answer(
        self, start: int, end: int, buckets: int, now: int, source: str | None = None
    ) -> Data:
        """What stands in `start ≤ at < end` (µs), in about so many buckets: of one `source` its activity, its alerts
        and when it was silent, else this host's and the alerts of all."""
        shown = self._source if source is None else source
        what, step, column = await self._activity(shown, start, end, buckets)
        alarms: list[Firing] = await self._folded("alert", "alerts", self._firings)
        if source is not None:
            alarms = [one for one in alarms if one.source == source]
        runs: Lives = await self._folded("system", "sources", lives)
        torn, more_gaps = await self._gaps(shown, runs, column, step, (start, end), now)
        alerts, more_alerts = worst(alarms, start, end, ALERTS)
        meant = sorted(found(self._view.annotations.values(), Search(start, end)), key=since)
        starts = [at for at in runs.starts if start <= at < end]
        return {
            "from": rfc3339(start),
            "to": rfc3339(end),
            "step": step / SECOND,
            "what": what,
            "tape": self._tape(now),
            "at": seconds(column.at),
            "activity": numbers(column.value),
            "alerts": [told(one) for one in alerts],
            "annotations": [self._tell(event) for event in meant[-ANNOTATIONS:]],
            "gaps": [
                {"from": rfc3339(gap.start), "to": rfc3339(gap.end), "cause": gap.cause}
                for gap in torn
            ],
            "starts": [rfc3339(at) for at in starts[-STARTS:]],
            "more": {
                "alerts": more_alerts,
                "annotations": max(0, len(meant) - ANNOTATIONS),
                "gaps": more_gaps,
                "starts": max(0, len(starts) - STARTS),
            },
        }

    async def _activity(
        self, source: str, start: int, end: int, buckets: int
    ) -> tuple[str, int, Column]:
        """What it is, the step (µs), and a ratio of 0 to 1 for each; NaN where nothing was recorded."""
        view = self._view
        mine = view.of_source.get(source, ())
        busy = view.ids.get((source, BUSY))
        id_ = busy if busy is not None else next(iter(mine), None)
        if id_ is None:
            return "nothing", max(SECOND, (end - start) // buckets), Column(_NONE, _NO_VALUE)
        fn: Any = "max" if busy is not None else "count"
        question = self._history.ask([id_], start, end - 1, buckets, None, fn)
        table = await self._history.answer(question)
        at, value = table.columns[0]
        if busy is not None:
            return "cpu", question.step, Column(at, np.clip(value, 0.0, 1.0))
        fullest = np.nanmax(value, initial=0.0) if len(value) else 0.0
        return "readings", question.step, Column(at, value / fullest if fullest else value)

    async def _folded(self, type_: str, tag: str, fold: Callable[[Sequence[Event]], T]) -> T:
        async def make() -> _Kept:
            events = await self._facts(type_)
            value = await asyncio.get_running_loop().run_in_executor(None, fold, events)
            return _Kept(value, 400 * (1 + len(events)))

        kept, _ = await self._shelf.get(("timeline", type_), (tag,), make, lasting=True)
        folded: T = kept.value
        return folded

    async def _facts(self, type_: str) -> list[Event]:
        """The newest of a kind, oldest first."""
        events: list[Event] = []
        before = self._view.seq + 1
        while len(events) < FACTS:
            page = await self._log.facts((type_,), before, PAGE)
            events += page
            if len(page) < PAGE:
                break
            before = page[-1].seq
        return events[::-1]

    def _firings(self, events: Sequence[Event]) -> list[Firing]:
        return firings(events, self._view.texts)

    async def _gaps(
        self,
        source: str,
        runs: Lives,
        column: Column,
        step: int,
        span: tuple[int, int],
        now: int,
    ) -> tuple[list[Gap], int]:
        state = self._view.sources.get(source)
        begins = state.first_seen if state and state.first_seen else now
        span = (max(span[0], begins), min(span[1], now))
        if span[0] >= span[1]:
            return [], 0
        newest = min(state.last_seen, now) if state else 0
        quiet = [
            (first if last <= newest else newest, last)
            for first, last in silences(column.at, column.value, step)
        ]
        least = max(self._silence, SILENCE * self._pace(source))
        torn = gaps(await self._known(runs, span), quiet, step, least, runs.starts, span)
        return torn[-GAPS:], max(0, len(torn) - GAPS)

    def _pace(self, source: str) -> int:
        """How far apart (µs) its ticks came lately: of another than this host nobody knows it beforehand."""
        ids = () if source == self._source else self._view.of_source.get(source, ())
        for id_ in ids:
            if id_ in self._view.windows:
                ats, _ = self._view.windows.columns(id_)
                return int(np.median(np.diff(ats))) if len(ats) > 1 else 0
        return 0

    async def _known(self, runs: Lives, span: tuple[int, int]) -> list[Gap]:
        """Between the runs of the recorder, where that can be told to the moment."""
        # The first run after the span may have begun after a gap that reaches into it.
        ends = [one for one in runs.breaks if one.start > span[0]]
        beyond = next((n for n, one in enumerate(ends) if one.start >= span[1]), len(ends))
        known: list[Gap] = []
        looked = 0
        for one in reversed(ends[: beyond + 1]):
            if one.stop is not None:
                known.append(Gap(one.stop, one.start, "stopped"))
            elif looked < LOOKED:
                looked += one.seq not in self._lasts
                last = await self._last(one.seq)
                if last is not None and last < one.start:
                    known.append(Gap(last, one.start, "crashed"))
        return known

    async def _last(self, seq: int) -> int | None:
        """When the tick before a start was: what has been looked up once stays so."""
        if seq not in self._lasts:
            self._lasts[seq] = await self._log.last_before(seq)
        return self._lasts[seq]

    def _tape(self, now: int) -> Data:
        """Since when there is a tape, where it ends, and from when on each tier of it is whole."""
        firsts = [one.first_seen for one in self._view.sources.values() if one.first_seen]
        begins = min(firsts, default=None)
        held = {tier: self._log.since(tier) for tier in (RAW, *TIERS)}
        return {
            "begins": rfc3339(begins) if begins is not None else None,
            "edge": rfc3339(min(self._view.at, now)) if self._view.at else None,
            "raw_since": rfc3339(max(held[RAW], begins)) if begins is not None else None,
            "horizons": {
                tier_name(tier): rfc3339(at) if at > 1 else None for tier, at in held.items()
            },
        }


_NONE = np.empty(0, np.int64)
_NO_VALUE = np.empty(0, np.float64)
