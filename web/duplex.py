"""The WebSocket: bytes in to the session, frames out to the socket (RFC 6455).

Nothing is awaited in `on_message`: a handler that waits for its own stream there hears neither the next
message nor the close.
"""

import asyncio
import base64
import binascii
from typing import Any, cast

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from realtime.audience import Send
from realtime.connection import MESSAGE_BYTES, Connection, Gone
from realtime.core import goodbyes
from realtime.core.frames import Wire
from realtime.core.goodbyes import Goodbye
from web.handler import Border
from web.problem import Problem
from web.protocol import Ear, Protocol, framed
from web.stream import Place, push, straight

JSON_PROTOCOL = "playhead.v1.json"
MSGPACK_PROTOCOL = "playhead.v1.msgpack"


def in_text(data: bytes) -> bytes:
    return framed(data, 0x1)


def in_binary(data: bytes) -> bytes:
    return framed(data, 0x2)


NO_HEADERS = HTTPHeaders()
JSON_WIRE = Wire("websocket", "json", in_text)
MSGPACK_WIRE = Wire("websocket", "msgpack", in_binary)


class Socket(Border, WebSocketHandler):
    """A request that becomes a socket, whatever is spoken on it then; who inherits this is an `Ear`."""

    def check_origin(self, origin: str) -> bool:
        return True  # judged in prepare, with Host, like every other request

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        tornado = super().get_websocket_protocol()
        assert isinstance(tornado, WebSocketProtocol13)
        return Protocol(cast("Ear", self), MESSAGE_BYTES, tornado.params)

    def _detach_stream(self) -> IOStream:
        # Tornado's own also plants a refusal in the place of each method that no socket should call:
        # attributes enough to treble what a handler weighs.
        return self.detach()

    def slim(self) -> None:
        """The handshake is over: what was asked and answered in it is not kept for hours."""
        self.__dict__.pop("_asked", None)
        self.request.headers = self._headers = NO_HEADERS
        self.request.arguments = self.request.query_arguments = self.request.body_arguments = {}
        self.request.files = {}
        self.open_kwargs = self.path_kwargs = {}


class Duplex(Socket):
    """One client on a socket."""

    wire = JSON_WIRE
    _connection: Connection | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        check_upgrade(self.request)
        self._session = self.asked(Place).session()
        self.services.hub.admit(self.request.remote_ip or "", self._session.taste.rooms)
        await WebSocketHandler.get(self, *args, **kwargs)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        for name in subprotocols:
            if name in (JSON_PROTOCOL, MSGPACK_PROTOCOL):
                self.wire = MSGPACK_WIRE if name == MSGPACK_PROTOCOL else JSON_WIRE
                return name
        return None

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._connection = Connection(
            self.services.hub, self._session, self, self.request.remote_ip or ""
        )
        cursor = self.asked(Place).cursor
        del self._session
        self.slim()
        self._connection.start(cursor)

    def on_message(self, message: str | bytes) -> None:
        if self._connection:
            self._connection.receive(message)

    def on_too_big(self) -> None:
        """The client said more at once than it may."""
        if self._connection:
            self._connection.end(goodbyes.TOO_BIG)

    def on_pinged(self, pong: bytes) -> None:
        """The client asks whether we are there."""
        if self._connection:
            self._connection.reply(pong)

    def on_closing(self) -> None:
        """A close frame is about to go."""
        if self._connection:
            self._connection.gone()

    def on_close(self) -> None:
        if self._connection:
            self._connection.gone()

    def write_out(self, data: bytes | memoryview) -> "asyncio.Future[None] | None":
        """Frames are built once for all and written as they are: `write_message` copies each twice
        and makes a task of it, at three times the cost."""
        connection = self.ws_connection
        if not isinstance(connection, Protocol) or connection.is_closing():
            raise Gone()
        return push(connection.stream, data)

    def direct(self) -> Send | None:
        connection = self.ws_connection
        if not isinstance(connection, Protocol) or connection.is_closing():
            return None
        return straight(connection.stream)

    def abort(self) -> None:
        if isinstance(self.ws_connection, Protocol):
            self.ws_connection.stream.close()

    def close(self, code: int | Goodbye | None = None, reason: str | None = None) -> None:
        if isinstance(code, Goodbye):
            super().close(code.code, code.reason)
        else:
            super().close(code, reason)


def check_upgrade(request: HTTPServerRequest) -> None:
    """The client's half of the handshake (RFC 6455, 4.2.1)."""
    headers = request.headers
    connection = headers.get("Connection", "").lower().split(",")
    if (
        headers.get("Upgrade", "").lower() != "websocket"
        or "upgrade" not in map(str.strip, connection)
        or request.version == "HTTP/1.0"
    ):
        raise Problem(
            426,
            "this address speaks WebSocket only",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Problem(
            426,
            "this address speaks version 13 of WebSocket only",
            [("Sec-WebSocket-Version", "13 would do")],
            {
                "Sec-WebSocket-Version": "13",
                "Upgrade": "websocket",
                "Connection": "Upgrade",
            },
        )
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 16:
        raise Problem(
            400,
            "the WebSocket handshake lacks its key",
            [("Sec-WebSocket-Key", "16 random bytes in base64 would do")],
        )
