"""Turns closed spans of ticks into segments. What leaves `events` and what takes its place change in one
transaction, after the segment has been unsealed again and found to be the same."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgpack
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec, strips, tiers
from storage.checksum import crc
from storage.engine import Engine
from storage.errors import Damaged, StorageBroken
from storage.segments import Head, Sealed, Tick, column, digest, holds, seal

GENESIS = bytes(32)
"""What the first segment's hash is chained to."""
PAGE = 500
LOOKED_AT = 1000
"""Rows of which only the first bytes are looked at, to find out where a span ends."""
MOST_SAMPLES = 1_000_000
"""A segment of more would take too much memory to seal; a span ends there whatever the clock says."""
MOST_TICKS = 50_000
"""A span ends here, too: its rows leave in one transaction, for which commits wait."""

MOST_EARLY = 300
"""So many ticks from before a span close it, should they be two thirds of it: one tick from the future
does not put off sealing until then."""

log_ = structlog.get_logger(__name__)


class Span(NamedTuple):
    """Ticks to be sealed together, from one seq to another, both inside; times before `end` (µs)."""

    first: int
    last: int
    end: int
    ticks: int
    samples: int
    early: int = 0
    """Ticks from long before the span: most of them, when it is its first tick that is dated wrong."""

    def takes(self, at: int, samples: int) -> bool:
        return (
            at < self.end
            and self.ticks < MOST_TICKS
            and self.samples + samples <= MOST_SAMPLES
            and not (self.early >= MOST_EARLY and 3 * self.early >= 2 * self.ticks)
        )


class Sealer:
    """`turn` is the writer's lock: sealing takes its turn between commits. `alone` is held by whoever
    changes segments or rollups, so that these can be prepared before the turn is taken.

    A span is `span_us` long by the clock of its samples, aligned to that clock, so that segments of
    different hosts end together.

    What cannot be sealed (a row that is not as it was written, or that no segment can hold) stays a row,
    between the segments of what is before and behind it, and is said once.
    """

    def __init__(
        self, engine: Engine, turn: asyncio.Lock, alone: asyncio.Lock, span_us: int
    ) -> None:
        self._engine = engine
        self._turn = turn
        self.halted = False
        """No further span is begun: the server is stopping."""
        self._alone = alone
        self._span_us = span_us
        self._open: Span | None = None
        """What was found of the span that is next; each row is looked at once."""
        self._passed = 0
        """All up to here is sealed or stays."""
        self._said: set[str] = set()

    async def seal(self, settled: int, *, all_of_it: bool = False) -> int:
        """Seal every closed span among the ticks up to the seq `settled`; with `all_of_it` the last,
        open one as well. Returns how many segments were made."""
        made = 0
        async with self._alone:
            while not self.halted and (span := await self._next(settled, all_of_it)) is not None:
                for run in await self._runs(span):
                    made += await self._seal(run)
                self._open, self._passed = None, span.last
        return made

    async def _next(self, settled: int, all_of_it: bool) -> Span | None:
        """The next span, if it is closed: no later tick may belong to it."""
        if not self._passed:
            async with self._engine.reader() as connection:
                # Up to here: a damaged one that says it ends in the future ends no sealing.
                newest = await connection.exec_driver_sql(
                    "SELECT max(last_seq) FROM segments WHERE last_seq <= ?", (settled,)
                )
                self._passed = newest.scalar() or 0
        while True:
            after = self._open.last if self._open else self._passed
            async with self._engine.reader() as connection:
                # The first bytes of a tick tell how many series it names.
                found = await connection.exec_driver_sql(
                    "SELECT seq, at, CAST(substr(body, 1, 6) AS BLOB) FROM events "
                    "WHERE seq > ? AND seq <= ? AND type = 'metrics' ORDER BY seq LIMIT ?",
                    (after, settled, LOOKED_AT),
                )
                page: Any = found.all()
            if not page:
                return self._open if all_of_it else None
            for seq, at, begin in page:
                samples = codec.named(begin)
                if type(at) is not int:  # damaged: it stays, in whichever span
                    at = self._open.end - 1 if self._open else 0
                span = self._open or Span(seq, seq, (at // self._span_us + 1) * self._span_us, 0, 0)
                if span.ticks and not span.takes(at, samples):
                    return span
                self._open = span._replace(
                    last=seq,
                    ticks=span.ticks + 1,
                    samples=span.samples + samples,
                    early=span.early + (at < span.end - 2 * self._span_us),
                )
            await asyncio.sleep(0)

    async def _seal(self, run: list[Tick]) -> int:
        """One segment, or as many as it takes to leave out what no segment can hold."""
        begun = time.perf_counter()
        try:
            sealed, columns = await _off_loop(_sealed, run)
        except (ValueError, _Unlike) as error:
            if len(run) == 1:
                self._say(f"event {run[0].seq} cannot be sealed and stays a row: {error}")
                return 0
            half = len(run) // 2
            return await self._seal(run[:half]) + await self._seal(run[half:])
        await self._store(sealed, columns)
        log_.debug(
            "sealed",
            ticks=sealed.ticks,
            samples=sealed.samples,
            bytes=len(sealed.head) + sum(map(len, sealed.columns.values())),
            seconds=round(time.perf_counter() - begun, 3),
        )
        return 1

    async def _runs(self, span: Span) -> list[list[Tick]]:
        """The ticks of a span, apart where one lies between that stays."""
        runs: list[list[Tick]] = [[]]
        after = span.first - 1
        while True:
            async with self._engine.reader() as connection:
                found = await connection.exec_driver_sql(
                    "SELECT seq, at, CAST(source AS BLOB), type, version, CAST(body AS BLOB), crc "
                    "FROM events "
                    "WHERE seq > ? AND seq <= ? AND type = 'metrics' ORDER BY seq LIMIT ?",
                    (after, span.last, PAGE),
                )
                page: Any = found.all()
            if not page:
                return [run for run in runs if run]
            for seq, tick in await _off_loop(_ticks, page):
                if tick is not None:
                    runs[-1].append(tick)
                else:
                    self._say(f"event {seq} is not as it was written, so it is not sealed")
                    runs.append([])
            after = page[-1][0]

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            log_.error("part of the log is damaged", what=what, hint=Damaged.remedy)

    async def _store(self, sealed: Sealed, columns: tiers.Columns) -> None:
        directory, pieces = await _off_loop(strips.cut, sealed.columns)
        async with self._engine.snapshot() as reader:
            rollups = await tiers.prepare(reader, columns)
        for what in rollups.damaged:
            self._say(what)
        async with self._turn, self._engine.transaction() as connection:
            id_, previous = await self._last(connection)
            id_ += 1
            await connection.exec_driver_sql(
                "INSERT INTO segments (id, first_seq, last_seq, start_at, end_at, ticks, samples, "
                "format, head, directory, hash, previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id_,
                    sealed.first_seq,
                    sealed.last_seq,
                    sealed.start_at,
                    sealed.end_at,
                    sealed.ticks,
                    sealed.samples,
                    sealed.head[0],
                    sealed.head,
                    directory,
                    digest(previous, sealed.head, sealed.columns),
                    previous,
                ),
            )
            rows = [(id_ << 32 | place, strip) for place, strip in enumerate(pieces)]
            if rows:
                await connection.exec_driver_sql(
                    "INSERT INTO strips (place, body) VALUES (?, ?)", rows
                )
            gone = await connection.exec_driver_sql(
                "DELETE FROM events WHERE seq BETWEEN ? AND ? AND type = 'metrics'",
                (sealed.first_seq, sealed.last_seq),
            )
            if gone.rowcount != sealed.ticks:
                raise StorageBroken(
                    f"{gone.rowcount} ticks stand where {sealed.ticks} were sealed "
                    f"({sealed.first_seq} to {sealed.last_seq})"
                )
            await tiers.write(connection, rollups, sealed.last_seq)

    async def _last(self, connection: AsyncConnection) -> tuple[int, bytes]:
        row: Any = (
            await connection.exec_driver_sql(
                "SELECT id, hash FROM segments ORDER BY id DESC LIMIT 1"
            )
        ).one_or_none()
        return (row[0], row[1]) if row else (0, GENESIS)


def _ticks(page: Sequence[Any]) -> list[tuple[int, Tick | None]]:
    """By their seqs; None for what must not become part of a segment, whose hash would vouch for it."""
    ticks: list[tuple[int, Tick | None]] = []
    for seq, at, source, *rest, check in page:
        row = (seq, at, source.decode(errors="replace"), *rest)
        tick = None
        if check in (None, crc(*row)):
            with contextlib.suppress(ValueError, TypeError, msgpack.UnpackException):
                tick = Tick(seq, at, row[2], *codec.samples(row[5]))
        ticks.append((seq, tick))
    return ticks


class _Unlike(Exception):
    """What was sealed does not come back the same."""


def _sealed(ticks: list[Tick]) -> tuple[Sealed, tiers.Columns]:
    """The segment, proved, and its raw columns for the rollups."""
    sealed = seal(ticks)
    head = Head.read(sealed.head)
    if not holds(head, sealed.columns, ticks):
        raise _Unlike(
            f"ticks {sealed.first_seq} to {sealed.last_seq} do not come back from their segment"
        )
    return sealed, {id_: column(head, id_, sealed.columns.get(id_)) for id_ in head.series()}


async def _off_loop(work: Callable[[Any], Any], what: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, what)
