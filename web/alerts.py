"""Open alerts, and those that were lately resolved."""

from web.handler import Handler
from web.schemas import AlertsQuery


class Alerts(Handler):
    """Firing ones by default, newest first; `state` asks for others."""

    async def get(self) -> None:
        spine = self.services.spine
        view = spine.view
        states = set(self.asked(AlertsQuery).state or ["firing"])
        events = [
            *(view.alerts.values() if "firing" in states else ()),
            *(view.resolved if "resolved" in states else ()),
        ]
        events.sort(key=lambda event: event.seq, reverse=True)
        await self.reply(
            {
                "cursor": spine.cursor(),
                "alerts": [self.services.tell(event) for event in events],
                "rules": list(self.services.rules),
            }
        )
