"""Where connections come in: some a turn, and none that would take the last descriptor.

A handshake takes ten times as long as an answer from memory. When ten thousand come at once, after a
restart or a cut, the kernel's queue keeps their order and the loop serves the others in between.
"""

import contextlib
import errno
import random
import socket
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from realtime.addresses import Tally

ACCEPTS = 32
"""Connections let in a turn of the loop: some ten milliseconds of handshakes (law loop-never-blocks)."""
PAUSE_S = 0.25
"""How long nobody is let in when the system has no descriptor to give."""
ALL = "There are as many connections as the system gives this server files for."
ONE = "There are as many connections as one address may have."
RETRY_S = 1, 10
"""Within these the refused are asked back, each at a moment of its own."""

PER_STREAM = 2
"""Sockets one address may have here for each stream that it may hold. Those that are WebSockets by now are
the hub's to count; what is left asks, or stays silent, and has to leave some room for the others."""

_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log_ = structlog.get_logger("web")


class Gate(HTTPServer):
    """`most` sockets may be open at once; `streams` tells how many of them Tornado no longer counts.

    `each` of those it does count may be of one address."""

    most = 1 << 20
    each = 0
    refused = 0
    _tally: Tally

    @staticmethod
    def streams() -> int:
        return 0

    def bound(self, most: int, streams: Callable[[], int], each: int = 0) -> None:
        self.most = most
        self.each = each
        self._tally = Tally()
        self.streams = streams  # type: ignore[method-assign]

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        for one in sockets:
            self._sockets[one.fileno()] = one
            self._listen(one)

    def _listen(self, one: socket.socket) -> None:
        loop = IOLoop.current()
        loop.add_handler(one, self._come_in, IOLoop.READ)
        self._handlers[one.fileno()] = lambda: loop.remove_handler(one)

    def _come_in(self, listening: socket.socket, _events: int) -> None:
        for _ in range(ACCEPTS):
            if self._stopped:
                return
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._pause(listening, error)
                return
            if len(self._connections) + self.streams() >= self.most:
                self._refuse(connection, ALL)
            elif self._tally.is_full(address[0], self.each):
                self._refuse(connection, ONE)
            else:
                self._handle_connection(connection, address)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self._tally.add(address[0], 1)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        super().on_close(server_conn)
        self._tally.add(server_conn.context.address[0], -1)

    def _refuse(self, connection: socket.socket, why: str) -> None:
        self.refused += 1
        with contextlib.suppress(OSError), connection:
            connection.setblocking(False)
            connection.send(_refusal(why))
            # Unread bytes would make the end a reset, and the answer would be lost with it.
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1 << 16)

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Whoever waits in the kernel's queue goes on waiting: better than asking without end."""
        log_.warning("no connection can be taken for a moment", reason=error.strerror)
        self._handlers.pop(listening.fileno())()
        self._handlers[listening.fileno()] = lambda: None
        IOLoop.current().call_later(PAUSE_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if not self._stopped:
            self._listen(listening)


def _refusal(why: str) -> bytes:
    body = (
        f'{{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"{why} '
        'Try again in a few seconds."}'
    )
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {random.randint(*RETRY_S)}\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()
