"""What the log holds, and where its bytes are."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from storage import sqlite
from storage.rollups import BLOCK, TIERS, block_start, width
from storage.tiers import block_at, place_of

TABLES = (
    "log",
    "events",
    "segments",
    "strips",
    "rollups",
    "tiers",
    "horizons",
    "receipts",
    "producers",
    "checkpoints",
)
PAYLOADS = {
    "segments": "length(head) + length(directory) + 64",
    "strips": "length(body)",
    "rollups": "length(body)",
    "events": "length(body) + length(source)",
    "receipts": "length(body)",
    "producers": "length(body)",
    "checkpoints": "length(body)",
}


class TableStats(msgspec.Struct, frozen=True):
    """`bytes` of what the cells hold; pages with their slack and the indexes come on top."""

    rows: int
    bytes: int


class TierStats(msgspec.Struct, frozen=True):
    """`oldest` and `newest` (µs) bound the blocks there are; `position` is the newest seq in them, and from
    `since` on (µs) nothing of them was given up."""

    rows: int
    bytes: int
    position: int
    since: int
    oldest: int | None
    newest: int | None


class Stats(msgspec.Struct):
    """Sizes in bytes, times in µs UTC. `free` is in the file and holds nothing. From `samples_since` on no
    sample was given up; 0 when none ever was."""

    epoch: str
    created_at: int
    head: int
    floor: int
    events: int
    samples: int
    bytes: int
    wal_bytes: int
    free_bytes: int
    page_size: int
    bytes_per_sample: float | None
    facts: int
    unsealed_ticks: int
    segments: int
    sealed_ticks: int
    sealed_samples: int
    samples_since: int
    oldest: int | None
    newest: int | None
    tables: dict[str, TableStats]
    tiers: dict[str, TierStats]
    sqlite_version: str


def stats(connection: sqlite3.Connection, path: Path) -> Stats:
    def one(question: str, *values: Any) -> tuple[Any, ...]:
        row: tuple[Any, ...] = connection.execute(question, values).fetchone()
        return row

    epoch, created, head, floor, samples = one(
        "SELECT epoch, created_at, head, floor, samples FROM log"
    )
    (ticks,) = one("SELECT count(*) FROM events WHERE type = 'metrics'")
    (facts,) = one("SELECT count(*) FROM events WHERE type <> 'metrics'")
    segments, sealed_ticks, sealed, start, end = one(
        "SELECT count(*), total(ticks), total(samples), min(start_at), max(end_at) FROM segments"
    )
    low, high = one("SELECT min(at), max(at) FROM events WHERE type = 'metrics'")
    page_size, free = (one(f"PRAGMA {name}")[0] for name in ("page_size", "freelist_count"))
    wal = path.with_name(path.name + "-wal")
    size = path.stat().st_size
    return Stats(
        epoch=epoch,
        created_at=created,
        head=head,
        floor=floor,
        events=head - floor + 1,
        samples=samples,
        bytes=size,
        wal_bytes=wal.stat().st_size if wal.exists() else 0,
        free_bytes=free * page_size,
        page_size=page_size,
        bytes_per_sample=round(size / samples, 3) if samples else None,
        facts=facts,
        unsealed_ticks=ticks,
        segments=segments,
        sealed_ticks=int(sealed_ticks),
        sealed_samples=int(sealed),
        samples_since=int(one("SELECT total(at) FROM horizons WHERE tier = 0")[0]),
        oldest=min((at for at in (start, low) if at is not None), default=None),
        newest=max((at for at in (end, high) if at is not None), default=None),
        tables={table: _table(connection, table) for table in TABLES},
        tiers={f"{tier} s": _tier(connection, tier) for tier in TIERS},
        sqlite_version=sqlite.version(),
    )


def _table(connection: sqlite3.Connection, table: str) -> TableStats:
    # dbstat, which knows of pages, is not compiled into every SQLite.
    payload = PAYLOADS.get(table, "0")
    rows, size = connection.execute(f"SELECT count(*), total({payload}) FROM {table}").fetchone()
    return TableStats(rows, int(size))


def _tier(connection: sqlite3.Connection, tier: int) -> TierStats:
    low, high = place_of(tier, 0, 0), place_of(tier, (1 << 26) - 1, 0) | (1 << 32) - 1
    rows, size, first, last = connection.execute(
        "SELECT count(*), total(length(body)), min(place), max(place) FROM rollups "
        "WHERE place BETWEEN ? AND ?",
        (low, high),
    ).fetchone()
    position = connection.execute("SELECT position FROM tiers WHERE tier = ?", (tier,)).fetchone()
    since = connection.execute("SELECT at FROM horizons WHERE tier = ?", (tier,)).fetchone()
    return TierStats(
        rows,
        int(size),
        position[0] if position else 0,
        since[0] if since else 0,
        None if first is None else block_start(block_at(first), tier),
        None if last is None else block_start(block_at(last), tier) + BLOCK * width(tier),
    )
