"""What can go wrong, and what the operator can do about it.

PlayheadError                 the root of every error this program raises on purpose
└── StorageError              the history cannot be used as asked
    ├── TooMuch               one question would read more ticks than it may
    ├── StorageFull           no room left on the disk; reading goes on
    ├── StorageBroken         the file is damaged, or the disk under it fails
    ├── NewerDatabase         written by a newer version of this program
    ├── AlreadyRunning        another server holds the same data directory
    └── NotWritable           the data directory or a file in it cannot be written

The branches above storage grow in `realtime.errors`, which also re-exports these.
Driver errors are translated here and nowhere else: no sqlite3 or sqlalchemy exception leaves `storage`.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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


class StorageFull(StorageError):
    remedy = (
        "Free some space on the disk that holds the data directory; recording resumes by itself."
    )


class StorageBroken(StorageError):
    remedy = (
        "Check the disk and the kernel's log, keep a copy of the data directory, then start again."
    )


class NewerDatabase(StorageError):
    remedy = "Run the version of Playhead that wrote it, or a newer one."


class AlreadyRunning(StorageError):
    remedy = "Stop the other server, or give this one its own directory with --data."


class NotWritable(StorageError):
    remedy = "Give the user who runs Playhead the right to write there, or choose another --data."


def translate(error: BaseException) -> StorageError:
    """Our name for a driver's or the operating system's error."""
    cause: BaseException = error
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        cause = error.orig
    name: str = getattr(cause, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no space left for the log ({cause})")
    if name.startswith("SQLITE_IOERR") or name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return StorageBroken(f"the log cannot be trusted any more ({name}: {cause})")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return NotWritable(f"the log cannot be opened for writing ({name}: {cause})")
    return StorageError(f"the log failed ({name or type(cause).__name__}: {cause})")


@contextmanager
def translated() -> Iterator[None]:
    """Run driver calls inside; what they raise comes out as a `StorageError`."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise translate(error) from error
