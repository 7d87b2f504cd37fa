"""History in columns: the readings of some series in a range, or what a step of the clock says of them."""

from msgspec import UNSET, UnsetType

from realtime.core.media import CSV, JSON, MEDIA, Page
from realtime.core.steps import parse_step
from realtime.core.times import parse_time
from realtime.history import RAW, Question
from web.accept import chosen, takes_gzip
from web.handler import Handler
from web.moments import span
from web.problem import Problem
from web.schemas import HistoryQuery

NAMED = 20
"""Damaged places named in a header."""


class Query(Handler):
    async def get(self) -> None:
        query = self.asked(HistoryQuery)
        services = self.services
        spine, history = services.spine, services.history
        now = spine.now()
        start, end = span(query.from_, query.to, now)
        question = history.ask(
            await self._ids(query),
            start,
            end,
            services.query_points if query.points is UNSET else query.points,
            _step(query.step),
            None if query.fn is UNSET else query.fn,
        )
        media = chosen(self.request.headers.get("Accept", ""), MEDIA)
        squeezed = takes_gzip(self.request.headers.get("Accept-Encoding", ""))

        async def make() -> Page:
            cursor = spine.cursor()
            table = await history.answer(question, spelled=media == JSON)
            return await services.encoder.page(table, cursor, media, squeezed)

        if _returns(question) or (_fixed(query.from_, now) and _fixed(query.to, now)):
            page, cached = await services.shelf.get(
                ("query", question, media, squeezed),
                history.tags(question),
                make,
                lasting=history.settled(question),
            )
        else:
            # Readings up to now are of another range each time: they would only fill the shelf.
            page, cached = await make(), False
        # Looked up now, not when the answer was made: damage may have been met since.
        met = services.log.damaged(question.start, question.beyond)
        if met:
            self.set_header("Playhead-Damaged", _listed(met))
        await self._give(page, cached)

    async def _ids(self, query: HistoryQuery) -> list[int]:
        find = self.services.history.find
        named = await find(query.series) if query.series or not query.match else []
        matched = await find(query.match, "match") if query.match else []
        return list(dict.fromkeys(named + matched))

    async def _give(self, page: Page, cached: bool) -> None:
        # A late reading can change any answer: a client may keep it, but has to ask again.
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Accept, Accept-Encoding")
        self.set_header("Etag", page.etag)
        if self.check_etag_header():
            self.set_status(304)
            await self.finish()
            return
        if page.coding:
            self.set_header("Content-Encoding", page.coding)
        self.set_header(
            "Content-Type", f"{CSV}; charset=utf-8" if page.media == CSV else page.media
        )
        end = page.warm if cached else page.fresh
        self.set_header("Content-Length", str(page.length + len(end)))
        await self.write_parts(page.parts)
        await self.finish(end)


def _listed(met: list[str]) -> str:
    return ", ".join(met[:NAMED]) + (f" and {len(met) - NAMED} more" if len(met) > NAMED else "")


def _step(text: str | UnsetType) -> int | None:
    """µs; Problem 400 says what would do."""
    if isinstance(text, UnsetType):
        return None
    try:
        return parse_step(text)
    except ValueError as error:
        raise Problem(400, "step is not a length of time", [("step", str(error))]) from None


def _returns(question: Question) -> bool:
    """Whether it is asked again as the range moves on: whole steps and whole buckets stand a while."""
    return question.fn is not None or question.tier != RAW


def _fixed(text: str, now: int) -> bool:
    """Whether a time means the same moment whenever it is asked."""
    return parse_time(text, now) == parse_time(text, now + 1)
