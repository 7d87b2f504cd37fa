"""Foreign errors get a name of ours and a remedy, once, at the border."""

import errno
import sqlite3

import pytest
import sqlalchemy.exc

from storage.engine import Engine
from storage.errors import (
    INDEX_BLOCK,
    NotWritable,
    PlayheadError,
    StorageBroken,
    StorageError,
    StorageFull,
    translated,
)
from tests.disk import small_disk
from tests.storage.conftest import tick


def driver(name, message="said the driver"):
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = name
    return sqlalchemy.exc.OperationalError("INSERT …", (), error)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (driver("SQLITE_FULL"), StorageFull),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StorageFull),
        (driver("SQLITE_IOERR_FSYNC"), StorageBroken),
        (driver("SQLITE_CORRUPT"), StorageBroken),
        (driver("SQLITE_CORRUPT_INDEX"), StorageBroken),
        (driver("SQLITE_NOTADB"), StorageBroken),
        (driver("SQLITE_READONLY_DBMOVED"), NotWritable),
        (driver("SQLITE_CANTOPEN"), NotWritable),
        (driver("SQLITE_BUSY"), StorageError),
        (sqlalchemy.exc.InvalidRequestError("no driver at all"), StorageError),
    ],
    ids=lambda thing: getattr(thing, "__name__", str(thing)[:40]),
)
def test_each_error_gets_its_name(error, ours):
    """By the driver's name of the error and not by its words, which change."""
    with pytest.raises(StorageError) as told, translated():
        raise error
    assert type(told.value) is ours
    assert told.value.__cause__ is error
    assert told.value.hint, "every error says what to do"


def test_what_is_not_of_the_storage_goes_through():
    """A mistake in the code is not disguised as a bad disk."""
    with pytest.raises(ZeroDivisionError), translated():
        print(1 / 0)


def test_a_hint_of_its_own_goes_before_the_remedy_of_its_kind():
    """`detail` is what happened, `hint` what to do."""
    assert StorageFull("x").hint == StorageFull.remedy
    assert StorageFull("x", "y").hint == "y"
    assert str(PlayheadError("what happened")) == "what happened"


async def _count(engine: Engine) -> int:
    async with engine.reader() as connection:
        return (await connection.exec_driver_sql("SELECT count(*) FROM t")).scalar_one()


@pytest.mark.gen_test
async def test_a_full_disk_is_said_to_be_full(tmp_path):
    """Whichever byte is the last: reading goes on, writing comes back with the room, and what had
    been committed is all there."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        engine = await _table(disk.path)
        for room in range(0, 65536, 7777):
            disk.fill(room)
            kept = await _count(engine)
            with pytest.raises(StorageFull) as full:
                for _ in range(200):
                    await _insert(engine)
                    kept += 1
            assert "space" in full.value.hint
            assert await _count(engine) == kept
            disk.clear()
            async with engine.transaction() as connection:
                await connection.exec_driver_sql("DELETE FROM t")
            await engine.writer.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        await engine.close()


@pytest.mark.gen_test
async def test_a_full_disk_is_no_broken_disk_to_the_index_of_the_wal(tmp_path):
    """SQLite reports an I/O error when that index cannot grow; to us the disk is full, and a full disk
    never ends the server."""
    with small_disk(tmp_path / "disk", "40m") as disk:
        engine = await _table(disk.path)
        await engine.writer.exec_driver_sql("PRAGMA wal_autocheckpoint=0")
        wal, frame = disk.path / "a.db-wal", 1024 + 24
        first = 4062 * frame  # so much of the WAL the first block of the index can tell
        while wal.stat().st_size < first - 10 * frame:
            await _insert(engine)
        disk.fill(first - wal.stat().st_size + INDEX_BLOCK // 2)
        with pytest.raises(StorageFull) as full:
            for _ in range(200):
                await _insert(engine)
        cause = full.value.__cause__
        told = getattr(cause, "orig", cause)  # the driver's own error, or SQLAlchemy's around it
        assert getattr(told, "sqlite_errorname", "").startswith("SQLITE_IOERR")
        disk.clear()
        await _insert(engine)
        await engine.close()


async def _table(directory):
    engine = Engine(directory / "a.db")
    await engine.open()
    async with engine.transaction() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
    return engine


async def _insert(engine):
    async with engine.transaction() as connection:
        await connection.exec_driver_sql("INSERT INTO t (b) VALUES (?)", (bytes(3000),))


@pytest.mark.gen_test
async def test_a_disk_that_became_read_only_is_not_writable(opened, tmp_path):
    """Writing says so; reading goes on."""
    async with opened() as log:
        await log.append([tick()])
        await log._engine.writer.exec_driver_sql("PRAGMA query_only=ON")
        with pytest.raises(NotWritable):
            await log.append([tick()])
        await log._engine.writer.exec_driver_sql("PRAGMA query_only=OFF")
        assert [event.seq for event in await log.append([tick()])] == [2]
