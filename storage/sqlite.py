"""Which SQLite library is in use.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL file when one connection checkpoints while another commits.
Ours commits and checkpoints on one connection only, so it is safe either way; still, the newer library
is taken where its wheel is installed, and `/healthz` shows the version.
"""

import sqlite3
import sys

FIXED = (3, 51, 3)
"""The first release without the WAL-reset bug."""


def prefer_bundled() -> None:
    """Let the `pysqlite3` wheel stand in for the standard library's module.

    Has to run before anything else imports `sqlite3`: the drivers take it by name.
    """
    try:
        import pysqlite3
        from pysqlite3 import dbapi2
    except ImportError:  # no wheel for this platform: the standard library's own will do
        return
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = dbapi2


def version() -> str:
    return str(sys.modules.get("sqlite3", sqlite3).sqlite_version)


def has_wal_reset_bug() -> bool:
    return tuple(int(part) for part in version().split(".")) < FIXED
