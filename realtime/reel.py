"""The tape as a replay reads it: a page at a time from a place on, each event with the moment at which it shows.

Where retention has given up samples, their rollups speak: a tick a bucket, at the bucket's time, with the last
value of each series in it. Such a tick is no event of the log and has no seq; facts are all there, as ever.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import merge
from itertools import accumulate, takewhile
from typing import Any, NamedTuple

from realtime.core.arrivals import WITNESSES, Arrival, Behind, moments, paces
from realtime.core.times import NEVER
from realtime.core.views import View
from realtime.history import TIERS
from realtime.tail import Entry
from storage.events import Event, Metrics, Number, canonical
from storage.log import Log

PAGE = 100
"""Events read at once, at most."""
LOOK = 50
"""Arrivals behind them that are looked at first, to know when they show."""
FURTHEST = 1_000
"""And at most, where many sources speak between two ticks of the host."""
CELLS = 50_000
"""Samples read at once, about: a tick can hold ten thousand."""
SECOND = 1_000_000


class Shown(NamedTuple):
    """An entry, and the moment of the tape (µs) at which it shows."""

    entry: Entry
    at: int


async def behind(log: Log, host: str, seq: int, edge: int, now: int) -> Behind:
    """What tells when the events up to a seq show."""
    found: list[Arrival] = []
    ticks = 0
    while seq < edge and ticks < WITNESSES and len(found) < FURTHEST:
        page = await log.following(seq, edge, FURTHEST - len(found) if found else LOOK)
        seq = page[-1].seq if page else edge
        found += page
        ticks += sum(paces(one, host) for one in page)
    return Behind(found, now if seq >= edge else None)


class Reel:
    """`seq` is the last event that was read, `at` the moment it shows, `tier` (s) what ticks are made of, 0
    being samples themselves. It ends with the event `until`, or with the moment `to`, or with the log. `names` is
    the view as it stands, which knows all series there ever were; `now` tells the time (µs)."""

    def __init__(
        self, log: Log, names: View, host: str, edge: Callable[[], int], now: Callable[[], int]
    ) -> None:
        self._log = log
        self._names = names
        self._host = host
        self._edge = edge
        self._now = now
        self._place = 0
        self.seq = self.at = self.tier = 0
        self.until: int | None = None
        self.to = NEVER
        self._is_cut = False
        self._most = 10

    def wind(self, seq: int, at: int) -> None:
        """Read on from here."""
        self.seq, self.at, self.tier, self._is_cut = seq, at, 0, False

    @property
    def end(self) -> int:
        edge = self._edge()
        return edge if self.until is None else min(edge, self.until)

    @property
    def is_over(self) -> bool:
        """Everything there is has been read."""
        return self._is_cut or self.seq >= self.end

    @property
    def place(self) -> int:
        """Of the last entry that was handed out; they are counted from 1."""
        return self._place

    async def read(self) -> list[Shown]:
        """The next page, which may be empty though it is not over."""
        if self.seq + 1 < self._log.floor:
            return await self._rolled()
        self.tier = 0
        page = await self._log.read(self.seq, self._most, until=self.end)
        if page and page[0].seq > self.seq + 1 and self.seq + 1 < self._log.floor:
            return []  # retention took it meanwhile
        if not page:
            return []
        samples = sum(len(e.data.ids) for e in page if isinstance(e.data, Metrics))
        self._most = min(PAGE, max(1, CELLS * len(page) // max(1, samples)))
        clear = self._clear(page)
        if 2 * clear >= len(page):
            events, then = page[:clear], Behind(page[clear:])
        else:
            events, then = page, await self._behind(page[-1].seq)
        told = moments(events, self._host, self.at, then)
        self.seq, self.at = events[-1].seq, told[-1]
        return self._entries(zip(events, told, strict=True))

    def _clear(self, page: Sequence[Event]) -> int:
        """How many events of a page have behind them, in it, all that tells when they show. The others are read
        once more with the next, which costs less than a look at what follows each page."""
        ticks = [place for place, one in enumerate(page) if paces(one, self._host)]
        return ticks[-WITNESSES] if len(ticks) >= WITNESSES else 0

    async def _behind(self, seq: int) -> Behind:
        return await behind(self._log, self._host, seq, self._edge(), self._now())

    async def _rolled(self) -> list[Shown]:
        """A stretch of buckets, and the facts that came in it."""
        log, floor, horizon = self._log, self._log.floor, self._log.since(0)
        self.tier = next((tier for tier in TIERS if log.since(tier) <= self.at), TIERS[-1])
        step = self.tier * SECOND
        ids = [id_ for id_, first in self._names.first.items() if first < horizon]
        begin = -(-self.at // step) * step
        limit = -(-min(horizon, self.to) // step) * step
        end = min(begin + max(1, CELLS // max(1, len(ids))) * step, limit)
        facts = await log.facts_after(self.seq, min(floor - 1, self.end), PAGE)
        if len(facts) == PAGE:  # what comes then comes after the rest of them
            end = min(end, max(begin + step, facts[-1].at // step * step))
        heard = list(takewhile(lambda fact: fact.at < end, facts)) if end < horizon else facts
        found = await log.buckets(ids, begin, end, self.tier) if begin < end else {}
        events = list(merge(self._ticks(found), heard, key=lambda event: event.at))
        told = list(accumulate((event.at for event in events), max, initial=self.at))[1:]
        self.at = max(self.at, end)
        if heard:
            self.seq = heard[-1].seq
        if end >= limit and (len(facts) < PAGE or not heard):
            self._is_cut = limit < horizon
            if not self._is_cut:
                self.seq = floor - 1
        return self._entries(zip(events, told, strict=True))

    def _ticks(self, found: Mapping[int, Any]) -> list[Event]:
        """One a source and bucket; without a seq, for they are not of the log."""
        ticks: dict[tuple[int, str], tuple[list[int], list[Number]]] = {}
        for id_, buckets in found.items():
            owner = self._names.owner[id_]
            for at, last in zip(buckets.at.tolist(), buckets.last.tolist(), strict=True):
                ids, values = ticks.setdefault((at, owner), ([], []))
                ids.append(id_)
                values.append(canonical(last))
        return [
            Event(0, at, owner, Metrics(tuple(ids), tuple(values)))
            for (at, owner), (ids, values) in sorted(ticks.items(), key=lambda one: one[0])
        ]

    def _entries(self, shown: Iterable[tuple[Event, int]]) -> list[Shown]:
        made = []
        for event, at in shown:
            self._place += 1
            made.append(Shown(Entry(event, place=self._place), at))
        return made
