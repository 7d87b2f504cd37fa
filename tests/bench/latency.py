"""From a write to a client's eyes: notifications, and alerts from the sample that crosses."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.app import running
from tests.bench import load
from tests.bench.load import quantile
from tests.bench.others import other
from tests.bench.table import Row

API = "/api/realtime"
SOCKETS = 8
ROUNDS = 3
JSON = "application/json"
CALM, CROSSING = 0.1, 0.95
"""CPU ratios under the clear level and over the trigger of the rule `cpu`."""


async def measure(directory: Path, short: bool) -> list[Row]:
    times = 10 if short else 60
    empty = directory / "empty"
    empty.write_bytes(b"{}")
    place = directory / "latency"
    place.mkdir()
    async with running(place, alert_cpu_hold_s=0) as server, other("serve", str(empty)) as bare:
        (client,) = await load.connect(server.url)
        (theirs,) = await load.connect(bare.url)
        address = server.url.replace("http", "ws") + f"{API}/ws?rooms=notifications,alerts"
        ours_heard = await _ears(address)
        their_heard = await _ears(bare.url.replace("http", "ws") + "/ws")

        async def notify(text: str) -> None:
            body = msgspec.json.encode({"message": text, "room": "notifications"})
            await client.ask(f"{API}/notifications", body, JSON)

        async def say(text: str) -> None:
            await theirs.ask("/say", msgspec.json.encode({"message": text}), JSON)

        ours: list[list[float]] = []
        bares: list[list[float]] = []
        alerts: list[list[float]] = []
        acks: list[list[float]] = []
        for _ in range(ROUNDS):
            ours.append(await _told(notify, ours_heard, times))
            bares.append(await _told(say, their_heard, times))
            told, acked = await _alerts(client, ours_heard[0], times // 2)
            alerts.append(told)
            acks.append(acked)
        for ear in (*ours_heard, *their_heard):
            await ear.close()
        client.close()
        theirs.close()
    reference = "a bare Tornado broadcast that stores nothing"
    return [
        _row(f"notification, POST to {SOCKETS} sockets, p50", ours, 0.5, reference, bares),
        _row(f"notification, POST to {SOCKETS} sockets, p99", ours, 0.99, reference, bares),
        _row("alert, POST of the crossing sample to frame, p50", alerts, 0.5, "its 200", acks),
        _row("alert, POST of the crossing sample to frame, p99", alerts, 0.99, "its 200", acks),
    ]


def _row(
    what: str,
    ours: Sequence[Sequence[float]],
    share: float,
    reference: str,
    theirs: Sequence[Sequence[float]],
) -> Row:
    return Row(
        what,
        "ms",
        [quantile(round_, share) for round_ in ours],
        reference,
        [quantile(round_, share) for round_ in theirs],
    )


class Ear:
    """A socket that notes when it heard what."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._heard: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            self._heard.put_nowait((time.perf_counter(), msgspec.json.decode(message)))

    async def when(self, is_it: Callable[[dict[str, Any]], bool]) -> float:
        while True:
            moment, message = await asyncio.wait_for(self._heard.get(), 10)
            if is_it(message):
                return moment

    async def close(self) -> None:
        await self._socket.close()
        await self._task


async def _ears(address: str) -> list[Ear]:
    return [Ear(await connect(address, compression=None)) for _ in range(SOCKETS)]


async def _told(
    say: Callable[[str], Awaitable[None]], ears: Sequence[Ear], times: int
) -> list[float]:
    """Milliseconds from before the request to each socket's frame."""
    spent: list[float] = []
    for number in range(times):
        text = f"{time.perf_counter_ns()}-{number}"

        def is_it(message: dict[str, Any], text: str = text) -> bool:
            return bool(message.get("data", message).get("message") == text)

        begun = time.perf_counter()
        asked = asyncio.ensure_future(say(text))
        moments = await asyncio.gather(*(ear.when(is_it) for ear in ears))
        await asked
        spent += [(moment - begun) * 1000 for moment in moments]
        await asyncio.sleep(0.005)
    return spent


async def _alerts(client: load.Client, ear: Ear, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds from before the request to the alert's frame, and to the request's answer."""
    told: list[float] = []
    acked: list[float] = []

    async def push(value: float, state: str) -> tuple[float, float]:
        body = msgspec.json.encode(
            {"name": "system_cpu_utilization_ratio", "value": value, "source": "pushed"}
        )

        def is_it(message: dict[str, Any]) -> bool:
            data = message["data"]
            return (
                message["event"] == "alert"
                and data["source"] == "pushed"
                and data["state"] == state
            )

        begun = time.perf_counter()
        asked = asyncio.ensure_future(client.ask(f"{API}/metrics", body, JSON))
        answered: list[float] = []
        asked.add_done_callback(lambda _: answered.append(time.perf_counter()))
        moment = await ear.when(is_it)
        await asked
        await asyncio.sleep(0)
        return (moment - begun) * 1000, (answered[0] - begun) * 1000

    for _ in range(times):
        frame, answer = await push(CROSSING, "firing")
        told.append(frame)
        acked.append(answer)
        await push(CALM, "resolved")
    return told, acked
