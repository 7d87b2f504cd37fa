"""Every source at a glance."""

import asyncio
from typing import NamedTuple

from realtime.answers import Body
from realtime.core.columns import Column
from realtime.core.overview import STEPS, Glance, Standing, choose, overview, standing, wanted
from realtime.core.steps import Grid
from web.handler import Handler, enveloped
from web.schemas import OverviewQuery
from web.services import Services

SECOND = 1_000_000
HOUR_S = 3_600
SLICE = 500
"""Series whose readings are copied before the loop gets its turn."""
TAG = "overview"


class Overview(Handler):
    async def get(self) -> None:
        query = self.asked(OverviewQuery)
        services = self.services
        span_s = int(query.hours * HOUR_S)

        async def make() -> _Made:
            return await _made(services, span_s, query.limit)

        async def kept() -> _Made:
            key = (TAG, span_s, query.limit)
            found: _Made = (await services.shelf.get(key, ("alerts", "sources", TAG), make))[0]
            return found

        made = await kept()
        # Ticks of a hundred sources would outdate it a hundred times a second; its age does it once.
        if abs(services.spine.now() - made.at) >= SECOND:
            services.shelf.invalidate([TAG])
            made = await kept()
        await self.send_body(made.body)


class _Made(NamedTuple):
    """The answer as it stood at `at` (µs)."""

    at: int
    body: Body

    @property
    def size(self) -> int:
        return self.body.size


async def _made(services: Services, span_s: int, limit: int) -> _Made:
    spine = services.spine
    now, cursor = spine.now(), spine.cursor()
    step = span_s * SECOND // STEPS
    start = (now - span_s * SECOND) // step * step
    arrange = standing(spine.view)

    def looked() -> tuple[Standing, list[Glance]]:
        known = arrange()
        return known, choose(known)

    known, glances = await asyncio.get_running_loop().run_in_executor(None, looked)
    readings: dict[int, Column] = {}
    for number, id_ in enumerate(wanted(glances), 1):
        readings[id_] = Column(*spine.view.windows.columns(id_, start))
        if not number % SLICE:
            await asyncio.sleep(0)

    def told() -> object:
        return enveloped(
            {
                "cursor": cursor,
                **overview(known, glances, readings, Grid.over(start, now, step), limit),
            }
        )

    return _Made(now, await services.encoder.made(told))
