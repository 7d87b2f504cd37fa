"""One connection writes, durably; the readers cannot."""

import asyncio
import sqlite3
import threading

import pytest

from storage.engine import READERS, Engine, followed
from storage.errors import NotWritable, StorageBroken, StorageError


@pytest.fixture
async def engine(tmp_path):
    it = Engine(tmp_path / "a.db")
    await it.open()
    async with it.transaction() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    yield it
    await it.close()


async def count(engine):
    async with engine.reader() as connection:
        return (await connection.exec_driver_sql("SELECT count(*) FROM t")).scalar()


@pytest.mark.gen_test
async def test_the_writer_waits_for_the_disk(engine):
    """Law ack-is-durable rests on these two settings of the writer's connection."""
    found = {}
    for pragma in ("synchronous", "journal_mode"):
        found[pragma] = (await engine.writer.exec_driver_sql(f"PRAGMA {pragma}")).scalar()
    assert found == {"synchronous": 2, "journal_mode": "wal"}


@pytest.mark.gen_test
async def test_readers_cannot_write_nor_checkpoint(engine):
    """Law one-writer: a reader's write is refused, and only the writer's connection checkpoints."""
    with pytest.raises(StorageError):
        async with engine.reader() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    async with engine.reader() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA wal_autocheckpoint")).scalar()
    assert pages == 0
    assert await count(engine) == 0


@pytest.mark.gen_test
async def test_a_transaction_is_all_or_nothing(engine):
    """What is raised inside rolls back, an error of ours and a cancellation alike; the next one works."""
    with pytest.raises(LookupError):
        async with engine.transaction() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            raise LookupError
    with pytest.raises(StorageError, match="UNIQUE"):
        async with engine.transaction() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (2)")
            await connection.exec_driver_sql("INSERT INTO t VALUES (2)")

    async def halfway():
        async with engine.transaction() as connection:
            await connection.exec_driver_sql("INSERT INTO t VALUES (3)")
            await asyncio.sleep(60)

    task = asyncio.create_task(halfway())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await count(engine) == 0
    async with engine.transaction() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (4)")
    assert await count(engine) == 1


@pytest.mark.gen_test
async def test_a_transaction_in_one_trip_is_all_or_nothing(engine):
    """What `work` raises rolls back, an error of ours and one of the driver alike; a cancellation comes after
    it is committed; the next one works."""

    def lost(connection):
        connection.execute("INSERT INTO t VALUES (1)")
        raise LookupError

    def twice(connection):
        connection.execute("INSERT INTO t VALUES (2)")
        connection.execute("INSERT INTO t VALUES (2)")

    with pytest.raises(LookupError):
        await engine.transact(lost)
    with pytest.raises(StorageError, match="UNIQUE"):
        await engine.transact(twice)
    assert await count(engine) == 0
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(connection):
        loop.call_soon_threadsafe(begun.set)
        assert go.wait(10)
        return connection.execute("INSERT INTO t VALUES (3)").rowcount

    noted = []

    async def noting():
        noted.append(await engine.transact(slow))
        await asyncio.sleep(60)

    task = asyncio.create_task(noting())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert noted == [1] and await count(engine) == 1
    assert await engine.transact(lambda c: c.execute("INSERT INTO t VALUES (4)").rowcount) == 1


@pytest.mark.gen_test
async def test_readers_take_turns_and_see_only_what_is_committed(engine):
    """More questions than connections wait for each other; none sees half a transaction."""
    async with engine.transaction() as connection:
        await connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert await asyncio.gather(*(count(engine) for _ in range(3 * READERS))) == [0] * 9
    assert await count(engine) == 1


@pytest.mark.gen_test
async def test_close_leaves_one_file(tmp_path):
    """After an orderly end the file is whole by itself: no WAL beside it, all rows in it."""
    engine = Engine(tmp_path / "a.db")
    await engine.open()
    async with engine.transaction() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    assert await count(engine) == 0
    await engine.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize(
    "name", ["50%.db", "what?.db", "a#b.db", "sp ace.db", "ünï.db", "a&b=c.db"]
)
@pytest.mark.gen_test
async def test_any_file_name_will_do(tmp_path, name):
    """The path of the data directory is the user's business, not a piece of a URL."""
    engine = Engine(tmp_path / name)
    await engine.open()
    await engine.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.gen_test
async def test_errors_of_the_driver_are_translated_when_opening(tmp_path):
    """A directory in the file's place and a file that is no database each have a name."""
    (tmp_path / "directory.db").mkdir()
    engine = Engine(tmp_path / "directory.db")
    with pytest.raises(NotWritable):
        await engine.open()
    await engine.close()
    (tmp_path / "text.db").write_text("This is not a database. " * 100)
    engine = Engine(tmp_path / "text.db")
    with pytest.raises(StorageBroken, match="is no Playhead database") as told:
        await engine.open()
    assert "Move it away" in told.value.hint
    await engine.close()


@pytest.mark.gen_test
async def test_a_plan_is_followed_in_one_snapshot(engine):
    """Alone or within a longer look: a row that is committed in between is not seen by halves; and what
    a plan raises leaves the connection ready for the next one."""
    add = "INSERT INTO t (n) VALUES ((SELECT count(*) FROM t))"
    writer = sqlite3.connect(engine.path, isolation_level=None, check_same_thread=False)

    def counted():
        ((first,),) = yield "SELECT count(*) FROM t", ()
        writer.execute(add)
        ((second,),) = yield "SELECT count(*) FROM t WHERE n >= ?", (0,)
        return first, second

    def failing():
        yield "SELECT 1", ()
        raise LookupError

    for before in range(3):
        with pytest.raises(LookupError):
            await engine.look(failing())
        assert await engine.look(counted()) == (before, before)
    async with engine.snapshot() as connection:
        assert await followed(connection, counted()) == (3, 3)
    writer.close()
    with pytest.raises(StorageError):
        await engine.look(iter_of("SELECT no_such_column FROM t"))


@pytest.mark.gen_test
async def test_who_comes_after_the_end_is_told_so(tmp_path):
    """An error of ours, which becomes an answer, and no connection that nobody closes."""
    it = Engine(tmp_path / "a.db")
    await it.open()
    assert await it.look(iter_of("SELECT 1")) == [(1,)]
    await it.close()
    with pytest.raises(StorageError, match="stopping"):
        await it.look(iter_of("SELECT 1"))
    with pytest.raises(StorageError, match="stopping"):
        async with it.snapshot():
            pass


def iter_of(statement):
    return (yield statement, ())
