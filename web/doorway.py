"""Before the road of Socket.IO, which is loaded when a client first takes it.

engineio and socketio with all they bring take a fifth of a start and some ten megabytes, and most servers never
see such a client. The first of them waits while a thread loads the road (law loop-never-blocks); the rest of the
page's and of every other client's life goes on meanwhile.
"""

import asyncio
from typing import TYPE_CHECKING

from realtime.delivery import Hub
from web.handler import Border, logger
from web.problem import Problem
from web.route import Operation, Route

if TYPE_CHECKING:
    from web.socketio import Door

PATH = "/socket.io/"
RETRY_S = 10
UNLOADED = (
    "Socket.IO could not be loaded, and the server's log tells why. Try again later;"
    " a WebSocket or an event stream does without."
)


class Doorway:
    """`door` is None until somebody has knocked."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.door: Door | None = None
        self._loading: asyncio.Future[type[Door]] | None = None

    async def open(self) -> "Door":
        """
        Raises:
            Problem: 503, it could not be loaded this time.
        """
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(None, _load)
        loading = self._loading
        try:
            # Whoever gives up waiting takes nothing from the others.
            kind = await asyncio.shield(loading)
        except Exception as error:  # of any kind: it runs what others wrote
            if self._loading is loading:  # the first who hears of it; the next to knock tries anew
                self._loading = None
                logger.error("Socket.IO could not be loaded", exc_info=error)
            raise Problem(503, UNLOADED, headers={"Retry-After": str(RETRY_S)}) from None
        if self.door is None:
            self.door = kind(self.hub)
        return self.door


def _load() -> "type[Door]":
    from web.socketio import Door  # an extra: it may not be there

    return Door


class Knock(Border):
    """Hands the request on as it came."""

    _gone = False

    def prepare(self) -> None:
        self.judge()

    async def get(self) -> None:
        await self._enter()

    async def post(self) -> None:
        await self._enter()

    async def _enter(self) -> None:
        assert self.services.socketio is not None
        door = await self.services.socketio.open()
        # Tornado would finish what is not ours to answer any more.
        self._auto_finish = False
        if self._gone:
            return
        told = {"services": self.services, "route": self.route}
        delegate = self.application.get_handler_delegate(self.request, door.handler, told)
        delegate.data_received(self.request.body)
        delegate.finish()

    def on_connection_close(self) -> None:
        self._gone = True


ROUTE = Route(
    PATH,
    Knock,
    {"GET": Operation("Socket.IO"), "POST": Operation("Socket.IO")},
    timed=False,
    hidden=True,
)
