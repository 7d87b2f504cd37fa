"""A wire that misbehaves: between a client and the server, and told by dice what to do to each connection."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

KINDS = ("fair", "late", "sliced", "narrow", "half open", "reset", "black hole", "cut", "twice")
GIVES_UP_S = 0.6
"""How long a connection that goes nowhere is left so, before the proxy frees it."""


class Proxy:
    """`fates` counts what was done. None lasts long, unless it is `calm`."""

    def __init__(self, url: str, dice: random.Random) -> None:
        where = urlsplit(url)
        self._target = where.hostname, where.port
        self._dice = dice
        self.calm = False
        self.fates: dict[str, int] = {}
        self.url = ""
        self._deck: list[str] = []
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if not self._deck:
            self._deck = self._dice.sample(KINDS, len(KINDS))
        fate = "fair" if self.calm else self._deck.pop()
        lasts_s = None if self.calm else self._dice.uniform(0.3, 2.0)
        self.fates[fate] = self.fates.get(fate, 0) + 1
        outs: list[asyncio.StreamWriter] = []
        try:
            there, out = await asyncio.open_connection(*self._target)
            outs.append(out)
            if fate == "twice":
                # What the client asks is asked a second time; nobody reads that answer.
                _, again = await asyncio.open_connection(*self._target)
                outs.append(again)
        except OSError:
            for one in (writer, *outs):
                one.close()
            self._tasks.discard(task)
            return
        pumps: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._pump(reader, outs, "late" if fate == "late" else "fair")),
            asyncio.create_task(self._pump(there, [writer], fate)),
            asyncio.create_task(self._over.wait()),
        ]
        try:
            await asyncio.wait(pumps, timeout=lasts_s, return_when=asyncio.FIRST_COMPLETED)
            if fate == "half open":
                # No FIN to either side: both believe in it until their own patience ends.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), GIVES_UP_S)
            if fate == "reset":
                for one in (writer, *outs):
                    with contextlib.suppress(OSError):  # it is closed already
                        it = one.get_extra_info("socket")
                        it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for one in (writer, *outs):
                one.transport.abort() if fate == "reset" else one.close()
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter], fate: str
    ) -> None:
        """Passes bytes on until the fate is fulfilled."""
        dice = self._dice
        # From the handshake to some frames later: a break may come anywhere.
        left = dice.choice((100, 700, 3_000, 12_000))
        while data := await reader.read(dice.choice((1, 100, 4096))):
            if fate == "late":
                await asyncio.sleep(dice.random() * 0.05)
            if fate == "narrow":
                await asyncio.sleep(len(data) / 40_000)
            if fate in ("half open", "reset", "black hole", "cut") and not self.calm:
                data, left = data[:left], left - len(data)
            for piece in (
                [data[n : n + 1] for n in range(len(data))] if fate == "sliced" else [data]
            ):
                for writer in writers:
                    writer.write(piece)
                    await writer.drain()
            if left <= 0:
                if fate == "black hole":
                    # It is read, and goes nowhere; for a while nobody is told.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(GIVES_UP_S):
                            while await reader.read(4096):
                                pass
                return

    async def close(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)


@contextlib.asynccontextmanager
async def proxied(url: str, dice: random.Random) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own, before the server at `url`."""
    it = Proxy(url, dice)
    server = await asyncio.start_server(it._meet, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    it.url = f"http://{host}:{port}/"
    try:
        yield it
    finally:
        server.close()
        await it.close()
