"""The event log: append in one transaction, read in order, never a hole in `seq`."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard
from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec, producers, schema, sqlite
from storage.archive import Archive, Columns
from storage.checksum import crc
from storage.engine import Engine, driver_of
from storage.errors import StorageBroken
from storage.events import Draft, Event, Metrics
from storage.horizons import Horizons
from storage.producers import Taken
from storage.ranges import Ranges
from storage.retention import WAL_BYTES, Gone, Keep, Retention
from storage.rollups import Buckets
from storage.sealer import Sealer
from storage.segments import Tick

INSERT = (
    "INSERT INTO events (seq, at, source, type, version, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
PAGE = 1000
"""Rows a read hands over at once: long enough to be quick, short enough to let others in."""

ENCODED = 1000
"""Events encoded before others get the loop: a tick can hold a thousand samples."""

ZSTD = zstandard.FRAME_HEADER
"""What was saved by an older program does not begin with it."""

RECEIPT_AGE_US = 24 * 3600 * 1_000_000
"""How long a repeated Idempotency-Key is answered with its first answer."""

SPAN_US = 600_000_000
"""How long a segment is: ten minutes."""


class Receipt(msgspec.Struct, frozen=True):
    """What an idempotent write was answered: its seqs, and an answer only the writer understands."""

    key: str
    at: int
    first: int
    last: int
    body: bytes


class LogStats(msgspec.Struct, frozen=True):
    """`bytes` counts the file and its WAL; `over_bytes` is by how much the bound of retention is not kept.
    Commit times are over the last 1,000 commits."""

    epoch: str
    head: int
    floor: int
    events: int
    samples: int
    bytes: int
    wal_bytes: int
    over_bytes: int
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

    def __init__(self, path: Path, span_us: int = SPAN_US) -> None:
        self.path = path
        self.epoch = ""
        self.head = 0
        self.floor = 1
        self.commits = 0
        self.samples = 0
        self._longest_commit_s = 0.0
        self._engine = Engine(path)
        self._archive = Archive()
        self._ranges = Ranges(self._engine, self._archive)
        self._horizons = Horizons()
        self._durations: deque[float] = deque(maxlen=1000)
        self._turn = asyncio.Lock()
        alone = asyncio.Lock()
        self._retention = Retention(
            self._engine, self._turn, alone, self._archive, self._horizons, self._dropped
        )
        self._sealer = Sealer(self._engine, self._turn, alone, span_us)

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
                check = crc(row["epoch"], row["floor"], now)
                await connection.execute(
                    insert(schema.log).values(id=1, created_at=now, crc=check, **row)
                )
            newest = 0
            for question in ("SELECT max(seq) FROM events", "SELECT max(last_seq) FROM segments"):
                found_seq = (await connection.exec_driver_sql(question)).scalar()
                newest = max(newest, found_seq or 0)
            await self._horizons.load(connection)
        self.epoch, self.head, self.floor, self.samples = (
            row["epoch"],
            row["head"],
            row["floor"],
            row["samples"],
        )
        given_up = self.floor == self.head + 1
        if newest != self.head and not given_up:
            raise StorageBroken(
                f"the log says its newest event is {self.head}, but {newest} is the newest it holds",
                "restore the last backup into a new directory",
            )

    async def close(self) -> None:
        await self._engine.close()

    async def append(
        self, drafts: Sequence[Draft], receipts: Sequence[Receipt | Taken] = ()
    ) -> list[Event]:
        """Commit all or nothing, in order; returns when fsync has (law ack-is-durable).

        Receipts carry seqs relative to this batch: 1 is its first event.
        """
        keyed = [receipt for receipt in receipts if isinstance(receipt, Receipt)]
        taken = [receipt for receipt in receipts if isinstance(receipt, Taken)]
        async with self._turn:
            events, rows = await self._places(drafts)
            samples = sum(
                len(event.data.ids) for event in events if isinstance(event.data, Metrics)
            )
            with self._timed():
                async with self._engine.transaction() as connection:
                    if rows:
                        driver = await driver_of(connection)
                        await driver.executemany(INSERT, rows)
                        moved = await driver.execute(
                            "UPDATE log SET head = ?, samples = samples + ? WHERE id = 1 AND head = ?",
                            (rows[-1][0], samples, self.head),
                        )
                        if moved.rowcount != 1:
                            raise StorageBroken(
                                f"another program has written to {self.path} behind event {self.head}",
                                "find it and stop it, then start again",
                            )
                    if keyed:
                        await self._keep(connection, keyed)
                    if taken:
                        await producers.keep(connection, taken, self.head)
            if rows:
                self.head = rows[-1][0]
                self.samples += samples
        return events

    async def _places(self, drafts: Sequence[Draft]) -> tuple[list[Event], list[tuple[Any, ...]]]:
        """The drafts with the next seqs, and as rows. Lets others in now and then."""
        events: list[Event] = []
        rows: list[tuple[Any, ...]] = []
        for seq, draft in enumerate(drafts, self.head + 1):
            fact = draft.data
            events.append(Event(seq, draft.at, draft.source, fact))
            row = (seq, draft.at, draft.source, fact.type, fact.version, codec.encode(fact))
            rows.append((*row, crc(*row)))
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
                    "crc": crc(r.key, r.at, r.first + offset, r.last + offset, r.body),
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
        return (
            Receipt(row["key"], row["at"], row["first"], row["last"], row["body"]) if row else None
        )

    async def taken(self, producer: str, epoch: str) -> Taken | None:
        """The newest batch of a producer in one of its epochs."""
        async with self._engine.reader() as connection:
            return await producers.newest(connection, producer, epoch)

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
        """Events with `after < seq ≤ until` and `start ≤ at < end` (µs), oldest first, at most `limit`.

        Facts and ticks, from rows and from segments alike: a reader cannot tell what is sealed.
        """
        wanted = None if types is None else list(types)
        ask = _Ask(after, self.head if until is None else until, start, end, source)
        async with self._engine.snapshot() as connection:
            rows = await self._rows(connection, ask, limit, wanted)
            if wanted is not None and "metrics" not in wanted:
                return [_event(row) for row in rows]
            # Beyond the last of a full page nothing is wanted: what is sealed there comes in its turn.
            last = rows[-1]["seq"] if len(rows) == limit else ask.until
            ticks: list[Tick] = []
            most = None if ask.picks else limit
            for segment in await self._archive.after(connection, after, last):
                if ask.misses(segment.start_at, segment.end_at):
                    continue
                found = await self._archive.ticks(connection, segment, after, source, most)
                ticks += [tick for tick in found if tick.seq <= last and ask.takes(tick)]
                if len(ticks) >= limit:
                    break
        events = [_event(row) for row in rows] + [
            Event(t.seq, t.at, t.source, Metrics(tuple(t.ids), tuple(t.values))) for t in ticks
        ]
        if ticks:
            events.sort(key=lambda event: event.seq)
        return events[:limit]

    async def _rows(
        self, connection: AsyncConnection, ask: "_Ask", limit: int, types: list[str] | None
    ) -> Sequence[RowMapping]:
        table = schema.events
        query = select(table).where(table.c.seq > ask.after, table.c.seq <= ask.until)
        if ask.start is not None or ask.end is not None:
            within = [table.c.at >= ask.start] if ask.start is not None else []
            within += [table.c.at < ask.end] if ask.end is not None else []
            # The index answers with the bounds of the seqs, and the ordered scan stays short.
            bounds = select(func.min(table.c.seq), func.max(table.c.seq)).where(*within)
            low, high = (await connection.execute(bounds)).one()
            if low is None:
                return []
            query = query.where(table.c.seq.between(low, high), *within)
        if types is not None:
            query = query.where(table.c.type.in_(types))
            if "metrics" not in types:  # said again, in the words of the partial index
                query = query.where(table.c.type != "metrics")
        if ask.source is not None:
            query = query.where(table.c.source == ask.source)
        ordered = query.order_by(table.c.seq).limit(limit)
        return (await connection.execute(ordered)).mappings().all()

    async def columns(
        self, source: str, ids: Iterable[int], start: int, end: int, most: int = 1_000_000
    ) -> Columns:
        """The samples of some series of one source with `start ≤ at < end` (µs), decoded off the loop:
        sealed columns, and ticks that still stand as rows.

        Raises:
            TooMuch: there are more than `most` ticks in the range.
        """
        return await self._ranges.columns(source, ids, start, end, most)

    async def buckets(
        self, ids: Collection[int], start: int, end: int, tier_s: int, most: int = 1_000_000
    ) -> dict[int, Buckets]:
        """The buckets of a rollup tier that begin at `start ≤ at < end` (µs), up to the last commit."""
        return await self._ranges.buckets(ids, start, end, tier_s, most)

    def halt(self) -> None:
        """Begin no further piece of sealing or forgetting: the server is stopping."""
        self._sealer.halted = self._retention.halted = True

    def since(self, tier_s: int) -> int:
        """The time (µs) from which a tier is whole, 0 s being the raw samples; 0 if it always was."""
        return self._horizons.at(tier_s)

    async def first_seq_since(self, at: int) -> int | None:
        """A seq before which no event has a time of `at` (µs) or later; None when none has."""
        async with self._engine.snapshot() as connection:
            found = [
                (await connection.exec_driver_sql(question, (at,))).scalar()
                for question in (
                    "SELECT min(seq) FROM events WHERE at >= ?",
                    # The index has both times; the rows each carry a head, and are not walked for them.
                    "SELECT min(first_seq) FROM segments WHERE id IN "
                    "(SELECT id FROM segments INDEXED BY segments_at WHERE end_at >= ?)",
                )
            ]
        return min((seq for seq in found if seq is not None), default=None)

    async def seal(self, settled: int, *, all_of_it: bool = False) -> int:
        """Seal the closed spans of ticks up to the seq `settled`; how many segments were made."""
        return await self._sealer.seal(settled, all_of_it=all_of_it)

    async def forget(self, keep: Keep, now: int) -> Gone:
        """Drop what is past its time, give the space back, keep the WAL short."""
        gone = await self._retention.apply(keep, now)
        async with self._turn, self._engine.transaction() as connection:
            await producers.forget(connection)
        await self._retention.give_back()
        if (await asyncio.get_running_loop().run_in_executor(None, self._sizes))[1] > WAL_BYTES:
            async with self._turn:
                await self._engine.truncate_wal()
        return gone

    def _dropped(self, floor: int, samples: int) -> None:
        self.floor = max(self.floor, floor)
        self.samples -= samples

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
        cells = (row["name"], row["version"], row["seq"], row["body"])
        # Disposable: what is not as it was written is folded anew.
        if row["crc"] not in (None, crc(*cells)):
            return None
        body = row["body"]
        if body[: len(ZSTD)] == ZSTD:
            body = zstandard.ZstdDecompressor().decompress(body)
        return row["seq"], body

    async def save_checkpoint(self, name: str, version: int, seq: int, body: bytes) -> None:
        # Mostly names, which repeat themselves: a sixth is left. In a thread, for there may be many.
        body = await asyncio.get_running_loop().run_in_executor(None, zstandard.compress, body)
        async with self._turn, self._engine.transaction() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO checkpoints (name, version, seq, body, crc) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET version = excluded.version, seq = excluded.seq, "
                "body = excluded.body, crc = excluded.crc",
                (name, version, seq, body, crc(name, version, seq, body)),
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
            over_bytes=self._retention.over,
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


class _Ask(NamedTuple):
    """What a reader asked for, as ticks of segments are measured against it."""

    after: int
    until: int
    start: int | None
    end: int | None
    source: str | None

    @property
    def picks(self) -> bool:
        """Not every tick between its seqs is wanted."""
        return not (self.start is None and self.end is None and self.source is None)

    def misses(self, first: int, last: int) -> bool:
        return (self.start is not None and last < self.start) or (
            self.end is not None and first >= self.end
        )

    def takes(self, tick: Tick) -> bool:
        return (self.source is None or tick.source == self.source) and not self.misses(
            tick.at, tick.at
        )


def _event(row: RowMapping) -> Event:
    return Event(
        row["seq"], row["at"], row["source"], codec.decode(row["type"], row["version"], row["body"])
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
