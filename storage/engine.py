"""Connections: one that writes, few that read. Every pragma of ours is here."""

import asyncio
import functools
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.errors import StorageError, translated

READERS = 3
"""SQLite gains nothing from more readers than this, and each holds a page cache and a thread."""

LOOKS = 2
"""Threads that answer questions whole; as many as there are cores on a small machine."""

T = TypeVar("T")

Ask = tuple[str, tuple[Any, ...]]
Plan = Generator[Ask, list[Any], T]
"""How something is read, without a connection: it yields statements with their values, gets all rows of
each, and returns what it made of them. It works and waits for no one, so it belongs off the loop."""

WRITER_PRAGMAS = (
    # Small pages: sealed columns are small, and a table of one row takes a whole page.
    "PRAGMA page_size=1024",
    # Before the first table exists, so that space can be given back in small bites later.
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    # Law ack-is-durable: a commit returns after fsync. NORMAL lost acknowledged rows in 38 of 40 power cuts.
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16384",
    "PRAGMA journal_size_limit=67108864",
)
READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    # All checkpoints belong to the writer's connection: see storage.sqlite.
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA busy_timeout=5000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8192",
    # No mmap_size: mapped pages would count as our memory, 130 MB of them after a start on a month's log,
    # and a failing disk would end the process with SIGBUS instead of telling an error.
)


class Engine:
    """The database file at `path`. `writer` is the only connection that may write (law one-writer)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_engine = _engine(path, WRITER_PRAGMAS, 1)
        self._read_engine = _engine(path, READER_PRAGMAS, READERS)
        self._writer: AsyncConnection | None = None
        self._looks = ThreadPoolExecutor(LOOKS, "look")
        self._own = threading.local()
        self._looking: list[sqlite3.Connection] = []
        self._is_closed = False

    async def open(self) -> None:
        with translated(self.path.parent):
            self._writer = await self._write_engine.connect()

    @property
    def writer(self) -> AsyncConnection:
        assert self._writer is not None, "Engine.open() comes first"
        return self._writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """`BEGIN IMMEDIATE … COMMIT` on the writer; anything raised inside rolls back. A cancellation that
        comes while it commits is raised at the next wait after it: what is on disk can be noted first.

        Callers take turns themselves: only the log's writer may be inside.
        """
        with translated(self.path.parent):
            driver = await driver_of(self.writer)
            try:
                await _to_its_end(driver.execute("BEGIN IMMEDIATE"))
                yield self.writer
                await _to_its_end(driver.execute("COMMIT"))
            except BaseException:
                # SQLite may have rolled back by itself (disk full); a second ROLLBACK would only hide why.
                if driver.in_transaction:
                    await _to_its_end(driver.execute("ROLLBACK"))
                raise

    async def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `transaction`, in one trip: `work` is handed the writer's connection in its own thread. Where an
        append made four trips it spent a third of its time between threads.

        Once it has begun it is carried to its end, whoever has stopped waiting.
        """
        with translated(self.path.parent):
            driver = await driver_of(self.writer)
            # aiosqlite has no public way to hand its thread more than a statement.
            done = driver._execute(_transacted, driver._conn, work)  # type: ignore[no-untyped-call]
            return await _to_its_end(done)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncConnection]:
        """A short read. Keep it short: an open reader keeps the WAL from being reset."""
        self._check_open()
        with translated(self.path.parent):
            async with self._read_engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Several reads that see one state of the log: a sealing in between moves ticks, not what is told."""
        async with self.reader() as connection:
            driver = await driver_of(connection)
            await driver.execute("BEGIN")
            try:
                yield connection
            finally:
                await driver.execute("COMMIT")

    async def look(self, plan: Plan[T]) -> T:
        """Follow a plan in one snapshot and in one trip to a thread: what is asked often and answered in a
        millisecond spends most of it between threads otherwise."""
        self._check_open()
        with translated(self.path.parent):
            return await asyncio.get_running_loop().run_in_executor(self._looks, self._look, plan)

    def _look(self, plan: Plan[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _connected(self.path)
            self._looking.append(connection)
        connection.execute("BEGIN")
        try:
            ask = next(plan)
            while True:
                ask = plan.send(connection.execute(*ask).fetchall())
        except StopIteration as end:
            made: T = end.value
            return made
        finally:
            connection.execute("COMMIT")

    async def vacuum(self, pages: int) -> None:
        """Give up to so many free pages back to the file system; outside a transaction."""
        with translated():
            driver = await driver_of(self.writer)
            # Each step frees one page and tells nothing: only reading to the end takes them all.
            await driver.execute_fetchall(f"PRAGMA incremental_vacuum({pages})")

    async def truncate_wal(self) -> bool:
        """Copy the WAL into the file and cut it to nothing; False when a reader was in the way."""
        with translated():
            row = (await self.writer.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).one()
        return not row[0]

    def _check_open(self) -> None:
        """Who was under way when the server stopped is told so: there are no threads any more, nor new connections."""
        if self._is_closed:
            raise StorageError("the log is closed: the server is stopping", "Ask again later.")

    async def close(self) -> None:
        """Readers first, so that the writer's close checkpoints the WAL into the file."""
        self._is_closed = True
        self._looks.shutdown()
        for connection in self._looking:
            connection.close()
        await self._read_engine.dispose()
        if self._writer is not None:
            with translated(self.path.parent):
                await self._writer.close()
            self._writer = None
        await self._write_engine.dispose()


async def driver_of(connection: AsyncConnection) -> aiosqlite.Connection:
    """The connection below SQLAlchemy's: a statement is one trip to its thread, where SQLAlchemy makes
    three. For the few places that are asked thousands of times; errors come out of `translated` alike."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    return driver


def _transacted(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        made = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # As in `transaction`.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return made


async def _to_its_end(statement: Awaitable[T]) -> T:
    """The thread carries out what it was handed, whoever has stopped waiting: a cancellation comes after."""
    work = asyncio.ensure_future(statement)
    cancelled = False
    try:
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                cancelled = True
        return work.result()
    finally:
        task = asyncio.current_task()
        if cancelled and task is not None:
            task.uncancel()
            task.cancel()


async def fetched(
    connection: AsyncConnection, question: str, values: tuple[Any, ...] = ()
) -> list[Any]:
    """All rows, in one trip."""
    return list(await (await driver_of(connection)).execute_fetchall(question, values))


async def followed(connection: AsyncConnection, plan: Plan[T]) -> T:
    """A plan as a part of a longer snapshot."""
    loop = asyncio.get_running_loop()

    def step(rows: list[Any] | None) -> tuple[Ask | None, T | None]:
        try:
            return (next(plan) if rows is None else plan.send(rows)), None
        except StopIteration as end:  # no future takes this exception
            return None, end.value

    rows: list[Any] | None = None
    while True:
        ask, made = await loop.run_in_executor(None, step, rows)
        if ask is None:
            return made  # type: ignore[return-value]
        rows = await fetched(connection, *ask)


_text = functools.partial(str, encoding="utf-8", errors="replace")
"""One flipped bit can make a text no UTF-8: that is for its row's checksum to say, and no reason for a
statement to fail with all its other rows."""


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    for pragma in READER_PRAGMAS:
        connection.execute(pragma)
    return connection


def _engine(path: Path, pragmas: tuple[str, ...], size: int) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        # Transactions are spelled out where they matter; everything else is one statement.
        isolation_level="AUTOCOMMIT",
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.driver_connection.text_factory = _text
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return engine
