"""Socket.IO clients, so that pages written for the original keep working: the same frames on a fourth road.

python-engineio (python-socketio's own transport) does the handshake, polling, the upgrade and pings; the
packets of Socket.IO are read with python-socketio's codec. What is told, and to whom, is
`realtime.connection`'s matter, as on the other roads. Only imported where the extra `socketio` is installed.

engineio puts packets into a queue a client that has no bound, and does not wait for the socket. So every
byte of ours knows when it has left, and the connection writes no more before that (law slow-costs-itself).
What a client may send is checked here before engineio sees it, which would log it as a failure of ours.
"""

import asyncio
import contextlib
import logging
from collections import deque
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import engineio
import msgspec
from engineio.packet import CLOSE, MESSAGE, PING, PONG, UPGRADE
from engineio.packet import Packet as Envelope
from engineio.payload import Payload
from socketio.packet import CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Packet
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from realtime.connection import MESSAGE_BYTES, Connection, Gone
from realtime.core import goodbyes
from realtime.core.frames import Wire
from realtime.core.goodbyes import Goodbye
from realtime.core.session import BURST
from realtime.delivery import Hub
from realtime.errors import PlayheadError
from web.duplex import Socket, check_upgrade
from web.handler import logger
from web.params import fields_of
from web.problem import Problem, shown
from web.protocol import TEXT, Protocol, framed
from web.route import Route
from web.services import Services
from web.stream import GRACE_S, Place, push

PING_INTERVAL_S, PING_TIMEOUT_S = 25, 20
"""As the original's, and every Socket.IO server's."""
CONNECT_S = 20.0
"""How long a client may take to say CONNECT, or to finish its change from polling to a socket."""
WAITING = 2 * BURST
"""Messages of one client that may wait for their turn."""
RECORD = b"\x1e"
"""Ends a packet, as in a payload of Engine.IO; JSON writes the character as an escape."""

PORTION = Payload.max_decode_packets
"""Packets that python-socketio's client reads of one answer to a poll; of more it takes none, and leaves."""

STILL_READ = ("tornado.handler", "HTTP_CONNECTION", "HTTP_UPGRADE")
CLIENT_SAYS = (CLOSE, PING, PONG, MESSAGE, UPGRADE)


def in_packets(data: bytes) -> bytes:
    return b"4" + data + RECORD


WIRE = Wire("socketio", "json", in_packets)


class Portions(asyncio.Queue[Any]):
    """engineio's queue, of which it gets no more at once than a client reads of one answer."""

    def _init(self, maxsize: int) -> None:
        self._queue: deque[Any] = deque()
        self._taken = 0

    async def get(self) -> Any:
        self._taken = 0
        return await super().get()

    def get_nowait(self) -> Any:
        size = _size(self._queue[0]) if self._queue else 0
        if self._taken and self._taken + size > PORTION:
            raise asyncio.QueueEmpty()
        self._taken += size
        return super().get_nowait()


def _size(packet: Any) -> int:
    return packet.size if isinstance(packet, Parcel) else 1


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    def create_queue(self, *args: Any, **kwargs: Any) -> Portions:
        return Portions(*args, **kwargs)


class Parcel:
    """Whole packets in engineio's queue, and who waits for them to leave; a packet to engineio's eyes."""

    packet_type = MESSAGE

    def __init__(self, packets: list[bytes], waiting: list["asyncio.Future[None]"]) -> None:
        self.size = len(packets)
        self.data = RECORD.join(packets)
        self._waiting = waiting

    def encode(self, b64: bool = False) -> "str | Parcel":
        """engineio asks when it has room. For a poll's answer, which is the text: that they have left.
        For a socket, which is handed what comes back: itself."""
        if not b64:
            return self
        self._settle(self._waiting)
        return self.data.decode()

    def leave(self, handler: "SocketIo") -> None:
        """By the socket, in as many pieces as are waited for: a slow reader is seen to read."""
        data = b"".join(framed(one, TEXT) for one in self.data.split(RECORD))
        if not self._waiting:
            push(handler.stream, data)
            return
        step = len(data) // len(self._waiting) + 1
        for place, future in enumerate(self._waiting):
            left = push(handler.stream, memoryview(data)[place * step : (place + 1) * step])
            if left is None:
                self._settle([future])
            else:
                left.add_done_callback(partial(_follow, future))

    @staticmethod
    def _settle(futures: list["asyncio.Future[None]"]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)


def _follow(future: "asyncio.Future[None]", left: "asyncio.Future[None]") -> None:
    if left.cancelled() or left.exception() is not None:
        future.cancel()
    elif not future.done():
        future.set_result(None)


class Client:
    """One session of Engine.IO, and the connection on it once the client has said CONNECT."""

    wire = WIRE
    connection: Connection | None = None
    handler: "SocketIo | None" = None
    """Its socket, when it has one."""

    def __init__(
        self, door: "Door", sid: str, query: dict[str, list[str]], address: str = ""
    ) -> None:
        self._door = door
        self.sid = sid
        self._address = address
        self._holds = False
        self._hold(True)
        self.engine = door.engine.sockets[sid]
        self.polled = False
        """A request of its waits for packets."""
        self._query = {name: values[-1] for name, values in query.items()}
        self._part = bytearray()
        self._waiting: list[asyncio.Future[None]] = []
        self._hurry = asyncio.get_running_loop().call_later(CONNECT_S, self._too_late)

    def hear(self, data: Any) -> None:
        """One message. What cannot be read is answered as on the other roads, by the session."""
        packet: Any
        try:
            # engineio makes values of what looks like JSON, which no packet does.
            packet = Packet(encoded_packet=data) if isinstance(data, str) else Packet(-1)
        except (ValueError, TypeError, IndexError, RecursionError):
            packet = Packet(-1)
        kind, place = packet.packet_type, packet.namespace or "/"
        if kind == CONNECT and (place != "/" or self.connection):
            self._say(CONNECT_ERROR, {"message": "there is one namespace, /, once"}, place)
        elif kind == CONNECT:
            self._connect(packet.data)
        elif kind == DISCONNECT or self.connection is None:
            self.end()
        elif kind == EVENT and place == "/":
            self.connection.receive(_message(packet))
        else:
            self.connection.receive(NO_PACKET)

    def _connect(self, auth: Any) -> None:
        try:
            if not isinstance(auth, dict | None):
                raise ValueError(f"auth: {shown(str(auth))}; an object would do")
            asked = {**self._query, **(auth or {})}
            known = {name: asked[name] for name in fields_of(Place) if name in asked}
            session = msgspec.convert(known, Place, strict=False)
            told = session.session()
            self._hold(False)
            self._door.hub.admit(self._address, told.taste.rooms)
        except (ValueError, PlayheadError, Problem) as error:
            self._hold(True)
            self._say(CONNECT_ERROR, {"message": _words(error)})
            return
        connection = Connection(self._door.hub, told, self, self._address)
        self._hurry.cancel()
        self.connection = connection
        self._say(CONNECT, {"sid": connection.client_id})
        connection.start(session.cursor)

    def _hold(self, whether: bool) -> None:
        """A place among the connections for as long as it has none that counts."""
        if whether != self._holds:
            self._holds = whether
            hub = self._door.hub
            (hub.hold if whether else hub.release)(self._address)

    def _say(self, kind: int, data: Any = None, place: str = "/") -> None:
        told = Packet(kind, data, place).encode()
        self.engine.queue.put_nowait(Envelope(MESSAGE, told))

    def write_out(self, data: bytes | memoryview) -> "asyncio.Future[None]":
        """Resolves when the client's request or socket has taken it."""
        if self.engine.closed:
            raise Gone()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._part += data
        # Pieces are cut anywhere; what is handed on is whole packets.
        end = self._part.rfind(RECORD)
        if end >= 0:
            packets = bytes(self._part[:end]).split(RECORD)
            del self._part[: end + 1]
            waiting, self._waiting = self._waiting, []
            parcels = -(-len(packets) // PORTION)
            for place in range(parcels):
                part = packets[place * PORTION : (place + 1) * PORTION]
                who = waiting[
                    len(waiting) * place // parcels : len(waiting) * (place + 1) // parcels
                ]
                self.engine.queue.put_nowait(Parcel(part, who))
        return future

    def direct(self) -> None:
        """None: engineio's queue stands before every packet."""

    def abort(self) -> None:
        self.end()

    def close(self, goodbye: Goodbye) -> None:
        if not goodbye.may_return:
            self._say(DISCONNECT)  # without it a client comes back by itself
        self._hold(True)
        self._door.start(self._leave(goodbye))

    def end(self) -> None:
        """The client has gone, or is not one."""
        self._door.start(self._leave(None))

    async def _leave(self, goodbye: Goodbye | None) -> None:
        """engineio's own end would tell python-socketio's client not to come back."""
        if goodbye:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.engine.queue.join(), GRACE_S)
        await self.engine.close(wait=False, abort=True)
        self.engine.queue.put_nowait(None)  # wakes who waits for packets
        if self.handler and goodbye:
            self.handler.close(goodbye.code, goodbye.reason)
        elif self.handler:
            self.handler.close()

    def gone(self) -> None:
        self._hurry.cancel()
        self._hold(False)
        if self.connection:
            self.connection.gone()

    def _too_late(self) -> None:
        self.end()


NO_PACKET = "(no packet of Socket.IO)"
"""The session says that it is malformed, and counts it."""


def _message(packet: Any) -> str:
    """An event in the words of the WebSocket; an acknowledgement that is asked for is its `id`."""
    match packet.data:
        case [name]:
            message = {"event": name}
        case [name, None]:
            message = {"event": name}
        case [name, data]:
            message = {"event": name, "data": data}
        case _:
            return NO_PACKET
    if packet.id is not None:
        message["id"] = packet.id
    try:
        return msgspec.json.encode(message).decode()
    except (ValueError, OverflowError, RecursionError):  # such as half a surrogate pair
        return NO_PACKET


def _words(error: Exception) -> str:
    if isinstance(error, Problem):
        return "; ".join(f"{one.field}: {one.detail}" for one in error.errors) or str(error)
    return error.detail if isinstance(error, PlayheadError) else str(error)


class Door:
    """engineio's server and its clients; one a house."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.clients: dict[str, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        log = logging.getLogger("engineio")
        log.setLevel(logging.WARNING)  # at info it writes what people send
        self.engine = Engine(
            async_mode="tornado",
            async_handlers=False,
            cors_allowed_origins=[],  # judged in prepare, like every other request
            http_compression=False,  # on the loop, at the slowest level
            max_http_buffer_size=MESSAGE_BYTES,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            logger=log,
        )
        self.engine.on("connect", self._came)
        self.engine.on("message", self._heard)
        self.engine.on("disconnect", self._went)

    @property
    def handler(self) -> "type[SocketIo]":
        return SocketIo

    def start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _came(self, sid: str, environ: dict[str, Any]) -> str | None:
        """What is said against it; None takes it in."""
        handler: SocketIo = environ["tornado.handler"]
        address = handler.request.remote_ip or ""
        try:
            # Sockets whose handshakes were made in one turn of the loop have been asked before any counted.
            self.hub.admit(address)
        except PlayheadError as error:
            return error.detail
        client = self.clients[sid] = Client(self, sid, handler.query, address)
        handler.client = client
        if handler.ws_connection:
            client.handler = handler
            # engineio's coroutines hold it for as long as the socket lasts; this is what they still read.
            kept = {name: environ[name] for name in STILL_READ}
            environ.clear()
            environ.update(kept)
        return None

    def _heard(self, sid: str, data: Any) -> None:
        if client := self.clients.get(sid):
            client.hear(data)

    def _went(self, sid: str, _reason: str) -> None:
        self.engine.sockets.pop(sid, None)
        if client := self.clients.pop(sid, None):
            client.gone()


class SocketIo(Socket):
    """The border before engineio, and the request and socket that its Tornado driver sees."""

    client: Client | None = None
    _late: asyncio.TimerHandle | None = None
    _pong: "asyncio.Future[None] | None" = None

    def initialize(self, services: Services, route: Route) -> None:
        super().initialize(services, route)
        assert services.socketio is not None and services.socketio.door is not None
        self._door = services.socketio.door
        self._came: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    def prepare(self) -> None:
        self.judge()
        if self.request.method not in ("GET", "POST"):
            raise HTTPError(405)
        origin = self.request.headers.get("Origin")
        if origin is not None:  # it was let in: its page may read the answer
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Vary", "Origin")
        try:
            self.query = parse_qs(self.request.query, max_num_fields=100)
        except ValueError:
            raise Problem(400, "the query string holds more than 100 parameters") from None
        self._check()

    def _check(self) -> None:
        """What engineio would answer too, and log as an error of ours."""
        asked = {name: values[0] for name, values in self.query.items()}
        self._transport = asked.get("transport", "polling")
        if self._transport not in ("polling", "websocket"):
            raise _no("transport", f"{shown(self._transport)}; polling or websocket would do")
        if "j" in asked:
            raise _no("j", "answers are not given as scripts, which any page could load")
        sid = asked.get("sid")
        if sid is None:
            if asked.get("EIO") != "4":
                raise _no("EIO", f"{shown(asked.get('EIO', ''))}; 4 would do: Socket.IO 3 or newer")
            if self.request.method == "POST":
                raise _no("sid", "left out; a session begins with GET")
            self._door.hub.admit(self.request.remote_ip or "")
            return
        self.client = self._door.clients.get(sid)
        engine = self.client.engine if self.client else None
        if engine is None or engine.closed or engine.closing or not engine.connected:
            raise _no("sid", "is not known here, or no longer; begin again")
        if engine.upgraded:
            raise _no("sid", "has a socket")

    async def get(self, *args: Any, **kwargs: Any) -> None:
        if self._transport == "websocket":
            check_upgrade(self.request)
            if self.client and self.client.handler:
                raise _no("sid", "has a socket on its way")
            if self.client:
                self.client.handler = self
            await super().get(*args, **kwargs)
        elif self.request.headers.get("Upgrade"):
            raise _no("transport", "polling, and the request asks for a socket")
        elif self.client and self.client.polled:
            raise _no("sid", "is asked for by another request that waits")
        else:
            try:
                if self.client:
                    self.client.polled = True
                await self._door.engine.handle_request(self)
            finally:
                if self.client:
                    self.client.polled = False

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """By this engineio's driver learns that there is nobody to answer any more."""
        if self._late is not None:
            raise RuntimeError("it has become a socket")
        super().set_status(status_code, reason)

    async def post(self) -> None:
        body = self.request.body
        if len(body) > MESSAGE_BYTES:
            raise Problem(413, f"the body is longer than {MESSAGE_BYTES:,} bytes")
        try:
            packets = Payload(encoded_payload=body.decode()).packets
        except (ValueError, LookupError, RecursionError) as error:
            raise Problem(400, f"the body is no payload of Engine.IO: {error}") from None
        if not all(packet.packet_type in (CLOSE, PONG, MESSAGE) for packet in packets):
            raise Problem(400, "the body has a packet that a client does not send by POST")
        await self._door.engine.handle_request(self)

    def on_connection_close(self) -> None:
        """In the middle of a poll: what it has taken is lost, and the session with it; its cursor is safe."""
        super().on_connection_close()
        if self.client and self._late is None:
            self.client.end()

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._late = asyncio.get_running_loop().call_later(CONNECT_S, self._too_late)
        self._serving = asyncio.ensure_future(self._door.engine.handle_request(self))
        self._serving.add_done_callback(self._served)
        # Behind the first step of that, in which engineio reads what it wants of the request.
        asyncio.get_running_loop().call_soon(self.slim)

    def _too_late(self) -> None:
        """A change from polling to a socket that was not finished."""
        if self.client and not self.client.engine.upgraded:
            self.close()

    def _served(self, serving: "asyncio.Future[None]") -> None:
        error = None if serving.cancelled() else serving.exception()
        if error:
            logger.error("a Socket.IO client could not be served", exc_info=error)
        if error or self.client is None:
            self.close()

    def on_message(self, message: str | bytes) -> None:
        try:
            packet = Envelope(encoded_packet=message)
            upgraded = self.client is not None and self.client.engine.upgraded
            if packet.packet_type not in CLIENT_SAYS or (
                upgraded and packet.packet_type in (PING, UPGRADE)
            ):
                raise ValueError("a packet that a client does not send now")
        except (ValueError, RecursionError):
            self.close(1002, "no packet of Engine.IO")
            return
        if self._came.qsize() < WAITING:
            self._came.put_nowait(message)
        elif self.client and self.client.connection:
            self.client.connection.end(goodbyes.ABUSE)
        else:
            self.close(goodbyes.ABUSE.code, goodbyes.ABUSE.reason)

    def on_too_big(self) -> None:
        if self.client and self.client.connection:
            self.client.connection.end(goodbyes.TOO_BIG)

    def on_pinged(self, pong: bytes) -> None:
        """One answer at a time is on its way: who pings and does not read makes nothing wait."""
        if self._pong is None or self._pong.done():
            with contextlib.suppress(Gone, WebSocketClosedError):
                self._pong = push(self.stream, pong)

    def on_closing(self) -> None:
        """A close frame is about to go: from here on `stream` refuses, and `on_close` tells engineio."""

    async def get_next_message(self) -> str | bytes | None:
        """For engineio's driver; None is the end."""
        return await self._came.get()

    def on_close(self) -> None:
        if self._late is None:  # it has not become a socket
            return
        self._late.cancel()
        self._came.put_nowait(None)
        if self.client and not self.client.engine.upgraded:
            # engineio would go on holding packets back from the polls of one whose socket came to nothing.
            self.client.engine.upgrading = False
            self.client.handler = None

    @property
    def stream(self) -> Any:
        connection = self.ws_connection
        if not isinstance(connection, Protocol) or connection.is_closing():
            raise WebSocketClosedError()
        return connection.stream

    def write_message(self, message: Any, binary: bool = False) -> "asyncio.Future[None]":
        if not isinstance(message, Parcel):
            return super().write_message(message, binary)
        message.leave(self)
        return asyncio.get_running_loop().create_future()  # the driver does not look at it


def _no(field: str, detail: str) -> Problem:
    return Problem(400, "not a request of Engine.IO that can be served", [(field, detail)])
