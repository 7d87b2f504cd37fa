"""One client's stream, end to end: real sockets, real log."""

import asyncio
import contextlib
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from realtime import delivery
from realtime.connection import LAG_S
from realtime.core.batch import Batch, Columns, Key
from realtime.delivery import Hub
from tests.app import house, running
from tests.clients import (
    MSGPACK,
    Told,
    events,
    eventually,
    poll,
    slow,
    sockets,
    stream,
    upgrade,
)

NOW = 1_795_403_506_000_000
ROADS: dict[str, Any] = {"websocket": sockets, "sse": events}
road = pytest.mark.parametrize("road", ROADS)
HEADS = {"websocket": upgrade, "sse": stream}


def key(name):
    return Key(name, (), name)


async def tick(it, n, *names, source="app", size=1):
    """One tick of a source whose every sample is `n`; with `size` so many ticks at once."""
    ats = [NOW + (n + step) * 1000 for step in range(size)]
    columns = Columns(
        source,
        ats,
        [key(x) for x in names or ("load",)],
        [list(range(n, n + size))] * max(1, len(names)),
    )
    return await it.spine.ingest(Batch([columns]))


async def note(it, message, room="dashboard"):
    return await it.spine.notify("info", message, room=room)


async def wide(it, n, size=400, source="wide"):
    """A tick of some 20 KB as JSON: few of them fill a socket."""
    names = [key(f"a_metric_with_quite_a_long_name_to_fill_a_socket_{i}") for i in range(size)]
    at = NOW + n * 1000
    return await it.spine.ingest(Batch([Columns(source, [at], names, [[n]] * size)]))


def facts(heard):
    return [told.data["message"] for told in heard if told.event == "notification"]


async def whole_log(it, after=0):
    """Every event as the dashboard room hears it."""
    log = await it.log.read(after, 100_000)
    return [event.seq for event in log if event.type != "series"]


# Hello, snapshot, resume


@road
@pytest.mark.gen_test
async def test_hello_comes_first_and_then_a_snapshot(tmp_path, road):
    """Without a cursor the client learns who it is and what holds here, then how things stand."""
    async with house(tmp_path, heartbeat_s=7) as it:
        await tick(it, 1)
        async with ROADS[road](it.url) as one:
            hello, snapshot = await one.next(), await one.next()
            assert hello.event == "hello"
            head = it.tail.edge
            place = f"{it.log.epoch}:{head}"
            assert hello.data["epoch"] == it.log.epoch
            assert (hello.data["head"], hello.data["floor"]) == (head, 1)
            assert hello.data["cursor"] == place
            assert hello.data["resumed"] is False
            assert hello.data["heartbeat_s"] == 7
            assert hello.data["limits"] == {
                "message_bytes": 65_536,
                "stall_s": 30,
                "resume_events": 20_000,
            }
            assert len(hello.data["client_id"]) == 16
            assert snapshot.event == "snapshot"
            assert snapshot.data["cursor"] == place
            assert snapshot.data["sources"][-1]["source"] == "app"
            await note(it, "live")
            assert (await one.next()).data["message"] == "live"


@road
@pytest.mark.parametrize("ring", [8192, 3], ids=["tail", "log"])
@pytest.mark.gen_test
async def test_a_resume_fills_every_frame_in_order(tmp_path, road, ring):
    """From memory or from disk: after hello comes the very next frame, and none is left out or twice."""
    async with house(tmp_path, ring_events=ring) as it:
        for n in range(30):
            await tick(it, n)
            await note(it, f"note {n}")
        cursor = f"{it.log.epoch}:10"
        async with ROADS[road](it.url, cursor=cursor) as one:
            hello = await one.next()
            assert hello.data["resumed"] is True
            # Who stores this cursor and is cut off now must not skip what has not come yet.
            assert hello.data["cursor"] == cursor
            await note(it, "last")
            await one.until("notification", message="last")
            assert one.seqs == await whole_log(it, 10)
            assert "snapshot" not in [told.event for told in one.heard]


@road
@pytest.mark.gen_test
async def test_a_resume_goes_across_a_restart(tmp_path, road):
    """What was written while nobody was connected, and while the server went away and came back, is
    all there, on the road of one's choice."""
    async with running(tmp_path, interval_s=0.2) as server:
        async with ROADS[road](server.url) as one:
            await one.until("snapshot")
            await one.until("metrics")
            goodbye, _ = await asyncio.gather(one.until("goodbye"), server.restart())
            assert goodbye.data["may_return"] is True
            last = max(told.data["seq"] for told in one.heard if "seq" in told.data)
            epoch = one.heard[0].data["epoch"]
        async with ROADS[road](server.url, cursor=f"{epoch}:{last}") as two:
            assert (await two.next()).data["resumed"] is True
            await two.until("system", what="started")
            await two.until("metrics")
            seqs = one.seqs + two.seqs
        assert seqs == sorted(set(seqs))
        whats = [t.data["what"] for t in one.heard + two.heard if t.event == "system"]
        assert [what for what in whats if what in ("started", "stopped")] == ["stopped", "started"]
        # Between first and last only names are missing, which are no frames.
        async with sockets(server.url, cursor=f"{epoch}:{seqs[0] - 1}") as all_:
            while not all_.seqs or all_.seqs[-1] < seqs[-1]:
                await all_.next()
            assert all_.seqs[: len(seqs)] == seqs


BAD = {
    "malformed": ["nonsense", "{epoch}", "{epoch}:", "{epoch}:-1", "{epoch}:1.5", "{epoch}:\u0661"],
    "epoch": ["0123456789abcdef:1", ":1"],
    "future": ["{epoch}:999999"],
    "truncated": ["{epoch}:3"],
    "too_far": ["{epoch}:9"],
}


@road
@pytest.mark.parametrize(("reason", "cursors"), BAD.items(), ids=BAD)
@pytest.mark.gen_test
async def test_a_cursor_that_cannot_be_filled(tmp_path, road, reason, cursors):
    """Law prove-or-reset: a reset says why, a snapshot follows, and then life goes on from there."""
    async with house(tmp_path, resume_events=20) as it:
        for n in range(40):
            await note(it, f"{n}")
        it.log.floor = 6
        for text in cursors:
            async with ROADS[road](it.url, cursor=text.format(epoch=it.log.epoch)) as one:
                hello = await one.next()
                assert hello.data["resumed"] is False
                reset, snapshot = await one.next(), await one.next()
                assert reset.event == "reset"
                assert reset.data["reason"] == reason
                assert reset.data["detail"]
                assert reset.data["cursor"] == snapshot.data["cursor"] == hello.data["cursor"]
                assert snapshot.event == "snapshot"
                event = await note(it, "after")
                assert (await one.next()).data["seq"] == event.seq


@pytest.mark.gen_test
async def test_resuming_on_an_open_socket(tmp_path):
    """`resume` is answered with the range and its frames, or with a reset and a snapshot."""
    async with house(tmp_path, ring_events=2) as it, sockets(it.url) as one:
        await one.until("snapshot")
        for n in range(6):
            await note(it, f"{n}")
            await one.until("notification", message=f"{n}")
        cursor = f"{it.log.epoch}:{one.seqs[1]}"
        edge = f"{it.log.epoch}:{it.tail.edge}"
        answer = await one.ask("resume", {"cursor": cursor})
        assert answer.event == "resumed"
        assert answer.data == {"from": cursor, "to": edge}
        assert [(await one.next()).data["message"] for _ in range(4)] == ["2", "3", "4", "5"]
        answer = await one.ask("resume", {"cursor": "other:1"})
        assert (answer.event, answer.data["reason"]) == ("reset", "epoch")
        assert (await one.next()).event == "snapshot"
        await note(it, "on")
        assert (await one.next()).data["message"] == "on"


@pytest.mark.gen_test
async def test_a_hole_in_the_log_is_a_reset(tmp_path, monkeypatch):
    """When retention overtakes a reader, it is told so instead of part of the gap."""
    async with house(tmp_path, ring_events=1) as it:
        for n in range(5):
            await note(it, f"{n}")
        read = it.log.read

        async def shortened(after, *args, **more):
            return (await read(after, *args, **more))[1:]

        monkeypatch.setattr(it.log, "read", shortened)
        async with sockets(it.url, cursor=f"{it.log.epoch}:2") as one:
            assert (await one.next()).event == "hello"
            assert (await one.next()).data["reason"] == "truncated"
            assert (await one.next()).event == "snapshot"
            monkeypatch.setattr(it.log, "read", read)
            assert (await poll(it.url, cursor=f"{it.log.epoch}:2"))["frames"]
            monkeypatch.setattr(it.log, "read", shortened)
            frames = (await poll(it.url, cursor=f"{it.log.epoch}:2"))["frames"]
            assert [frame["event"] for frame in frames] == ["reset", "snapshot"]


@pytest.mark.gen_test
async def test_a_log_that_cannot_be_read(tmp_path, logs, monkeypatch):
    """The reader is told to come back, its cursor stays good, and others hear no difference."""
    from realtime.errors import StorageError

    async with house(tmp_path, ring_events=1) as it, sockets(it.url) as other:
        await other.until("snapshot")
        for n in range(5):
            await note(it, f"{n}")
        read = it.log.read

        async def broken(*args, **more):
            raise StorageError("the disk is away", "")

        monkeypatch.setattr(it.log, "read", broken)
        async with sockets(it.url, cursor=f"{it.log.epoch}:2") as one:
            goodbye = await one.until("goodbye")
            assert goodbye.data["reason"] == "failed"
            assert goodbye.data["may_return"] is True
            assert await one.closed() == 1011
        logs.expect("could not be served from the log")
        monkeypatch.setattr(it.log, "read", read)
        await note(it, "fine")
        await other.until("notification", message="fine")


# The same frames on all roads


@pytest.mark.gen_test
async def test_the_same_frames_on_all_roads(tmp_path):
    """Law same-frames: live and resumed, over WebSocket in JSON and msgpack, SSE and poll."""
    async with house(tmp_path, ring_events=4) as it, contextlib.AsyncExitStack() as stack:
        start = f"{it.log.epoch}:{it.tail.edge}"
        live = [
            await stack.enter_async_context(sockets(it.url)),
            await stack.enter_async_context(sockets(it.url, MSGPACK)),
            await stack.enter_async_context(events(it.url)),
        ]
        for one in live:
            await one.until("snapshot")
        for n in range(5):
            await tick(it, n, "load", "0.1"[:0] + "up")
            await note(it, "line\nbreak" if n < 4 else "end")
        late = [
            await stack.enter_async_context(sockets(it.url, cursor=start)),
            await stack.enter_async_context(sockets(it.url, MSGPACK, cursor=start)),
            await stack.enter_async_context(events(it.url, cursor=start)),
        ]
        told = []
        for one in live + late:
            await one.until("notification", message="end")
            told.append([(t.event, t.data) for t in one.heard if "seq" in t.data])
        frames: list[Any] = []
        cursor = start
        while not any(f["data"].get("message") == "end" for f in frames):
            page = await poll(it.url, cursor=cursor)
            frames, cursor = frames + page["frames"], page["cursor"]
        told.append([(frame["event"], frame["data"]) for frame in frames])
        assert len(told[0]) >= 10
        assert all(one == told[0] for one in told)


@pytest.mark.gen_test
async def test_compact(tmp_path):
    """Names come once and before they are used; new series are named when they appear; the numbers
    are those of the full form."""
    async with house(tmp_path) as it, sockets(it.url, compact="true") as one:
        full = await one.until("snapshot")
        assert full
        await tick(it, 1, "a", "b")
        series = await one.next()
        while series.event != "series":
            series = await one.next()
        names = {told["id"]: told["series"] for told in series.data["series"]}
        frame = await one.until("metrics")
        told = dict(zip((names[i] for i in frame.data["ids"]), frame.data["values"], strict=True))
        assert told == {"a": 1, "b": 1}
        await tick(it, 2, "a", "b")
        assert (await one.next()).event == "metrics"
        await tick(it, 3, "a", "c")
        new = await one.next()
        assert [told["series"] for told in new.data["series"]] == ["c"]
        assert (await one.next()).data["values"] == [3, 3]
        known = max(names)
        async with sockets(it.url, compact="true", known=known + 1) as two:
            await two.until("snapshot")
            await tick(it, 4, "a", "b", "c")
            assert (await two.next()).event == "metrics"


@pytest.mark.gen_test
async def test_names_after_a_reset(tmp_path):
    """What a client knew was of another log: after a reset it is told every name anew."""
    async with house(tmp_path) as it:
        await tick(it, 1, "a", "b")
        async with sockets(it.url, compact="true", known=2, cursor="other:7") as one:
            await one.until("snapshot")
            await tick(it, 2, "a", "b")
            series = await one.next()
            assert series.event == "series"
            assert {told["series"] for told in series.data["series"]} >= {"a", "b"}


@pytest.mark.gen_test
async def test_a_wider_match_is_named(tmp_path):
    """Who subscribes to more learns the names of what it did not hear before."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.until("snapshot")
        await one.ask("subscribe_to_metrics", {"match": ["a"], "compact": True})
        await tick(it, 1, "a", "b")
        assert [t["series"] for t in (await one.until("series")).data["series"]] == ["a"]
        await one.ask("subscribe_to_metrics", {"match": ["b"], "compact": True})
        await tick(it, 2, "a", "b")
        assert [t["series"] for t in (await one.until("series")).data["series"]] == ["b"]
        assert (await one.next()).data["values"] == [2]


@pytest.mark.gen_test
async def test_every_message_of_a_socket(tmp_path):
    """The answers of the contract, in JSON and in msgpack, each with the client's id."""
    async with house(tmp_path) as it:
        await tick(it, 1)
        for protocol in ("", MSGPACK):
            async with sockets(it.url, protocol) as one:
                await one.until("snapshot")
                assert (await one.ask("ping")).data["server_time"].endswith("Z")
                assert (await one.ask("join_room", {"room": "r"})).data == {
                    "room": "r",
                    "present": 1,
                }
                assert (await one.ask("leave_room", {"room": "r"})).event == "left_room"
                latest = await one.ask("request_metrics")
                assert latest.event == "metrics_response"
                assert latest.data["series"]["load"]["value"] == 1
                assert (await one.ask("subscribe_to_alerts", {})).event == "subscribed_to_alerts"
                told = await one.ask("subscribe_to_metrics", {"match": ["up"]})
                assert told.event == "subscribed_to_metrics"
                assert (await one.ask("dance")).data["code"] == "unknown_event"
                await one.it.send("{" if not one.binary else b"\xc1")
                assert (await one.until("error")).data["code"] == "malformed"
                assert (await one.ask("ping")).event == "pong"


@pytest.mark.gen_test
async def test_the_latest_of_many_series_are_told_all_the_same(tmp_path, monkeypatch):
    """Where there are too many for the loop the answer is made in a thread, once for all who ask meanwhile;
    a client that asks and asks is let go."""
    monkeypatch.setattr(delivery, "AT_ONCE", 0)
    async with house(tmp_path) as it:
        await tick(it, 1)
        made = []
        original = it.hub.latest

        def counted():
            made.append(1)
            return original()

        it.hub.latest = counted
        for protocol in ("", MSGPACK):
            async with sockets(it.url, protocol) as one:
                answers = [await one.ask("request_metrics") for _ in range(2)]
                assert {answer.event for answer in answers} == {"metrics_response"}
                assert answers[0].data["series"]["load"]["value"] == 1
                assert (await one.ask("ping")).event == "pong"
        assert len(made) == 4
        monkeypatch.setattr("realtime.connection.WAITING", 1)
        held = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(it.hub, "metrics", lambda encoding: held)
        async with sockets(it.url) as one:
            for _ in range(3):
                await one.say("request_metrics")
            assert (await one.until("goodbye")).data["reason"] == "slow"


@pytest.mark.gen_test
async def test_abuse_is_shown_the_door(tmp_path):
    """After so many mistakes: goodbye for good, with its close code."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        for _ in range(25):
            await one.it.send("?")
        goodbye = await one.until("goodbye")
        assert goodbye.data["reason"] == "abuse"
        assert goodbye.data["may_return"] is False
        assert goodbye.data["after_ms"] is None
        assert await one.closed() == 4009
        assert it.hub.goodbyes == {"abuse": 1}


# Pace


@road
@pytest.mark.gen_test
async def test_heartbeats_tell_where_a_quiet_stream_stands(tmp_path, road):
    """A client that wants little learns how far the log has come, and may resume from there."""
    async with house(tmp_path, heartbeat_s=1) as it, ROADS[road](it.url, rooms="quiet") as one:
        await one.until("snapshot")
        for n in range(5):
            await note(it, f"{n}")
        edge = it.tail.edge
        beat = await one.until("heartbeat", head=edge)
        assert beat.data["cursor"] == f"{it.log.epoch}:{edge}"
        assert beat.data["server_time"].endswith("Z")
        if road == "sse":
            assert beat.id == beat.data["cursor"]
        assert facts(one.heard) == []
        again = await one.until("heartbeat")
        assert again.data["head"] == edge


@pytest.mark.gen_test
async def test_max_hz(tmp_path):
    """Ticks come no closer than asked, merged; facts come at once, with the held ticks before them;
    seqs rise, the last tick is told in the end, and the cursor of a heartbeat passes nothing held."""
    async with house(tmp_path, heartbeat_s=1) as it, sockets(it.url) as one:
        await one.until("snapshot")
        await one.ask("subscribe_to_metrics", {"max_hz": 0.5})
        begun = asyncio.get_running_loop().time()
        first = it.tail.edge
        for n in range(10):
            await tick(it, n, "a" if n % 2 else "b")
        await note(it, "now")
        await one.until("notification")
        assert asyncio.get_running_loop().time() - begun < 1.0
        ticks = [t.data for t in one.heard if t.event == "metrics"]
        assert ticks[0]["values"] == {"b": 0}
        assert ticks[-1]["values"] == {"a": 9, "b": 8}
        assert ticks[-1]["conflated"] == 9
        await tick(it, 10, "a")
        edge = it.tail.edge
        beat = await one.until("heartbeat")
        assert beat.data["cursor"] == f"{it.log.epoch}:{edge - 1}"
        assert beat.data["head"] == edge
        last = await one.until("metrics")
        assert last.data["values"] == {"a": 10}
        assert "conflated" not in last.data
        assert asyncio.get_running_loop().time() - begun >= 1.9
        assert one.seqs == sorted(set(one.seqs))
        assert one.seqs[-1] == edge > first


@pytest.mark.gen_test
async def test_max_hz_does_not_hold_back_a_resume(tmp_path):
    """A gap is filled tick by tick, whatever the pace of live frames."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.until("snapshot")
        start = it.tail.edge
        await one.ask("subscribe_to_metrics", {"max_hz": 0.01})
        for n in range(20):
            await tick(it, n)
        await one.ask("resume", {"cursor": f"{it.log.epoch}:{start}"})
        told = one.heard[-1]
        assert told.event == "resumed"
        for n in range(20):
            frame = await one.until("metrics")
            assert frame.data["values"] == {"load": n}
            assert "conflated" not in frame.data
        # What was held when it asked was part of the gap, and is not told again.
        await note(it, "end")
        assert (await one.next()).event == "notification"


@pytest.mark.gen_test
async def test_max_hz_over_interleaved_sources(tmp_path):
    """One merged tick a source; none is lost and none counted twice."""
    async with house(tmp_path) as it, sockets(it.url) as one:
        await one.until("snapshot")
        await one.ask("subscribe_to_metrics", {"max_hz": 2})
        counted = {"a": 0, "b": 0, "c": 0}
        for n in range(60):
            await tick(it, n, source="abc"[n % 3])
        async with asyncio.timeout(10):
            while sum(counted.values()) < 60:
                told = await one.until("metrics")
                counted[told.data["source"]] += told.data.get("conflated", 1)
        assert counted == {"a": 20, "b": 20, "c": 20}
        assert one.seqs == sorted(set(one.seqs))
        last = {t.data["source"]: t.data["values"] for t in one.heard if t.event == "metrics"}
        assert last == {"a": {"load": 57}, "b": {"load": 58}, "c": {"load": 59}}


# Slow readers


def frames_of(road, raw):
    """The frames in the bytes of a raw connection, whole ones only."""
    _, _, body = raw.partition(b"\r\n\r\n")
    told = []
    if road == "sse":
        text, rest = b"", body
        while True:
            size, found, after = rest.partition(b"\r\n")
            if not found or len(after) < int(size, 16) + 2 or size == b"0":
                break
            text += after[: int(size, 16)]
            rest = after[int(size, 16) + 2 :]
        for block in text.split(b"\n\n")[:-1]:
            lines = dict(line.split(b": ", 1) for line in block.split(b"\n"))
            if b"data" in lines:
                told.append(Told(lines[b"event"].decode(), msgspec.json.decode(lines[b"data"])))
        return told
    while len(body) >= 2:
        size, start = body[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(body[2:start], "big")
        if len(body) < start + size or body[0] != 0x81:
            break
        frame = msgspec.json.decode(body[start : start + size])
        told.append(Told(frame["event"], frame["data"]))
        body = body[start + size :]
    return told


@contextlib.asynccontextmanager
async def stalled(it, road, **query):
    """A reader with a small window that has read its snapshot and then nothing."""
    async with slow(it.url, HEADS[road](**query)) as one:
        if "cursor" not in query:
            await one.until(b"snapshot")
        yield one


def pending(hub: Hub):
    """Bytes that wait in the server for the slowest of its readers."""
    streams = []
    for connection in hub._connections:
        sink: Any = connection.sink
        streams.append(sink._stream if hasattr(sink, "_stream") else sink.ws_connection.stream)
    return max((len(stream._write_buffer) for stream in streams), default=0)


@road
@pytest.mark.gen_test
async def test_a_slow_live_reader(tmp_path, road):
    """Its ticks are merged and say so, its facts all come, in order; nobody else notices, and the
    server holds a page for it and no more."""
    async with house(tmp_path) as it, stalled(it, road) as one, sockets(it.url) as quick:
        await quick.until("snapshot")
        reading = asyncio.create_task(quick.until("notification", message="119"))
        most = 0
        for n in range(120):
            await wide(it, n)
            await note(it, f"{n}")
            most = max(most, pending(it.hub))
        await reading
        assert all("conflated" not in told.data for told in quick.heard)
        assert len([t for t in quick.heard if t.event == "metrics"]) == 120
        assert most < 400_000
        await asyncio.sleep(LAG_S)
        for n in range(120, 240):
            await wide(it, n)
        await note(it, "end")
        await quick.until("notification", message="end")
        await one.until(b'"message":"end"')
        told = [t for t in frames_of(road, one.bytes) if "seq" in t.data]
        assert facts(told) == [*map(str, range(120)), "end"]
        seqs = [t.data["seq"] for t in told]
        assert seqs == sorted(set(seqs))
        ticks = [t for t in told if t.event == "metrics"]
        assert len(ticks) < 240
        assert max(t.data.get("conflated", 1) for t in ticks) > 10
        assert sum(t.data.get("conflated", 1) for t in ticks) == 240
        assert set(ticks[-1].data["values"].values()) == {239}


@road
@pytest.mark.parametrize("ring", [8192, 10], ids=["tail", "log"])
@pytest.mark.gen_test
async def test_a_slow_reader_that_resumes(tmp_path, road, ring):
    """However slowly it reads, the whole gap is filled frame by frame; only what came after it asked
    may be merged."""
    async with house(tmp_path, ring_events=ring) as it:
        for n in range(60):
            await wide(it, n)
        edge = it.tail.edge
        cursor = f"{it.log.epoch}:{edge - 50}"
        async with stalled(it, road, cursor=cursor) as one:
            await one.until(b"hello")
            for n in range(60, 160):
                await wide(it, n)
            await asyncio.sleep(LAG_S + 0.1)
            # A megabyte is missing, and a page of it is what waits.
            assert 0 < pending(it.hub) < 400_000
            await note(it, "end")
            await one.until(b'"message":"end"')
        told = [t for t in frames_of(road, one.bytes) if "seq" in t.data]
        filled = [t for t in told if t.data["seq"] <= edge]
        assert [t.data["seq"] for t in filled] == list(range(edge - 49, edge + 1))
        assert all("conflated" not in t.data for t in filled)
        after = [t for t in told if t.data["seq"] > edge and t.event == "metrics"]
        assert sum(t.data.get("conflated", 1) for t in after) == 100


@road
@pytest.mark.gen_test
async def test_a_stalled_reader_is_let_go(tmp_path, road):
    """After `stall_s` without a byte taken it is told goodbye, behind what it has not read; meanwhile
    its memory is bounded, and afterwards it is gone."""
    async with (
        house(tmp_path, stall_s=1, heartbeat_s=1) as it,
        stalled(it, road) as one,
        sockets(it.url) as quick,
    ):
        await quick.until("snapshot")
        reading = asyncio.create_task(quick.until("notification", message="still here"))
        for n in range(150):
            await wide(it, n)
            assert pending(it.hub) < 400_000
        await eventually(lambda: it.hub.goodbyes.get("slow"))
        assert it.hub.goodbyes == {"slow": 1}
        assert it.hub.count() == {"websocket": 1, "sse": 0, "poll": 0, "socketio": 0}
        await note(it, "still here")
        await reading
        end = {"websocket": b"\x88\x06\x0f\xa8slow", "sse": b"\r\n0\r\n\r\n"}
        rest = frames_of(road, await one.until(end[road]))
        assert rest[-1].event == "goodbye"
        assert rest[-1].data["reason"] == "slow"
        assert rest[-1].data["may_return"] is True
        # What it did get has no hole: a return with its last cursor fills the rest.
        counts = [t.data.get("conflated", 1) for t in rest if t.event == "metrics"]
        last = next(t for t in reversed(rest) if t.event == "metrics")
        assert set(last.data["values"].values()) == {sum(counts) - 1}


@pytest.mark.gen_test
async def test_a_trickling_reader_stays(tmp_path):
    """Slow is not stalled: who takes a little in every `stall_s` is kept, though a page takes long."""
    async with house(tmp_path, stall_s=1) as it:
        for n in range(60):
            await wide(it, n)
        # A gap to fill is a megabyte that nobody merges, and its first page alone takes five stalls.
        async with slow(it.url, upgrade(cursor=f"{it.log.epoch}:3")) as one:
            for _ in range(60):
                await one.take(4_000)
                await asyncio.sleep(0.1)
        assert it.hub.goodbyes == {}


@pytest.mark.gen_test
async def test_asking_without_reading(tmp_path):
    """Answers are bounded too: a client that asks on and on and reads nothing is let go."""
    async with house(tmp_path, outbox_bytes=16_384) as it:
        for n in range(2):
            await wide(it, n)
        async with slow(it.url, upgrade()) as one:
            await one.until(b"snapshot")
            message = b'{"event":"request_metrics"}'
            mask = bytes((0x81, 0x80 | len(message))) + bytes(4) + message
            with contextlib.suppress(ConnectionError):
                for _ in range(95):
                    await one.send(mask)
                    await asyncio.sleep(0)
            await eventually(lambda: it.hub.goodbyes.get("slow"))
            told = frames_of("websocket", await one.rest())
            assert told[-1].data["reason"] == "slow"
            assert 0 < len([t for t in told if t.event == "metrics_response"]) < 95


@pytest.mark.gen_test
async def test_a_small_outbox_does_not_hurt_a_good_reader(tmp_path):
    """The smallest outbox still resumes hundreds of frames: pages fit themselves to it."""
    async with house(tmp_path, outbox_bytes=16_384, ring_events=10) as it:
        for n in range(100):
            await wide(it, n)
        async with sockets(it.url, cursor=f"{it.log.epoch}:5") as one:
            while not one.seqs or one.seqs[-1] < it.tail.edge:
                await one.next()
            assert one.seqs == await whole_log(it, 5)
            assert (await one.ask("ping")).event == "pong"


# The end


@road
@pytest.mark.gen_test
async def test_goodbye_on_shutdown(tmp_path, road):
    """The last frame says that the server stops and when to return; nothing comes after it."""
    async with running(tmp_path) as server, ROADS[road](server.url) as one:
        await one.until("snapshot")
        stopping = asyncio.create_task(server.stop())
        goodbye = await one.until("goodbye")
        assert goodbye.data["code"] == 1001
        assert goodbye.data["reason"] == "stopping"
        assert 200 <= goodbye.data["after_ms"] < 2000
        if road == "websocket":
            assert await one.closed() == 1001
        else:
            with pytest.raises(StopAsyncIteration):
                await one.next()
        assert one.heard[-1] is goodbye
        assert await stopping == 0


@pytest.mark.gen_test
async def test_a_failure_costs_one_connection(tmp_path, logs, monkeypatch):
    """An exception at one client ends that one, with a goodbye; the others and the recorder go on."""
    async with house(tmp_path) as it, contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(sockets(it.url)) for _ in range(5)]
        for one in readers:
            await one.until("snapshot")
        victim = next(iter(it.hub._connections))
        it.hub.unsettle(victim)
        monkeypatch.setattr(victim.sink, "direct", lambda: 1 / 0)
        await note(it, "one")
        await note(it, "two")
        codes = []
        for one in readers:
            try:
                await one.until("notification", message="two")
            except Exception:
                codes.append(one.it.close_code)
                assert one.heard[-1].data["reason"] == "failed"
        assert codes == [1011]
        logs.expect("ZeroDivisionError")
        assert it.hub.goodbyes == {"failed": 1}
        assert len(it.hub._connections) == 4


@pytest.mark.gen_test
async def test_a_failure_of_the_transport(tmp_path, logs, monkeypatch):
    """A socket that cannot even be said goodbye to is dropped, and the rest goes on."""
    async with house(tmp_path) as it, sockets(it.url) as one, events(it.url) as other:
        await one.until("snapshot")
        await other.until("snapshot")
        victim = next(c for c in it.hub._connections if c.wire.road == "websocket")

        def broken(data):
            raise RuntimeError("no such socket")

        it.hub.unsettle(victim)
        monkeypatch.setattr(victim.sink, "write_out", broken)
        await note(it, "on")
        await other.until("notification", message="on")
        logs.expect("no such socket")
        logs.expect("could not be ended")
        assert it.hub.count() == {"websocket": 0, "sse": 1, "poll": 0, "socketio": 0}


@road
@pytest.mark.gen_test
async def test_those_who_leave_are_forgotten(tmp_path, road):
    """An orderly close, a cut in the middle of a page, a cut while the log is read: no connection
    stays in the hub, no read is left behind, no line is logged."""
    async with house(tmp_path, ring_events=1) as it:
        for n in range(30):
            await wide(it, n)
        async with ROADS[road](it.url) as one:
            await one.until("snapshot")
        for _ in range(20):
            async with slow(it.url, HEADS[road](cursor=f"{it.log.epoch}:1")) as cut:
                if random.random() < 0.5:
                    await cut.until(b"hello")
        await note(it, "x")
        await eventually(lambda: not it.hub._connections and not it.hub._reads)
        assert it.hub.goodbyes == {}


@pytest.mark.gen_test
async def test_order_is_the_order_of_the_log(tmp_path):
    """Writers in parallel, readers on every road: each hears one and the same order."""
    async with house(tmp_path) as it, contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(ROADS[r](it.url)) for r in [*ROADS, *ROADS]]
        for one in readers:
            await one.until("snapshot")
        start = it.tail.edge

        async def write(name):
            for n in range(30):
                await tick(it, n, source=name)
                await note(it, f"{name}{n}")

        await asyncio.gather(*(write(name) for name in "abcd"))
        await note(it, "end")
        for one in readers:
            await one.until("notification", message="end")
        log = await whole_log(it, start)
        assert len(log) >= 241
        for one in readers:
            assert one.seqs == log
            assert all(a < b for a, b in pairwise(one.seqs))
