"""Rows for the charts that a page puts together itself: all it shows in one answer."""

import re
from collections.abc import Callable, Sequence
from typing import cast

from msgspec import UNSET

from realtime.answers import CODINGS
from realtime.core.charts import Drawn, Kind, Sheet, spell
from realtime.core.cursor import cursor
from realtime.core.times import rfc3339
from realtime.core.views import View
from web.handler import Receiver, enveloped
from web.moments import span, standing
from web.problem import Problem
from web.schemas import CHART, MOST_CHARTED, ChartsBody, ChartsQuery


class Charts(Receiver):
    """The same by query string and, where that gets too long, by body."""

    async def get(self) -> None:
        asked = self.asked(ChartsQuery)
        sheets = [_sheet(text) for text in asked.chart]
        await self._give("chart", sheets, asked, asked.from_, asked.to)

    async def post(self) -> None:
        asked = self.received(ChartsBody)
        sheets = [Sheet(one.kind, tuple(one.ids)) for one in asked.charts]
        await self._give("charts", sheets, asked, str(asked.from_), str(asked.to))

    async def _give(
        self,
        field: str,
        sheets: Sequence[Sheet],
        asked: ChartsQuery | ChartsBody,
        from_: str,
        to: str,
    ) -> None:
        services, spine = self.services, self.services.spine
        self._check(field, sheets)
        if asked.counters == "rate":
            sheets = [one._replace(counters=_counters(spine.view, one)) for one in sheets]
        start, end = span(from_, to, spine.now())
        history, place = services.history, spine.cursor
        if asked.as_of is not UNSET:
            then = await standing(services, "as_of", asked.as_of)
            history, place = then.history, lambda: cursor(spine.epoch, then.view.seq)
        told, draw = await history.compose(sheets, start, end, asked.points, place)
        # Nobody else will have this very answer: it is squeezed one way.
        made = _answer(told, start, end, draw)
        await self.send_body(
            await services.encoder.made(made, [way] if (way := self.coding(CODINGS)) else [])
        )

    def _check(self, field: str, sheets: Sequence[Sheet]) -> None:
        """Problem 400, or 422 of a body, names every chart that asks for a series nobody knows."""
        known = self.services.spine.view.series
        errors = [
            (f"{field}[{place}]", f"there is no series with the id {id_}; `series` lists them")
            for place, sheet in enumerate(sheets)
            if (id_ := next((one for one in sheet.ids if one not in known), None)) is not None
        ]
        asked = sum(len(sheet.ids) for sheet in sheets)
        if asked > MOST_CHARTED:
            errors.append((field, f"{asked} series are asked for; at most {MOST_CHARTED} do"))
        if errors:
            raise Problem(422, "the charts cannot be drawn", errors)


def _sheet(text: str) -> Sheet:
    kind, ids = cast("re.Match[str]", re.fullmatch(CHART, text)).groups()
    return Sheet(cast("Kind", kind), tuple(map(int, ids.split(","))))


def _counters(view: View, sheet: Sheet) -> frozenset[int]:
    return frozenset(id_ for id_ in sheet.ids if view.series[id_].kind == "counter")


def _answer(
    cursor: str, start: int, end: int, draw: Callable[[], Sequence[Drawn]]
) -> Callable[[], object]:
    def made() -> object:
        told = {"cursor": cursor, "from": rfc3339(start), "to": rfc3339(end)}
        return enveloped({**told, "charts": spell(draw())})

    return made
