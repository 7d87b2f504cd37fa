"""Bodies in hand have a bound together, whoever sends them."""

import asyncio

import msgspec
import pytest

from tests.clients import eventually
from web.budget import Budget

PATH = "/api/realtime/metrics"


def test_what_is_taken_is_bounded_and_given_back():
    """A body that is alone fits whatever its length: it could never pass otherwise."""
    budget = Budget(10)
    assert budget.take(15)
    assert not budget.take(1)
    budget.give(15)
    assert budget.take(6) and not budget.take(5) and budget.take(4)
    assert budget.held == 10


async def opened(site, length, *, chunked=False, more=""):
    """A request whose body is announced and not sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n"
        f"Content-Type: application/json\r\n{more}{size}\r\n\r\n".encode()
    )
    await writer.drain()
    return reader, writer


@pytest.mark.gen_test
async def test_one_body_too_many_is_asked_to_come_back(site):
    """429 with Retry-After and nothing kept of it, announced or not; room comes back with the others' end,
    be it an answer or a connection that is gone. Who asks without a body is answered all along."""
    budget = site.services.budget
    budget.most = 1000
    first = await opened(site, 901)
    first[1].write(b"[" * 900)
    await eventually(lambda: budget.held == 900)
    body = msgspec.json.encode([{"name": f"n{n}", "value": n} for n in range(10)])
    refused = await site.post(PATH, body)
    assert refused.status == 429 and int(refused.headers["Retry-After"]) >= 1
    assert "bodies" in refused.json["detail"]
    _, writer = late = await opened(site, 0, chunked=True)
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert b" 429 " in await late[0].readline()
    assert (await site.ask("/api/realtime/metrics/live")).status == 200
    assert site.log.head == 0
    first[1].close()
    await eventually(lambda: budget.held == 0)
    assert (await site.post(PATH, body)).status == 200
    assert budget.held == 0
    writer.close()


@pytest.mark.gen_test
async def test_who_announces_and_sends_nothing_shuts_nobody_out(site):
    """Only what came takes room. By what is announced those are refused early who ask before they send."""
    budget = site.services.budget
    budget.most = 1000
    silent = [await opened(site, 800) for _ in range(3)]
    body = msgspec.json.encode([{"name": f"n{n}", "value": n} for n in range(10)])
    assert (await site.post(PATH, body)).status == 200
    assert budget.held == 0
    silent[0][1].write(b"[" * 400)
    await eventually(lambda: budget.held == 400)
    expect = "Expect: 100-continue\r\n"
    early = await opened(site, 700, more=expect)
    assert b" 429 " in await early[0].readline()
    welcome = await opened(site, 500, more=expect)
    assert b" 100 " in await welcome[0].readline()
    for _, writer in (*silent, early, welcome):
        writer.close()
    await eventually(lambda: budget.held == 0)
