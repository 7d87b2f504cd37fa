"""Server-sent events and the long poll as HTTP sees them."""

import asyncio
import re
import socket
from typing import Any

import httpx
import pytest
from tornado.iostream import IOStream

from realtime.connection import Gone
from tests.app import house
from tests.clients import events, eventually, slow, sockets, stream
from web.stream import as_it_is, in_a_chunk, push


async def note(it, message, room="dashboard"):
    return await it.spine.notify("info", message, room=room)


def url(it, road="stream"):
    return f"{it.url}api/realtime/dashboard/{road}"


@pytest.mark.gen_test
async def test_the_head_of_a_stream(tmp_path):
    """What a browser needs, and what keeps proxies from holding events back."""
    async with house(tmp_path) as it, events(it.url) as one:
        headers = one.response.headers
        assert one.response.status_code == 200
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache, no-transform"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Length" not in headers
        assert "Content-Encoding" not in headers
        await one.until("snapshot")


@pytest.mark.gen_test
async def test_the_bytes_of_a_stream(tmp_path):
    """Retry first, then blocks of event, id and data: a place has an id, nothing else has, and a line
    break in a message breaks nothing."""
    async with house(tmp_path) as it, slow(it.url, stream()) as one:
        await one.until(b"event: snapshot")
        event = await note(it, "one\ntwo\r\n\r\nevent: fake\ndata: 3\rx")
        raw = await one.until(b"fake")
        await note(it, "end")
        raw = await one.until(b'"room":"dashboard"}\n\n\r\n', 2)
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        text = re.sub(rb"(?:^|\r\n)[0-9a-f]+\r\n", b"", body.removesuffix(b"\r\n"))
        assert b"\r" not in text
        blocks = text.decode().split("\n\n")
        retry = re.fullmatch(r"retry: (\d+)", blocks[0])
        assert retry
        assert 1500 <= int(retry[1]) < 4500
        assert re.fullmatch(r"event: hello\ndata: \{.*\}", blocks[1])
        assert re.fullmatch(rf"event: snapshot\nid: {it.log.epoch}:\d+\ndata: \{{.*\}}", blocks[2])
        place = f"{it.log.epoch}:{event.seq}"
        assert re.fullmatch(rf"event: notification\nid: {place}\ndata: \{{.*\}}", blocks[3])
        assert "event: fake" in blocks[3].split("\n")[2]
        assert blocks[4].startswith("event: notification\n")


@pytest.mark.gen_test
async def test_every_client_has_a_pause_of_its_own(tmp_path):
    """After a restart browsers come back spread over seconds."""
    async with house(tmp_path) as it:
        pauses = set()
        for _ in range(5):
            async with events(it.url) as one:
                await one.until("snapshot")
                pauses.add(one.retry)
        assert len(pauses) > 1


@pytest.mark.gen_test
async def test_the_last_event_id_wins(tmp_path):
    """A browser that returns by itself says where it stood; the address is that of its first visit."""
    async with house(tmp_path) as it:
        for n in range(5):
            await note(it, str(n))
        old, new = f"{it.log.epoch}:2", f"{it.log.epoch}:5"
        async with events(it.url, {"Last-Event-ID": new}, cursor=old) as one:
            assert (await one.next()).data["cursor"] == new
            assert (await one.next()).data["message"] == "4"
        async with events(it.url, {"Last-Event-ID": ""}, cursor=old) as one:
            assert (await one.next()).data["cursor"] == old
        async with events(it.url, {"Last-Event-ID": "x" * 300}) as one:
            await one.next()
            assert (await one.next()).data["reason"] == "malformed"


@pytest.mark.gen_test
async def test_http_1_0(tmp_path):
    """Without chunks: the body is the stream itself, until the connection ends."""
    async with house(tmp_path) as it:
        async with slow(it.url, stream().replace("HTTP/1.1", "HTTP/1.0")) as one:
            raw = await one.until(b"event: snapshot")
            head, _, body = raw.partition(b"\r\n\r\n")
            assert b" 200 " in head
            assert b"chunked" not in head
            assert body.startswith(b"retry: ")
            await note(it, "here")
            await one.until(b'"here"')
            await it.hub.close()
            assert b"event: goodbye" in await one.rest()
        it.hub.closing = False


@pytest.mark.parametrize("road", ["stream", "poll"])
@pytest.mark.gen_test
async def test_a_head_request(tmp_path, road):
    """It is answered like a GET, without a body, and leaves nothing behind."""
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.head(url(it, road))
        assert answer.status_code == 200
        assert answer.content == b""
        if road == "stream":
            assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert it.hub.count() == {"websocket": 0, "sse": 0, "poll": 0, "socketio": 0}


@pytest.mark.gen_test
async def test_the_end_of_a_stream(tmp_path):
    """The last block is a goodbye, and the body ends in order."""
    async with house(tmp_path) as it:
        async with slow(it.url, stream()) as one:
            await one.until(b"snapshot")
            await it.hub.close()
            raw = await one.until(b"\r\n0\r\n\r\n")
            assert b"event: goodbye\ndata: {" in raw
            assert raw.endswith(b"\n\n\r\n0\r\n\r\n")
        it.hub.closing = False


@pytest.mark.gen_test
async def test_a_reader_that_stops_for_good(tmp_path):
    """Its end waits a little for it, and then the connection is cut: it holds nothing for ever."""
    async with house(tmp_path, stall_s=1) as it, slow(it.url, stream()) as one:
        await one.until(b"snapshot")
        for n in range(40):
            await note(it, f"{n}" + "x" * 10_000)
        sink: Any = next(iter(it.hub._connections)).sink
        await eventually(lambda: it.hub.goodbyes.get("slow"))
        assert it.hub.count()["sse"] == 0
        await eventually(sink._stream.closed)


@pytest.mark.gen_test
async def test_leaving_is_noticed(tmp_path):
    """A reader that closes its connection, in order or by a reset, leaves the hub at once."""
    async with house(tmp_path) as it:
        for linger in (False, True):
            async with slow(it.url, stream()) as one:
                await one.until(b"snapshot")
                assert it.hub.count()["sse"] == 1
                if linger:
                    one.it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await eventually(lambda: it.hub.count()["sse"] == 0)
            await note(it, "to nobody")
        async with slow(it.url, stream()):
            pass
        await eventually(lambda: it.hub.count()["sse"] == 0)


@pytest.mark.parametrize("road", ["stream", "poll", "ws"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rom=a", "rom"),
        ("cursor=" + "x" * 201, "cursor"),
        ("rooms=" + "x" * 121, "rooms"),
        ("rooms=a%00b", "rooms"),
        ("rooms=" + ",".join(f"r{n}" for n in range(65)), "rooms"),
        ("compact=perhaps", "compact"),
        ("known=-1", "known"),
        ("known=many", "known"),
    ],
)
@pytest.mark.gen_test
async def test_a_bad_query(tmp_path, road, query, field):
    """Each road refuses it with a problem that names the parameter, before a stream begins."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        path = f"{it.url}api/realtime/{'ws' if road == 'ws' else f'dashboard/{road}'}"
        answer = await http.get(f"{path}?{query}", headers=headers if road == "ws" else {})
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert [one["field"] for one in answer.json()["errors"]] == [field]
        assert it.hub.count() == {"websocket": 0, "sse": 0, "poll": 0, "socketio": 0}


@pytest.mark.gen_test
async def test_rooms_from_the_address(tmp_path):
    """A list with commas; empty names are no rooms; none at all is the dashboard."""
    async with house(tmp_path) as it, events(it.url, rooms="a,,b,") as one, sockets(it.url) as two:
        await one.until("snapshot")
        await two.until("snapshot")
        for room in ("a", "dashboard", "b"):
            await note(it, room, room)
        assert (await one.next()).data["message"] == "a"
        assert (await one.next()).data["message"] == "b"
        assert (await two.next()).data["message"] == "dashboard"


@pytest.mark.gen_test
async def test_strangers_are_refused(tmp_path):
    """A foreign Origin or Host does not get a stream."""
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        for road in ("stream", "poll"):
            foreign = await http.get(url(it, road), headers={"Origin": "https://evil.example"})
            assert foreign.status_code == 403
            other = await http.get(url(it, road), headers={"Host": "evil.example"})
            assert other.status_code == 421


@pytest.mark.gen_test
async def test_a_poll_in_bytes(tmp_path):
    """The envelope of the house around the frames of the others."""
    async with house(tmp_path) as it, httpx.AsyncClient(trust_env=False) as http:
        cursor = it.spine.cursor()
        event = await note(it, "x")
        answer = await http.get(url(it, "poll"), params={"cursor": cursor})
        assert list(answer.json()) == ["status", "message", "data"]
        assert answer.headers["Cache-Control"] == "no-store"
        data = answer.json()["data"]
        assert data["cursor"] == f"{it.log.epoch}:{event.seq}"
        assert [frame["event"] for frame in data["frames"]] == ["notification"]


def test_chunks():
    """HTTP/1.1 wants a size in hex before each piece; HTTP/1.0 wants the bytes alone."""
    assert in_a_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert as_it_is(b"x") == b"x"


@pytest.mark.gen_test
async def test_pushing():
    """An idle socket takes bytes at once; a full one takes what it can, and the rest follows in order;
    a closed one is gone."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    it = IOStream(ours)
    assert push(it, b"first ") is None
    data = bytes(range(256)) * 2000
    late = push(it, data)
    assert late is not None
    last = push(it, memoryview(b"last"))
    assert last is not None
    got = b""
    loop = asyncio.get_running_loop()
    while not got.endswith(b"last"):
        got += await loop.sock_recv(theirs, 65_536)
    assert got == b"first " + data + b"last"
    await late
    await last
    theirs.close()
    for _ in range(3):
        try:
            future = push(it, b"x")
        except Gone:
            break
        assert future is None or isinstance(await asyncio.wait_for(settled(future), 5), OSError)
    with pytest.raises(Gone):
        push(it, b"x")


async def settled(future):
    try:
        await future
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("from=yesterday", "from", "RFC 3339"),
        ("from=2199-01-01T00:00:00Z", "from", "not over yet"),
        ("from=-1m&to=-2m", "to", "swap them"),
        ("from=-1m&speed=fast", "speed", "0.25 to 1000"),
        ("from=-1m&loop=true", "loop", "needs a to"),
        ("from=-1m&skip_idle_s=0.1", "skip_idle_s", "from 1 to"),
        ("speed=3", "speed", "needs a from"),
        ("from=-1m", "from", "nothing is on tape"),
    ],
)
@pytest.mark.gen_test
async def test_a_replay_that_makes_no_sense_is_refused(site, query, field, words):
    """Before a stream begins, with the field that is wrong."""
    body = await site.ask(f"/api/realtime/dashboard/stream?{query}")
    assert body.status == 400 and words in body.errors[field]
