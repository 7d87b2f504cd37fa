"""Connections: one that writes, few that read. Every pragma of ours is here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.errors import translated

READERS = 3
"""SQLite gains nothing from more readers than this, and each holds a page cache and a thread."""

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

    async def open(self) -> None:
        with translated(self.path.parent):
            self._writer = await self._write_engine.connect()

    @property
    def writer(self) -> AsyncConnection:
        assert self._writer is not None, "Engine.open() comes first"
        return self._writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """`BEGIN IMMEDIATE … COMMIT` on the writer; anything raised inside rolls back.

        Callers take turns themselves: only the log's writer may be inside.
        """
        with translated(self.path.parent):
            driver = await driver_of(self.writer)
            await driver.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                await driver.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself (disk full); a second ROLLBACK would only hide why.
                if driver.in_transaction:
                    await driver.execute("ROLLBACK")
                raise

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncConnection]:
        """A short read. Keep it short: an open reader keeps the WAL from being reset."""
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

    async def close(self) -> None:
        """Readers first, so that the writer's close checkpoints the WAL into the file."""
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


async def fetched(
    connection: AsyncConnection, question: str, values: tuple[Any, ...] = ()
) -> list[Any]:
    """All rows, in one trip."""
    return list(await (await driver_of(connection)).execute_fetchall(question, values))


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
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return engine
