"""What can go wrong, and what the operator can do about it.

PlayheadError                 the root of every error this program raises on purpose
└── StorageError              the history cannot be used as asked
    ├── TooMuch               one question would read more ticks than it may
    ├── Absent                what is asked for is not held, or was never recorded
    ├── StorageFull           no room left on the disk; reading goes on
    ├── StorageBroken         the file is damaged, or the disk under it fails
    ├── Damaged               a part of the history is not what was written
    ├── NewerDatabase         written by a newer version of this program
    ├── AlreadyRunning        another server holds the same data directory
    └── NotWritable           the data directory or a file in it cannot be written

The branches above storage grow in `realtime.errors`, which also re-exports these.
Driver errors are translated here and nowhere else: no sqlite3 or sqlalchemy exception leaves `storage`.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import sqlalchemy.exc


class PlayheadError(Exception):
    """`detail` says what happened, `hint` what to do; both go to the log and to the answer."""

    remedy: ClassVar[str] = ""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint or self.remedy


class StorageError(PlayheadError):
    remedy = "Look at the log lines before this one and at the disk under the data directory."


class TooMuch(StorageError):
    remedy = "Ask for a shorter range; the dial query_rows allows more."


class Absent(StorageError):
    remedy = "Choose another span; stats says what the log holds."


class StorageFull(StorageError):
    remedy = (
        "Free some space on the disk that holds the data directory; recording resumes by itself."
    )


class StorageBroken(StorageError):
    remedy = (
        "Check the disk and the kernel's log, keep a copy of the data directory, then start again."
    )


class Damaged(StorageError):
    remedy = "What is around it can be read: verify names every damaged part, and salvage saves the rest."


class NewerDatabase(StorageError):
    remedy = "Run the version of Playhead that wrote it, or a newer one."


class AlreadyRunning(StorageError):
    remedy = "Stop the other server, or give this one its own directory with --data."


class NotWritable(StorageError):
    remedy = "Give the user who runs Playhead the right to write there, or choose another --data."


INDEX_BLOCK = 32 * 1024
"""SQLite lets the index of its WAL grow by this much at a time."""


def translate(error: BaseException, place: Path | None = None) -> StorageError:
    """Our name for a driver's or the operating system's error. `place` is where the log is kept."""
    cause: BaseException = error
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        cause = error.orig
    name: str = getattr(cause, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no space left for the log ({cause})")
    # When the index of the WAL finds no room to grow, SQLite calls it an I/O error and not a full disk.
    if (
        name in ("SQLITE_IOERR", "SQLITE_IOERR_SHMSIZE")
        and place
        and _room(place) < 2 * INDEX_BLOCK
    ):
        return StorageFull(f"no space left for the log ({cause})")
    if name == "SQLITE_NOTADB":
        return StorageBroken(
            f"the file of the log{f' in {place}' if place else ''} is no Playhead database, "
            f"or its beginning is destroyed ({name}: {cause})",
            "Move it away, not over: a backup can take its place, and without one a new log begins. "
            "If it is no business of Playhead's, choose another directory with --data.",
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT")):
        return StorageBroken(f"the log cannot be trusted any more ({name}: {cause})")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return NotWritable(f"the log cannot be opened for writing ({name}: {cause})")
    return StorageError(f"the log failed ({name or type(cause).__name__}: {cause})")


def _room(place: Path) -> int:
    if not hasattr(os, "statvfs"):
        return INDEX_BLOCK * 1000  # elsewhere nobody has seen that error
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@contextmanager
def translated(place: Path | None = None) -> Iterator[None]:
    """Run driver calls inside; what they raise comes out as a `StorageError`."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise translate(error, place) from error
