"""The log in one file, taken while the server runs or not, and put back."""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from storage.checksum import crc
from storage.errors import NotWritable, StorageBroken, StorageError, translated
from storage.lock import Lock
from storage.look import FILE, Progress, look, quiet, still

PAGES = 1024
"""Pages between two signs of life."""


class Backup(msgspec.Struct, frozen=True):
    file: str
    bytes: int
    epoch: str
    head: int
    samples: int
    seconds: float


class Restored(msgspec.Struct, frozen=True):
    """`aside` is where the log that was there before is kept now, "" if there was none."""

    data: str
    epoch: str
    epoch_of_backup: str
    head: int
    samples: int
    aside: str


def backup(path: Path, target: Path, *, force: bool = False, progress: Progress = quiet) -> Backup:
    """All of the log at `path` as of now, in `target`. The writer is not held up: a read transaction stays
    open while the pages are copied, so the WAL alone grows a little.

    Raises:
        StorageError: `target` is there already, cannot be written, or does not read as it should.
    """
    begun = time.perf_counter()
    if target.exists() and not force:
        raise StorageError(f"{target} is there already", "choose another name, or say --force")
    if target.is_dir():
        raise StorageError(f"{target} is a directory", "name a file in it")
    with look(path) as source:
        epoch, head, samples = source.execute("SELECT epoch, head, samples FROM log").fetchone()
        with written(target) as part:
            _copy(source, part, progress)
            _check(part, (epoch, head, samples))
    return Backup(
        str(target),
        target.stat().st_size,
        epoch,
        head,
        samples,
        round(time.perf_counter() - begun, 3),
    )


def restore(
    file: Path, directory: Path, *, force: bool = False, progress: Progress = quiet
) -> Restored:
    """Make `file` the log of `directory`, under a new epoch: whoever followed the old one is told so and
    begins anew, rather than to mistake other events for those it has seen.

    Raises:
        AlreadyRunning: a server is at work there.
        StorageError: `file` is no backup or damaged, or there is a log already and `force` was not said.
    """
    if not file.is_file():
        raise StorageError(f"there is no file {file}", "name a file that backup has written")
    lock = Lock(directory)
    lock.acquire()
    try:
        target = directory / FILE
        if target.exists() and not force:
            raise StorageError(
                f"there is a log in {directory} already",
                "choose an empty directory, or say --force: the log is put aside, not deleted",
            )
        fresh = secrets.token_hex(8)
        with written(target) as part:
            with still(file, older=True) as source:
                epoch, head, samples = source.execute(
                    "SELECT epoch, head, samples FROM log"
                ).fetchone()
                _copy(source, part, progress)
            _check(part, (epoch, head, samples))
            with translated(directory):
                connection = sqlite3.connect(part)
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("UPDATE log SET epoch = ?", (fresh,))
                if any(row[1] == "crc" for row in connection.execute("PRAGMA table_info(log)")):
                    cells = connection.execute("SELECT epoch, floor, created_at FROM log")
                    connection.execute("UPDATE log SET crc = ?", (crc(*cells.fetchone()),))
                connection.commit()
                connection.execute("PRAGMA journal_mode=WAL")
                connection.close()
            aside = _put_aside(target)
    finally:
        lock.release()
    return Restored(str(directory), fresh, epoch, head, samples, aside)


def _put_aside(target: Path) -> str:
    if not target.exists():
        return ""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = target.with_name(f"{target.stem}-before-restore-{stamp}.bak")
    while kept.exists():  # twice within a second
        kept = kept.with_name(kept.stem + "-again.bak")
    # The newest part travels with the file it belongs to, and must never meet another.
    for suffix in ("-wal", "-shm", ""):
        beside = target.with_name(target.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))
    return str(kept)


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to: it takes the place of `target` once it is whole and on disk,
    or is gone."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        yield part
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise NotWritable(
            f"{target} cannot be written ({error.strerror or error})",
            "choose another place, or correct its owner and permissions",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(source: sqlite3.Connection, part: Path, progress: Progress) -> None:
    with translated(part.parent):
        copy = sqlite3.connect(part)
        try:
            # Whole or not at all: the file counts for nothing until it has its name.
            copy.execute("PRAGMA journal_mode=OFF")
            copy.execute("PRAGMA synchronous=OFF")
            source.backup(
                copy,
                pages=PAGES,
                progress=lambda _, left, total: progress("pages", total - left, total),
            )
        finally:
            copy.close()


def _check(part: Path, figures: tuple[str, int, int]) -> None:
    with still(part, older=True) as copy:
        found = copy.execute("SELECT epoch, head, samples FROM log").fetchone()
        faults = [line for (line,) in copy.execute("PRAGMA quick_check(3)") if line != "ok"]
    if faults or found != figures:
        raise StorageBroken(
            f"the copy is not a sound log ({'; '.join(map(str, faults)) or found})",
            "run verify on the original: what can be read of it can be salvaged",
        )
