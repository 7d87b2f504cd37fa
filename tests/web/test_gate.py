"""A crowd at the gate: who is let in, who is sent away, and who is still answered."""

import asyncio
import contextlib
import errno
import re
import resource
import socket
import sys

import httpx
import pytest
from tornado.web import Application, RequestHandler

from realtime import addresses
from realtime.core import goodbyes
from realtime.files import ASKING, KEPT
from tests.app import ROOT, house
from tests.clients import API, eventually, slow, upgrade
from web.gate import ACCEPTS, PER_STREAM, Gate

FILES = 200


class Hello(RequestHandler):
    def get(self):
        self.finish(b"hello")


@contextlib.contextmanager
def opened(most=100, streams=0, each=0):
    listening = socket.create_server(("127.0.0.1", 0), backlog=500)
    listening.setblocking(False)
    gate = Gate(Application([("/", Hello)], log_function=lambda _: None))
    gate.bound(most, lambda: streams, each)
    gate.add_sockets([listening])
    try:
        yield gate, listening.getsockname()
    finally:
        gate.stop()


async def ask(address):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.decode()


@pytest.mark.gen_test
async def test_so_many_are_let_in_a_turn():
    """The rest wait in the kernel's queue, in order, while the loop does other work; all are let in."""
    with opened(most=1000) as (gate, address):
        waiting = [socket.create_connection(address) for _ in range(3 * ACCEPTS)]
        before = 0
        while before < len(waiting):
            await asyncio.sleep(0)
            now = len(gate._connections)
            assert now - before <= ACCEPTS
            before = now
        for one in waiting:
            one.close()
        await gate.close_all_connections()


@pytest.mark.gen_test
async def test_a_socket_counts_from_its_handshake_to_its_end(tmp_path):
    """One of Socket.IO that has not said CONNECT, one that is a stream, one that has had its goodbye and does
    not go: each holds a descriptor, which Tornado counts no longer."""
    early = upgrade().replace(API + "/ws?", "/socket.io/?EIO=4&transport=websocket")
    async with house(tmp_path) as it:
        async with slow(it.url, upgrade()) as one, slow(it.url, early) as two:
            await one.until(b"snapshot")
            await two.until(b"pingInterval")
            assert it._server.streams() == 2
            (connection,) = it.hub.connections
            connection.end(goodbyes.SLOW)
            assert it.hub.count()["websocket"] == 0
            assert it._server.streams() == 2
        await eventually(lambda: it._server.streams() == 0)


@pytest.mark.parametrize(("most", "streams"), [(3, 0), (13, 10)])
@pytest.mark.gen_test
async def test_whoever_would_take_the_last_descriptor_is_told(most, streams):
    """503 and when to come back, at once; when somebody leaves there is room again."""
    with opened(most, streams) as (gate, address):
        inside = [socket.create_connection(address) for _ in range(3)]
        while len(gate._connections) < 3:
            await asyncio.sleep(0.01)
        answer = await ask(address)
        assert answer.startswith("HTTP/1.1 503 ")
        assert "application/problem+json" in answer
        told = re.search(r"Retry-After: (\d+)", answer)
        assert told and 1 <= int(told[1]) <= 10
        assert gate.refused == 1
        inside.pop().close()
        while len(gate._connections) > 2:
            await asyncio.sleep(0.01)
        assert (await ask(address)).endswith("hello")
        for one in inside:
            one.close()
        await gate.close_all_connections()


@pytest.mark.gen_test
async def test_one_address_leaves_room_for_the_others(monkeypatch):
    """Silent sockets of one address are so many and no more, and this machine's own as many as there may be:
    the next is told so, and who leaves, answered or not, makes room."""
    with opened(each=2) as (gate, address):
        inside = [socket.create_connection(address) for _ in range(4)]
        while len(gate._connections) < 4:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(addresses, "is_foreign", lambda _: True)
        answer = await ask(address)
        assert answer.startswith("HTTP/1.1 503 ") and "one address may have" in answer
        for one in inside[:3]:
            one.close()
        while len(gate._connections) > 1:
            await asyncio.sleep(0.01)
        for _ in range(3):
            assert (await ask(address)).endswith("hello")
        inside[3].close()
        while gate._connections:
            await asyncio.sleep(0.01)
        assert not len(gate._tally)


@pytest.mark.gen_test
async def test_a_websocket_is_the_hubs_to_count(tmp_path, monkeypatch):
    """Once it is one, it takes no place of those that ask: an address with all its streams can still ask."""
    monkeypatch.setattr(addresses, "is_foreign", lambda _: True)
    async with house(tmp_path, max_per_address=1) as it, contextlib.AsyncExitStack() as stack:
        one = await stack.enter_async_context(slow(it.url, upgrade()))
        await one.until(b"snapshot")
        await eventually(lambda: not len(it._server._tally))
        for _ in range(PER_STREAM):
            await stack.enter_async_context(slow(it.url, "GET /healthz HTTP/1.1"))
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{it.url}healthz")
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith("There are as many connections as one")


@pytest.mark.gen_test
async def test_no_descriptor_left_is_waited_out(monkeypatch, logs):
    """The system may have none for us all the same: nobody is let in for a moment, and then they are."""
    with opened() as (_, address):
        real = socket.socket.accept
        failing = [True]

        def accept(self):
            if failing:
                failing.pop()
                raise OSError(errno.EMFILE, "Too many open files")
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert (await ask(address)).endswith("hello")
        logs.expect("no connection can be taken for a moment")


@pytest.mark.gen_test(timeout=60)
async def test_rest_answers_while_the_crowd_is_full(tmp_path):
    """With few files the crowd is held to what is left when the log and those who ask have theirs: the next
    stream gets a clear no, REST answers, readings are recorded."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh",
        sys.executable, str(ROOT / "run.py"), "serve", "--port=0", f"--data={tmp_path}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        url = line.decode().split()[-1]
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert limits == (FILES, FILES)
        async with contextlib.AsyncExitStack() as stack, httpx.AsyncClient(trust_env=False) as http:
            room = FILES - KEPT - ASKING
            for _ in range(room):
                one = await stack.enter_async_context(slow(url, upgrade()))
                await one.until(b"hello")
            async with slow(url, upgrade()) as late:
                told = await late.until(b"max_connections")
                assert told.startswith(b"HTTP/1.1 503 ")
            for _ in range(10):
                assert (await http.get(f"{url}api/realtime/dashboard/live")).status_code == 200
            reading = {"name": "x", "value": 1, "source": "app"}
            answer = await http.post(f"{url}api/realtime/metrics", json=reading)
            assert answer.status_code == 200
            stats = (await http.get(f"{url}api/realtime/performance/stats")).json()["data"]
            assert stats["connections"]["websocket"] == room
            assert stats["delivery"]["rooms"] == {"dashboard": room}
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
