"""Open alerts, those that were lately resolved, and one to try the whole way with."""

import asyncio

from realtime.core.batch import Batch, Columns, Descriptor, Key
from realtime.core.frames import Data
from realtime.core.rules import TEST
from storage.events import Alert, Event
from web.handler import Handler, Receiver
from web.schemas import AlertsQuery, AlertTestQuery


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


class AlertTest(Receiver):
    """A sample that crosses a line, and after a while one that does not: decided, stored and told as any alert is.
    One that a stop cut off stays open until the next test, which ends it."""

    async def post(self) -> None:
        seconds = self.asked(AlertTestQuery).seconds
        fired = None if self._open() else await self._sample(1)
        if fired:
            await asyncio.sleep(seconds)
        resolved = await self._sample(0)
        await self.reply(
            {"cursor": self.services.spine.cursor(), "fired": fired, "resolved": resolved},
            "tested" if fired else "a test that was on has ended",
        )

    def _open(self) -> bool:
        return any(_of_test(event) for event in self.services.spine.view.alerts.values())

    async def _sample(self, value: int) -> Data | None:
        """The alert that this sample made, if it made one."""
        spine, source = self.services.spine, self.services.source
        key = Key(TEST.series, (), TEST.series)
        about = Descriptor(help="1 while the alerts are tested by hand")
        batch = Batch([Columns(source, [spine.now()], [key], [[value]])], {TEST.series: about})
        receipt = await spine.ingest(batch, own=True)
        for event in (*spine.view.alerts.values(), *spine.view.resolved):
            if receipt.first <= event.seq <= receipt.last and _of_test(event):
                return self.services.tell(event)
        return None


def _of_test(event: Event) -> bool:
    return isinstance(event.data, Alert) and event.data.rule == TEST.rule
