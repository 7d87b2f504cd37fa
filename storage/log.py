"""The event log: append in one transaction, read in order, never a hole in `seq`."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import RowMapping, func, insert, select

from storage import codec, schema, sqlite
from storage.engine import Engine
from storage.errors import StorageBroken, TooMuch
from storage.events import Draft, Event, Metrics

INSERT = "INSERT INTO events (seq, at, source, type, version, body) VALUES (?, ?, ?, ?, ?, ?)"
PAGE = 1000
"""Rows a read hands over at once: long enough to be quick, short enough to let others in."""

ENCODED = 1000
"""Events encoded before others get the loop: a tick can hold a thousand samples."""

RECEIPT_AGE_US = 24 * 3600 * 1_000_000
"""How long a repeated Idempotency-Key is answered with its first answer."""

Columns = dict[int, tuple[np.ndarray, np.ndarray]]
"""Series id → (times int64 µs, values float64), in order of time."""


class Receipt(msgspec.Struct, frozen=True):
    """What an idempotent write was answered: its seqs, and an answer only the writer understands."""

    key: str
    at: int
    first: int
    last: int
    body: bytes


class LogStats(msgspec.Struct, frozen=True):
    """`bytes` counts the file and its WAL. Commit times are over the last 1,000 commits."""

    epoch: str
    head: int
    floor: int
    events: int
    samples: int
    bytes: int
    wal_bytes: int
    bytes_per_sample: float | None
    commits: int
    commit_p50_s: float
    commit_p99_s: float
    sqlite_version: str


class Log:
    """Opened once by `run.py`. `append` belongs to the spine alone (law one-writer).

    `epoch` is the identity of this log, `head` the newest committed seq (0 when empty),
    `floor` the oldest seq still held, `samples` how many samples its ticks carry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epoch = ""
        self.head = 0
        self.floor = 1
        self.commits = 0
        self.samples = 0
        self._longest_commit_s = 0.0
        self._engine = Engine(path)
        self._durations: deque[float] = deque(maxlen=1000)
        self._turn = asyncio.Lock()

    async def open(self, now: int) -> None:
        """`now` (µs UTC) dates a log that is made here.

        Raises:
            StorageBroken: the head on record is not the newest event held.
        """
        await self._engine.open()
        async with self._engine.transaction() as connection:
            found = (await connection.execute(select(schema.log))).mappings().one_or_none()
            row: Mapping[str, Any] = dict(
                found or {"epoch": secrets.token_hex(8), "head": 0, "floor": 1, "samples": 0}
            )
            if found is None:
                await connection.execute(insert(schema.log).values(id=1, created_at=now, **row))
            newest = (await connection.execute(select(func.max(schema.events.c.seq)))).scalar() or 0
        self.epoch, self.head, self.floor, self.samples = (
            row["epoch"],
            row["head"],
            row["floor"],
            row["samples"],
        )
        given_up = newest == 0 and self.floor == self.head + 1
        if newest != self.head and not given_up:
            raise StorageBroken(
                f"the log says its newest event is {self.head}, but {newest} is the newest it holds",
                "restore the last backup into a new directory",
            )

    async def close(self) -> None:
        await self._engine.close()

    async def append(
        self, drafts: Sequence[Draft], receipts: Sequence[Receipt] = ()
    ) -> list[Event]:
        """Commit all or nothing, in order; returns when fsync has (law ack-is-durable).

        Receipts carry seqs relative to this batch: 1 is its first event.
        """
        async with self._turn:
            events, rows = await self._places(drafts)
            samples = self.samples + sum(
                len(event.data.ids) for event in events if isinstance(event.data, Metrics)
            )
            with self._timed():
                async with self._engine.transaction() as connection:
                    if rows:
                        await connection.exec_driver_sql(INSERT, rows)
                        moved = await connection.exec_driver_sql(
                            "UPDATE log SET head = ?, samples = ? WHERE id = 1 AND head = ?",
                            (rows[-1][0], samples, self.head),
                        )
                        if moved.rowcount != 1:
                            raise StorageBroken(
                                f"another program has written to {self.path} behind event {self.head}",
                                "find it and stop it, then start again",
                            )
                    if receipts:
                        await self._keep(connection, receipts)
            if rows:
                self.head, self.samples = rows[-1][0], samples
        return events

    async def _places(self, drafts: Sequence[Draft]) -> tuple[list[Event], list[tuple[Any, ...]]]:
        """The drafts with the next seqs, and as rows. Lets others in now and then."""
        events: list[Event] = []
        rows: list[tuple[Any, ...]] = []
        for seq, draft in enumerate(drafts, self.head + 1):
            fact = draft.data
            events.append(Event(seq, draft.at, draft.source, fact))
            rows.append((seq, draft.at, draft.source, fact.type, fact.version, codec.encode(fact)))
            if len(rows) % ENCODED == 0:
                await asyncio.sleep(0)
        return events, rows

    async def _keep(self, connection: Any, receipts: Sequence[Receipt]) -> None:
        offset = self.head
        await connection.execute(
            schema.receipts.delete().where(schema.receipts.c.at < receipts[-1].at - RECEIPT_AGE_US)
        )
        await connection.execute(
            insert(schema.receipts),
            [
                {
                    "key": r.key,
                    "at": r.at,
                    "first": r.first + offset,
                    "last": r.last + offset,
                    "body": r.body,
                }
                for r in receipts
            ],
        )

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        spent = time.perf_counter() - begun
        self.commits += 1
        self._durations.append(spent)
        self._longest_commit_s = max(self._longest_commit_s, spent)

    def take_longest_commit(self) -> float:
        """Seconds of the longest commit since this was last asked."""
        longest, self._longest_commit_s = self._longest_commit_s, 0.0
        return longest

    async def receipt(self, key: str) -> Receipt | None:
        table = schema.receipts
        async with self._engine.reader() as connection:
            row = (
                (await connection.execute(select(table).where(table.c.key == key)))
                .mappings()
                .one_or_none()
            )
        return Receipt(**row) if row else None

    async def read(
        self,
        after: int,
        limit: int = PAGE,
        *,
        until: int | None = None,
        start: int | None = None,
        end: int | None = None,
        types: Iterable[str] | None = None,
        source: str | None = None,
    ) -> list[Event]:
        """Events with `after < seq ≤ until` and `start ≤ at < end` (µs), oldest first, at most `limit`."""
        table = schema.events
        query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
        async with self._engine.reader() as connection:
            if start is not None or end is not None:
                within = [table.c.at >= start] if start is not None else []
                within += [table.c.at < end] if end is not None else []
                # The index answers with the bounds of the seqs, and the ordered scan stays short.
                low, high = (
                    await connection.execute(
                        select(func.min(table.c.seq), func.max(table.c.seq)).where(*within)
                    )
                ).one()
                if low is None:
                    return []
                query = query.where(table.c.seq.between(low, high), *within)
            if until is not None:
                query = query.where(table.c.seq <= until)
            if types is not None:
                wanted = list(types)
                query = query.where(table.c.type.in_(wanted))
                if "metrics" not in wanted:  # said again, in the words of the partial index
                    query = query.where(table.c.type != "metrics")
            if source is not None:
                query = query.where(table.c.source == source)
            rows = (await connection.execute(query)).mappings().all()
        return [_event(row) for row in rows]

    async def columns(
        self, source: str, ids: Iterable[int], start: int, end: int, most: int = 1_000_000
    ) -> Columns:
        """The samples of some series of one source with `start ≤ at < end` (µs), decoded off the loop.

        Reads in pages, each its own short read.

        Raises:
            TooMuch: there are more than `most` ticks in the range.
        """
        wanted = frozenset(ids)
        gather = _Gather(wanted)
        loop = asyncio.get_running_loop()
        at, seq, left = start, 0, most
        while True:
            page: Any
            async with self._engine.reader() as connection:
                page = (
                    await connection.exec_driver_sql(
                        "SELECT at, seq, body FROM events WHERE (at, seq) > (?, ?) AND at >= ? AND at < ? "
                        "AND source = ? AND type = 'metrics' ORDER BY at, seq LIMIT ?",
                        (at, seq, at, end, source, 2 * PAGE),
                    )
                ).all()
            if not page:
                break
            await loop.run_in_executor(None, gather.add, page)
            at, seq = page[-1][0], page[-1][1]
            left -= len(page)
            if left < 0:
                raise TooMuch(f"{source} has more than {most:,} ticks in this range")
        return await loop.run_in_executor(None, gather.columns)

    async def first_seq_since(self, at: int) -> int | None:
        """The lowest seq among the events with a time of `at` (µs) or later."""
        table = schema.events
        async with self._engine.reader() as connection:
            found: int | None = (
                await connection.execute(select(func.min(table.c.seq)).where(table.c.at >= at))
            ).scalar()
        return found

    async def checkpoint(self, name: str, version: int) -> tuple[int, bytes] | None:
        """The newest view saved under `name` by a fold of this `version`, with its seq."""
        table = schema.checkpoints
        async with self._engine.reader() as connection:
            row = (
                (await connection.execute(select(table).where(table.c.name == name)))
                .mappings()
                .one_or_none()
            )
        if row is None or row["version"] != version or row["seq"] > self.head:
            return None
        return row["seq"], row["body"]

    async def save_checkpoint(self, name: str, version: int, seq: int, body: bytes) -> None:
        async with self._turn, self._engine.transaction() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO checkpoints (name, version, seq, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET version = excluded.version, seq = excluded.seq, body = excluded.body",
                (name, version, seq, body),
            )

    async def stats(self) -> LogStats:
        loop = asyncio.get_running_loop()
        size, wal = await loop.run_in_executor(None, self._sizes)
        durations = sorted(self._durations)
        return LogStats(
            epoch=self.epoch,
            head=self.head,
            floor=self.floor,
            events=self.head - self.floor + 1,
            samples=self.samples,
            bytes=size + wal,
            wal_bytes=wal,
            bytes_per_sample=round(size / self.samples, 2) if self.samples else None,
            commits=self.commits,
            commit_p50_s=_quantile(durations, 0.50),
            commit_p99_s=_quantile(durations, 0.99),
            sqlite_version=sqlite.version(),
        )

    def _sizes(self) -> tuple[int, int]:
        wal = self.path.with_name(self.path.name + "-wal")
        try:
            return self.path.stat().st_size, wal.stat().st_size if wal.exists() else 0
        except FileNotFoundError as error:
            raise StorageBroken(
                f"{self.path} is gone: it was moved or deleted while it was recorded into",
                "put it back, or restore a backup, and start again",
            ) from error


class _Gather:
    """Collects samples of the wanted series out of pages of ticks."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._ats: dict[int, list[int]] = {id_: [] for id_ in wanted}
        self._values: dict[int, list[int | float]] = {id_: [] for id_ in wanted}
        self._ids: list[int] = []
        self._places: list[tuple[int, int]] = []

    def add(self, page: Sequence[Any]) -> None:
        for at, _seq, body in page:
            ids, values = codec.samples(body)
            if (
                ids != self._ids
            ):  # a source's ticks mostly name the same series: look the places up once
                self._ids = ids
                self._places = [
                    (place, id_) for place, id_ in enumerate(ids) if id_ in self._wanted
                ]
            for place, id_ in self._places:
                self._ats[id_].append(at)
                self._values[id_].append(values[place])

    def columns(self) -> Columns:
        return {
            id_: (
                np.array(self._ats[id_], dtype=np.int64),
                np.array(self._values[id_], dtype=np.float64),
            )
            for id_ in self._wanted
        }


def _event(row: RowMapping) -> Event:
    return Event(
        row["seq"], row["at"], row["source"], codec.decode(row["type"], row["version"], row["body"])
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
