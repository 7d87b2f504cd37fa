"""The dashboard as it stood at a moment, in the shape of `dashboard/live`."""

from msgspec import UNSET

from realtime.core.times import rfc3339
from web.dashboard import past_bodies
from web.handler import Handler
from web.moments import moment
from web.problem import Problem
from web.schemas import StateQuery


class State(Handler):
    async def get(self) -> None:
        query = self.asked(StateQuery)
        now = self.services.spine.now()
        at = moment("at", query.at, now)
        assert at is not None
        if at > now:
            raise Problem(400, "at is in the future", [("at", f"{rfc3339(at)} is not over yet")])
        begun = await self.services.past.begun()
        if at < begun:
            detail = "nothing is on tape yet"
            if begun <= now:
                detail = f"the tape begins at {rfc3339(begun)}"
            raise Problem(400, "nothing was recorded then", [("at", detail)])
        source = self.services.source if query.source is UNSET else query.source
        bodies, cached = await past_bodies(self.services, at, query.hours, query.room, source)
        await self.send_body(bodies.warm if cached else bodies.fresh)
