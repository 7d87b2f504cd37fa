"""Messages for people: sent by anyone who may write, kept in the log, told to a room."""

from itertools import islice

from realtime.core.session import check_room
from web.handler import IDEMPOTENCY_KEY, Receiver
from web.problem import Problem
from web.route import JSON
from web.schemas import NotificationBody, NotificationsQuery


class Notifications(Receiver):
    async def get(self) -> None:
        """Newest first."""
        spine = self.services.spine
        limit = self.asked(NotificationsQuery).limit
        newest = islice(reversed(spine.view.notifications), limit)
        await self.reply(
            {
                "cursor": spine.cursor(),
                "notifications": [self.services.tell(event) for event in newest],
            }
        )

    async def post(self) -> None:
        """Stored, then broadcast: 200 means on disk."""
        key = self.word(IDEMPOTENCY_KEY)
        body, _ = self.body(JSON)
        sent = self.received(NotificationBody)
        try:
            check_room(sent.room)
        except ValueError as error:
            raise Problem(422, "the room cannot be one", [("room", str(error))]) from None
        event = await self.services.spine.notify(
            sent.type, sent.message, sent.title, sent.room, key=key, digest=body
        )
        await self.reply(self.services.tell(event), "stored")
