"""The log: how fast it takes samples in, how small it keeps them, how fast it tells of any range."""

import asyncio
import contextlib
import gc
import itertools
import resource
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import psutil

from storage.checksum import crc
from storage.codec import encode
from storage.events import Draft, Metrics
from storage.log import INSERT, Log
from storage.migrate import migrate
from tests.app import Server, running
from tests.bench import commits, peers, recording, tape
from tests.bench.load import Client, connect
from tests.bench.peers import PROMETHEUS, VICTORIA, Peer
from tests.bench.recording import SECOND
from tests.bench.table import Row, Target

POST = "/api/realtime/metrics"
JSON, MSGPACK = "application/json", "application/msgpack"
CONNECTIONS = 8
HOUR = 3600
BLOCKS_S = 15 * 86_400
"""From one time at which blocks of all tiers begin to the next."""
BATCH = 120
"""Ticks a commit; as many for each of those that are compared."""

HELD = {"retain_raw_days": 400, "retain_10s_days": 400, "retain_1m_days": 400}
"""The month is asked for as samples: none of it may go meanwhile."""


async def measure(directory: Path, short: bool) -> list[Row]:
    rounds = 2 if short else 3
    rows = await _http(directory, rounds, short)
    rows += await _events(directory, 600 if short else 3600, rounds + 2)
    absent = await asyncio.to_thread(peers.missing)
    rows += await _sizes(directory, absent)
    rows += await _hour(directory, absent, 8 if short else 30)
    rows += await _month(directory, 5 if short else 15, rounds)
    rows += await _sealing(directory, 12.0 if short else 60.0)
    return rows + await _memory(directory, 15.0 if short else 120.0)


async def _http(directory: Path, rounds: int, short: bool) -> list[Row]:
    ticks = 6_000 if short else 18_000
    columns = [msgspec.msgpack.encode(body) for body in recording.columns(ticks, 600)]
    labelled = _labelled(300 if short else 1_000)
    rates: dict[str, list[float]] = {"columns": [], "readings": []}
    for number in range(rounds):
        for name, media, bodies in (
            ("columns", MSGPACK, columns),
            ("readings", JSON, labelled),
        ):
            place = _place(directory, f"log-{name}-{number}")
            async with running(place) as server:
                rates[name].append(await _posted(server, media, bodies))
    return [
        Row(
            "durable samples over HTTP, msgpack columns, 600 ticks of 191 series a request",
            "/s",
            rates["columns"],
            target=Target("ours", "≥", 1_000_000),
        ),
        Row(
            "durable samples over HTTP, JSON readings with labels, 1,000 a request",
            "/s",
            rates["readings"],
            target=Target("ours", "≥", 120_000),
        ),
    ]


def _labelled(count: int) -> list[bytes]:
    """Bodies of 1,000 readings each, from four hosts in turn, a second a body."""
    since = recording.begin(count) / SECOND
    return [
        msgspec.json.encode(
            [
                {
                    "source": f"host-{number % 4}",
                    "name": "app_request_duration_seconds",
                    "labels": {"route": f"/api/{place % 50}", "status": str(200 + place // 50)},
                    "value": round(0.001 * ((place * 7 + number * 13) % 997) + 1e-4 * number, 6),
                    "at": since + number,
                }
                for place in range(1000)
            ]
        )
        for number in range(count)
    ]


async def _posted(server: Server, media: str, bodies: Iterable[bytes]) -> float:
    """Samples that were told to be on disk, a second."""
    clients = await connect(server.url, CONNECTIONS)
    left, accepted = iter(bodies), 0

    async def send(client: Client) -> None:
        nonlocal accepted
        for body in left:
            answer = msgspec.json.decode(await client.ask(POST, body, media))
            accepted += answer["data"]["accepted"]

    begun = time.perf_counter()
    await asyncio.gather(*map(send, clients))
    spent = time.perf_counter() - begun
    for client in clients:
        client.close()
    return accepted / spent


async def _events(directory: Path, ticks: int, rounds: int) -> list[Row]:
    """A tick an event. The rows of the reference are ready; the log makes its own from facts."""
    ids = tuple(range(1, len(recording.names()) + 1))
    since = recording.begin(ticks)
    facts = [
        Draft(since + place * SECOND, "recorded", Metrics(ids, tuple(tick.values())))
        for place, tick in enumerate(recording.looped(ticks))
    ]
    drafts = [facts[first : first + BATCH] for first in range(0, ticks, BATCH)]
    seqs = itertools.count(1)
    rows = [[_row(next(seqs), draft) for draft in batch] for batch in drafts]
    ours, theirs = [], []
    for number in range(rounds):
        path = directory / f"events-{number}.db"
        ours.append(ticks / await commits._logged(path, drafts))
        theirs.append(ticks / _inserted(directory / f"raw-{number}.db", _schema(path), rows))
    return [
        Row(
            "committed events of 191 samples, the log",
            "/s",
            ours,
            "sqlite3 executemany of the same rows, ready made",
            theirs,
            Target("ratio", "≥", 0.6),
        )
    ]


def _row(seq: int, draft: Draft) -> tuple[Any, ...]:
    fact = draft.data
    row = (seq, draft.at, draft.source, fact.type, fact.version, encode(fact))
    return (*row, crc(*row))


def _schema(path: Path) -> list[str]:
    connection = commits._database(path, ())
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'events' AND sql IS NOT NULL"
    ).fetchall()
    connection.close()
    return [row[0] for row in found]


def _inserted(path: Path, schema: Sequence[str], batches: Sequence[commits.Rows]) -> float:
    """Seconds."""
    connection = commits._database(path, schema)
    begun = time.perf_counter()
    for rows in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
    spent = time.perf_counter() - begun
    connection.close()
    return spent


async def _sizes(directory: Path, absent: str) -> list[Row]:
    """The recording once: said again and again, it would measure who finds that it repeats itself."""
    place = _place(directory, "size")
    start, samples = _before(tape.LOOP), tape.LOOP * len(recording.names())
    path = await tape.written(_place(place, "ours"), start, tape.LOOP)
    ours = peers.size(path.parent)
    theirs: dict[str, peers.Size] = {}
    for peer in () if absent else (PROMETHEUS, VICTORIA):
        theirs[peer.name] = await _fed(peer, _place(place, peer.name), start, tape.LOOP)
    rows = []
    for peer, measure_, target in (
        (PROMETHEUS, "length", Target("ours", "≤", 0.45)),
        (VICTORIA, "length", Target("ratio", "≤", 1)),
        (VICTORIA, "blocks", Target("ratio", "≤", 1)),
    ):
        found = theirs.get(peer.name)
        how = "length of all files" if measure_ == "length" else "whole blocks of the disk"
        rows.append(
            Row(
                f"the host recording sealed, {samples:,} samples, {how}",
                "bytes/sample",
                [getattr(ours, measure_) / samples],
                peer.name if found else f"{peer.name}: {absent}",
                [getattr(found, measure_) / samples] if found else (),
                target if found or target.of == "ours" else None,
            )
        )
    return rows


async def _fed(peer: Peer, directory: Path, start: int, count: int) -> peers.Size:
    told = recording.looped(count)
    series = {name: [tick[name] for tick in told] for name in recording.names()}
    return await asyncio.to_thread(peer.feed, directory, range(start, start + count), series)


async def _hour(directory: Path, absent: str, asks: int) -> list[Row]:
    """Another hour each time, in turns, the same for all three; JSON, uncompressed, one connection each."""
    place = _place(directory, "hour")
    count = HOUR + 600
    start = _before(count)
    await tape.written(_place(place, "ours/data"), start, count)
    names = recording.names()[:: len(recording.names()) // 10][:10]
    times: dict[str, list[float]] = {"ours": [], PROMETHEUS.name: [], VICTORIA.name: []}
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(place / "ours"))
        roads = {"ours": HTTPConnection("127.0.0.1", server.port, timeout=60)}
        for peer in () if absent else (PROMETHEUS, VICTORIA):
            where = _place(place, peer.name)
            await _fed(peer, where, start, count)
            roads[peer.name] = await stack.enter_async_context(peers.serving(peer, where))
        for ask in range(asks):
            first, last = start + 19 * ask, start + 19 * ask + HOUR - 1
            for name, road in roads.items():
                path = (
                    _query(names, first, last, points=4000)
                    if name == "ours"
                    else peers.range_path(names, first, last, 1)
                )
                spent, body = await asyncio.to_thread(_asked, road, path)
                assert _values(name, body) == 10 * HOUR, (name, _values(name, body))
                times[name].append(spent)
        roads["ours"].close()
    return [
        Row(
            "10 series, 1 h at 1 s, HTTP to last byte",
            "ms",
            times["ours"],
            f"{peer.name} query_range" if times[peer.name] else f"{peer.name}: {absent}",
            times[peer.name],
            Target("ratio", "≤", bound) if times[peer.name] else None,
        )
        for peer, bound in ((PROMETHEUS, 0.5), (VICTORIA, 1.0))
    ]


def _values(name: str, body: bytes) -> int:
    told = msgspec.json.decode(body)["data"]
    if name == "ours":
        return sum(value is not None for one in told["series"] for value in one["value"])
    return sum(len(one["values"]) for one in told["result"])


def _asked(connection: HTTPConnection, path: str) -> tuple[float, bytes]:
    """Milliseconds to the last byte, and the body."""
    begun = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    spent = (time.perf_counter() - begun) * 1000
    assert answer.status == 200, (path, answer.status, body[:500])
    return spent, body


def _query(names: Sequence[str], first: int, last: int, **more: Any) -> str:
    asked = [("series", name) for name in names] + [("from", first), ("to", last), *more.items()]
    return "/api/realtime/query?" + urlencode(asked)


async def _month(directory: Path, asks: int, rounds: int) -> list[Row]:
    """Cold: nothing on the shelf, another range each time, the first of them the first of the process."""
    place = _place(directory, "month")
    full, bare = _place(place, "full"), _place(place, "bare")
    start = (int(time.time()) // BLOCKS_S - 2) * BLOCKS_S
    await tape.long(_place(full, "data"), start, 30)
    names = recording.names()[:: len(recording.names()) // 10][:10]
    cold: list[float] = []
    warm: list[float] = []
    async with running(full, **HELD) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for ask in range(asks):
            connection.request("POST", "/api/realtime/cache/clear")
            connection.getresponse().read()
            path = _query(names, start + ask * HOUR, start + 2 * BLOCKS_S - 1, points=1000)
            cold.append((await asyncio.to_thread(_asked, connection, path))[0])
            warm.append((await asyncio.to_thread(_asked, connection, path))[0])
        connection.close()
    starts: dict[Path, list[tuple[float, float]]] = {full: [], bare: []}
    async with running(bare, **HELD):
        pass  # the first start makes the tables
    for _ in range(rounds + 2):
        for where, found in starts.items():
            begun = time.perf_counter()
            async with running(where, **HELD) as server:
                ready = time.perf_counter() - begun
                await asyncio.sleep(1.5)
                found.append((ready, psutil.Process(server.pid).memory_info().rss / 2**20))
    more = [one[1] - other[1] for one, other in zip(starts[full], starts[bare], strict=True)]
    what = "30 days of 191 series at 1 s on tape, 495 million samples"
    return [
        Row("10 series, 30 days, 1,000 points, cold", "ms", cold, what, (), Target("ours", "≤", 60)),
        Row(
            "10 series, 30 days, 1,000 points, warm", "ms", warm, "cold", cold,
            Target("ours", "≤", 5),
        ),
        Row(
            f"start to ready, {what}", "s", [one[0] for one in starts[full]], "an empty tape",
            [one[0] for one in starts[bare]], Target("ours", "≤", 1),
        ),
        Row(
            "the same, memory more than on an empty tape", "MiB", more,
            "an empty tape", [one[1] for one in starts[bare]], Target("ours", "≤", 10),
        ),
    ]  # fmt: skip


async def _sealing(directory: Path, seconds: float) -> list[Row]:
    """CPU: sealing by itself, per sample, at 10,000 a second. Lag: the worst the server saw, fed at that
    rate with history, so that a span of ten minutes ends every dozen seconds."""
    share, alone = await _sealed(_place(directory, "sealing-alone"), 3600 if seconds > 20 else 1800)
    lags: dict[str, list[float]] = {}
    for name, after_s in (("sealing", 1.0), ("none", 86_400.0)):
        place = _place(directory, f"sealing-{name}")
        async with running(place, seal_after_s=after_s) as server:
            await _paced(server, 10_000, seconds, 26)
            lags[name] = await _lags(server)
    worst = [max(lags["sealing"]) * 1000]
    return [
        Row(
            "sealing at 10,000 samples/s", "% of a core", share, "CPU time for an hour of 191 series",
            (), Target("ours", "≤", 5),
        ),
        Row(
            "loop lag, worst, while sealing does nothing but seal", "ms", alone,
            "", (), Target("ours", "≤", 20),
        ),
        Row(
            "loop lag, worst, the server at 10,000 samples/s and sealing", "ms", worst,
            "the same, nothing sealed", [max(lags["none"]) * 1000],
        ),
    ]  # fmt: skip


async def _sealed(directory: Path, count: int) -> tuple[list[float], list[float]]:
    """% of a core, and the worst lag in ms."""
    path = directory / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(0)
    ids = tuple(range(1, len(recording.names()) + 1))
    since = _before(count) * SECOND
    for first in range(0, count, BATCH):
        await log.append(
            [
                Draft(since + (first + place) * SECOND, "a", Metrics(ids, tuple(tick.values())))
                for place, tick in enumerate(recording.looped(count)[first : first + BATCH])
            ]
        )
    lags: list[float] = []
    # As run.py does before it serves: else a full collection walks the heap of all benches, for 50-95 ms
    # under which no sealing is (that holds the loop for 6-11), and the row would measure those.
    gc.collect()
    gc.freeze()
    ticking = asyncio.create_task(_tick(lags))
    began = _cpu()
    await log.seal(log.head, all_of_it=True)
    spent = _cpu() - began
    ticking.cancel()
    gc.unfreeze()
    await log.close()
    samples = count * len(ids)
    return [spent / samples * 10_000 * 100], [max(lags) * 1000]


async def _tick(lags: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - begun - 0.002)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _paced(server: Server, rate: int, seconds: float, ticks: int) -> float:
    """Send history in columns at so many samples a second; how many came through a second."""
    each = ticks * len(recording.names())
    count = int(seconds * rate / each) + 1
    bodies = map(msgspec.msgpack.encode, _history(count, ticks))
    (client,) = await connect(server.url)
    begun = time.perf_counter()
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, begun + number * each / rate - time.perf_counter()))
        await client.ask(POST, body, MSGPACK)
    spent = max(time.perf_counter() - begun, count * each / rate)
    client.close()
    return count * each / spent


def _history(count: int, ticks: int) -> Iterable[dict[str, Any]]:
    """As `recording.columns`, made one by one: two minutes of it are a gigabyte."""
    since = recording.begin(count * ticks) // SECOND
    told = recording.ticks()
    for number in range(count):
        first = number * ticks
        part = [told[(first + place) % len(told)] for place in range(ticks)]
        yield {
            "source": "recorded",
            "at": [since + first + place for place in range(ticks)],
            "series": {name: [tick[name] for tick in part] for name in recording.names()},
        }


async def _lags(server: Server) -> list[float]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    path = "/api/realtime/query?" + urlencode(
        {"series": "playhead_loop_lag_seconds", "from": "-10m", "points": 4000}
    )
    _, body = await asyncio.to_thread(_asked, connection, path)
    connection.close()
    (found,) = msgspec.json.decode(body)["data"]["series"]
    return [value for value in found["value"][1:] if value is not None]


async def _memory(directory: Path, seconds: float) -> list[Row]:
    place = _place(directory, "memory")
    async with running(place, seal_after_s=10) as server, _watched(server.pid) as seen:
        rate = await _paced(server, 100_000, seconds, 52)
    return [
        Row(
            f"memory, the most in {seconds:.0f} s of 100,000 samples/s, sealing",
            "MiB RSS",
            [max(seen)],
            f"{rate:,.0f} samples/s came through",
            (),
            Target("ours", "≤", 300),
        )
    ]


@contextlib.asynccontextmanager
async def _watched(pid: int) -> AsyncIterator[list[float]]:
    seen: list[float] = []
    process = psutil.Process(pid)

    async def look() -> None:
        while True:
            seen.append(process.memory_info().rss / 2**20)
            await asyncio.sleep(0.2)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


def _before(count: int) -> int:
    """A whole hour (s) from which `count` seconds have passed."""
    return (int(time.time()) - count) // HOUR * HOUR


def _place(directory: Path, name: str) -> Path:
    place = directory / name
    place.mkdir(parents=True)
    return place
