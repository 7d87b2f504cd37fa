"""`/metrics`: the server itself in the Prometheus text format, or OpenMetrics where that is accepted."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from realtime.core.requests import EndpointStats
from realtime.shelf import ShelfStats
from web.accept import chosen
from web.handler import Handler
from web.process import ProcessFigures, read_process
from web.services import LogStats, Services

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything `/metrics` tells, read at one moment."""

    version: str
    build: str
    endpoints: list[EndpointStats]
    connections: Mapping[str, int]
    loop_lag_s: float
    log: LogStats
    queue_events: int
    cache: ShelfStats
    sources: Mapping[str, int]
    series: int
    alerts: Mapping[str, int]
    process: ProcessFigures


async def figures(services: Services) -> Figures:
    """Read every figure now."""
    view = services.spine.view
    sources = {"live": 0, "lost": 0}
    for state in view.sources.values():
        sources[state.state] += 1
    alerts = {"warning": 0, "critical": 0}
    for event in view.alerts.values():
        alerts[event.data.severity] += 1  # type: ignore[union-attr]
    return Figures(
        version=services.version,
        build=services.assets.build,
        endpoints=services.requests.endpoints(),
        connections=services.hub.count(),
        loop_lag_s=services.loop_lag_s(),
        log=await services.log.stats(),
        queue_events=services.spine.queue_events,
        cache=services.shelf.stats(),
        sources=sources,
        series=len(view.series),
        alerts=alerts,
        process=read_process(),
    )


def _written(told: Figures, media: str) -> bytes:
    # Loaded here and not above: Prometheus's library is of use to a server that is scraped, and to no start.
    from web import families

    return families.openmetrics(told) if media == OPENMETRICS else families.text(told)


class Exposition(Handler):
    async def get(self) -> None:
        told = await figures(self.services)
        media = chosen(self.request.headers.get("Accept", ""), (TEXT, OPENMETRICS))
        body = await asyncio.get_running_loop().run_in_executor(None, _written, told, media)
        await self.send(body, OPENMETRICS_TYPE if media == OPENMETRICS else TEXT_TYPE)
