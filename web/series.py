"""The series known: what can be asked for, when it was last heard of, and what it said."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from msgspec import UNSET

from realtime.core.cursor import cursor
from realtime.core.frames import about
from realtime.core.selectors import Selector
from realtime.core.times import rfc3339
from realtime.core.views import View
from web.handler import Handler
from web.moments import standing
from web.problem import Problem
from web.schemas import SeriesQuery

SLICE = 2_000
"""Series looked at before the loop gets its turn."""


class SeriesList(Handler):
    async def get(self) -> None:
        query = self.asked(SeriesQuery)
        view = self.services.spine.view
        if query.as_of is not UNSET:
            view = (await standing(self.services, "as_of", query.as_of)).view
        wanted = selectors("match", query.match)
        found: list[dict[str, Any]] = []
        following = None
        for number, id_ in enumerate(_candidates(view, wanted, query.after)):
            series, source = view.series[id_], view.owner[id_]
            if not wanted or any(s.matches(series.name, series.labels, source) for s in wanted):
                if len(found) == query.limit:
                    following = found[-1]["id"]
                    break
                found.append(_known(view, id_))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        place = cursor(self.services.spine.epoch, view.seq)
        await self.reply({"cursor": place, "next": following, "series": found})


def _candidates(view: View, wanted: Sequence[Selector], after: int) -> list[int]:
    """Ids, ascending: of the sources named, or of all where a selector names none."""
    sources = {one.source for one in wanted}
    if wanted and None not in sources:
        held = (view.of_source.get(str(source), ()) for source in sources)
        ids: Iterable[int] = chain.from_iterable(held)
    else:
        ids = view.series
    return sorted(id_ for id_ in ids if id_ > after)


def selectors(field: str, texts: list[str]) -> list[Selector]:
    """Parsed; Problem 400 names every one that cannot be read, by its place."""
    parsed: list[Selector] = []
    errors: list[tuple[str, str]] = []
    for place, text in enumerate(texts):
        try:
            parsed.append(Selector.parse(text))
        except ValueError as error:
            errors.append((field if len(texts) == 1 else f"{field}[{place}]", str(error)))
    if errors:
        raise Problem(400, f"{field} is not a selector", errors)
    return parsed


def _known(view: View, id_: int) -> dict[str, Any]:
    first, latest = view.first.get(id_), view.latest.get(id_)
    return {
        **about(view.series[id_], view.texts[id_], view.owner[id_]),
        "first_seen": rfc3339(first) if first else None,
        "last_seen": rfc3339(latest[0]) if latest else None,
        "last_value": latest[1] if latest else None,
    }
