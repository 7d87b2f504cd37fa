"""Committed samples a second: through the spine, through the log, over HTTP, beside plain sqlite3."""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack
import msgspec

from storage.checksum import crc
from storage.engine import WRITER_PRAGMAS
from storage.events import Draft, Metrics
from storage.log import INSERT, Log
from storage.migrate import migrate
from tests.app import house, running
from tests.bench import recording
from tests.bench.load import Client, connect
from tests.bench.table import Row, Target

ROUNDS = 5
COMMITTED = 120
"""Ticks a batch: what the spine takes into one commit (dial flush_bytes), so both sides fsync as often."""
CONNECTIONS = 4
JSON, MSGPACK = "application/json", "application/msgpack"

Rows = list[tuple[Any, ...]]


async def measure(directory: Path, short: bool) -> list[Row]:
    ticks = 600 if short else 3600
    rounds = 2 if short else ROUNDS
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        place = directory / f"commits-{number}"
        place.mkdir()
        for name, figure in (await _round(place, ticks)).items():
            rates.setdefault(name, []).append(figure)
    rows = [
        Row(
            "committed samples, through the spine",
            "/s",
            rates["spine"],
            "sqlite3 executemany, a row a sample",
            rates["a row a sample"],
            Target("ratio", "≥", 0.5),
        ),
        Row(
            "committed samples, through the log alone",
            "/s",
            rates["log"],
            "sqlite3 executemany, the very same rows, packing included",
            rates["same rows"],
            Target("ratio", "≥", 0.5),
        ),
        Row(
            "the same, beside SQLite alone",
            "/s",
            rates["spine"],
            "sqlite3 executemany, the very same rows, packing included",
            rates["same rows"],
        ),
    ]
    return rows + await _over_http(directory, ticks // 2, rounds, rates["spine"])


async def _round(directory: Path, ticks: int) -> dict[str, float]:
    """Each way once, one right after the other: what slows the machine slows them all."""
    samples = ticks * len(recording.names())
    batches = recording.batches(ticks, COMMITTED)
    rates = {}
    async with house(directory / "spine") as server:
        begun = time.perf_counter()
        await asyncio.gather(*(server.spine.ingest(batch) for batch in batches))
        rates["spine"] = samples / (time.perf_counter() - begun)
        commits = server.log.commits
    rows = _stored(directory / "spine" / "playhead.db")
    assert sum(len(msgpack.unpackb(row[5])[0]) for row in rows) == samples
    assert commits >= ticks / COMMITTED  # as many fsyncs as the others do, or more
    facts = [Draft(row[1], row[2], Metrics(*msgpack.unpackb(row[5]))) for row in rows]
    drafts = [facts[first : first + COMMITTED] for first in range(0, len(facts), COMMITTED)]
    rates["log"] = samples / await _logged(directory / "log.db", drafts)
    rates["same rows"] = samples / _plain(directory / "plain.db", _schema(directory), drafts)
    rates["a row a sample"] = samples / _a_row_a_sample(directory / "samples.db", drafts)
    return rates


async def _logged(path: Path, drafts: Sequence[Sequence[Draft]]) -> float:
    """Seconds: the log without a server around it."""
    migrate(path)
    log = Log(path)
    await log.open(0)
    begun = time.perf_counter()
    for batch in drafts:
        await log.append(batch)
    spent = time.perf_counter() - begun
    await log.close()
    return spent


def _stored(path: Path) -> Rows:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT * FROM events WHERE type = 'metrics' ORDER BY seq")
        rows = found.fetchall()
    connection.close()
    return rows


def _schema(directory: Path) -> list[str]:
    """The table of events and its indexes, as the migrations have made them."""
    connection = sqlite3.connect(directory / "spine" / "playhead.db")
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'events' AND sql IS NOT NULL"
    ).fetchall()
    connection.close()
    return [row[0] for row in found]


def _plain(path: Path, schema: Sequence[str], drafts: Sequence[Sequence[Draft]]) -> float:
    """Seconds: pack the ticks, write them as rows of the same table, commit as often."""
    connection = _database(path, schema)
    seqs = itertools.count(1)
    begun = time.perf_counter()
    for batch in drafts:
        rows = [
            (next(seqs), d.at, d.source, "metrics", 1, msgpack.packb((d.data.ids, d.data.values)))  # type: ignore[union-attr]
            for d in batch
        ]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, [(*row, crc(*row)) for row in rows])
        connection.execute("COMMIT")
    spent = time.perf_counter() - begun
    connection.close()
    return spent


def _a_row_a_sample(path: Path, drafts: Sequence[Sequence[Draft]]) -> float:
    """Seconds: the table one would write first, a row for every sample, found by series and time."""
    connection = _database(
        path,
        [
            "CREATE TABLE samples (series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL,"
            " PRIMARY KEY (series, at)) WITHOUT ROWID"
        ],
    )
    batches = [
        [(id_, d.at, v) for d in batch for id_, v in zip(d.data.ids, d.data.values, strict=True)]  # type: ignore[union-attr]
        for batch in drafts
    ]
    begun = time.perf_counter()
    for rows in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    spent = time.perf_counter() - begun
    connection.close()
    return spent


def _database(path: Path, schema: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (*WRITER_PRAGMAS, *schema):
        connection.execute(statement)
    return connection


async def _over_http(directory: Path, ticks: int, rounds: int, spine: Sequence[float]) -> list[Row]:
    columns = recording.columns(ticks, 60)
    shapes = {
        "JSON columns, 60 ticks a request": (
            JSON,
            [(60, msgspec.json.encode(body)) for body in columns],
        ),
        "msgpack columns, 60 ticks a request": (
            MSGPACK,
            [(60, msgspec.msgpack.encode(body)) for body in columns],
        ),
        "JSON readings, a tick a request": (
            JSON,
            [(1, msgspec.json.encode(body)) for body in recording.readings(ticks // 6)],
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in shapes}
    for number in range(min(rounds, 3)):
        for name, (media, bodies) in shapes.items():
            # A server each: what one has put into memory must not be the other's burden.
            place = directory / f"http-{number}-{media[-4:]}-{len(bodies)}"
            place.mkdir()
            async with running(place) as server:
                clients = await connect(server.url, CONNECTIONS)
                begun = time.perf_counter()
                await _post(clients, media, bodies)
                spent = time.perf_counter() - begun
                rates[name].append(sum(n for n, _ in bodies) * len(recording.names()) / spent)
                for client in clients:
                    client.close()
    return [
        Row(f"committed samples over HTTP, {name}", "/s", figures, "through the spine", spine)
        for name, figures in rates.items()
    ]


async def _post(clients: Sequence[Client], media: str, bodies: list[tuple[int, bytes]]) -> None:
    left = iter(bodies)

    async def send(client: Client) -> None:
        for _, body in left:
            await client.ask("/api/realtime/metrics", body, media)

    await asyncio.gather(*map(send, clients))
