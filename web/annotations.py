"""Moments and spans that people and programs mark: noted, changed, taken back, and searched."""

from itertools import islice

from msgspec import UNSET, UnsetType

from realtime.core.annotations import Search, Wish, found, since
from realtime.core.naming import check_source
from realtime.core.times import parse_time
from web.handler import IDEMPOTENCY_KEY, Receiver
from web.moments import moment
from web.problem import Problem
from web.route import JSON
from web.schemas import AnnotationBody, AnnotationGone, AnnotationsQuery


class Annotations(Receiver):
    async def get(self) -> None:
        """Those that have part in the range, the latest first."""
        services = self.services
        spine, query = services.spine, self.asked(AnnotationsQuery)
        now = spine.now()
        search = Search(
            moment("from", query.from_, now),
            moment("to", query.to, now),
            tuple(query.tag),
            query.text,
            query.source,
        )
        if search.start is not None and search.end is not None and search.start >= search.end:
            raise Problem(400, "the range is empty", [("from", "is not before to; swap them")])
        meant = sorted(found(spine.view.annotations.values(), search), key=since, reverse=True)
        await self.reply(
            {
                "cursor": spine.cursor(),
                "annotations": [services.tell(event) for event in islice(meant, query.limit)],
                "more": max(0, len(meant) - query.limit),
            }
        )

    async def post(self) -> None:
        """On disk, then told to everyone who hears annotations; with an `id` the one that has it is changed."""
        key = self.word(IDEMPOTENCY_KEY)
        body, _ = self.body(JSON)
        sent = self.received(AnnotationBody)
        if sent.id is UNSET and sent.text is UNSET:
            raise Problem(422, "nothing is said", [("text", "is missing; say what happened")])
        now = self.services.spine.now()
        until = sent.until
        wish = Wish(
            sent.text,
            sent.tags,
            _time("at", sent.at, now),
            None if until is None else _time("until", until, now),
            sent.author,
            _source(sent.source),
        )
        id_ = None if sent.id is UNSET else sent.id
        event = await self.services.spine.annotate(wish, id_, key, body)
        await self.reply(self.services.tell(event), "stored")

    async def delete(self) -> None:
        event = await self.services.spine.erase(self.asked(AnnotationGone).id)
        await self.reply(self.services.tell(event), "removed")


def _time(field: str, given: str | int | float | UnsetType, now: int) -> int | UnsetType:
    if given is UNSET:
        return UNSET
    try:
        return parse_time(given, now)
    except ValueError as error:
        raise Problem(422, f"{field} is not a time", [(field, str(error))]) from None


def _source(given: str | UnsetType) -> str | UnsetType:
    if not given:
        return given
    try:
        return check_source(given)
    except ValueError as error:
        raise Problem(422, "the source cannot be one", [("source", str(error))]) from None
