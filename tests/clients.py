"""Readers for tests: each a real client of a road, and one that reads as slowly as a test wants."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
import httpx_sse
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.app import PATIENCE_S

API = "/api/realtime"
MSGPACK = "playhead.v1.msgpack"


class Told(NamedTuple):
    """A frame as it came. `id` is the SSE id, or the client's own id on an answer."""

    event: str
    data: dict[str, Any]
    id: Any = None


class Reader:
    """Frames one after the other; `heard` keeps all that came."""

    def __init__(self, source: Callable[[], Awaitable[Told]]) -> None:
        self.heard: list[Told] = []
        self._source = source

    async def next(self) -> Told:
        told = await asyncio.wait_for(self._source(), PATIENCE_S)
        self.heard.append(told)
        return told

    async def until(self, event: str, **data: Any) -> Told:
        """Reads on to a frame of that name whose data has these values."""
        while True:
            told = await self.next()
            if told.event == event and all(told.data.get(k) == v for k, v in data.items()):
                return told

    @property
    def seqs(self) -> list[int]:
        """Places of the log frames that came, in the order in which they came."""
        return [told.data["seq"] for told in self.heard if "seq" in told.data]


class Socket(Reader):
    """A WebSocket of the `websockets` library."""

    def __init__(self, it: ClientConnection) -> None:
        super().__init__(self._read)
        self.it = it
        self.binary = it.subprotocol == MSGPACK

    async def _read(self) -> Told:
        message = await self.it.recv()
        assert isinstance(message, bytes) == self.binary
        binary = isinstance(message, bytes)
        told: Any = (msgspec.msgpack if binary else msgspec.json).decode(message)
        return Told(told["event"], told["data"], told.get("id"))

    async def say(self, event: str, data: Any = None, id: Any = None) -> None:
        message = {"event": event}
        message |= {} if data is None else {"data": data}
        message |= {} if id is None else {"id": id}
        encoded = (msgspec.msgpack if self.binary else msgspec.json).encode(message)
        await self.it.send(encoded if self.binary else encoded.decode())

    async def ask(self, event: str, data: Any = None) -> Told:
        """Says it and reads on to the answer."""
        id_ = f"q{len(self.heard)}"
        await self.say(event, data, id_)
        while True:
            told = await self.next()
            if told.id == id_:
                return told

    async def closed(self) -> int:
        """Reads to the end; gives the close code."""
        with contextlib.suppress(Exception):
            while True:
                await self.next()
        await self.it.wait_closed()
        assert self.it.close_code is not None
        return self.it.close_code


class Events(Reader):
    """An event stream of httpx-sse. `response` has its headers."""

    def __init__(self, response: httpx.Response, events: AsyncIterator[httpx_sse.ServerSentEvent]):
        super().__init__(self._read)
        self.response = response
        self.retry: int | None = None
        self._events = events

    async def _read(self) -> Told:
        while True:
            one = await anext(self._events)
            if one.retry is not None:
                self.retry = one.retry
            if one.data:
                return Told(one.event, json.loads(one.data), one.id)


@contextlib.asynccontextmanager
async def sockets(url: str, subprotocol: str = "", **query: Any) -> AsyncIterator[Socket]:
    address = f"{url.rstrip('/').replace('http', 'ws', 1)}{API}/ws?{urlencode(query)}"
    protocols: Any = [subprotocol] if subprotocol else None
    async with connect(
        address, subprotocols=protocols, max_size=None, ping_interval=None, close_timeout=0.5
    ) as it:
        yield Socket(it)


@contextlib.asynccontextmanager
async def events(
    url: str, headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator[Events]:
    address = f"{url.rstrip('/')}{API}/dashboard/stream"
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client,
        httpx_sse.aconnect_sse(
            client, "GET", address, params=query, headers=headers or {}
        ) as source,
    ):
        source.response.raise_for_status()
        yield Events(source.response, source.aiter_sse())


async def poll(url: str, **query: Any) -> dict[str, Any]:
    """One long poll's data."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        answer = await client.get(f"{url.rstrip('/')}{API}/dashboard/poll", params=query)
    answer.raise_for_status()
    data: dict[str, Any] = answer.json()["data"]
    return data


class Slow:
    """A raw socket with a small window, which reads only when it is told to."""

    def __init__(self, it: socket.socket) -> None:
        self.it = it
        self.bytes = b""

    async def take(self, size: int = 65_536) -> bytes:
        got = await asyncio.wait_for(
            asyncio.get_running_loop().sock_recv(self.it, size), PATIENCE_S
        )
        self.bytes += got
        return got

    async def until(self, word: bytes, times: int = 1) -> bytes:
        """Reads until the word has come so often; gives all that has come so far."""
        while self.bytes.count(word) < times:
            if not await self.take():
                raise AssertionError(f"the stream ended without {word!r}")
        return self.bytes

    async def rest(self) -> bytes:
        """Reads to the end, be it an orderly one or not."""
        with contextlib.suppress(ConnectionError):
            while await self.take():
                pass
        return self.bytes

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.it, data)


@contextlib.asynccontextmanager
async def slow(url: str, head: str, window: int = 4096) -> AsyncIterator[Slow]:
    """A connection that has sent the request `head`; `Host` and the empty line are added."""
    where = urlsplit(url)
    it = socket.socket()
    it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    it.setblocking(False)
    with it:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(it, (where.hostname, where.port))
        await loop.sock_sendall(it, f"{head}\r\nHost: {where.netloc}\r\n\r\n".encode())
        yield Slow(it)


def stream(**query: Any) -> str:
    """The head of a request for the event stream."""
    return f"GET {API}/dashboard/stream?{urlencode(query)} HTTP/1.1"


def upgrade(**query: Any) -> str:
    """The head of a request for a WebSocket."""
    return (
        f"GET {API}/ws?{urlencode(query)} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
    )


async def eventually(true: Callable[[], Any]) -> None:
    """Waits until it is so."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it never came about"
        await asyncio.sleep(0.01)
