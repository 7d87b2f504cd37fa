"""Answers: the dashboard cold and warm, requests a second, how often the shelf serves, bytes of a chart."""

import asyncio
import random
import time
from pathlib import Path
from urllib.parse import quote

import msgspec

from tests.app import Server, running
from tests.bench import recording
from tests.bench.load import Client, connect, quantile, rate, timed
from tests.bench.others import other
from tests.bench.table import Row, Target

API = "/api/realtime"
SOURCE = "bench"
HISTORY_S = 6 * 3600
ROUNDS = 5
CLIENTS = 10
CACHED = b'"cached":true'

MIX = (
    (60, f"{API}/metrics/live"),
    (25, f"{API}/dashboard/live"),
    (8, f"{API}/dashboard/live?hours=1"),
    (5, f"{API}/dashboard/live?hours=6"),
    (2, f"{API}/query?series=system_load&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"),
)
"""Weights. People look at now; some look back; a few ask for a range."""
MIX_PER_S = 50


async def measure(directory: Path, short: bool) -> list[Row]:
    place = directory / "reads"
    place.mkdir()
    rounds = 2 if short else ROUNDS
    async with running(place, source=SOURCE) as server:
        (client,) = await connect(server.url)
        history = msgspec.json.encode(recording.drawn(HISTORY_S, SOURCE))
        await client.ask(f"{API}/metrics", history, "application/json")
        rows = [
            *await _dashboard(client, "", "15 min", rounds, 10 if short else 40),
            *await _dashboard(client, "?hours=6", "6 h, from disk", rounds, 3 if short else 8),
            await _rate(server, directory, rounds, 1.0 if short else 2.0),
            await _hits(client, 3.0 if short else 12.0),
            await _payload(client),
        ]
        client.close()
    return rows


async def _dashboard(client: Client, query: str, words: str, rounds: int, times: int) -> list[Row]:
    """Cold, with the shelf cleared before each; warm, the same question again in the same second."""
    path = f"{API}/dashboard/live{query}"
    cold_p50, cold_p99, warm_p50, warm_p99 = [], [], [], []
    for _ in range(rounds):
        cold: list[float] = []
        warm: list[float] = []
        for _ in range(times):
            await client.ask(f"{API}/cache/clear", b"", "")
            cold.append(await timed(lambda: client.ask(path)))
            begun = time.perf_counter()
            if CACHED in await client.ask(path):  # a tick in between has made it cold again
                warm.append((time.perf_counter() - begun) * 1000)
        cold_p50.append(quantile(cold, 0.5))
        cold_p99.append(quantile(cold, 0.99))
        warm_p50.append(quantile(warm, 0.5))
        warm_p99.append(quantile(warm, 0.99))
    return [
        Row(
            f"dashboard/live warm, p50 ({words})",
            "ms",
            warm_p50,
            "cold",
            cold_p50,
            Target("ratio", "≤", 0.3),
        ),
        Row(
            f"dashboard/live warm, p99 ({words})",
            "ms",
            warm_p99,
            "cold",
            cold_p99,
            Target("ratio", "≤", 0.3),
        ),
    ]


async def _rate(server: Server, directory: Path, rounds: int, seconds: float) -> Row:
    path = f"{API}/metrics/live"
    (client,) = await connect(server.url)
    answer = directory / "metrics-live.json"
    answer.write_bytes(await client.ask(path))
    client.close()
    ours, theirs = [], []
    async with other("serve", str(answer)) as bare:
        for _ in range(rounds):
            ours.append(await rate(server.url, path, CLIENTS, seconds))
            theirs.append(await rate(bare.url, "/answer", CLIENTS, seconds))
    return Row(
        f"metrics/live, {CLIENTS} clients",
        "requests/s",
        ours,
        "a bare Tornado handler with the same bytes",
        theirs,
    )


async def _hits(client: Client, seconds: float) -> Row:
    before = await _cache(client)
    chooser = random.Random(1)
    weights = [weight for weight, _ in MIX]
    paths = [path for _, path in MIX]
    for _ in range(int(seconds * MIX_PER_S)):
        await client.ask(chooser.choices(paths, weights)[0])
        await asyncio.sleep(1 / MIX_PER_S)
    after = await _cache(client)
    hits, misses = after["hits"] - before["hits"], after["misses"] - before["misses"]
    return Row(
        f"cache hits, {MIX_PER_S} requests/s of a mix, a tick a second",
        "%",
        [100 * hits / (hits + misses)],
        target=Target("ours", "≥", 85),
    )


async def _cache(client: Client) -> dict[str, int]:
    answer = msgspec.json.decode(await client.ask(f"{API}/performance/stats"))
    found: dict[str, int] = answer["data"]["cache"]
    return found


async def _payload(client: Client) -> Row:
    """A chart of two hours, as it is sent and as it would be with every sample."""
    series = quote('system_load{period="1m"}')
    sizes = [
        len(await client.ask(f"{API}/query?series={series}&from=-2h&points={points}")) / 1024
        for points in (600, 10_000)
    ]
    return Row(
        "chart of 2 h at 1 s, 600 points",
        "KiB",
        sizes[:1],
        "every sample",
        sizes[1:],
        Target("ratio", "≤", 0.4),
    )
