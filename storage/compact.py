"""Seal all that can be sealed and give the space back, now rather than bit by bit. The server is stopped."""

import sqlite3
from pathlib import Path

import msgspec

from storage.errors import translated
from storage.lock import Lock
from storage.log import Log
from storage.look import Progress, look, quiet

PAGES = 4096
"""Pages given back between two signs of life."""


class Compacted(msgspec.Struct, frozen=True):
    """Sizes are in bytes and count the file with its WAL."""

    segments: int
    samples: int
    before: int
    after: int
    bytes_per_sample: float | None


async def compact(path: Path, now: int, progress: Progress = quiet) -> Compacted:
    """
    Raises:
        AlreadyRunning: a server is at work there.
        StorageError: there is no log, or it cannot be read or written.
    """
    with look(path):
        before = _size(path)
    lock = Lock(path.parent)
    lock.acquire()
    try:
        log = Log(path)
        await log.open(now)
        try:
            progress("sealing", 0, 0)
            made = await log.seal(log.head, all_of_it=True)
            samples = log.samples
        finally:
            await log.close()
        with translated(path.parent):
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                progress("rollups", 0, 0)
                _dense(connection)
                _shrink(connection, progress)
            finally:
                connection.close()
    finally:
        lock.release()
    after = _size(path)
    ratio = round(after / samples, 3) if samples else None
    return Compacted(made, samples, before, after, ratio)


def _dense(connection: sqlite3.Connection) -> None:
    """A block of rollups was written anew with each segment of its time, and the pages that hold the beginnings
    of such rows split each time: written in order they are full. Everything else was only ever appended."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TEMP TABLE moving AS SELECT place, body FROM rollups")
        connection.execute("DELETE FROM rollups")
        connection.execute("INSERT INTO rollups (place, body) SELECT place, body FROM moving")
        connection.execute("DROP TABLE moving")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _shrink(connection: sqlite3.Connection, progress: Progress) -> None:
    """Without VACUUM, which would need as much room again: free pages go, the others stay what they are."""
    (total,) = connection.execute("PRAGMA freelist_count").fetchone()
    left = total
    while left:
        progress("pages", total - left, total)
        connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        (now_left,) = connection.execute("PRAGMA freelist_count").fetchone()
        if now_left >= left:  # a file made without auto_vacuum keeps its free pages
            break
        left = now_left
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _size(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
