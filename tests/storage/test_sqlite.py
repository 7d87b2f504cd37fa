"""The SQLite in use is known, and the newest one at hand."""

import sqlite3
import subprocess
import sys

import pytest

from storage import sqlite


def test_the_version_is_that_of_the_library_in_use():
    """What `/healthz` shows is what the drivers run on."""
    used = sys.modules["sqlite3"].connect(":memory:").execute("SELECT sqlite_version()")
    assert sqlite.version() == used.fetchone()[0]


@pytest.mark.parametrize(
    ("version", "bug"),
    [("3.7.0", True), ("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("3.60.0", False)],
)
def test_versions_with_the_wal_reset_bug_are_known(monkeypatch, version, bug):
    """3.7.0 to 3.51.2 have it; compared as numbers, not as text."""
    monkeypatch.setattr(sqlite, "version", lambda: version)
    assert sqlite.has_wal_reset_bug() is bug


def test_the_bundled_library_is_taken_where_there_is_one():
    """After `prefer_bundled` everybody who imports `sqlite3` gets the wheel's, SQLAlchemy's driver too."""
    pytest.importorskip("pysqlite3", reason="no wheel for this platform")
    code = (
        "from storage.sqlite import prefer_bundled, version; prefer_bundled();"
        "import pysqlite3, sqlite3, aiosqlite; from sqlite3 import dbapi2;"
        "assert sqlite3 is pysqlite3 and aiosqlite.core.sqlite3 is pysqlite3;"
        "assert version() == pysqlite3.sqlite_version"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_wheel_the_standard_library_serves(monkeypatch):
    """Platforms without a wheel start all the same."""
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    monkeypatch.setitem(sys.modules, "sqlite3", sqlite3)
    sqlite.prefer_bundled()
    assert sys.modules["sqlite3"] is sqlite3
