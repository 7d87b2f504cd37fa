"""The shelf by hand: empty it, or fill it with the ranges people ask for first."""

from web.dashboard import EVERYONE, dashboard_bodies
from web.handler import Receiver

PRELOADED_H = (1.0, 6.0, 24.0, 72.0, 168.0)


class Clear(Receiver):
    async def post(self) -> None:
        cleared = self.services.shelf.clear()
        await self.reply({"cleared": cleared}, f"{cleared} entries went")


class Preload(Receiver):
    """Asks for the dashboard of each range, just as a visitor would."""

    async def post(self) -> None:
        shelf = self.services.shelf
        before = shelf.stats().entries
        for hours in PRELOADED_H:
            await dashboard_bodies(self.services, hours, EVERYONE, self.services.source)
        entries = shelf.stats().entries
        came = max(entries - before, 0)
        await self.reply(
            {"preloaded": came, "hours": list(PRELOADED_H), "entries": entries},
            f"{came} entries came",
        )
