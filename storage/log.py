"""The event log: append in one transaction, read in order, never a hole in `seq`."""

import asyncio
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import arrivals, codec, producers, receipts, sqlite, tiers
from storage.archive import Archive, Columns, Segment
from storage.arrivals import Arrival, AsOf
from storage.checksum import crc
from storage.damages import Damages
from storage.engine import Engine, Plan, fetched
from storage.errors import Damaged, StorageBroken
from storage.events import Draft, Event, Metrics, Unreadable
from storage.horizons import Horizons
from storage.producers import Taken
from storage.ranges import Ranges
from storage.receipts import Receipt
from storage.retention import WAL_BYTES, Gone, Keep, Retention
from storage.rollups import TIERS, Buckets
from storage.rows import EVENT, told
from storage.sealer import Sealer
from storage.segments import Head, Tick
from storage.skim import Skim

INSERT = (
    # A row that stands beyond the head got there by damage, and is no reason to record nothing more.
    "INSERT OR REPLACE INTO events (seq, at, source, type, version, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
PAGE = 1000
"""Rows a read hands over at once: long enough to be quick, short enough to let others in."""

ENCODED = 1000
"""Events encoded before others get the loop: a tick can hold a thousand samples."""

ZSTD = zstandard.FRAME_HEADER
"""What was saved by an older program does not begin with it."""

SEGMENTS = 16
"""Segments looked up at once: a page seldom needs more than one."""

HEALED = "restore the last backup, or let verify --salvage save what is provable"

LATEST = 2**63 - 1
"""No time is later."""

SPAN_US = 600_000_000
"""How long a segment is: ten minutes."""


class LogStats(msgspec.Struct, frozen=True):
    """`bytes` counts the file and its WAL; `over_bytes` is by how much the bound of retention is not kept.
    Commit times are over the last 1,000 commits. `damaged` counts the parts that reading has met since the
    start and that are not as they were written."""

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
    damaged: int
    sqlite_version: str


class Log:
    """Opened once by `run.py`. `append` belongs to the spine alone (law one-writer).

    `epoch` is the identity of this log, `head` the newest committed seq (0 when empty),
    `floor` the oldest seq still held, `samples` how many samples its ticks carry, `begun`
    whether nothing had been written before it was opened.
    """

    def __init__(self, path: Path, span_us: int = SPAN_US) -> None:
        self.path = path
        self.epoch = ""
        self.head = 0
        self.floor = 1
        self.commits = 0
        self.samples = 0
        self.begun = False
        self._longest_commit_s = 0.0
        self._facts = (1, 0)
        """A floor, and how many facts are held below it."""
        self._receipts: int | None = None
        """How many receipts are held, once they have been counted."""
        self._engine = Engine(path)
        self.damages = Damages()
        self._archive = Archive(self.damages)
        self._ranges = Ranges(self._engine, self._archive, self.damages)
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
            StorageBroken: the head on record is not the newest event held, or that record is damaged.
        """
        try:
            await self._open(now)
        except BaseException:
            await self._engine.close()
            raise

    async def _open(self, now: int) -> None:
        await self._engine.open()
        async with self._engine.transaction() as connection:
            found = await fetched(
                connection, "SELECT epoch, head, floor, samples, created_at, crc FROM log"
            )
            if found:
                [(epoch, head, floor, samples, created_at, check)] = found
                if check not in (None, crc(epoch, floor, created_at)):
                    raise StorageBroken(
                        "the log's own record, its epoch and its floor, is not as it was written",
                        HEALED,
                    )
            else:
                epoch, head, floor, samples = secrets.token_hex(8), 0, 1, 0
                await connection.exec_driver_sql(
                    "INSERT INTO log (id, epoch, head, floor, samples, created_at, crc) "
                    "VALUES (1, ?, ?, ?, ?, ?, ?)",
                    (epoch, head, floor, samples, now, crc(epoch, floor, now)),
                )
            astray = await self._astray(connection, head)
            newest = 0
            for question in (
                "SELECT max(seq) FROM events WHERE seq <= ?",
                "SELECT max(last_seq) FROM segments WHERE last_seq <= ?",
            ):
                [(last,)] = await fetched(connection, question, (head,))
                newest = max(newest, last or 0)
            await self._horizons.load(connection)
            self.begun = head == 0
        self.epoch, self.head, self.floor, self.samples = epoch, head, floor, samples
        given_up = self.floor == self.head + 1
        if self.head - newest > astray and not given_up:
            raise StorageBroken(
                f"the log says its newest event is {self.head}, but {newest} is the newest it holds",
                HEALED,
            )

    async def _astray(self, connection: AsyncConnection, head: int) -> int:
        """How many parts stand beyond the head because the number of their place is damaged.

        Raises:
            StorageBroken: one of them is as it was written, so that the head is not.
        """
        beyond: list[int] = []
        damaged: list[tuple[str, str]] = []
        for row in await fetched(
            connection,
            f"SELECT {EVENT} FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            (head, PAGE),
        ):
            event = told(row)
            if isinstance(event.data, Unreadable):
                damaged.append((f"event {event.seq}", event.data.detail))
            else:
                beyond.append(event.seq)
        for id_, last, body in await fetched(
            connection, "SELECT id, last_seq, head FROM segments WHERE last_seq > ?", (head,)
        ):
            detail = f"it says it ends with event {last}, and the log ends with {head}"
            try:
                newest = int(Head.read(body).seqs[-1])
            except Damaged as error:
                newest, detail = 0, error.detail
            if newest > head:
                beyond.append(newest)
            else:
                damaged.append((f"segment {id_}", detail))
        if beyond:
            raise StorageBroken(
                f"the log says its newest event is {head}, but {max(beyond)} is the newest it holds",
                HEALED,
            )
        for place, detail in damaged:
            self.damages.note(place, detail)
        return len(damaged)

    async def close(self) -> None:
        await self._engine.close()

    async def append(
        self, drafts: Sequence[Draft], answers: Sequence[Receipt | Taken] = ()
    ) -> list[Event]:
        """Commit all or nothing, in order; returns when fsync has (law ack-is-durable).

        Answers carry seqs relative to this batch: 1 is its first event.
        """
        keyed = [answer for answer in answers if isinstance(answer, Receipt)]
        taken = [answer for answer in answers if isinstance(answer, Taken)]
        async with self._turn:
            events, rows = await self._places(drafts)
            samples = sum(
                len(event.data.ids) for event in events if isinstance(event.data, Metrics)
            )
            head, held = self.head, self._receipts

            def write(connection: sqlite3.Connection) -> int | None:
                if rows:
                    connection.executemany(INSERT, rows)
                    moved = connection.execute(
                        "UPDATE log SET head = ?, samples = samples + ? WHERE id = 1 AND head = ?",
                        (rows[-1][0], samples, head),
                    )
                    if moved.rowcount != 1:
                        raise StorageBroken(
                            f"another program has written to {self.path} behind event {head}",
                            "find it and stop it, then start again",
                        )
                if taken:
                    producers.keep(connection, taken, head)
                return receipts.keep(connection, keyed, head, held) if keyed else None

            if keyed:
                # Until this is committed it is not known.
                self._receipts = None
            with self._timed():
                kept = await self._engine.transact(write)
            if keyed:
                self._receipts = kept
            if rows:
                self.head = rows[-1][0]
                self.samples += samples
                ats = [event.at for event in events if isinstance(event.data, Metrics)]
                if ats:
                    self._ranges.came(min(ats), max(ats))
        return events

    async def _places(self, drafts: Sequence[Draft]) -> tuple[list[Event], list[tuple[Any, ...]]]:
        """The drafts with the next seqs, and as rows. Lets others in now and then."""
        events: list[Event] = []
        rows: list[tuple[Any, ...]] = []
        bodies = codec.encoded(draft.data for draft in drafts)
        for seq, (draft, body) in enumerate(zip(drafts, bodies, strict=True), self.head + 1):
            fact = draft.data
            events.append(Event(seq, draft.at, draft.source, fact))
            row = (seq, draft.at, draft.source, fact.type, fact.version, body)
            rows.append((*row, crc(*row)))
            if len(rows) % ENCODED == 0:
                await asyncio.sleep(0)
        return events, rows

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
        async with self._engine.reader() as connection:
            try:
                return await receipts.find(connection, key)
            except Damaged as error:
                self.damages.note(f"receipt {key}", error.detail)
                return None

    async def taken(self, producer: str, epoch: str) -> Taken | None:
        """The newest batch of a producer in one of its epochs."""
        async with self._engine.reader() as connection:
            try:
                return await producers.newest(connection, producer, epoch)
            except Damaged as error:
                self.damages.note(f"producer {producer} {epoch}", error.detail)
                return None

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

        Facts and ticks, from rows and from segments alike: a reader cannot tell what is sealed. An event
        that is not as it was written is `Unreadable`, and is noted in `damages`. Who asks without `start`,
        `end`, `types` and `source` is told of every event from the floor on: of one that stands nowhere, too.
        """
        wanted = None if types is None else list(types)
        until = self.head if until is None else min(until, self.head)
        ask = _Ask(after, until, start, end, source)
        async with self._engine.snapshot() as connection:
            rows = await self._rows(connection, ask, limit, wanted)
            events = {row[0]: told(row) for row in rows}
            # Beyond the last of a full page nothing is wanted: what is sealed there comes in its turn.
            last = rows[-1][0] if len(rows) == limit else until
            closed: list[tuple[Segment, str]] = []
            if wanted is None or "metrics" in wanted:
                ticks, closed = await self._ticks(connection, ask, last, limit)
                # A row whose seq is not what it was may stand where a tick does.
                events.update((tick.seq, self._tick(tick)) for tick in ticks)
            found = sorted(events)[:limit]
            if len(found) == limit:
                last = found[-1]
            gaps: list[Unreadable] = []
            if wanted is None and not ask.picks:
                gaps = await self._gaps(connection, after, last, found, closed)
            else:
                gaps = [
                    Unreadable(max(after + 1, one.first_seq), one.last_seq, why)
                    for one, why in closed
                    if one.last_seq <= last and one.last_seq not in events
                ]
        for gap in gaps:
            events[gap.last] = Event(gap.last, 0, "", gap)
        page = [events[seq] for seq in sorted(events)[:limit]]
        for event in page:
            if isinstance(event.data, Unreadable):
                self._note(event.data)
        return page

    def _note(self, lost: Unreadable) -> None:
        # What a segment lacks is noted where it was opened.
        if not lost.ids and not lost.detail.startswith("segment "):
            self.damages.note(f"event {span(lost.first, lost.last)}", lost.detail)

    def _tick(self, tick: Tick) -> Event:
        ids, values = tuple(tick.ids), tuple(tick.values)
        if tick.whole:
            return Event(tick.seq, tick.at, tick.source, Metrics(ids, values))
        detail = "a column of its segment cannot be read: it had more values than these"
        lost = Unreadable(tick.seq, tick.seq, detail, ids, values)
        return Event(tick.seq, tick.at, tick.source, lost)

    async def _ticks(
        self, connection: AsyncConnection, ask: "_Ask", last: int, limit: int
    ) -> tuple[list[Tick], list[tuple[Segment, str]]]:
        """Sealed ticks up to `last`, `limit` of them where there are as many, and the segments among them
        that cannot be read."""
        ticks: list[Tick] = []
        closed: list[tuple[Segment, str]] = []
        place = ask.after
        while True:
            segments = await self._archive.after(
                connection, place, last, SEGMENTS, ask.start, ask.end
            )
            for segment in segments:
                try:
                    ticks += await self._archive.ticks(
                        connection,
                        segment,
                        ask.after,
                        limit - len(ticks),
                        ask.start,
                        ask.end,
                        ask.source,
                    )
                except Damaged as error:
                    self._archive.note(segment, error.detail)
                    closed.append((segment, f"segment {segment.id}: {error.detail}"))
                if len(ticks) >= limit:
                    break
            if len(segments) < SEGMENTS or len(ticks) >= limit:
                return [tick for tick in ticks if tick.seq <= last], closed
            place = segments[-1].last_seq

    async def _gaps(
        self,
        connection: AsyncConnection,
        after: int,
        last: int,
        found: Sequence[int],
        closed: Sequence[tuple[Segment, str]],
    ) -> list[Unreadable]:
        """Where there is an event no more, though nobody has given it up."""
        if len(found) == last - after:
            return []
        [(floor,)] = await fetched(connection, "SELECT floor FROM log WHERE id = 1")
        gaps: list[Unreadable] = []
        before = max(after, floor - 1)
        for seq in (*found, last + 1):
            if seq > before + 1:
                why = next(
                    (why for one, why in closed if one.first_seq < seq and one.last_seq > before),
                    "it is neither a row nor in a segment",
                )
                gaps.append(Unreadable(before + 1, seq - 1, why))
            before = max(before, seq)
        return gaps

    async def _rows(
        self, connection: AsyncConnection, ask: "_Ask", limit: int, types: list[str] | None
    ) -> list[Any]:
        where = ["seq > ?", "seq <= ?"]
        values: list[Any] = [ask.after, ask.until]
        within: list[tuple[str, Any]] = []
        if ask.start is not None:
            within.append(("at >= ?", ask.start))
        if ask.end is not None:
            within.append(("at < ?", ask.end))
        if within:
            # The index answers with the bounds of the seqs, and the ordered scan stays short.
            [(low, high)] = await fetched(
                connection,
                f"SELECT min(seq), max(seq) FROM events WHERE {' AND '.join(w for w, _ in within)}",
                tuple(value for _, value in within),
            )
            if low is None:
                return []
            within += [("seq >= ?", low), ("seq <= ?", high)]
        if types is not None:
            if "metrics" not in types:  # said again, in the words of the partial index
                where.append("type <> 'metrics'")
            where.append(f"type IN ({','.join('?' * len(types))})")
            values += types
        if ask.source is not None:
            within.append(("source = ?", ask.source))
        where += [words for words, _ in within]
        values += [value for _, value in within]
        return await fetched(
            connection,
            f"SELECT {EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?",
            (*values, limit),
        )

    async def columns(
        self,
        source: str | None,
        ids: Iterable[int],
        start: int,
        end: int,
        most: int = 1_000_000,
        until: int | None = None,
    ) -> Columns:
        """The samples of some series of one source (None: of any) with `start ≤ at < end` (µs), decoded off the
        loop: sealed columns, and ticks that still stand as rows. With `until`, none that came behind that seq.

        Raises:
            TooMuch: there are more than `most` ticks in the range.
        """
        return await self._ranges.columns(source, ids, start, end, most, until)

    async def buckets(
        self,
        ids: Collection[int],
        start: int,
        end: int,
        tier_s: int,
        most: int = 1_000_000,
        until: int | None = None,
    ) -> dict[int, Buckets]:
        """The buckets of a rollup tier that begin at `start ≤ at < end` (µs), up to the last commit or the seq
        `until`."""
        return await self._ranges.buckets(ids, start, end, tier_s, most, until, self.since(0))

    async def near(self, at: int, source: str | None) -> list[Arrival]:
        """What came of a source, or of all, on both sides of a moment (µs), in order of seq."""
        return await self._engine.look(arrivals.near(self._archive, at, source))

    async def following(self, after: int, until: int, most: int) -> list[Arrival]:
        """Seqs and times of what came with `after < seq ≤ until`, at most `most`; no value is read."""
        return await self._engine.look(arrivals.following(self._archive, after, until, most))

    async def as_of(self, until: int) -> AsOf:
        return await self._engine.look(arrivals.as_of(self._archive, until))

    async def alert(self, seq: int, back: bool, until: int) -> int | None:
        """The last alert before an event, or the first behind it up to another."""
        side = "seq < ? ORDER BY seq DESC" if back else "seq > ? AND seq <= ? ORDER BY seq"
        rows = await self._engine.look(
            _asked(
                f"SELECT seq FROM events WHERE type = 'alert' AND type <> 'metrics' AND {side} LIMIT 1",
                (seq,) if back else (seq, until),
            )
        )
        return rows[0][0] if rows else None

    async def facts_after(self, after: int, until: int, limit: int = PAGE) -> list[Event]:
        """Events with `after < seq ≤ until` that are no ticks, oldest first."""
        async with self._engine.snapshot() as connection:
            rows = await fetched(
                connection,
                f"SELECT {EVENT} FROM events WHERE seq > ? AND seq <= ? AND type <> 'metrics' "
                "ORDER BY seq LIMIT ?",
                (after, until, limit),
            )
        return [told(row) for row in rows]

    def halt(self) -> None:
        """Begin no further piece of sealing or forgetting: the server is stopping."""
        self._sealer.halted = self._retention.halted = True

    def since(self, tier_s: int) -> int:
        """The time (µs) from which a tier is whole, 0 s being the raw samples; 0 if it always was."""
        return self._horizons.at(tier_s)

    async def remembered(self) -> dict[int, tiers.End]:
        """Of each series what the coarsest tier remembers of its first and last sample, raw or gone.

        Raises:
            Damaged: a block of it cannot be read.
        """
        async with self._engine.snapshot() as connection:
            return await tiers.ends(connection, TIERS[-1])

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

    async def sealed(self) -> int:
        """The last seq in a segment, 0 without any: no tick up to there is expected as a row."""
        [(last,)] = await self._engine.look(_asked("SELECT max(last_seq) FROM segments"))
        return min(last or 0, self.head)

    async def skims(self, after: int, most: int) -> list[Skim]:
        """What the first `most` segments after a seq tell without a value being read."""
        return await self._engine.look(self._archive.skims(after, most))

    async def lasts(self, segment: int, ids: Iterable[int]) -> dict[int, tuple[int, float]]:
        """Time (µs) and value of the last sample of some series in a segment, as far as they can be read."""
        return await self._engine.look(self._archive.lasts(segment, ids))

    async def rows(self, after: int, until: int, limit: int = PAGE) -> list[Event]:
        """Events with `after < seq ≤ until` that stand as rows: facts, and ticks that are not sealed."""
        async with self._engine.snapshot() as connection:
            found = await self._rows(connection, _Ask(after, until, None, None, None), limit, None)
            events = [told(row) for row in found]
        for event in events:
            if isinstance(event.data, Unreadable):
                self._note(event.data)
        return events

    async def facts(
        self,
        types: Collection[str],
        before: int,
        limit: int,
        *,
        start: int | None = None,
        end: int | None = None,
        source: str | None = None,
    ) -> list[Event]:
        """The newest `limit` facts before a seq with `start ≤ at < end` (µs), newest first; of these types, or
        of all. Ticks are no facts. What is not as it was written is `Unreadable` here, too."""
        wanted = {
            f"type IN ({','.join('?' * len(types))})": tuple(types),
            "at >= ?": (start,),
            "at < ?": (end,),
            "source = ?": (source,),
        }
        picks = {words: of for words, of in wanted.items() if of and of[0] is not None}
        events = await self._engine.look(_facts(picks, min(before, self.head + 1), limit))
        for event in events:
            if isinstance(event.data, Unreadable):
                self._note(event.data)
        return events

    async def last_before(self, seq: int) -> int | None:
        """The time (µs) of the newest tick before a seq, None where none is held or it cannot be read."""
        return await self._engine.look(self._archive.last_before(seq))

    def damaged(self, start: int, end: int) -> list[str]:
        """Parts with samples of `start ≤ at < end` (µs) that reading has met and that cannot be read."""
        return self.damages.within(start, end)

    async def seal(self, settled: int, *, all_of_it: bool = False) -> int:
        """Seal the closed spans of ticks up to the seq `settled`; how many segments were made."""
        return await self._sealer.seal(settled, all_of_it=all_of_it)

    async def forget(self, keep: Keep, now: int, latest: int = 0) -> Gone:
        """Drop what is past its time, give the space back, keep the WAL short. Only what is dated later than
        `latest`, or `now`, is taken for dated ahead."""
        gone = await self._retention.apply(keep, now, max(now, latest))
        async with self._turn, self._engine.transaction() as connection:
            await producers.forget(connection)
        while await self._forget_receipts(now) and not self._retention.halted:
            await asyncio.sleep(0)
        await self._retention.give_back()
        if (await asyncio.get_running_loop().run_in_executor(None, self._sizes))[1] > WAL_BYTES:
            async with self._turn:
                await self._engine.truncate_wal()
        return gone

    async def _forget_receipts(self, now: int) -> int:
        async with self._turn:
            held, self._receipts = self._receipts, None
            async with self._engine.transaction() as connection:
                gone = await receipts.forget(connection, now)
            if held is not None:
                self._receipts = held - gone
        return gone

    def _dropped(self, floor: int, samples: int) -> None:
        self.floor = max(self.floor, floor)
        self.samples -= samples
        self._ranges.came(0, LATEST)

    async def checkpoint(self, name: str, version: int) -> tuple[int, bytes] | None:
        """The newest view saved under `name` by a fold of this `version`, with its seq."""
        question = "SELECT version, seq, body, crc FROM checkpoints WHERE name = ?"
        async with self._engine.reader() as connection:
            found = await fetched(connection, question, (name,))
        if not found:
            return None
        [(by, seq, body, check)] = found
        # Disposable: what is not as it was written is folded anew.
        if by != version or seq > self.head or check not in (None, crc(name, by, seq, body)):
            return None
        if body[: len(ZSTD)] == ZSTD:
            body = zstandard.ZstdDecompressor().decompress(body)
        return seq, body

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
            events=self.head - self.floor + 1 + await self._below(),
            samples=self.samples,
            bytes=size + wal,
            wal_bytes=wal,
            over_bytes=self._retention.over,
            bytes_per_sample=round(size / self.samples, 2) if self.samples else None,
            commits=self.commits,
            commit_p50_s=_quantile(durations, 0.50),
            commit_p99_s=_quantile(durations, 0.99),
            damaged=self.damages.count,
            sqlite_version=sqlite.version(),
        )

    async def _below(self) -> int:
        """How many facts outlived the ticks below the floor. It changes when the floor moves, and is counted
        when it is asked for."""
        floor = self.floor
        if self._facts[0] != floor:
            async with self._engine.reader() as connection:
                [(count,)] = await fetched(
                    connection,
                    "SELECT count(*) FROM events WHERE seq BETWEEN 1 AND ?",
                    (floor - 1,),
                )
            self._facts = (floor, count)
        return self._facts[1]

    def _sizes(self) -> tuple[int, int]:
        wal = self.path.with_name(self.path.name + "-wal")
        try:
            return self.path.stat().st_size, wal.stat().st_size if wal.exists() else 0
        except FileNotFoundError as error:
            raise StorageBroken(
                f"{self.path} is gone: it was moved or deleted while it was recorded into",
                "put it back, or restore a backup, and start again",
            ) from error


def _asked(question: str, values: tuple[Any, ...] = ()) -> Plan[list[tuple[Any, ...]]]:
    return (yield question, values)


def _facts(picks: Mapping[str, tuple[Any, ...]], before: int, limit: int) -> Plan[list[Event]]:
    # First the words of the partial index.
    where = " AND ".join(("type <> 'metrics'", "seq < ?", *picks))
    rows = yield (
        f"SELECT {EVENT} FROM events WHERE {where} ORDER BY seq DESC LIMIT ?",
        (before, *(one for of in picks.values() for one in of), limit),
    )
    return [told(row) for row in rows]


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


def span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
