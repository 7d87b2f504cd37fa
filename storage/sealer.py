"""Turns closed spans of ticks into segments. What leaves `events` and what takes its place change in one
transaction, after the segment has been unsealed again and found to be the same."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec, strips, tiers
from storage.checksum import crc
from storage.engine import Engine
from storage.errors import Damaged, StorageBroken
from storage.segments import Head, Sealed, Tick, column, digest, seal, unseal

FORMAT = 1
GENESIS = bytes(32)
"""What the first segment's hash is chained to."""
PAGE = 500
MOST_SAMPLES = 1_000_000
"""A segment of more would take too much memory to seal; a span ends there whatever the clock says."""

log_ = structlog.get_logger(__name__)


class Span(NamedTuple):
    """Ticks to be sealed together. `closed` when no later tick may belong to it."""

    ticks: list[Tick]
    closed: bool


class Sealer:
    """`turn` is the writer's lock: sealing takes its turn between commits.

    A span is `span_us` long by the clock of its samples, aligned to that clock, so that segments of
    different hosts end together.
    """

    def __init__(self, engine: Engine, turn: asyncio.Lock, span_us: int) -> None:
        self._engine = engine
        self._turn = turn
        self._span_us = span_us

    async def seal(self, settled: int, *, all_of_it: bool = False) -> int:
        """Seal every closed span among the ticks up to the seq `settled`; with `all_of_it` the last,
        open one as well. Returns how many segments were made."""
        made = 0
        while (span := await self._next(settled)).ticks and (span.closed or all_of_it):
            begun = time.perf_counter()
            sealed, columns = await _off_loop(_sealed, span.ticks)
            await self._store(sealed, columns)
            made += 1
            log_.debug(
                "sealed",
                ticks=sealed.ticks,
                samples=sealed.samples,
                bytes=len(sealed.head) + sum(map(len, sealed.columns.values())),
                seconds=round(time.perf_counter() - begun, 3),
            )
        return made

    async def _next(self, settled: int) -> Span:
        ticks: list[Tick] = []
        samples, end = 0, 0
        async with self._engine.reader() as connection:
            seq = (
                await connection.exec_driver_sql("SELECT max(last_seq) FROM segments")
            ).scalar() or 0
        while True:
            async with self._engine.reader() as connection:
                page: Any = (
                    await connection.exec_driver_sql(
                        "SELECT seq, at, source, type, version, body, crc FROM events "
                        "WHERE seq > ? AND seq <= ? AND type = 'metrics' ORDER BY seq LIMIT ?",
                        (seq, settled, PAGE),
                    )
                ).all()
            if not page:
                return Span(ticks, False)
            for tick in await _off_loop(_ticks, page):
                end = end or (tick.at // self._span_us + 1) * self._span_us
                if ticks and (tick.at >= end or samples + len(tick.ids) > MOST_SAMPLES):
                    return Span(ticks, True)
                ticks.append(tick)
                samples += len(tick.ids)
            seq = page[-1][0]

    async def _store(self, sealed: Sealed, columns: tiers.Columns) -> None:
        directory, pieces = strips.cut(sealed.columns)
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
                    FORMAT,
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
            await tiers.add(connection, columns, sealed.last_seq)

    async def _last(self, connection: AsyncConnection) -> tuple[int, bytes]:
        row: Any = (
            await connection.exec_driver_sql(
                "SELECT id, hash FROM segments ORDER BY id DESC LIMIT 1"
            )
        ).one_or_none()
        return (row[0], row[1]) if row else (0, GENESIS)


def _ticks(page: Sequence[Any]) -> list[Tick]:
    ticks = []
    for *row, check in page:
        # A damaged tick must not become part of a segment, whose hash would vouch for it.
        if check not in (None, crc(*row)):
            raise Damaged(f"event {row[0]} is not as it was written, so it is not sealed")
        ticks.append(Tick(row[0], row[1], row[2], *codec.samples(row[5])))
    return ticks


def _sealed(ticks: list[Tick]) -> tuple[Sealed, tiers.Columns]:
    """The segment, proved, and its raw columns for the rollups."""
    sealed = seal(ticks)
    head = Head.read(sealed.head)
    if not same(unseal(head, sealed.columns), ticks):
        raise StorageBroken(
            f"the ticks {sealed.first_seq} to {sealed.last_seq} do not come back from their segment",
            "they stay as they are; please report this with a copy of the directory",
        )
    return sealed, {id_: column(head, id_, sealed.columns.get(id_)) for id_ in head.series()}


def same(ones: Sequence[Tick], others: Sequence[Tick]) -> bool:
    """Equal to the bit: a value's spelling follows from its double, so the doubles are compared."""
    return len(ones) == len(others) and all(
        one[:3] == other[:3]
        and list(one.ids) == list(other.ids)
        and np.array(one.values, np.float64).tobytes()
        == np.array(other.values, np.float64).tobytes()
        for one, other in zip(ones, others, strict=True)
    )


async def _off_loop(work: Callable[[Any], Any], what: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, what)
