"""What can go wrong, and what the operator can do about it.

PlayheadError                 the root of every error this program raises on purpose
└── StorageError              the history cannot be used as asked
    ├── StorageFull           no room left on the disk; reading goes on
    ├── StorageBroken         the file is damaged, or the disk under it fails
    ├── NewerDatabase         written by a newer version of this program
    ├── AlreadyRunning        another server holds the same data directory
    └── NotWritable           the data directory or a file in it cannot be written

The branches above storage grow in `realtime.errors`, which also re-exports these.
"""

from typing import ClassVar


class PlayheadError(Exception):
    """`detail` says what happened, `hint` what to do; both go to the log and to the answer."""

    remedy: ClassVar[str] = ""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint or self.remedy


class StorageError(PlayheadError):
    remedy = "Look at the log lines before this one; `playhead verify` checks the history."


class StorageFull(StorageError):
    remedy = "Free some space on the disk that holds the data directory; recording resumes by itself."


class StorageBroken(StorageError):
    remedy = "Stop the server, keep a copy of the data directory, and restore the latest backup."


class NewerDatabase(StorageError):
    remedy = "Run the version of Playhead that wrote it, or a newer one."


class AlreadyRunning(StorageError):
    remedy = "Stop the other server, or give this one its own directory with --data."


class NotWritable(StorageError):
    remedy = "Give the user who runs Playhead the right to write there, or choose another --data."
