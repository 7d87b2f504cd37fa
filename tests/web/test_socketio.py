"""Socket.IO by python-socketio's own client: the laws hold on this road as on the others."""

import asyncio
import contextlib
import gc
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime import addresses
from realtime.audience import PAGE_BYTES
from realtime.connection import MESSAGE_BYTES, PIECE_BYTES
from realtime.core.batch import Batch, Columns, Key
from realtime.core.goodbyes import ABUSE
from tests.app import PATIENCE_S, house, running
from tests.clients import Reader, Told, eventually, slow, sockets
from tests.realtime import test_replay as past

# The lock brings them; a house without the extra is whole as well.
aiohttp = pytest.importorskip("aiohttp")
socketio = pytest.importorskip("socketio")
road = pytest.importorskip("web.socketio")

LONG = "a_metric_with_quite_a_long_name_to_fill_a_socket"
CPU = "system_cpu_utilization_ratio"
TRANSPORTS = {"socket": ["websocket"], "polling": ["polling"], "both": None}
transports = pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())


class Client(Reader):
    """The library's own client; every event is a frame, in the order in which they came."""

    def __init__(self, session: Any) -> None:
        super().__init__(self._read)
        # Left to itself it forgets to close its session when it comes back by polling.
        self.it = socketio.AsyncClient(http_session=session)
        self.it.on("*", self._hear)
        self.it.on("disconnect", self._end)
        self.it.on("connect_error", self._refused)
        self.ended: list[str] = []
        self.refused: list[Any] = []
        self._came: asyncio.Queue[Told] = asyncio.Queue()

    async def _read(self) -> Told:
        return await self._came.get()

    async def _hear(self, event: str, data: Any) -> None:
        self._came.put_nowait(Told(event, data))

    async def _end(self, reason: str) -> None:
        self.ended.append(reason)

    async def _refused(self, data: Any) -> None:
        self.refused.append(data)

    async def ask(self, event: str, data: Any = None) -> Any:
        return await self.it.call(event, data, timeout=PATIENCE_S)


@contextlib.asynccontextmanager
async def clients(url, transports=("websocket",), auth=None, headers=None, **query):
    session = aiohttp.ClientSession()
    one = Client(session)
    address = f"{url.rstrip('/')}?{urlencode(query)}"
    try:
        await one.it.connect(
            address,
            headers or {},
            auth,
            transports=transports and list(transports),
            wait_timeout=PATIENCE_S,
        )
        yield one
    finally:
        await one.it.shutdown()
        await session.close()


@contextlib.asynccontextmanager
async def raw(url, **query):
    """A socket of Engine.IO to which anything can be said, once the session is open."""
    address = f"{url.replace('http', 'ws', 1)}socket.io/?EIO=4&transport=websocket&"
    async with connect(address + urlencode(query), max_size=None, close_timeout=0.5) as it:
        if "sid" not in query:
            assert str(await it.recv()).startswith("0{")
        yield it


async def joined(it: ClientConnection) -> None:
    await it.send("40")
    while not str(await it.recv()).startswith('42["snapshot"'):
        pass


async def closed(it: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await it.recv()
    return it.close_code


def door(it) -> Any:
    return it.services.socketio.door


def web(it):
    return httpx.AsyncClient(base_url=it.url, timeout=PATIENCE_S, trust_env=False)


async def opened(http) -> str:
    """The id of a new session by polling."""
    answer = await http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text[1:])["sid"]


def address(sid: str) -> str:
    return f"/socket.io/?EIO=4&transport=polling&sid={sid}"


async def tick(it, value, name="load", source="app", width=1):
    """One tick of now; each sample is `value`."""
    names = [
        Key(f"{name}_{n}" if n else name, (), f"{name}_{n}" if n else name) for n in range(width)
    ]
    at = it.clock.now()
    await it.spine.ingest(Batch([Columns(source, [at], names, [[float(value)]] * width)]))


@transports
@pytest.mark.gen_test
async def test_what_happens_is_told(tmp_path, transports):
    """By socket, by polling and through the change from one to the other: no gap, no double."""
    async with house(tmp_path) as it:
        async with clients(it.url, transports) as one:
            hello = await one.next()
            assert (hello.event, hello.data["client_id"]) == ("hello", one.it.get_sid())
            assert (await one.next()).event == "snapshot"
            assert it.hub.count()["socketio"] == 1
            await tick(it, 7)
            for n in range(30):
                await it.spine.notify("info", f"number {n}")
                await asyncio.sleep(0.01)
            await one.until("notification", message="number 29")
            assert [t.data["values"] for t in one.heard if t.event == "metrics"] == [{"load": 7}]
            notes = [t.data for t in one.heard if t.event == "notification"]
            edge = it.hub.tail.edge
            assert [one["seq"] for one in notes] == list(range(edge - 29, edge + 1))
            assert [one["message"] for one in notes] == [f"number {n}" for n in range(30)]
        await eventually(lambda: it.hub.count()["socketio"] == 0)
        assert door(it).clients == {} == door(it).engine.sockets


@transports
@pytest.mark.gen_test
async def test_rooms(tmp_path, transports):
    """Who joins hears, who leaves does not; the answer is an event, or the acknowledgement if one was asked for."""
    async with house(tmp_path) as it, clients(it.url, transports, rooms="alerts") as one:
        await one.until("snapshot")
        await it.spine.notify("info", "before", room="kitchen")
        await one.it.emit("join_room", {"room": "kitchen"})
        await one.until("joined_room", room="kitchen")
        await it.spine.notify("info", "now", room="kitchen")
        await one.until("notification")
        answer = await one.ask("leave_room", {"room": "kitchen"})
        assert (answer["event"], answer["data"]) == (
            "left_room",
            {"room": "kitchen", "present": 0},
        )
        await it.spine.notify("info", "after", room="kitchen")
        assert (await one.ask("ping"))["event"] == "pong"
        heard = [told for told in one.heard if told.event == "notification"]
        assert [told.data["message"] for told in heard] == ["now"]
        assert "left_room" not in [told.event for told in one.heard]


@pytest.mark.gen_test
async def test_every_message_of_the_original(tmp_path):
    """What its pages say is understood, and answered under the name they listen for."""
    async with house(tmp_path, alert_cpu_hold_s=0) as it, clients(it.url, rooms="") as one:
        await one.until("snapshot")
        for event, answer in (
            ("subscribe_to_metrics", "subscribed_to_metrics"),
            ("subscribe_to_alerts", "subscribed_to_alerts"),
            ("request_metrics", "metrics_response"),
            ("ping", "pong"),
        ):
            await one.it.emit(event)
            await one.until(answer)
        await tick(it, 0.99, CPU, "here")
        assert (await one.until("metrics")).data["values"] == {CPU: 0.99}
        assert (await one.until("alert")).data["state"] == "firing"
        asked = (await one.ask("request_metrics"))["data"]
        assert asked["series"][CPU]["value"] == 0.99


@transports
@pytest.mark.gen_test(timeout=60)
async def test_a_moment_that_is_over_plays_again(tmp_path, transports):
    """Law same-frames on this road: what the library's own client hears of a replay is what it heard live, by every
    command of the contract, asked with an acknowledgement or without; behind it comes now, with no gap."""
    async with past.recorded(tmp_path, 1) as it, clients(it.url, transports) as one:
        await one.until("snapshot")
        await past.record(it, 1, 40)
        await one.until("notification", message="at 30")
        await one.until("metrics", seq=it.spine.edge)
        live = past.logged(one.heard)
        assert {told.event for told in live} == {"metrics", "alert", "notification"}

        one.heard.clear()
        answer = await one.ask(
            "replay", {"from": past.at(0.5), "to": past.at(38.5), "speed": "max"}
        )
        assert answer["event"] == "replaying" and answer["data"]["state"] == "playing"
        await one.until("playhead", state="ended")
        assert one.heard[0].event == "snapshot"
        wanted = [told for told in live if told.data["at"] < past.at(38.5)]
        assert past.digest(one.heard) == past.digest(wanted)

        paused = await one.ask("replay", {"from": past.at(9.5), "paused": True})
        assert paused["data"]["state"] == "paused"
        await one.until("snapshot", at=past.at(9))
        assert (await one.ask("replay_step", {"by": "tick"}))["event"] == "replaying"
        await one.until("metrics", at=past.at(10))
        await one.it.emit("replay_seek", {"at": past.at(20.5)})
        assert (await one.until("replaying")).data["at"] == past.at(20.5)
        assert len((await one.until("snapshot")).data["alerts"]) == 1
        assert (await one.ask("replay_speed", {"speed": 2}))["data"]["speed"] == 2
        assert (await one.ask("replay_play"))["data"]["state"] == "playing"
        await one.until("metrics", at=past.at(22))
        assert (await one.ask("replay_pause"))["data"]["state"] == "paused"
        refused = await one.ask("replay", {"from": "yesterday"})
        assert refused["event"] == "error" and "from: 'yesterday'" in refused["data"]["detail"]
        assert (await one.ask("live"))["data"]["state"] == "live"
        await one.until("snapshot", at=past.at(39))

        one.heard.clear()
        await one.ask("replay", {"from": past.at(0.5), "speed": "max"})
        await one.until("playhead", state="live")
        await past.record(it, 40, 42)
        await one.until("metrics", seq=it.spine.edge)
        assert one.seqs == list(range(live[0].data["seq"], it.spine.edge + 1))


@pytest.mark.gen_test
async def test_much_at_once_is_told_in_as_many_answers_as_the_client_reads(tmp_path):
    """By polling: the library's client takes no more than so many packets of one answer, and would leave."""
    async with house(tmp_path) as it, clients(it.url, ["polling"]) as one:
        await one.until("snapshot")
        notes = (it.spine.notify("info", f"number {n}") for n in range(100))
        await asyncio.gather(*notes)
        await one.until("notification", seq=it.spine.edge)
        assert one.seqs == list(range(one.seqs[0], it.spine.edge + 1)) and len(one.seqs) == 100
        assert one.ended == [] and [told.event for told in one.heard].count("hello") == 1


@pytest.mark.gen_test(timeout=60)
async def test_a_replay_is_watched_together_with_other_roads(tmp_path):
    """Who joins by Socket.IO sees the playhead of one on a WebSocket, and may be handed the remote; whoever is cut off
    leaves it."""
    async with past.recorded(tmp_path, 40) as it, sockets(it.url) as two:
        await two.until("snapshot")
        replay = await past.begun(two, **{"from": past.at(9.5), "paused": True})
        async with clients(it.url) as one:
            await one.until("snapshot")
            joined = await one.ask("replay", {"join": replay.data["id"]})
            assert joined["data"]["watchers"][1] == one.it.get_sid()
            assert (await one.ask("replay_play"))["data"]["code"] == "not_holder"
            await two.ask("replay_hand", {"to": one.it.get_sid()})
            await one.ask("replay_seek", {"at": past.at(20.5)})
            assert (await two.until("snapshot", at=past.at(20))).data["alerts"]
        await eventually(lambda: it.hub.present(replay.data["room"]) == 1)


@pytest.mark.gen_test(timeout=60)
async def test_a_replay_waits_for_who_does_not_read(tmp_path):
    """Law slow-costs-itself: of a client by polling that does not poll, no more is read than two pages."""
    async with past.recorded(tmp_path, 600) as it, web(it) as http:
        sid = await opened(http)
        ask = json.dumps(["replay", {"from": past.at(0.5), "speed": "max"}])
        await http.post(address(sid), content="40")
        while "snapshot" not in (await http.get(address(sid))).text:
            pass
        await http.post(address(sid), content=f"42{ask}")
        await eventually(lambda: it.replays._open)
        (replay,) = it.replays._open.values()
        await eventually(lambda: replay._reel.place > 0)
        await eventually(lambda: replay._ahead is None and not replay._wants_more())
        place = replay._reel.place
        await asyncio.sleep(0.5)
        assert replay._reel.place == place <= 220 and len(replay._shown) <= 220
        told = 0
        while told < 500:
            told += (await http.get(address(sid))).text.count('42["metrics"')


@transports
@pytest.mark.gen_test
async def test_resume(tmp_path, transports):
    """A client that gives its cursor, as it connects or later, is told all it missed, or that it cannot be."""
    async with house(tmp_path) as it:
        async with clients(it.url, transports) as one:
            await one.until("snapshot")
            await it.spine.notify("info", "first")
            cursor = (await one.until("notification")).data["cursor"]
        for n in range(5):
            await it.spine.notify("info", f"missed {n}")
        for given in ({"auth": {"cursor": cursor}}, {"cursor": cursor}):
            async with clients(it.url, transports, **given) as one:
                assert (await one.next()).data["resumed"] is True
                await one.until("notification", message="missed 4")
                assert len(one.seqs) == 5
        async with clients(it.url, transports) as one:
            await one.until("snapshot")
            answer = await one.ask("resume", {"cursor": cursor})
            assert (answer["event"], answer["data"]["from"]) == ("resumed", cursor)
            await one.until("notification", message="missed 4")
            assert len(one.seqs) == 5
            answer = await one.ask("resume", {"cursor": "elsewhere:5"})
            assert (answer["event"], answer["data"]["reason"]) == ("reset", "epoch")
            await one.until("snapshot")


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]], ids=str)
@pytest.mark.gen_test
async def test_a_restart(tmp_path, transports):
    """A stop says goodbye, and the library's client comes back by itself."""
    async with running(tmp_path) as server, clients(server.url, transports) as one:
        one.it.reconnection_delay, one.it.reconnection_delay_max = 0.1, 0.2
        await one.until("snapshot")
        await server.restart()
        assert (await one.until("goodbye")).data["reason"] == "stopping"
        assert (await one.until("hello")).data["resumed"] is False
        await one.until("snapshot")
        assert "ERROR" not in (log := server.log.read_text()) and "error" not in log, log


@pytest.mark.parametrize("what", [[], ["x"], "text", 5, True, {"room": 5}, b"bytes"], ids=str)
@transports
@pytest.mark.gen_test
async def test_garbage(tmp_path, transports, what):
    """It is answered with an error; the next message is understood."""
    async with house(tmp_path) as it, clients(it.url, transports) as one:
        await one.until("snapshot")
        await one.it.emit("join_room", what)
        assert (await one.until("error")).data["code"] in ("bad_data", "malformed")
        assert (await one.ask("no_such_event"))["data"]["code"] == "unknown_event"
        assert (await one.ask("connect", {"environ": 1}))["data"]["code"] == "unknown_event"
        assert (await one.ask("ping"))["event"] == "pong"


@pytest.mark.parametrize(
    "message",
    [
        "42",
        "42[]",
        "42{}",
        "42[5]",
        "42[[]]",
        '42["join_room",{"room":"\\ud800"}]',
        '42["ping",{},{}]',
        '451-["x",{"_placeholder":true,"num":0}]',
        "43[1]",
        "43",
        "4",
        "4x",
        "49",
        '4{"event":"ping"}',
        "4null",
        "42" + "[" * 9000,
        '42["ping",' + "9" * 400 + "]",
        "42" + "1" * 99 + '["ping"]',
        "42/other,[1]",
        '42["ping",NaN]',
        b"\x00",
        b"",
        "2",
        "3",
        "bAAAA",
        "44",
        "46",
        '42/other,["ping"]',
    ],
    ids=lambda message: ascii(message)[:30],
)
@pytest.mark.gen_test
async def test_garbled_packets(tmp_path, message):
    """What no library would send gets an error, or the end; the server says nothing in its log."""
    async with house(tmp_path) as it, raw(it.url) as one:
        await joined(one)
        await one.send(message)
        with contextlib.suppress(ConnectionClosed):
            await one.send('420["ping"]')
            while '"pong"' not in (told := str(await one.recv())):
                assert told.startswith('42["error",'), told
        async with clients(it.url) as other:
            await other.until("snapshot")


@pytest.mark.parametrize("message", ["", "x", "9", "5", "2probe", "0{}", "6", "bA", "²"])
@pytest.mark.gen_test
async def test_no_packets_of_the_transport(tmp_path, message):
    """Where not even the transport's packets come, the socket ends, and all that was held for it."""
    async with house(tmp_path) as it, raw(it.url) as one:
        await joined(one)
        await one.send(message)
        assert await closed(one) == 1002
        await eventually(lambda: not door(it).clients)
        assert it.hub.count()["socketio"] == 0


@pytest.mark.gen_test
async def test_one_who_goes_on_and_on(tmp_path):
    """Mistakes in a row, or too many messages at once, end it for good: DISCONNECT, which its library heeds."""
    async with house(tmp_path) as it:
        async with raw(it.url) as one:
            await joined(one)
            for _ in range(25):
                await one.send('42["nonsense"]')
            told = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    told.append(str(await one.recv()))
            assert told[-2].startswith('42["goodbye",{"code":4009,"reason":"abuse"')
            assert told[-1] == "41"
            assert one.close_code == 4009
        async with slow(it.url, head()) as one:
            await one.until(b'"sid"')
            await one.send(masked(b"40") + masked(b'42["ping"]') * 5000)
            await eventually(lambda: it.hub.goodbyes.get("abuse") == 2)
        await eventually(lambda: not door(it).clients)


def masked(message: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(message))) + bytes(4) + message


def head(**query: Any) -> str:
    return (
        f"GET /socket.io/?{urlencode({'EIO': 4, 'transport': 'websocket'} | query)} HTTP/1.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
    )


@pytest.mark.gen_test
async def test_too_big_a_message(tmp_path):
    """By socket a goodbye and 1009, by polling 413: and a bigger one yet is not even read."""
    async with house(tmp_path) as it:
        async with raw(it.url) as one:
            await joined(one)
            await one.send('42["x",{"a":"' + "x" * MESSAGE_BYTES + '"}]')
            assert await closed(one) == 1009
        async with web(it) as http:
            sid = await opened(http)
            answer = await http.post(address(sid), content="4" + "x" * MESSAGE_BYTES)
            assert answer.status_code == 413


@pytest.mark.slow
@pytest.mark.gen_test
async def test_one_who_does_not_read(tmp_path):
    """What waits for a slow socket is a page, however much happens; it is let go, and nobody else notices."""
    async with house(tmp_path, stall_s=3) as it, clients(it.url) as other:
        await other.until("snapshot")
        async with slow(it.url, head()) as one:
            await one.until(b'"sid"')
            await one.send(masked(b"40"))
            await one.until(b"snapshot")
            mine = other.it.get_sid()
            [client] = [
                each for each in door(it).clients.values() if each.connection.client_id != mine
            ]
            most = 0
            for n in range(400):
                await tick(it, n, LONG, width=400)
                if not client.engine.closed:
                    queued = sum(len(parcel.data) for parcel in client.engine.queue._queue)
                    buffered = len(client.handler.stream._write_buffer)
                    most = max(most, queued + buffered + len(client._part))
            assert PIECE_BYTES < most < 2 * PAGE_BYTES
            await eventually(lambda: it.hub.goodbyes.get("slow"))
            await eventually(lambda: len(door(it).clients) == 1)
        edge = it.hub.tail.edge
        await other.until("metrics", seq=edge)


@pytest.mark.gen_test
async def test_one_who_pings_and_does_not_read(tmp_path):
    """A ping of the socket is answered; twenty thousand that are not heard make no twenty thousand wait."""
    async with house(tmp_path) as it, slow(it.url, head()) as one:
        await one.until(b'"sid"')
        ping = b"\x89\xfd" + bytes(4) + b"p" * 125
        await one.send(ping)
        await one.until(b"p" * 125)
        [client] = door(it).clients.values()
        most = 0
        for _ in range(40):
            await one.send(ping * 500)
            await asyncio.sleep(0)
            if client.handler.ws_connection:
                most = max(most, len(client.handler.stream._write_buffer))
        assert most <= 127


@pytest.mark.gen_test
async def test_a_poller_that_stays_away(tmp_path):
    """What waits for its next request is a page, and it is let go when it does not come."""
    async with house(tmp_path, stall_s=1) as it, web(it) as http:
        sid = await opened(http)
        assert (await http.post(address(sid), content="40")).status_code == 200
        client = door(it).clients[sid]
        for n in range(200):
            await tick(it, n, LONG, width=100)
        held = sum(len(parcel.data) for parcel in client.engine.queue._queue)
        assert 0 < held < 2 * PAGE_BYTES
        await eventually(lambda: it.hub.goodbyes.get("slow"))
        told = (await http.get(address(sid))).text
        assert '42["goodbye",{"code":4008,"reason":"slow"' in told
        await eventually(lambda: not door(it).clients)
        assert (await http.get(address(sid))).status_code == 400


@pytest.mark.gen_test
async def test_a_poll_that_breaks_off(tmp_path):
    """What it had taken would be lost, so the session ends rather than go on with a hole."""
    async with house(tmp_path) as it, web(it) as http:
        sid = await opened(http)
        await http.post(address(sid), content="40")
        await http.get(address(sid))
        async with slow(it.url, f"GET {address(sid)} HTTP/1.1"):
            await eventually(lambda: door(it).clients[sid].polled)
            answer = await http.get(address(sid))
            assert answer.status_code == 400
            assert "another request" in answer.text
        await eventually(lambda: not door(it).clients)
        assert it.hub.count()["socketio"] == 0


@pytest.mark.gen_test
async def test_a_change_to_a_socket_that_comes_to_nothing(tmp_path):
    """The polls go on as if nothing had been."""
    async with house(tmp_path) as it, web(it) as http:
        sid = await opened(http)
        await http.post(address(sid), content="40")
        async with raw(it.url, sid=sid):
            await eventually(lambda: door(it).clients[sid].engine.upgrading)
            answer = await http.get(address(sid).replace("polling", "websocket"), headers=HANDSHAKE)
            assert answer.status_code == 400
            assert "on its way" in answer.text
        await eventually(lambda: door(it).clients[sid].handler is None)
        assert '42["hello"' in (await http.get(address(sid))).text


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.gen_test
async def test_one_who_begins_and_does_not_go_on(tmp_path, monkeypatch, probe):
    """A session without CONNECT and a change that is not finished end after a while: each holds a place."""
    monkeypatch.setattr(road, "CONNECT_S", 0.2)
    async with house(tmp_path) as it, web(it) as http:
        if probe:
            sid = await opened(http)
            await http.post(address(sid), content="40")
            async with raw(it.url, sid=sid) as one:
                await one.send("2probe")
                assert await one.recv() == "3probe"
                await closed(one)
            assert it.hub.count()["socketio"] == 1
        else:
            async with raw(it.url) as one:
                await closed(one)
            await opened(http)
            await eventually(lambda: not door(it).clients)


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
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
async def test_strangers_are_refused(tmp_path, transport, headers, status):
    """No page of another site gets in, by whichever transport."""
    async with house(tmp_path) as it, web(it) as http:
        shake = HANDSHAKE if transport == "websocket" else {}
        path = f"/socket.io/?EIO=4&transport={transport}"
        answer = await http.get(path, headers=shake | headers)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert door(it) is None


@pytest.mark.gen_test
async def test_invited_pages_are_let_in(tmp_path):
    """A page of a host that the dial names may read the answers; the door is shut to all others."""
    async with house(tmp_path, allowed_hosts="pages.example") as it:
        origin = {"Origin": "https://pages.example"}
        async with web(it) as http:
            answer = await http.get("/socket.io/?EIO=4&transport=polling", headers=origin)
            assert answer.headers["Access-Control-Allow-Origin"] == "https://pages.example"
        for transports in TRANSPORTS.values():
            async with clients(it.url, transports, headers=origin) as one:
                await one.until("snapshot")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("EIO=3&transport=polling", "EIO"),
        ("transport=polling", "EIO"),
        ("EIO=4&transport=pigeon", "transport"),
        ("EIO=4&transport=polling&j=0", "scripts"),
        ("EIO=4&transport=polling&sid=none", "sid"),
        ("EIO=4&" + "a=1&" * 200, "parameters"),
    ],
)
@pytest.mark.gen_test
async def test_requests_that_make_no_sense(tmp_path, query, word):
    """A problem that names what is wrong, and nothing in the log."""
    async with house(tmp_path) as it, web(it) as http:
        answer = await http.get(f"/socket.io/?{query}")
        assert answer.status_code == 400
        assert word in answer.text
        assert (await http.get("/socket.io/?EIO=4&transport=websocket")).status_code == 426
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        answer = await http.get("/socket.io/?EIO=4&transport=polling", headers=upgrade)
        assert answer.status_code == 400
        assert (await http.post("/socket.io/?EIO=4")).status_code == 400
        assert (await http.put("/socket.io/?EIO=4")).headers["Allow"] == "GET, POST"
        assert door(it).clients == {}


@pytest.mark.parametrize(
    "body", [b"", b"x", b"\xff", b"0{}", b"5", b"2", b"d=", b"4\x1e" * 30, b"bA"]
)
@pytest.mark.gen_test
async def test_bodies_that_make_no_sense(tmp_path, body):
    """Refused or ignored, and nothing in the log; the session goes on."""
    async with house(tmp_path) as it, web(it) as http:
        sid = await opened(http)
        await http.post(address(sid), content="40")
        answer = await http.post(address(sid), content=body)
        assert answer.status_code == (400 if body else 200)
        assert '42["hello"' in (await http.get(address(sid))).text


@pytest.mark.gen_test
async def test_connects_that_are_refused(tmp_path):
    """In words, to the program that asked: a room that cannot be one, another namespace, once more."""
    async with house(tmp_path) as it:
        for auth in ({"rooms": " x"}, {"known": "many"}, "secret"):
            with pytest.raises(socketio.exceptions.ConnectionError):
                async with clients(it.url, auth=auth):
                    pass
        async with raw(it.url) as one:
            await one.send("40/other,")
            assert str(await one.recv()).startswith("44/other,")
            await joined(one)
            await one.send("40")
            assert str(await one.recv()).startswith("44{")
            await one.send("41")
            await closed(one)
        await eventually(lambda: not door(it).clients)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.gen_test
async def test_a_full_house(tmp_path, transport):
    """As many as there may be, and those who have not said CONNECT are among them; then 503."""
    async with house(tmp_path, max_connections=2) as it, web(it) as http, raw(it.url) as one:
        await opened(http)
        shake = HANDSHAKE if transport == "websocket" else {}
        answer = await http.get(f"/socket.io/?EIO=4&transport={transport}", headers=shake)
        assert answer.status_code == 503
        await joined(one)


@pytest.mark.gen_test
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_each_is_counted_with_its_address(tmp_path, transport):
    """The bound of an address (`max_per_address`) knows this road, too."""
    async with house(tmp_path) as it:
        async with clients(it.url, (transport,)) as one:
            assert (await one.ask("ping"))["event"] == "pong"
            assert [connection.address for connection in it.hub.connections] == ["127.0.0.1"]
        await eventually(lambda: not it.hub.connections)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.gen_test
async def test_one_address_holds_so_many(tmp_path, monkeypatch, transport):
    """Sessions count with their address from their first request on, and once each: before CONNECT, after it,
    after one that was refused, and until they have ended."""
    monkeypatch.setattr(addresses, "is_foreign", lambda address: True)
    shake = HANDSHAKE if transport == "websocket" else {}
    path = f"/socket.io/?EIO=4&transport={transport}"
    async with house(tmp_path, max_per_address=2) as it, web(it) as http:

        async def full() -> bool:
            answer = await http.get(path, headers=shake)
            return answer.status_code == 503 and "127.0.0.1" in answer.json()["detail"]

        async with raw(it.url) as one, raw(it.url):
            assert await full()
            await one.send('40{"rooms":" x"}')
            assert str(await one.recv()).startswith("44{")
            assert await full()
            await joined(one)
            assert await full()
            [connection] = it.hub.connections
            connection.end(ABUSE)
            await closed(one)
        await eventually(lambda: not door(it).clients)
        assert not it.hub._addresses


@pytest.mark.gen_test
async def test_rooms_are_bounded(tmp_path):
    """`max_rooms` knows this road: CONNECT with one too many is refused in words, `join_room` with an error."""
    async with house(tmp_path, max_rooms=1) as it, raw(it.url) as one, clients(it.url) as two:
        await two.ask("join_room", {"room": "kitchen"})
        await one.send('40{"rooms":"cellar"}')
        assert "max_rooms" in str(await one.recv())
        assert (await two.ask("join_room", {"room": "cellar"}))["data"]["code"] == "crowded"
        await joined(one)


@pytest.mark.gen_test
async def test_nothing_is_kept_of_a_handshake(tmp_path):
    """Neither by us nor by engineio's coroutines, which last as long as the socket: a seventh of its weight."""
    async with house(tmp_path) as it, raw(it.url) as one:
        await joined(one)
        (client,) = door(it).clients.values()
        assert not list(client.handler.request.headers)
        gc.collect()
        kept = [held for held in gc.get_objects() if type(held).__name__ == "AwaitablePayload"]
        assert not kept
        await one.send('42["ping"]')
        assert "pong" in str(await one.recv())


@pytest.mark.gen_test
async def test_off(tmp_path):
    """The dial shuts the door."""
    async with house(tmp_path, socketio="off") as it, web(it) as http:
        assert (await http.get("/socket.io/?EIO=4&transport=polling")).status_code == 404
