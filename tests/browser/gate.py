"""A network that can be bad: it refuses, delays, swallows, or answers in the server's place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from urllib.parse import urlsplit

ROADS = {
    b"/api/realtime/ws": "websocket",
    b"/api/realtime/dashboard/stream": "sse",
    b"/api/realtime/dashboard/poll": "poll",
}
PIECE = 64 * 1024
WELCOME = b"<html><body>Welcome, guest</body></html>"
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(WELCOME), WELCOME)
)


class Gate:
    """What it does may change while the page watches. Every request comes on a connection of its own."""

    def __init__(self, server: str) -> None:
        self.refused: set[str] = set()
        """Roads that are reset at once: `websocket`, `sse`, `poll`."""
        self.portal = False
        """Anything asked is answered with a page that is not ours."""
        self.delay_s = 0.0
        """Each way."""
        self.url = ""
        self._host, self._port = urlsplit(server).hostname, urlsplit(server).port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def swallow(self) -> None:
        """From now on nothing comes through and nothing is closed: a cable that was pulled."""
        self._flowing.clear()

    def restore(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Everything that is open is reset."""
        for writer in self._open:
            writer.transport.abort()

    async def close(self) -> None:
        self.restore()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._run(self._serve(reader, writer))

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._pass(reader, writer)
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await self._flowing.wait()
        if self.portal:
            writer.write(PORTAL)
            await writer.drain()
            return
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        if ROADS.get(path) in self.refused:
            return
        there, out = await asyncio.open_connection(self._host, self._port)
        self._open.add(out)
        try:
            out.write(head.replace(b"Connection: keep-alive", b"Connection: close"))
            ways = [self._run(self._pump(reader, out)), self._run(self._pump(there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            out.transport.abort()
            self._open.discard(out)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes keep their distance in time: a delay is no bottleneck."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)

        async def deliver() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(due - loop.time())
                await self._flowing.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        delivering = self._run(deliver())
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                await waiting.put((loop.time() + self.delay_s, data))
        await waiting.put((loop.time() + self.delay_s, b""))
        with contextlib.suppress(OSError):
            await delivering


@contextlib.asynccontextmanager
async def gated(server: str) -> AsyncIterator[Gate]:
    """A gate in front of a server."""
    gate = Gate(server)
    listening = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    gate.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        listening.close()
        await gate.close()
