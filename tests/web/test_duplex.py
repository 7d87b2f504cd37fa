"""The WebSocket's handshake and its manners; what is told is `realtime.connection`'s matter."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.connection import MESSAGE_BYTES
from tests.app import house
from tests.clients import API, MSGPACK, eventually, slow, sockets, upgrade

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


def address(it):
    return f"{it.url.replace('http', 'ws', 1)}api/realtime/ws"


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([], None),
        (["playhead.v1.json"], "playhead.v1.json"),
        ([MSGPACK], MSGPACK),
        (["other", MSGPACK, "playhead.v1.json"], MSGPACK),
        (["other"], None),
    ],
)
@pytest.mark.gen_test
async def test_subprotocols(tmp_path, offered, taken):
    """The first of ours that is offered; msgpack comes in binary frames, JSON in text."""
    async with (
        house(tmp_path) as it,
        connect(address(it), subprotocols=offered or None, close_timeout=0.5) as one,
    ):
        assert one.subprotocol == taken
        assert isinstance(await one.recv(), bytes) == (taken == MSGPACK)


@pytest.mark.gen_test
async def test_compression_is_not_negotiated(tmp_path):
    """A compressor a socket costs ten times the memory and thrice the processor: none is agreed on."""
    async with house(tmp_path) as it, connect(address(it), compression="deflate") as one:
        assert one.response is not None
        assert "Sec-WebSocket-Extensions" not in one.response.headers
        await one.recv()


@pytest.mark.gen_test
async def test_another_client(tmp_path):
    """Tornado's own client is served as well, both ways, and its close code is heard."""
    async with house(tmp_path) as it:
        one = await websocket_connect(address(it))
        assert '"hello"' in str(await one.read_message())
        assert '"snapshot"' in str(await one.read_message())
        await one.write_message('{"event":"ping","id":1}')
        assert '"pong"' in str(await one.read_message())
        one.close(3001, "enough")
        await eventually(lambda: it.hub.count()["websocket"] == 0)


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4321])
@pytest.mark.gen_test
async def test_a_client_that_closes(tmp_path, code):
    """Its code is given back, and its place in the hub is free."""
    async with house(tmp_path) as it:
        async with sockets(it.url) as one:
            await one.until("snapshot")
            await one.it.close(code)
            assert one.it.close_code == code
        await eventually(lambda: not it.hub._connections)
        assert it.hub.goodbyes == {}


@pytest.mark.gen_test
async def test_nothing_is_sent_after_a_close(tmp_path):
    """Between the client's close and the end no frame is written: the standard allows none."""
    async with house(tmp_path) as it, slow(it.url, upgrade()) as one:
        await one.until(b"snapshot")
        await asyncio.sleep(0.05)
        await one.send(bytes((0x88, 0x82)) + bytes(4) + b"\x03\xe8")
        for n in range(5):
            await it.spine.notify("info", f"late {n}")
        raw = await one.rest()
        assert raw.endswith(b"\x88\x02\x03\xe8")


@pytest.mark.parametrize("size", [MESSAGE_BYTES + 1, 300_000])
@pytest.mark.gen_test
async def test_too_big_a_message(tmp_path, size):
    """A goodbye for good, then close code 1009, which the client gets to see."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.until("snapshot")
        with contextlib.suppress(ConnectionClosed):
            await one.it.send("x" * size)
        goodbye = await one.until("goodbye")
        assert goodbye.data["reason"] == "too_big"
        assert goodbye.data["may_return"] is False
        assert await one.closed() == 1009


@pytest.mark.gen_test
async def test_a_big_message_that_is_allowed(tmp_path):
    """Up to the bound it is read and judged like any other."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.it.send("x" * MESSAGE_BYTES)
        assert (await one.until("error")).data["code"] == "malformed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
@pytest.mark.gen_test
async def test_strangers_are_refused_before_the_upgrade(tmp_path, headers, status):
    """No page of another site gets a socket, whatever name it found for this address."""
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{it.url}api/realtime/ws", headers=HANDSHAKE | headers)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert it.hub.count()["websocket"] == 0


@pytest.mark.gen_test
async def test_our_own_page_is_let_in(tmp_path):
    """The very origin of this server is no stranger."""
    async with (
        house(tmp_path) as it,
        connect(address(it), additional_headers={"Origin": it.url.rstrip("/")}) as one,
    ):
        assert '"hello"' in str(await one.recv())


WRONG: dict[str, Any] = {
    "a plain GET": ({name: None for name in HANDSHAKE}, 426),
    "no Upgrade": ({"Upgrade": None}, 426),
    "another Upgrade": ({"Upgrade": "h2c"}, 426),
    "no Connection": ({"Connection": "keep-alive"}, 426),
    "an old version": ({"Sec-WebSocket-Version": "8"}, 426),
    "no version": ({"Sec-WebSocket-Version": None}, 426),
    "no key": ({"Sec-WebSocket-Key": None}, 400),
    "a short key": ({"Sec-WebSocket-Key": "YWJj"}, 400),
    "no base64": ({"Sec-WebSocket-Key": "?" * 24}, 400),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.gen_test
async def test_no_handshake(tmp_path, name):
    """What is no handshake is told so as a problem, with what would do."""
    change, status = WRONG[name]
    headers = {key: value for key, value in (HANDSHAKE | change).items() if value is not None}
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{it.url}api/realtime/ws", headers=headers)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        if status == 426:
            assert answer.headers["Upgrade"] == "websocket"
        if "version" in name:
            assert answer.headers["Sec-WebSocket-Version"] == "13"
        assert it.hub.count()["websocket"] == 0


@pytest.mark.gen_test
async def test_other_methods(tmp_path):
    """Nothing is posted to a socket."""
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(f"{it.url}api/realtime/ws")).status_code == 405


@pytest.mark.gen_test
async def test_the_wrong_port_of_call(tmp_path):
    """Tornado's client hears the refusal of a room as an HTTP error."""
    async with house(tmp_path) as it:
        request = HTTPRequest(f"{address(it)}?rooms=%00")
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(request)
        assert refused.value.code == 400
    assert API in request.url


@pytest.mark.gen_test
async def test_talking_and_hearing_at_once(tmp_path):
    """A client that talks hears all the while: nothing is awaited in between."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.until("snapshot")

        async def talk():
            for n in range(40):
                await one.say("ping", id=n)
                await asyncio.sleep(0.005)

        async def tell():
            for n in range(40):
                await it.spine.notify("info", str(n))

        await asyncio.gather(talk(), tell())
        while len(one.heard) < 82:
            await one.next()
        assert [told.id for told in one.heard if told.event == "pong"] == list(range(40))
        told = [told.data["message"] for told in one.heard if told.event == "notification"]
        assert told == [str(n) for n in range(40)]


@pytest.mark.gen_test
async def test_who_is_cut_holds_nothing(tmp_path):
    """What all may wait for is a bound in truth: the socket is closed and what waited in it is gone, at once."""
    async with (
        house(tmp_path, outboxes_bytes=1_048_576) as it,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(6):
            one = await stack.enter_async_context(slow(it.url, upgrade()))
            await one.until(b"snapshot")
        connections: list[Any] = list(it.hub.connections)
        streams = [one.sink.ws_connection.stream for one in connections]
        for _ in range(400):
            for one in connections:
                one.reply(bytes(8000))
        assert it.hub.goodbyes["slow"] >= 1
        assert [one in it.hub.connections for one in connections] == [
            not stream.closed() for stream in streams
        ]
        held = sum(len(stream._write_buffer) for stream in streams if not stream.closed())
        assert held <= 1_048_576 + 8000
