"""History in columns: the readings of some series in a range, peaks kept."""

from msgspec import UNSET

from realtime.answers import Bodies
from realtime.core.times import parse_time
from web.handler import Handler, enveloped
from web.moments import span
from web.schemas import HistoryQuery


class Query(Handler):
    async def get(self) -> None:
        query = self.asked(HistoryQuery)
        services = self.services
        spine, history = services.spine, services.history
        now = spine.now()
        start, end = span(query.from_, query.to, now)
        points = services.query_points if query.points is UNSET else query.points
        ids = history.find(query.series)

        async def make() -> Bodies:
            cursor = spine.cursor()
            found = await history.query(ids, start, end, points)
            return await services.encoder.bodies({"cursor": cursor, **found}, enveloped)

        if _fixed(query.from_, now) and _fixed(query.to, now):
            owner = spine.view.owner
            tags = {"sources", *(f"metrics:{owner[id_]}" for id_ in ids)}
            key = ("query", *ids, start, end, points)
            bodies, cached = await services.shelf.get(key, tags, make)
        else:
            # A range that ends now is another one each time: it would only fill the shelf.
            bodies, cached = await make(), False
        await self.send_body(bodies.warm if cached else bodies.fresh)


def _fixed(text: str, now: int) -> bool:
    """Whether a time means the same moment whenever it is asked."""
    return parse_time(text, now) == parse_time(text, now + 1)
