"""A look at a log that is not ours to change: read-only, one state from begin to end, whether a server
writes to it meanwhile or not. Synchronous: this is for commands, not for the server."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import NewerDatabase, StorageError, translated
from storage.lock import Lock
from storage.migrate import known

FILE = "playhead.db"
"""The log's name in its data directory."""

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much: both in any unit."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """The progress nobody wants to see."""


@contextmanager
def look(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one read transaction.

    Raises:
        StorageError: there is no log, it is of another schema, or it cannot be read.
    """
    if not path.is_file():
        raise StorageError(
            f"there is no log at {path}", "name the directory that holds one with --data DIR"
        )
    wal = path.with_name(path.name + "-wal")
    before = wal.exists()
    with translated(path.parent):
        connection = _connect(path, before)
        try:
            connection.execute("BEGIN")
            check_schema(connection, path)
            yield connection
        finally:
            connection.close()
            if not before:
                _tidy(path)


@contextmanager
def still(path: Path, *, older: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to a file that nobody writes, such as a finished backup: leaves nothing beside it.
    `older`: one of an older schema will do as well."""
    with translated(path.parent):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        try:
            check_schema(connection, path, older=older)
            yield connection
        finally:
            connection.close()


def check_schema(connection: sqlite3.Connection, path: Path, *, older: bool = False) -> None:
    """
    Raises:
        NewerDatabase: the file's schema is unknown here.
        StorageError: it is no log, or one of an older schema.
    """
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    row = (
        connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if "alembic_version" in tables
        else None
    )
    if row is None or "log" not in tables:
        raise StorageError(f"{path} is not a log of Playhead", "name another file or directory")
    newest, *before = known()
    if row[0] in before:
        if older:
            return
        raise StorageError(
            f"{path} was written by an older Playhead (schema {row[0]}; this one reads {newest})",
            "start the server on it once: it upgrades the file and keeps a copy",
        )
    if row[0] != newest:
        raise NewerDatabase(
            f"{path} was written by a newer Playhead (schema {row[0]}; this one knows up to {newest})"
        )


def _connect(path: Path, wal: bool) -> sqlite3.Connection:
    # Read-only and never `rw`: the last connection to close would checkpoint, and that is the writer's
    # business alone.
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout=5000")
        connection.execute("PRAGMA cache_size=-16384")
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if wal:
            raise
        # A directory we may not write in has no room for the index of a WAL; without one none is needed.
        connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    return connection


def _tidy(path: Path) -> None:
    """Take away the empty WAL and its index that a reader makes, unless a server is at work by now."""
    lock = Lock(path.parent)
    try:
        lock.acquire()
    except StorageError:
        return
    try:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size == 0:
            wal.unlink()
            path.with_name(path.name + "-shm").unlink(missing_ok=True)
    finally:
        lock.release()
