"""A client for load: HTTP/1.1 on kept connections, and no more of it than a measurement needs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit


class Client(asyncio.Protocol):
    """One connection, one request at a time; answers must have a Content-Length."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._came = bytearray()
        self._length = -1
        self._answer: asyncio.Future[bytes] | None = None
        self.status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        if self._length < 0:
            end = self._came.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._came[:end])
            self.status = int(head[9:12])
            place = head.lower().index(b"\ncontent-length: ") + 17
            self._length = int(head[place:].partition(b"\r")[0])
            del self._came[: end + 4]
        if len(self._came) >= self._length and self._answer is not None:
            body = bytes(self._came[: self._length])
            del self._came[: self._length]
            self._length = -1
            self._answer.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server hung up"))

    async def ask(self, path: str, body: bytes | None = None, media: str = "") -> bytes:
        """
        Raises:
            AssertionError: the answer is not 200.
            ConnectionError: the server hung up, as it does after a minute of silence.
        """
        if self._transport.is_closing():
            raise ConnectionError("the server hung up")
        self._answer = asyncio.get_running_loop().create_future()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {self._authority}\r\n"
        if body is None:
            self._transport.write(f"{head}\r\n".encode())
        else:
            head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)
        answer = await self._answer
        assert self.status == 200, (path, self.status, answer[:500])
        return answer

    def close(self) -> None:
        self._transport.close()


async def connect(url: str, count: int = 1) -> list[Client]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(count):
        _, client = await loop.create_connection(lambda: Client(parts.netloc), host, port)
        clients.append(client)
    return clients


async def rate(url: str, path: str, clients: int, seconds: float) -> float:
    """Requests a second, each client asking again as soon as it is answered."""
    connections = await connect(url, clients)
    ends = time.perf_counter() + seconds
    counts = [0] * clients

    async def keep_asking(number: int) -> None:
        while time.perf_counter() < ends:
            await connections[number].ask(path)
            counts[number] += 1

    begun = time.perf_counter()
    await asyncio.gather(*(keep_asking(number) for number in range(clients)))
    spent = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return sum(counts) / spent


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    await work()
    return (time.perf_counter() - begun) * 1000


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
