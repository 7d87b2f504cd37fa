"""The log folded anew, without each of its ticks: after a lost checkpoint two weeks of a host are a million.

Of a tick the view keeps when its source and its series were heard, the last reading, and what the windows
hold. The heads of segments tell the first; readings are decoded for the rest alone. What comes of it is what
`evolve` makes of every event one by one (law views-are-disposable).
"""

import asyncio
from collections import deque

from realtime.core import views
from realtime.core.views import View, evolve
from storage.events import Event, Metrics, canonical
from storage.log import Log
from storage.skim import Heard, Skim

PAGE = 200
SEGMENTS = 50
BREATH = 20
"""Ticks read before others get the loop."""


async def refold(view: View, log: Log) -> bool:
    """Fold into an empty view all that is sealed, and what stands as rows beside it; the caller goes on from
    there. Whether of each series the last reading could be read."""
    until = await log.sealed()
    rows = _Rows(log, until)
    newest: dict[int, tuple[int, int]] = {}
    """Series → when it was read last, and the segment or (below 0) the row that holds it."""
    after = view.seq
    while skims := await log.skims(after, SEGMENTS):
        for skim in skims:
            await _take(view, skim, await rows.up_to(skim.last_seq), newest)
            await asyncio.sleep(0)
        after = skims[-1].last_seq
    await _take(view, None, await rows.up_to(until), newest)
    latest = max((at for at, _ in newest.values()), default=0)
    await refill(view, log, latest, until)
    wanted: dict[int, list[int]] = {}
    for id_, (_, segment) in newest.items():
        if id_ not in view.windows:
            wanted.setdefault(segment, []).append(id_)
    whole = True
    for place, ids in wanted.items():
        found = await (log.lasts(place, ids) if place > 0 else _in_row(log, -place))
        for id_, (at, value) in found.items():
            if id_ in view.windows:
                continue
            view.windows.add(id_, at, canonical(value))
        whole &= found.keys() >= set(ids)
    view.seq = max(view.seq, until)
    return whole


async def refill(view: View, log: Log, newest: int, until: int) -> None:
    """Read into the windows the ticks of their span before `newest` (µs), up to a seq, a page at a time: at
    a hundred thousand readings a second a quarter of an hour of them is no list to hold."""
    since = newest - view.windows.span
    first = await log.first_seq_since(since)
    after = until if first is None else first - 1
    while after < until:
        page = await log.read(after, PAGE, until=until, start=since)
        if not page:
            break
        after = page[-1].seq
        for place, event in enumerate(page):
            if isinstance(event.data, Metrics):
                views.read(view, event)
            if place % BREATH == 0:
                await asyncio.sleep(0)


async def _take(
    view: View, skim: Skim | None, rows: list[Event], newest: dict[int, tuple[int, int]]
) -> None:
    heard = skim.heard if skim else []
    both: list[Heard | Event] = [*heard, *rows]
    for one in sorted(both, key=lambda one: one.seq):
        if isinstance(one, Heard):
            views.hear(view, one.source, one.first, one.last, one.first)
        elif isinstance(one.data, Metrics):
            views.hear(view, one.source, one.at, one.at, one.at)
            for id_ in one.data.ids:
                views.meet(view, one.source, id_, one.at)
                if one.at >= newest.get(id_, (0, 0))[0]:
                    newest[id_] = one.at, -one.seq
        else:
            evolve(view, one)
    if skim is None:
        return
    for told in heard:
        views.hear(view, told.source, told.first, told.last, told.at)
    columns = (column.tolist() for column in (skim.ids, skim.owners, skim.firsts, skim.lasts))
    for id_, owner, first, last in zip(*columns, strict=True):
        views.meet(view, heard[owner].source, id_, first)
        if last >= newest.get(id_, (0, 0))[0]:
            newest[id_] = last, skim.segment


async def _in_row(log: Log, seq: int) -> dict[int, tuple[int, float]]:
    (event,) = await log.read(seq - 1, 1)
    assert isinstance(event.data, Metrics)
    return {
        id_: (event.at, float(value))
        for id_, value in zip(event.data.ids, event.data.values, strict=True)
    }


class _Rows:
    """What stands as a row, in order."""

    def __init__(self, log: Log, until: int) -> None:
        self._log = log
        self._until = until
        self._after = 0
        self._page: deque[Event] = deque()

    async def up_to(self, seq: int) -> list[Event]:
        found: list[Event] = []
        while True:
            while self._page and self._page[0].seq <= seq:
                found.append(self._page.popleft())
            if self._page or self._after >= self._until:
                return found
            page = await self._log.rows(self._after, self._until, PAGE)
            self._after = page[-1].seq if page else self._until
            self._page.extend(page)
