"""Ten thousand watchers: what a message to them costs, what they cost, and what the bad ones cost the good.

    python -m tests.bench.crowd [throughput|ticks|alerts|slow|storm …] [--short]

runs some of it by itself. The clients are in a process of their own (`ears`), ours and what it is measured
against are told in turns, and what is compared was measured within seconds.
"""

# ruff: noqa: E402  as in run.py
from storage.sqlite import prefer_bundled

prefer_bundled()

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from tests.app import Server, running
from tests.bench import load, recording
from tests.bench.ears import Crowd, crowd, most, program, raise_files
from tests.bench.stage import FRAME, ROOM
from tests.bench.table import Row, Target, markdown

API = "/api/realtime"
JSON = "application/json"
SOURCE = "recorded"
DIALS = {"max_connections": 15_000, "alert_memory_hold_s": 0, "source": "here"}
ROUNDS = 5
FULL = 10_000


async def throughput(directory: Path, short: bool) -> list[Row]:
    rows: list[Row] = []
    for count in (1_000,) if short else (1_000, 5_000):
        rows += await _throughput(most(count), 8 if short else 20, 3 if short else ROUNDS)
    return rows


async def _throughput(count: int, times: int, rounds: int) -> list[Row]:
    async with contextlib.AsyncExitStack() as stack:
        ears = await stack.enter_async_context(crowd())
        ways: dict[str, tuple[asyncio.subprocess.Process, str]] = {}
        for how, spoken in (
            ("ours", ("ours", "bare")),
            ("broadcast", ("broadcast",)),
            ("messages", ("messages",)),
        ):
            stage = await stack.enter_async_context(program("tests.bench.stage", how))
            assert stage.stdout is not None
            url = (await stage.stdout.readline()).decode().split()[-1].rstrip("/")
            path = f"{API}/ws?rooms={ROOM}" if how == "ours" else "/ws"
            await ears.open(how, url, path, count, how="count")
            await asyncio.sleep(1.0)
            ways.update({one: (stage, how) for one in spoken})
        rates: dict[str, list[float]] = {how: [] for how in ways}
        cpu: dict[str, list[float]] = {how: [] for how in ways}
        for round_ in range(rounds + 1):
            # There and back: who comes after another process's turn finds the caches cold.
            turns = list(ways.items())[:: -1 if round_ % 2 else 1]
            for how, (stage, group) in turns:
                before = await ears.do("count", group=group)
                spent = await _ask(stage, {"how": how, "times": times})
                owed = before["bytes"] + FRAME * times * count
                after = await ears.do("wait", group=group, bytes=owed)
                assert after["bytes"] - owed < FRAME * count, (how, before, after)
                assert after["bytes"] >= owed, (how, before, after)
                if round_:  # the first warms up
                    rates[how].append(count * times / spent["s"])
                    cpu[how].append(spent["cpu_s"] / count / times * 1e6)
    what = f"a message of {FRAME} bytes to {count:,} sockets"
    others = (
        ("bare", "a bare loop of socket.send on the same", 0.7),
        ("broadcast", "websockets.broadcast", 1.3),
        ("messages", "Tornado's write_message", 2.0),
    )
    rows = [
        Row(what, "/s", rates["ours"], words, rates[how], Target("ratio", "≥", bound))
        for how, words, bound in others
    ]
    # Of processor time, which says the same on a machine that others use too.
    rows += [Row(f"{what}: CPU", "µs", cpu["ours"], words, cpu[how]) for how, words, _ in others]
    return rows


async def _ask(stage: asyncio.subprocess.Process, ask: dict[str, Any]) -> dict[str, float]:
    assert stage.stdin is not None
    assert stage.stdout is not None
    stage.stdin.write(msgspec.json.encode(ask) + b"\n")
    answer: dict[str, float] = msgspec.json.decode(await stage.stdout.readline())
    return answer


async def ticks(directory: Path, short: bool) -> list[Row]:
    """The tick of a host once a second to the whole crowd, and what the crowd weighs."""
    count, seconds = most(2_000 if short else FULL), 5 if short else 15
    rows: list[Row] = []
    async with _server(directory / "ticks") as (server, client), crowd() as ears:
        process = psutil.Process(server.pid)
        await _tick(client, 0)  # names are known to all that come
        for form, more in (("JSON", ""), ("compact", "&compact=true")):
            before = process.memory_info().rss
            path = f"{API}/ws?rooms=metrics:{SOURCE}{more}"
            await ears.open("crowd", server.url, path, count)
            await ears.do("wait", group="crowd", event="snapshot", frames=count)
            await asyncio.sleep(1.0)
            idle = (process.memory_info().rss - before) / count / 1024
            used = _cpu_s(process)
            began = await _every_second(client, seconds, ears, count)
            used = (_cpu_s(process) - used) / seconds
            live = (process.memory_info().rss - before) / count / 1024
            told = await ears.do("latency", group="crowd", began=began)
            assert told["missing"] == 0, told
            what = f"{count:,} sockets, a tick of {len(recording.names())} series a second, {form}"
            rows += [
                Row(f"{what}: POST to frame, p99", "ms", [told["p99"]], target=_at_most(250)),
                Row(f"{what}: CPU of the server", "cores", [used], target=_at_most(0.4)),
            ]
            if not more:
                rows += [
                    Row("memory a connection, idle", "KiB RSS", [idle], target=_at_most(20)),
                    Row("memory a connection, live", "KiB RSS", [live], target=_at_most(20)),
                ]
            await ears.do("close", group="crowd")
            await asyncio.sleep(2.0)
    return rows


def _at_most(bound: float) -> Target:
    return Target("ours", "≤", bound)


async def _every_second(
    client: load.Client, seconds: int, ears: Crowd, count: int
) -> dict[str, float]:
    """The moment before each tick's POST by its seq, once all of them have come to all."""
    began: dict[str, float] = {}
    due = time.monotonic()
    heard = (await ears.do("count", group="crowd"))["frames"].get("metrics", 0)
    for number in range(seconds):
        waiting = asyncio.create_task(
            ears.do("wait", group="crowd", event="metrics", frames=heard + count * (number + 1))
        )
        began |= await _tick(client, number + 1)
        await waiting
        due += 1.0
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return began


async def _tick(client: load.Client, number: int, source: str = SOURCE) -> dict[str, float]:
    """One tick of the recording, sent as an agent would; the seq of its event and when it was sent."""
    values = recording.ticks()[number % 1800]
    body = msgspec.json.encode(
        {
            "source": source,
            "at": [time.time()],
            "series": {name: [value] for name, value in values.items()},
        }
    )
    begun = time.monotonic()
    answer = msgspec.json.decode(await client.ask(f"{API}/metrics", body, JSON))
    return {answer["data"]["cursor"].partition(":")[2]: begun}


async def alerts(directory: Path, short: bool) -> list[Row]:
    """From the POST of the sample that crosses to the frame at each of a thousand who watch."""
    count, times = most(1_000), 8 if short else 30
    spent: list[float] = []
    async with _server(directory / "alerts") as (server, client), crowd() as ears:
        await ears.open("crowd", server.url, f"{API}/ws?rooms=alerts", count, watch="alert")
        total = 0
        for number in range(2 * times):
            value = 0.1 if number % 2 else 0.95
            body = msgspec.json.encode(
                {"name": "system_memory_utilization_ratio", "value": value, "source": SOURCE}
            )
            total += count
            waiting = asyncio.create_task(
                ears.do("wait", group="crowd", event="alert", frames=total)
            )
            begun = time.monotonic()
            answer = msgspec.json.decode(await client.ask(f"{API}/metrics", body, JSON))
            after = await waiting
            assert after["frames"]["alert"] == total, after
            head = int(answer["data"]["cursor"].partition(":")[2])
            told = await ears.do(
                "latency", group="crowd", began={str(seq): begun for seq in (head, head + 1)}
            )
            spent.append(told["p99"])
            await asyncio.sleep(0.02)
    what = f"alert, POST of the crossing sample to {count:,} watchers, p99"
    return [Row(what, "ms", [load.quantile(spent, 0.99)], target=_at_most(50))]


async def slow(directory: Path, short: bool) -> list[Row]:
    """The good readers' p99 alone, with a hundred bad ones beside them, and alone again."""
    good, bad, seconds = 400, 50, 4 if short else 8
    alone: list[float] = []
    beside: list[float] = []
    grown = 0.0
    async with _server(directory / "slow", interval_s=60) as (server, client), crowd() as ears:
        process = psutil.Process(server.pid)
        path = f"{API}/ws?rooms=metrics:{SOURCE}"
        await _tick(client, 0)
        await ears.open("crowd", server.url, path, good)
        async with crowd() as others:
            before = process.memory_info().rss
            await _paced(client, ears, seconds)
            for _ in range(2):
                alone.append(await _paced(client, ears, seconds))
                await others.open("stalled", server.url, path, bad, how="stall")
                await others.open("trickling", server.url, path, bad, how="trickle")
                trickling = asyncio.create_task(
                    others.do("trickle", group="trickling", seconds=seconds)
                )
                beside.append(await _paced(client, ears, seconds))
                grown = max(grown, (process.memory_info().rss - before) / 2**20)
                await trickling
                for group in ("stalled", "trickling"):
                    await others.do("close", group=group)
            alone.append(await _paced(client, ears, seconds))
    return [
        Row(
            f"{2 * bad} bad readers among {good + 2 * bad}: p99 of the good",
            "ms",
            beside,
            "without them",
            alone,
            Target("ratio", "≤", 1.1),
        ),
        Row(f"{2 * bad} bad readers: what they weigh", "MiB RSS", [grown], target=_at_most(64)),
    ]


PACE_S = 0.1


async def _paced(client: load.Client, ears: Crowd, seconds: float) -> float:
    """The p99 of ticks at ten a second."""
    began: dict[str, float] = {}
    waiting = asyncio.create_task(
        ears.do("wait", group="crowd", event="never", frames=1, patience=seconds + 0.5)
    )
    due = time.monotonic()
    for number in range(int(seconds / PACE_S)):
        began |= await _tick(client, number)
        due += PACE_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await waiting
    told = await ears.do("latency", group="crowd", began=began)
    assert told["missing"] == 0, told
    p99: float = told["p99"]
    return p99


async def storm(directory: Path, short: bool) -> list[Row]:
    """All clients dropped at once, a few ticks missed, all back with their cursors."""
    count, missed = most(2_000), 10
    spent: list[float] = []
    used: list[float] = []
    reads = gaps = doubles = 0
    async with _server(directory / "storm", interval_s=60) as (server, client), crowd() as ears:
        await _tick(client, 0)
        for _ in range(1 if short else 3):
            path = f"{API}/ws?rooms=metrics:{SOURCE}"
            await ears.open("crowd", server.url, path, count)
            began = [*await _tick(client, 1)]
            cursor = f"{await _epoch(client)}:{began[0]}"
            await ears.do("wait", group="crowd", event="metrics", frames=count)
            await ears.do("close", group="crowd")
            expected = [int(next(iter(await _tick(client, 2 + n)))) for n in range(missed)]
            before = await _log_reads(client)
            begun, busy = time.monotonic(), _cpu_s(psutil.Process(server.pid))
            back = await ears.open("crowd", server.url, f"{path}&cursor={cursor}", count)
            after = await ears.do("wait", group="crowd", event="metrics", frames=count * missed)
            spent.append(after["moment"] - begun)
            used.append(_cpu_s(psutil.Process(server.pid)) - busy)
            expected.append(int(next(iter(await _tick(client, 20)))))
            await ears.do("wait", group="crowd", event="metrics", frames=count * (missed + 1))
            reads += await _log_reads(client) - before
            for people, seqs in (await ears.do("seqs", group="crowd"))["seqs"]:
                gaps += people * len(set(expected) - set(seqs))
                doubles += people * (len(seqs) - len(set(seqs)))
            assert back["refused"] == 0
            await ears.do("close", group="crowd")
            await asyncio.sleep(1.0)
    what = f"{count:,} dropped at once and resumed"
    return [
        Row(f"{what}: until the last has all of it", "s", spent, target=_at_most(3)),
        Row(f"{what}: CPU of the server", "s", used),
        Row(f"{what}: pages read from the log", "", [reads], target=_at_most(0)),
        Row(f"{what}: frames missing", "", [gaps], target=_at_most(0)),
        Row(f"{what}: frames twice", "", [doubles], target=_at_most(0)),
    ]


async def _epoch(client: load.Client) -> str:
    answer = msgspec.json.decode(await client.ask(f"{API}/performance/stats"))
    epoch: str = answer["data"]["log"]["epoch"]
    return epoch


async def _log_reads(client: load.Client) -> int:
    answer = msgspec.json.decode(await client.ask(f"{API}/performance/stats"))
    reads: int = answer["data"]["delivery"]["log_reads"]
    return reads


@contextlib.asynccontextmanager
async def _server(directory: Path, **dials: Any) -> AsyncIterator[tuple[Server, load.Client]]:
    directory.mkdir(parents=True)
    raise_files()  # the server inherits it
    async with running(directory, **{**DIALS, **dials}) as server:
        (client,) = await load.connect(server.url)
        try:
            yield server, client
        finally:
            client.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


PARTS: dict[str, Callable[[Path, bool], Awaitable[list[Row]]]] = {
    "throughput": throughput,
    "ticks": ticks,
    "alerts": alerts,
    "slow": slow,
    "storm": storm,
}


async def measure(directory: Path, short: bool, parts: Sequence[str] = tuple(PARTS)) -> list[Row]:
    rows: list[Row] = []
    for part in parts:
        rows += await PARTS[part](directory / "crowd", short)
    return rows


if __name__ == "__main__":
    chosen = [one for one in sys.argv[1:] if one in PARTS] or list(PARTS)
    with tempfile.TemporaryDirectory(prefix="playhead-crowd-", dir="/var/tmp") as empty:
        print(markdown(asyncio.run(measure(Path(empty), "--short" in sys.argv, chosen))))
