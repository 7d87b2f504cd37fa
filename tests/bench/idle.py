"""What a server costs that only records its host and has one viewer."""

import asyncio
import contextlib
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from tests.app import running
from tests.bench.others import other
from tests.bench.table import Row

SETTLE_S = 6.0
ROUNDS = 3


async def measure(directory: Path, short: bool) -> list[Row]:
    seconds = 3.0 if short else 10.0
    answer = directory / "answer"
    answer.write_bytes(b"{}")
    place = directory / "idle"
    place.mkdir()
    async with (
        running(place) as server,
        other("serve", str(answer)) as bare,
        other("collect") as collecting,
        connect(server.url.replace("http", "ws") + "/api/realtime/ws") as socket,
    ):
        viewer = asyncio.create_task(_view(socket))
        await asyncio.sleep(SETTLE_S)
        processes = [psutil.Process(pid) for pid in (server.pid, bare.pid, collecting.pid)]
        used: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            before = [_cpu_s(process) for process in processes]
            await asyncio.sleep(seconds)
            for place_, process in enumerate(processes):
                used[place_].append((_cpu_s(process) - before[place_]) / seconds * 100)
        resident = [process.memory_info().rss / 2**20 for process in processes]
        viewer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert await viewer > 0
    return [
        Row(
            "idle, one viewer at 1 s: CPU",
            "% of a core",
            used[0],
            "psutil asked the same, nothing done with it",
            used[2],
        ),
        Row(
            "idle, one viewer at 1 s: memory",
            "MiB RSS",
            resident[:1],
            "an empty Tornado process",
            resident[1:2],
        ),
    ]


async def _view(socket: ClientConnection) -> int:
    seen = 0
    async for _ in socket:
        seen += 1
    return seen


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
