"""How the server itself is doing."""

import msgspec

from storage.events import Number
from web.handler import Handler
from web.process import read_process


class Performance(Handler):
    async def get(self) -> None:
        services = self.services
        requests = services.requests
        process = read_process()
        log = msgspec.to_builtins(await services.log.stats())
        await self.reply(
            {
                "cache": services.shelf.stats(),
                "requests": {
                    "recent": requests.recent(services.spine.now()),
                    "total": requests.total(),
                    "endpoints": requests.endpoints(),
                },
                "connections": services.hub.count(),
                "delivery": services.hub.stats(),
                "loop_lag_s": services.loop_lag_s(),
                "log": {**log, "queue_events": services.spine.queue_events},
                "process": {
                    "cpu_ratio": self._measured("playhead_process_cpu_ratio"),
                    "cpu_s": process.cpu_s,
                    "resident_bytes": process.resident_bytes,
                    "threads": process.threads,
                    "uptime_s": services.uptime_s(),
                },
            }
        )

    def _measured(self, series: str) -> Number | None:
        """The collectors' last word: a share of time needs two looks, and a request takes none."""
        view = self.services.spine.view
        id_ = view.ids.get((self.services.source, series))
        sample = view.latest.get(id_) if id_ is not None else None
        return None if sample is None else sample[1]
