"""The WebSocket: bytes in to the session, frames out to the socket (RFC 6455).

Nothing is awaited in `on_message`: a handler that waits for its own stream there hears neither the next
message nor the close.
"""

import asyncio
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler

from realtime.core.frames import Encoding, Road
from realtime.core.goodbyes import Goodbye
from realtime.delivery import Connection
from web.handler import Border
from web.problem import Problem
from web.stream import Place

JSON_PROTOCOL = "playhead.v1.json"
MSGPACK_PROTOCOL = "playhead.v1.msgpack"
TEXT, BINARY = 0x1, 0x2


class Duplex(Border, WebSocketHandler):
    """One client on a socket."""

    road: Road = "websocket"
    encoding: Encoding = "json"
    _connection: Connection | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise Problem(
                426,
                "this address speaks WebSocket only",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        self._session = self.asked(Place).session()
        self.services.hub.admit()
        await WebSocketHandler.get(self, *args, **kwargs)

    def check_origin(self, origin: str) -> bool:
        return True  # judged in prepare, with Host, like every other request

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        for name in subprotocols:
            if name in (JSON_PROTOCOL, MSGPACK_PROTOCOL):
                self.encoding = "msgpack" if name == MSGPACK_PROTOCOL else "json"
                return name
        return None

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._connection = Connection(self.services.hub, self._session, self)
        self._connection.start(self.asked(Place).cursor)

    def on_message(self, message: str | bytes) -> None:
        if self._connection:
            self._connection.receive(message)

    def on_close(self) -> None:
        if self._connection:
            self._connection.gone()

    def write_out(self, data: bytes) -> "asyncio.Future[None]":
        """One message as one frame, built here and written as it is: `write_message` copies it twice
        and makes a task a message, at three times the cost."""
        connection: Any = self.ws_connection
        if connection is None or connection.stream.closed():
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.set_exception(StreamClosedError())
            return gone
        written: asyncio.Future[None] = connection.stream.write(framed(data, self.encoding))
        return written

    def close(self, code: int | Goodbye | None = None, reason: str | None = None) -> None:
        if isinstance(code, Goodbye):
            super().close(code.code, code.reason)
        else:
            super().close(code, reason)


def framed(data: bytes, encoding: Encoding) -> bytes:
    """An unmasked, final frame (RFC 6455 section 5.2)."""
    first = 0x80 | (TEXT if encoding == "json" else BINARY)
    size = len(data)
    if size < 126:
        return bytes((first, size)) + data
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + data
    return bytes((first, 127)) + size.to_bytes(8, "big") + data
