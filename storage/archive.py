"""The sealed part of the log: reads segments, a few columns or whole ticks, decoding off the loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.segments import Head, Tick, column, unseal

HEADS = 512
"""Decoded heads kept: three days of ten-minute segments, some 10 kB each."""
ASKED = 500
"""Columns asked for in one statement."""

Columns = dict[int, tuple[np.ndarray, np.ndarray]]
"""Series id → (times int64 µs, values float64), in order of time."""

META = "SELECT id, first_seq, last_seq, start_at, end_at FROM segments"


class Segment(NamedTuple):
    """Where a segment stands: seqs and times are inclusive."""

    id: int
    first_seq: int
    last_seq: int
    start_at: int
    end_at: int


class Archive:
    """Every method takes the reader's connection, so that one look sees one state of the log."""

    def __init__(self) -> None:
        self._heads: LRUCache[int, Head] = LRUCache(HEADS)

    async def after(
        self, connection: AsyncConnection, seq: int, until: int
    ) -> list[Segment]:
        """Segments that hold a tick with `seq < its seq ≤ until`, perhaps; oldest first."""
        rows = await connection.exec_driver_sql(
            f"{META} WHERE last_seq > ? AND first_seq <= ? ORDER BY first_seq", (seq, until)
        )
        return [Segment(*row) for row in rows.all()]

    async def within(self, connection: AsyncConnection, start: int, end: int) -> list[Segment]:
        """Segments that may hold a sample with `start ≤ at < end`."""
        rows = await connection.exec_driver_sql(
            f"{META} WHERE end_at >= ? AND start_at < ? ORDER BY first_seq", (start, end)
        )
        return [Segment(*row) for row in rows.all()]

    async def columns(
        self, connection: AsyncConnection, ids: Iterable[int], start: int, end: int
    ) -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
        """The sealed samples of some series with `start ≤ at < end`: a piece a segment, each in order
        of time. Reads no column but theirs."""
        wanted = list(ids)
        segments = await self.within(connection, start, end)
        heads = await self._read_heads(connection, segments)
        places = [
            segment.id << 32 | id_
            for segment in segments
            for id_ in wanted
            if heads[segment.id].has(id_) and id_ not in heads[segment.id].constants
        ]
        bodies: dict[int, bytes] = {}
        for begin in range(0, len(places), ASKED):
            some = places[begin : begin + ASKED]
            marks = ",".join("?" * len(some))
            rows = await connection.exec_driver_sql(
                f"SELECT place, body FROM columns WHERE place IN ({marks})", tuple(some)
            )
            bodies.update((row[0], row[1]) for row in rows.all())

        def gather() -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
            found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {id_: [] for id_ in wanted}
            for segment in segments:
                head = heads[segment.id]
                for id_ in wanted:
                    if head.has(id_):
                        at, value = column(head, id_, bodies.get(segment.id << 32 | id_))
                        if segment.start_at < start or segment.end_at >= end:
                            first, last = np.searchsorted(at, (start, end))
                            at, value = at[first:last], value[first:last]
                        if len(at):
                            found[id_].append((at, value))
            return found

        return await asyncio.get_running_loop().run_in_executor(None, gather)

    async def ticks(
        self, connection: AsyncConnection, segment: Segment, after: int, source: str | None
    ) -> list[Tick]:
        """The ticks of a segment after a seq, as they were appended; none if `source` is not in it."""
        head = (await self._read_heads(connection, [segment]))[segment.id]
        if source is not None and source not in head.sources:
            return []
        bodies = await self._bodies(connection, segment)
        return await asyncio.get_running_loop().run_in_executor(
            None, unseal, head, bodies, after
        )

    async def whole(self, connection: AsyncConnection, segment: Segment) -> Columns:
        """Every series of a segment, decoded."""
        head = (await self._read_heads(connection, [segment]))[segment.id]
        bodies = await self._bodies(connection, segment)
        return await asyncio.get_running_loop().run_in_executor(None, _whole, head, bodies)

    async def _bodies(self, connection: AsyncConnection, segment: Segment) -> dict[int, bytes]:
        rows = await connection.exec_driver_sql(
            "SELECT place, body FROM columns WHERE place BETWEEN ? AND ?",
            (segment.id << 32, (segment.id + 1 << 32) - 1),
        )
        return {row[0] & 0xFFFFFFFF: row[1] for row in rows.all()}

    async def _read_heads(
        self, connection: AsyncConnection, segments: Sequence[Segment]
    ) -> Mapping[int, Head]:
        heads = {s.id: self._heads[s.id] for s in segments if s.id in self._heads}
        missing = [s.id for s in segments if s.id not in heads]
        loop = asyncio.get_running_loop()
        for begin in range(0, len(missing), ASKED):
            some = missing[begin : begin + ASKED]
            marks = ",".join("?" * len(some))
            rows = await connection.exec_driver_sql(
                f"SELECT id, head FROM segments WHERE id IN ({marks})", tuple(some)
            )
            read: dict[int, Head] = await loop.run_in_executor(None, _heads, rows.all())
            heads.update(read)
            self._heads.update(read)
        return heads

    def forget(self, ids: Iterable[int]) -> None:
        """Segments that are gone."""
        for id_ in ids:
            self._heads.pop(id_, None)


def _heads(rows: Sequence[Any]) -> dict[int, Head]:
    return {row[0]: Head.read(row[1]) for row in rows}


def _whole(head: Head, bodies: Mapping[int, bytes]) -> Columns:
    return {id_: column(head, id_, bodies.get(id_)) for id_ in head.series()}


def joined(pieces: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of one series as one column in order of time; equal times keep their order of arrival."""
    if not pieces:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    if len(pieces) == 1:
        return pieces[0]
    at = np.concatenate([piece[0] for piece in pieces])
    value = np.concatenate([piece[1] for piece in pieces])
    if np.any(at[1:] < at[:-1]):
        order = np.argsort(at, kind="stable")
        return at[order], value[order]
    return at, value
