"""RFC 6455 where Tornado is more lenient than the standard, or more abrupt than a client can follow.

Tornado takes unmasked frames, gives close codes back that nobody may send, and aborts where a close
code is due: with bytes unread in the kernel that is a TCP reset, and the client never learns why.
"""

import asyncio
import contextlib
import socket
import sys
import typing
from typing import Any, NoReturn, cast

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL, RESERVED, OPCODE, MASKED, LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
CONTROL_BYTES = 125
DRAINED_BYTES = 64 * 1024
DRAINED_MOST = 16 * 1024 * 1024
"""More than a client can have had on its way when the close frame went to it."""
FRAME_WORK, FAIR = 4096, 256 * 1024
"""What a frame costs beyond its bytes, and how much is heard from one socket before the others are."""

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009


class Violation(Exception):
    """The client broke the protocol; the connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


_SPARED: dict[str, Any] = {
    name: value
    for name, value in vars(
        WebSocketProtocol13(cast("Any", None), False, _WebSocketParams())
    ).items()
    if value is None or value is False or value == 0
}


class Ear(typing.Protocol):
    """What a handler has to know besides what Tornado asks of it."""

    def on_too_big(self) -> None:
        """The client said more at once than it may."""

    def on_pinged(self, pong: bytes) -> None:
        """The client asks whether we are there; this frame answers it."""

    def on_closing(self) -> None:
        """A close frame is about to go: nothing may follow it."""

    def on_socket(self, more: int) -> None:
        """A socket that Tornado has handed over, and counts no longer; -1 when it has ended."""


class Protocol(WebSocketProtocol13):
    """The server's side of one socket. Frames without extensions, messages of at most `most` bytes."""

    def __init__(self, handler: Ear, most: int, params: Any) -> None:
        super().__init__(cast("WebSocketHandler", handler), False, params)
        # Three dozen attributes, most of which stay as they are: those are read from the class.
        own = vars(self).items()
        self.__dict__ = {n: v for n, v in own if n not in _SPARED or v is not _SPARED[n]}
        self._most = most
        self._opcode = CONTINUATION
        self._parts = bytearray()

    @property
    def _ear(self) -> Ear:
        return cast("Ear", self.handler)

    async def _receive_frame_loop(self) -> None:
        # By itself: the coroutines of the handshake would weigh more than all else a quiet socket has.
        self._ear.on_socket(1)
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        work = 0
        try:
            while not self.client_terminated:
                first, second = await self.stream.read_bytes(2)
                work += await self._hear(first, second)
                if work > FAIR:
                    work = 0
                    await asyncio.sleep(0)
        except (StreamClosedError, asyncio.CancelledError):
            # Cancelled is only who listens still when the loop itself ends.
            self._abort()
        except Exception:
            self.handler.log_exception(*sys.exc_info())
            self._abort()
        finally:
            self._ear.on_socket(-1)
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    async def _hear(self, first: int, second: int) -> int:
        """The rest of a frame; about how many bytes of work it was."""
        try:
            return FRAME_WORK + await self._take(first, second)
        except Violation as violation:
            if violation.code == TOO_BIG:
                self._ear.on_too_big()
            self.close(violation.code, violation.reason)
            await self._drain()

    async def _take(self, first: int, second: int) -> int:
        opcode, final, size = first & OPCODE, bool(first & FINAL), second & LENGTH
        _check_header(first, second)
        if opcode < CLOSE and (opcode == CONTINUATION) != (self._opcode != CONTINUATION):
            _refuse("a message goes on that has not begun, or begins before the last has ended")
        if size > CONTROL_BYTES:
            wide = 2 if size == LENGTH - 1 else 8
            size = int.from_bytes(await self.stream.read_bytes(wide), "big")
        if opcode < CLOSE and size + len(self._parts) > self._most:
            raise Violation(TOO_BIG, "the message is too big")
        mask = await self.stream.read_bytes(4)
        data = unmasked(await self.stream.read_bytes(size), mask) if size else b""
        if opcode >= CLOSE:
            self._handle_message(opcode, data)
        elif final and opcode != CONTINUATION:
            self._whole(opcode, data)
        else:
            self._opcode = self._opcode or opcode
            self._parts += data
            if final:
                opcode, whole = self._opcode, bytes(self._parts)
                self._opcode, self._parts = CONTINUATION, bytearray()
                self._whole(opcode, whole)
        return size

    def _whole(self, opcode: int, data: bytes) -> None:
        if opcode == TEXT:
            try:
                data.decode()
            except UnicodeDecodeError:
                raise Violation(NOT_UTF8, "a text message has to be UTF-8") from None
        self._handle_message(opcode, data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Nothing follows a close frame (section 5.5.1), whoever asked for it."""
        self._ear.on_closing()
        super().close(code, reason)

    def _send_pong(self, data: bytes) -> None:
        # Frames go straight to a socket whose stream holds nothing: whatever is written goes one way.
        self._ear.on_pinged(framed(data, PONG))

    def _handle_message(self, opcode: int, data: bytes) -> Any:
        if opcode == CLOSE:
            _check_close(data)
        return super()._handle_message(opcode, data)

    async def _drain(self) -> NoReturn:
        """Say that nothing follows, then read what still comes and heed none of it, so that the close
        frame gets through; `close` has set the moment when patience ends."""
        if not self.stream.writing():
            with contextlib.suppress(OSError):  # gone already: the read will tell
                self.stream.socket.shutdown(socket.SHUT_WR)
        left = DRAINED_MOST
        while left > 0:
            left -= len(await self.stream.read_bytes(DRAINED_BYTES, partial=True))
            await asyncio.sleep(0)  # what lies there already is read without giving way
        raise StreamClosedError()


for _name, _value in _SPARED.items():
    setattr(Protocol, _name, _value)


def framed(data: bytes, opcode: int) -> bytes:
    """An unmasked, final frame (RFC 6455, 5.2)."""
    first = FINAL | opcode
    size = len(data)
    if size < 126:
        return bytes((first, size)) + data
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + data
    return bytes((first, 127)) + size.to_bytes(8, "big") + data


def unmasked(data: bytes, mask: bytes) -> bytes:
    """Each byte XOR its byte of the mask (section 5.3), as one number: many times quicker."""
    size = len(data)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")


def _refuse(reason: str) -> NoReturn:
    raise Violation(PROTOCOL_ERROR, reason)


def _check_header(first: int, second: int) -> None:
    opcode = first & OPCODE
    if first & RESERVED:
        _refuse("a reserved bit is set, and no extension was agreed on")
    if not second & MASKED:
        _refuse("a client has to mask its frames")  # section 5.1
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        _refuse("the opcode is reserved")
    if opcode >= CLOSE and (second & LENGTH > CONTROL_BYTES or not first & FINAL):
        _refuse("a control frame is short and in one piece")  # section 5.5


def _check_close(data: bytes) -> None:
    """Sections 5.5.1 and 7.4: nothing, or a code that may be sent and a reason in UTF-8."""
    if not data:
        return
    code = int.from_bytes(data[:2], "big")
    if len(data) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        _refuse("that is no close code")
    try:
        data[2:].decode()
    except UnicodeDecodeError:
        raise Violation(NOT_UTF8, "the reason has to be UTF-8") from None
