"""The dashboard as it stood at a moment, in the shape of `dashboard/live`."""

from msgspec import UNSET

from web.dashboard import past_bodies
from web.handler import Handler
from web.moments import over
from web.schemas import StateQuery


class State(Handler):
    async def get(self) -> None:
        query = self.asked(StateQuery)
        at = await over("at", query.at, self.services.past, self.services.spine.now())
        source = self.services.source if query.source is UNSET else query.source
        bodies, cached = await past_bodies(self.services, at, query.hours, query.room, source)
        await self.send_body(bodies.warm if cached else bodies.fresh)
