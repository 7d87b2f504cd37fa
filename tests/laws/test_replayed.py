"""The laws, where a moment that is over plays again."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from realtime.core.decide import Desk
from realtime.core.times import rfc3339
from tests.bench import hour
from tests.clients import MSGPACK, events, sockets
from tests.realtime.test_replay import (
    at,
    begun,
    begun_behind,
    digest,
    logged,
    recorded,
    tick,
)
from tests.storage.test_sealer import write


@pytest.mark.gen_test(timeout=60)
async def test_same_frames(tmp_path: Path) -> None:
    """Law same-frames: what was recorded live and what is replayed hash to the same at every speed, over the WebSocket
    in JSON and in msgpack and over SSE, off rows and off segments."""
    async with recorded(tmp_path, 2) as it:
        async with sockets(it.url) as live:
            await live.until("snapshot")
            for n in range(20, 44):  # a tenth of a second apart
                await tick(it, n / 10)
                if n % 7 == 0:
                    await it.spine.notify("info", f"at {n}")
            await live.until("metrics", seq=it.spine.edge)
            wanted = digest(live.heard)
            assert {one.event for one in logged(live.heard)} == {"metrics", "notification"}
        span: dict[str, Any] = {"from": at(1.99), "to": at(4.3)}
        for sealed in (False, True):
            if sealed:
                await it.log.seal(it.log.head, all_of_it=True)
            for protocol in ("", MSGPACK):
                for speed in hour.SPEEDS:
                    async with sockets(it.url, protocol) as socket:
                        await socket.until("snapshot")
                        await begun(socket, **span, speed=speed)
                        await socket.until("playhead", state="ended")
                        assert digest(socket.heard) == wanted, (sealed, protocol, speed)
            for speed in hour.SPEEDS:
                async with events(it.url, **span, speed=speed) as stream:
                    await stream.until("playhead", state="ended")
                    assert digest(stream.heard) == wanted, (sealed, "sse", speed)


@pytest.mark.slow
@pytest.mark.gen_test(timeout=180)
async def test_same_frames_over_an_hour(tmp_path: Path) -> None:
    """Law same-frames: every byte of an hour, with alerts, words, sources that come and go, and late data in it, is
    told again as it was told live, at every speed and on both roads, off rows and off segments."""
    async with hour.recorded(tmp_path) as (it, live):
        wanted = live["ws"].digest
        assert live["sse"].digest == wanted
        assert live["ws"].count["metrics"] > hour.SECONDS
        assert {name.encode() for name in live["ws"].count} == hour.LOGGED
        it.replays.clock = hour.Hasty()
        for speed in hour.SPEEDS:
            for road in hour.ROADS:
                assert (await hour.replayed(it.url, road, speed)).digest == wanted, (road, speed)
        await it.log.seal(it.log.head, all_of_it=True)
        for speed in (10, "max"):
            for road in hour.ROADS:
                assert (await hour.replayed(it.url, road, speed)).digest == wanted, (road, speed)


@pytest.mark.gen_test(timeout=60)
async def test_decide_live_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law decide-live-only: an alert that fired then is told, and none fires now; nothing is written."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        head = it.log.head

        def never(*args: object) -> None:
            raise AssertionError("a replay decides")

        with monkeypatch.context() as patch:
            patch.setattr(Desk, "__init__", never)
            await begun(socket, **{"from": at(0.5), "speed": "max"})
            await socket.until("alert", state="firing")
            await socket.until("alert", state="resolved")
            await socket.until("playhead", state="live")
        assert it.log.head == head


@pytest.mark.parametrize("speed", [100, "max"])
@pytest.mark.gen_test(timeout=60)
async def test_no_gap_no_double(tmp_path: Path, speed: Any) -> None:
    """Law no-gap-no-double: across the seam to live, with two hundred ticks a second written all the while; four
    come to it at different moments."""
    async with recorded(tmp_path, 30) as it:
        stop = asyncio.Event()

        async def write_on() -> None:
            n = 30.0
            while not stop.is_set():
                n += 0.05
                await tick(it, round(n, 2))
                await asyncio.sleep(0.005)

        async def watch(begin: float) -> None:
            async with sockets(it.url) as socket:
                await socket.until("snapshot")
                answer = await begun(socket, **{"from": at(begin), "speed": speed})
                await socket.until("playhead", state="live")
                seam = it.spine.edge
                while not socket.seqs or socket.seqs[-1] < seam + 100:
                    await socket.next()
                first = answer.data["after"]
                told = [one.data for one in logged(socket.heard)]
                # On a machine that is too slow for this a live reader gets ticks merged, and is told how many.
                spans = [(data["seq"] - data.get("conflated", 1), data["seq"]) for data in told]
                # Some of it was heard live as well, before it was asked for.
                begun_at = max(k for k, (before, _) in enumerate(spans) if before == first)
                for (_, last), (before, _) in pairwise(spans[begun_at:]):
                    assert before == last

        writer = asyncio.create_task(write_on())
        await asyncio.gather(*(watch(begin) for begin in (0.5, 7.5, 20.5, 29.5)))
        stop.set()
        await writer


@pytest.mark.gen_test(timeout=30)
async def test_prove_or_reset(tmp_path: Path, logs: Any) -> None:
    """Law prove-or-reset: an event that cannot be read is said at its place, with the seqs that are missing."""
    async with recorded(tmp_path, 20) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        (lost,) = [e.seq for e in await it.log.read(0, 100) if rfc3339(e.at) == at(7)]
        write(it.log.path, f"UPDATE events SET body = x'00' WHERE seq = {lost}")
        await begun(socket, **{"from": at(0.5), "speed": "max"})
        await socket.until("playhead", state="live")
        (gap,) = (one.data["gap"] for one in socket.heard if "gap" in one.data)
        assert (gap["first"], gap["last"]) == (lost, lost)
        seqs = [told.data["seq"] for told in logged(socket.heard)]
        assert set(range(seqs[0], it.spine.edge + 1)) - set(seqs) == {lost}
    logs.expect("damaged")


@pytest.mark.gen_test(timeout=60)
async def test_slow_costs_itself(tmp_path: Path) -> None:
    """Law slow-costs-itself: for who does not read nothing is read, and twenty others do not notice."""
    # It is not let go meanwhile, however long the twenty take here.
    async with recorded(tmp_path, 600, stall_s=600) as it, sockets(it.url) as slow:
        await begun_behind(slow)
        (replay,) = it.replays._open.values()
        connection = replay.holder
        assert connection is not None
        stuck: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        real = connection.sink.write_out
        connection.sink.write_out = lambda data: stuck  # a socket that takes nothing
        await slow.say("replay_speed", {"speed": "max"})
        await slow.say("replay_play")
        await asyncio.sleep(0.3)
        place = replay._reel.place
        assert 0 < place <= 220 and len(replay._shown) <= 220

        async def quick() -> None:
            async with sockets(it.url) as socket:
                await socket.until("snapshot")
                await begun(socket, **{"from": at(0.5), "speed": "max"})
                await socket.until("playhead", state="live")
                told = [one.data["seq"] for one in logged(socket.heard)]
                assert told == list(range(told[0], it.spine.edge + 1))

        await asyncio.gather(*(quick() for _ in range(20)))
        assert replay._reel.place == place
        connection.sink.write_out = real
        stuck.set_result(None)
        await slow.until("playhead", state="live")
        assert slow.seqs[-1] == it.spine.edge
