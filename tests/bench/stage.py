"""Four ways to say the same to a thousand sockets, in a process of its own: `python -m tests.bench.stage HOW`.

    ours        the hub, published to without a disk before it, to sockets that came through the real door
    bare        `socket.send` in a loop, to the very same sockets
    broadcast   `websockets.broadcast`
    messages    Tornado's `write_message`

Prints its address (`ours` speaks bare too), then answers each JSON line `{"how", "times"}` with the seconds
and the CPU seconds it took until the kernel had everything.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from websockets.asyncio.server import ServerConnection, broadcast, serve

from realtime.core.session import Form
from storage.events import Event, Notification
from tests.app import house
from tests.bench.bare import Ears, Sockets
from tests.bench.ears import raise_files
from web.duplex import JSON_WIRE
from web.protocol import framed

FRAME = 400
"""Bytes of a message on the wire."""
ROOM = "notifications"

Say = Callable[[], Awaitable[None]]


async def ours(stack: contextlib.AsyncExitStack) -> tuple[str, dict[str, Say]]:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    opened = await stack.enter_async_context(house(directory, max_connections=50_000))
    hub = opened.hub

    def event(message: str) -> Event:
        return Event(
            hub.tail.edge + 1,
            1_795_403_506_000_000,
            "here",
            Notification("0" * 16, "info", message, "", ROOM),
        )

    hub.publish([event("x")])
    (entry,) = hub.tail.after(hub.tail.edge - 1, 1) or []
    known = len(entry.told(Form(), None, JSON_WIRE, hub.log.epoch, hub.view))
    message = "x" * (FRAME - known + 1)

    async def publish() -> None:
        hub.publish([event(message)])
        while not hub.idle:
            await asyncio.sleep(0)

    data = framed(b"y" * (FRAME - 4), 0x1)
    assert len(data) == FRAME

    sends: list[Callable[[bytes], int]] = []

    async def bare() -> None:
        if not sends:
            sends.extend(send for one in hub.connections if (send := one.sink.direct()))
        for send in sends:
            if send(data) != FRAME:
                raise AssertionError("a socket is full")
        await asyncio.sleep(0)

    return opened.url.rstrip("/") + "/", {"ours": publish, "bare": bare}


async def by_broadcast(_: contextlib.AsyncExitStack) -> tuple[str, dict[str, Say]]:
    connections: set[ServerConnection] = set()

    async def heard(connection: ServerConnection) -> None:
        connections.add(connection)
        with contextlib.suppress(Exception):
            await connection.wait_closed()
        connections.discard(connection)

    server = await serve(heard, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096)
    text = "y" * (FRAME - 4)

    async def say() -> None:
        broadcast(connections, text)
        await asyncio.sleep(0)

    port = next(iter(server.sockets)).getsockname()[1]
    return f"http://127.0.0.1:{port}/", {"broadcast": say}


async def by_messages(_: contextlib.AsyncExitStack) -> tuple[str, dict[str, Say]]:
    sockets: Sockets = set()
    listening = bind_sockets(0, "127.0.0.1", backlog=4096)
    HTTPServer(
        Application([("/ws", Ears, {"sockets": sockets})], log_function=lambda _: None)
    ).add_sockets(listening)
    text = "y" * (FRAME - 4)

    async def say() -> None:
        for one in sockets:
            one.write_message(text)
        for _ in range(3):  # the tasks it made
            await asyncio.sleep(0)

    return f"http://127.0.0.1:{listening[0].getsockname()[1]}/", {"messages": say}


WAYS = {"ours": ours, "broadcast": by_broadcast, "messages": by_messages}


async def main(how: str) -> None:
    stack = (
        contextlib.AsyncExitStack()
    )  # never left: nothing here is to be kept, and the end is a kill
    url, ways = await WAYS[how](stack)
    print(f"ready at {url}", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        ask = msgspec.json.decode(line)
        say = ways[ask["how"]]
        begun, cpu = time.perf_counter(), time.process_time()
        for _ in range(ask["times"]):
            await say()
        told = {"s": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu}
        print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    raise_files()
    asyncio.run(main(sys.argv[1]))
