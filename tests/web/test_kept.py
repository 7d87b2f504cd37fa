"""Connections that are kept: what was answered is either followed by the next answer, or told that nothing follows."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from tests.app import PATIENCE_S, house
from web.app import ROUTES

EVIL = b"Origin: http://evil.example\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
PATHS = [
    *(route.path for route in ROUTES if "(" not in route.path),
    "/api/realtime/dashboard/poll?cursor=x",
    "/api/realtime/query?metric=no.such&from=-1h",
    "/assets/none/main.js",
    "/made/up",
    "/socket.io/",
    "/socket.io/?EIO=4&transport=polling",
]
LAST = b"\r\nConnection: close\r\n"
ENDLESS = {"/api/realtime/dashboard/stream"}


BODIES = (
    b"\r\n",
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
)


class Wire:
    """One connection, read as RFC 9112 says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, sent: bytes, head: bool = False) -> tuple[int, bytes]:
        """The answer's status and its header; its body has been read."""
        self.writer.write(sent)
        header = await self.reader.readuntil(b"\r\n\r\n")
        status = int(header.split()[1])
        if status == 100:
            self.writer.write(b"hello")
            return await self.ask(b"", head)
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", header)
        if head or status in (204, 304):
            return status, header
        if length:
            await self.reader.readexactly(int(length[1]))
        elif b"\r\nTransfer-Encoding: chunked\r\n" in header:
            while size := int(await self.reader.readline(), 16):
                await self.reader.readexactly(size + 2)
            await self.reader.readline()
        else:  # section 6.3: what has no length ends with its connection, and all know
            await self.reader.read()
            header += LAST
        return status, header


async def fault(port: int, method: str, path: str, more: bytes) -> str | None:
    """What is wrong with the connection after this request; None when nothing is."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    asked = b"%s %s HTTP/1.1\r\nHost: localhost\r\n" % (method.encode(), path.encode())
    try:
        status, header = await wire.ask(asked + more, method == "HEAD")
        if LAST in header:
            return "more follows the end" if await wire.reader.read() else None
        if status == 101:
            return None
        again, _ = await wire.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return None if again == 200 else f"answers {again} to the next request after {status}"
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        return f"ends without a word: {error!r}"
    finally:
        wire.writer.close()


def requests() -> Iterator[tuple[str, str, bytes]]:
    """Method, path with its query, and what follows the first header: taken or refused, with bodies of each kind."""
    for path in PATHS:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            if path not in ENDLESS or method != "GET":
                yield method, path, BODIES[0]
                yield method, path, UPGRADE + BODIES[0]
            yield method, path, EVIL + BODIES[1]
        yield from (("POST", path, body) for body in BODIES[1:])
        yield from (("GET", f"{path}?no=such", body) for body in BODIES)


@pytest.mark.gen_test(timeout=4 * PATIENCE_S)
async def test_an_answer_is_followed_by_the_next_or_says_that_it_is_the_last(tmp_path):
    """RFC 9112, 9.6, of every address, by every method, taken or refused: a client that keeps its connection
    never writes a request into one that is about to close."""
    faults = []
    some = asyncio.Semaphore(8)
    async with house(tmp_path, poll_s=1) as it:
        port = int(it.url.rstrip("/").rpartition(":")[2])

        async def judge(method: str, path: str, more: bytes) -> None:
            async with some:
                try:
                    wrong = await asyncio.wait_for(fault(port, method, path, more), PATIENCE_S)
                except TimeoutError:
                    wrong = "is never answered"
            if wrong:
                faults.append(f"{method} {path} {more!r}: {wrong}")

        await asyncio.gather(*(judge(*one) for one in requests()))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /made/up", 404),
        ("PUT /api/realtime/metrics/live", 405),
        ("POST /api/realtime/ws", 405),
        ("POST /analytics", 405),
        ("POST /assets/none/main.js", 405),
    ],
)
@pytest.mark.gen_test
async def test_a_long_body_sent_to_the_wrong_place_hears_of_it(site, line, status):
    """Its sender writes on while the answer is due; hung up on, it would see a reset and not what was wrong."""
    body = b"x" * 900_000
    method, path = line.split()
    sent = b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert await fault(site.port, method, path, sent) is None
    answer = await site.ask(path, method=method, body=body)
    assert answer.status == status and answer.errors == {}
    assert ("Allow" in answer.headers) == (status == 405)
    assert site.services.budget.held == 0


@pytest.mark.gen_test
async def test_a_stream_says_that_it_is_the_last(tmp_path):
    """Nothing else is answered on its connection, which ends with it; what it might have been is still open."""
    async with house(tmp_path) as it:
        port = int(it.url.rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/realtime/dashboard/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        header = await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"event: snapshot\n")
    assert header.startswith(b"HTTP/1.1 200 ") and LAST in header
    assert (await reader.read()).endswith(b"0\r\n\r\n")
    writer.close()
