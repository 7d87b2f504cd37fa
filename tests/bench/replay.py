"""Replays: whether they tell the same, how fast they are read, how soon one is somewhere else, and how well they
keep time; and what those who watch now notice of them."""

import asyncio
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from realtime.core.times import parse_time
from tests.app import Server, running
from tests.bench import hour, recording, tape
from tests.bench.latency import Ear
from tests.bench.load import Client, quantile
from tests.bench.load import connect as clients
from tests.bench.table import Row, Target

API = "/api/realtime"
SECOND = 1_000_000
DAYS = 30
SERIES = len(recording.names())
BLOCKS_S = 3_600 * 360
HELD = {"retain_raw_days": 3_650, "retain_10s_days": 3_650, "retain_1m_days": 3_650}
REPLAYS = 20
TARGETED = f"{DAYS} days of {SERIES} series at 1 s on tape"


async def measure(directory: Path, short: bool) -> list[Row]:
    place = directory / "replay"
    (place / "data").mkdir(parents=True)
    start = (int(time.time()) // BLOCKS_S - 2) * BLOCKS_S
    await tape.long(place / "data", start, DAYS)
    async with running(place, source=tape.SOURCE, **HELD) as server:
        rows = [
            *await _reading(server, start, 600 if short else 3_600, 2 if short else 5),
            await _seeking(server, start, 30 if short else 200),
            *await _pacing(server, start, 5.0 if short else 30.0),
            *await _beside(server, start, 50 if short else 300, 2 if short else 5),
        ]
    return [await _fidelity(directory / "hour"), *rows]


async def _socket(server: Server) -> ClientConnection:
    address = server.url.rstrip("/").replace("http", "ws", 1) + f"{API}/ws"
    return await connect(address, compression=None, max_size=None, ping_interval=None)


async def _say(socket: ClientConnection, event: str, **data: Any) -> None:
    await socket.send(msgspec.json.encode({"event": event, "data": data}).decode())


async def _fidelity(place: Path) -> Row:
    """Of an hour that was heard live on both roads: how many of the replays of it hash to the same."""
    same: list[bool] = []
    async with hour.recorded(place) as (it, live):
        it.replays.clock = hour.Hasty()
        for sealed in (False, True):
            if sealed:
                await it.log.seal(it.log.head, all_of_it=True)
            for speed in hour.SPEEDS:
                for road in hour.ROADS:
                    heard = await hour.replayed(it.url, road, speed)
                    same.append({heard.digest} == {one.digest for one in live.values()})
    return Row(
        "replays of one recorded hour that hash to what was live: 1×, 10×, 100×, max, WebSocket and SSE, "
        "off rows and off segments",
        "%", [100.0 * sum(same) / len(same)], target=Target("ours", "≥", 100),
    )  # fmt: skip


async def _reading(server: Server, start: int, seconds: int, rounds: int) -> list[Row]:
    """At max: the client counts and does not decode."""
    times: list[float] = []
    for round_ in range(rounds):
        begin = start + 86_400 * (3 + 5 * round_)
        async with await _socket(server) as socket:
            await _say(socket, "replay", **{"from": begin, "to": begin + seconds, "speed": "max"})
            begun, ticks = 0.0, 0
            while True:
                message = await socket.recv(decode=False)
                if begun and message.startswith(b'{"event":"metrics"'):
                    ticks += 1
                elif message.startswith(b'{"event":"replaying"'):
                    begun = time.perf_counter()
                elif b'"state":"ended"' in message and message.startswith(b'{"event":"playhead"'):
                    break
            assert ticks >= seconds - 2, ticks
            times.append(ticks / (time.perf_counter() - begun))
    what = f"{seconds / 60:g} min of tape"
    return [
        Row(f"replay at max, {what}", "× real time", times, target=Target("ours", "≥", 1_000)),
        Row(
            "the same", "samples/s", [one * SERIES for one in times],
            target=Target("ours", "≥", 200_000),
        ),
    ]  # fmt: skip


async def _seeking(server: Server, start: int, times: int) -> Row:
    dice = random.Random(1)
    spent: list[float] = []
    async with await _socket(server) as socket:
        await _say(socket, "replay", **{"from": start + 86_400, "paused": True})
        await _until(socket, b'{"event":"replaying"')
        await _until(socket, b'{"event":"snapshot"')
        for _ in range(times):
            begun = time.perf_counter()
            await _say(socket, "replay_seek", at=start + dice.random() * DAYS * 86_400)
            await _until(socket, b'{"event":"snapshot"')
            spent.append((time.perf_counter() - begun) * 1_000)
    return Row(
        f"seek to a random moment, to its first frame, p95; {TARGETED}",
        "ms", [quantile(spent, 0.95)], "p50", [quantile(spent, 0.5)], Target("ours", "≤", 150),
    )  # fmt: skip


async def _until(socket: ClientConnection, begin: bytes) -> None:
    while not (await socket.recv(decode=False)).startswith(begin):
        pass


async def _pacing(server: Server, start: int, seconds: float) -> list[Row]:
    """How much earlier or later a tick comes than the clock says; the median is when the clock was started."""
    rows = []
    for speed in (1, 10):
        off: list[float] = []
        async with await _socket(server) as socket:
            await _say(socket, "replay", **{"from": start + 86_400.5, "speed": speed})
            await _until(socket, b'{"event":"replaying"')
            ends = time.perf_counter() + seconds
            while time.perf_counter() < ends:
                message = await socket.recv(decode=False)
                if message.startswith(b'{"event":"metrics"'):
                    heard = time.perf_counter()
                    at = parse_time(msgspec.json.decode(message)["data"]["at"], 0) / SECOND
                    off.append(1_000 * (heard - (at - start) / speed))
        middle = quantile(off, 0.5)
        errors = [abs(one - middle) for one in off]
        rows.append(
            Row(
                f"pacing error at {speed}×, p99",
                "ms", [quantile(errors, 0.99)], "p50", [quantile(errors, 0.5)],
                Target("ours", "≤", 20),
            )
        )  # fmt: skip
    return rows


async def _beside(server: Server, start: int, times: int, rounds: int) -> list[Row]:
    """A notification to one who watches now, without replays and while twenty play at 10×."""
    (client,) = await clients(server.url)
    ear = Ear(await _socket(server))
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(rounds):
        alone.append(quantile(await _told(client, ear, times), 0.99))
        replays = [await _socket(server) for _ in range(REPLAYS)]
        reading = [asyncio.create_task(_drain(socket)) for socket in replays]
        for number, socket in enumerate(replays):
            await _say(socket, "replay", **{"from": start + 86_400 * (number + 1), "speed": 10})
        await asyncio.sleep(2)
        beside.append(quantile(await _told(client, ear, times), 0.99))
        for socket in replays:
            await socket.close()
        await asyncio.gather(*reading)
    await ear.close()
    client.close()
    return [
        Row(
            f"a notification, told live, p99, while {REPLAYS} replays play at 10×",
            "ms", beside, "without", alone, Target("ratio", "≤", 1.2),
        )
    ]  # fmt: skip


async def _drain(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


def _is(text: str, told: dict[str, Any]) -> bool:
    return bool(told["data"].get("message") == text)


async def _told(client: Client, ear: Ear, times: int) -> list[float]:
    spent = []
    for number in range(times):
        text = f"{time.perf_counter_ns()}-{number}"
        begun = time.perf_counter()
        body = msgspec.json.encode({"message": text})
        asked = asyncio.ensure_future(client.ask(f"{API}/notifications", body, "application/json"))
        heard = await ear.when(partial(_is, text))
        await asked
        spent.append((heard - begun) * 1_000)
        await asyncio.sleep(0.02)
    return spent
