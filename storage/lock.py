"""One server a data directory: an advisory lock that the kernel drops with the process, however it dies."""

import os
import sys
from pathlib import Path
from typing import IO

from storage.errors import AlreadyRunning, NotWritable


class Lock:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "playhead.lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """
        Raises:
            NotWritable: the directory cannot be made or written.
            AlreadyRunning: another process holds the lock; the message names it.
        """
        try:
            _made(self.path.parent)
            file = self.path.open("a+", encoding="ascii")
        except OSError as error:
            raise NotWritable(
                f"the data directory {self.path.parent} cannot be written ({error.strerror or error})",
                "choose another with --data DIR, or correct its owner and permissions",
            ) from error
        if not _try_lock(file):
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise AlreadyRunning(
                f"another Playhead{f' (process {holder})' if holder else ''} is recording into {self.path.parent}",
                "stop it first, or give this one a directory of its own with --data DIR",
            )
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _made(directory: Path) -> None:
    """With every directory above it, and on disk: what will be synced in a directory whose own name a power
    cut takes is lost with it (law ack-is-durable)."""
    if directory.is_dir():
        return
    _made(directory.parent)
    directory.mkdir(exist_ok=True)
    if sys.platform != "win32":  # where a directory cannot be opened
        handle = os.open(directory.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        try:
            file.seek(4096)  # locked ranges cannot be read by others: lock beyond the text
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
