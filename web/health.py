"""Is it alive, and may it be used? Two questions, two answers."""

from web.handler import Handler
from web.schemas import Health, Ready


class Healthz(Handler):
    """The process answers: that is all it takes to be alive. Touches no disk."""

    async def get(self) -> None:
        services = self.services
        await self.reply(
            Health(
                status="ok",
                version=services.version,
                sqlite_version=services.sqlite_version,
                loop_lag_s=services.loop_lag_s(),
                uptime_s=services.uptime_s(),
            )
        )


class Readyz(Handler):
    """503 with reasons while readings cannot be taken."""

    async def get(self) -> None:
        reasons = list(self.services.unready())
        ready = Ready(ready=not reasons, reasons=reasons, cursor=self.services.spine.cursor())
        self.set_status(200 if ready.ready else 503)
        await self.reply(ready, "ready" if ready.ready else "not ready")
