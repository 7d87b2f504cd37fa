"""The tape from afar, for the bar below the page."""

from msgspec import UNSET

from web.dashboard import check_source
from web.handler import Handler
from web.moments import span
from web.schemas import TimelineQuery


class TimelineOf(Handler):
    async def get(self) -> None:
        query, spine = self.asked(TimelineQuery), self.services.spine
        now, cursor = spine.now(), spine.cursor()
        start, end = span(query.from_, query.to, now)
        source = None if query.source is UNSET else query.source
        if source is not None:
            check_source(self.services, spine.view, source)
        told = await self.services.timeline.answer(start, end, query.buckets, now, source)
        await self.reply({"cursor": cursor, **told})
