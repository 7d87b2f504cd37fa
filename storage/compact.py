"""Seal all that can be sealed and give the space back, now rather than bit by bit. The server is stopped."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import msgspec

from storage.errors import StorageError, StorageFull, translate, translated
from storage.lock import Lock
from storage.log import Log
from storage.look import Progress, look, quiet

PAGES = 4096
"""Pages given back between two signs of life: what is moved for that lies in the WAL meanwhile."""
ROOM = 2
"""Rollups that are written anew lie twice on the disk besides: put aside, and in the WAL."""


class Compacted(msgspec.Struct, frozen=True):
    """Sizes are in bytes and count the file with its WAL. `left`: why the rollups lie as they lay."""

    segments: int
    samples: int
    before: int
    after: int
    bytes_per_sample: float | None
    left: str | None = None


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
        # First, as everything else needs room, and a full disk is why this is asked for.
        with _opened(path) as connection:
            _shrink(connection, path.parent, progress)
        log = Log(path)
        await log.open(now)
        try:
            progress("sealing", 0, 0)
            made = await log.seal(log.head, all_of_it=True)
            samples = log.samples
        finally:
            await log.close()
        with _opened(path) as connection:
            progress("rollups", 0, 0)
            left = _written_anew(connection, path.parent)
            _shrink(connection, path.parent, progress)
    finally:
        lock.release()
    after = _size(path)
    ratio = round(after / samples, 3) if samples else None
    return Compacted(made, samples, before, after, ratio, left)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with translated(path.parent):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


def _written_anew(connection: sqlite3.Connection, directory: Path) -> str | None:
    """Why the rollups could not be: they are whole as they are, and nothing else is kept from being done."""
    try:
        with translated(directory):
            (size,) = connection.execute("SELECT total(length(body)) FROM rollups").fetchone()
            free = shutil.disk_usage(directory).free
            if free < ROOM * size:
                return f"that takes {ROOM * int(size):,} bytes of room, and {free:,} are free"
            _dense(connection, directory)
    except StorageError as error:
        return error.detail
    return None


def _dense(connection: sqlite3.Connection, directory: Path) -> None:
    """A block of rollups was written anew with each segment of its time, and the pages that hold the beginnings
    of such rows split each time: written in order they are full. Everything else was only ever appended."""
    # Aside in the directory whose room was looked at: that for temporary files may be memory.
    with tempfile.TemporaryFile(dir=directory) as aside:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for row in connection.execute("SELECT place, body FROM rollups ORDER BY place"):
                aside.write(msgpack.packb(row))
            aside.seek(0)
            connection.execute("DELETE FROM rollups")
            connection.executemany(
                "INSERT INTO rollups (place, body) VALUES (?, ?)", msgpack.Unpacker(aside)
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _shrink(connection: sqlite3.Connection, directory: Path, progress: Progress) -> None:
    """Without VACUUM, which would need as much room again: free pages go, the others stay what they are. Where
    there is no room to move `PAGES` at once, as many go as there is room for."""
    _settle(connection)
    (total,) = connection.execute("PRAGMA freelist_count").fetchone()
    left, pages = total, PAGES
    while left:
        progress("pages", total - left, total)
        try:
            connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        except sqlite3.Error as error:
            if pages == 1 or not isinstance(translate(error, directory), StorageFull):
                raise
            pages //= 2
            continue
        (now_left,) = connection.execute("PRAGMA freelist_count").fetchone()
        if now_left >= left:  # a file made without auto_vacuum keeps its free pages
            break
        left = now_left
        _settle(connection)


def _settle(connection: sqlite3.Connection) -> None:
    """All of the WAL goes into the file, and the WAL is empty."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _size(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
