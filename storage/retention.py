"""What may be forgotten, and when: whole segments, oldest first, then the space they took.

Facts stay: below `floor` the log is sparse, it holds alerts, notifications, declarations and life-cycle
changes, but no ticks; what remains of those is in the rollup tiers, each for as long as its own bound.
What of a tier is gone is on record with it (`storage.horizons`), in the transaction that takes it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import codec, tiers
from storage.archive import META, Archive, Columns, Segment
from storage.checksum import crc
from storage.engine import Engine, fetched
from storage.errors import Damaged
from storage.events import Metrics
from storage.horizons import RAW, Horizons
from storage.rollups import TIERS, block_of
from storage.rows import EVENT, check_row, event

DAY_US = 86_400_000_000
BITE_PAGES = 256
BITE_S = 0.02
"""What giving space back may hold the writer for at a time; the next bite follows after the commits that waited."""
BITES = 50
"""Bites a round: 12 MB with pages of 1 KiB."""
WAL_BYTES = 64 * 1024 * 1024
SPARED = 2
"""The newest segments, and the newest blocks of each tier, go by age alone: a log full of facts, or a bound
too narrow for anything, must not cost what was measured just now."""
FINE = TIERS[0]
UNSEALABLE = "FROM events WHERE seq <= ? AND seq >= (SELECT floor FROM log) AND type = 'metrics'"
PAGE = 500
"""Rows counted at once."""

log_ = structlog.get_logger(__name__)


class Keep(NamedTuple):
    """How long each tier is held, in days, and how large the file may grow (0: no bound)."""

    raw_days: float
    fine_days: float
    minute_days: float
    hour_days: float
    bytes: int


class Gone(NamedTuple):
    """What a round forgot. `floor` is the first seq from which everything is held."""

    segments: int
    samples: int
    floor: int

    def and_also(self, segment: Segment, samples: int) -> "Gone":
        return Gone(self.segments + 1, self.samples + samples, segment.last_seq + 1)


class Retention:
    """`turn` is the writer's lock: a segment goes in one short transaction, between commits; `alone` is
    held by whoever changes segments or rollups. `dropped(floor, samples)` is called before the turn is over.

    Over the bound in bytes, the oldest goes of what weighs most: raw samples, or one of the tiers. Rows
    that are not sealed yet, facts, and the newest of everything never go for it: `over` is by how many
    bytes the bound is not kept.
    """

    def __init__(
        self,
        engine: Engine,
        turn: asyncio.Lock,
        alone: asyncio.Lock,
        archive: Archive,
        horizons: Horizons,
        dropped: Callable[[int, int], None],
    ) -> None:
        self.halted = False
        """Nothing further is dropped: the server is stopping."""
        self.over = 0
        self._dropped = dropped
        self._engine = engine
        self._turn = turn
        self._alone = alone
        self._archive = archive
        self._horizons = horizons

    async def apply(self, keep: Keep, now: int, latest: int) -> Gone:
        """One round; call it again when it forgot something, until it forgets nothing. Ages are told by `now`;
        what is later than `latest` is dated ahead."""
        gone = Gone(0, 0, 0)
        bounds = zip(TIERS, (keep.fine_days, keep.minute_days, keep.hour_days), strict=True)
        async with self._alone:
            for tier, days in bounds:
                last = block_of(max(0, now - int(days * DAY_US)), tier) - 1
                while not self.halted and await self._thin(tier, last):
                    await asyncio.sleep(0)
            before = now - int(keep.raw_days * DAY_US)
            while not self.halted and (segment := await self._past(before, latest)):
                gone = gone.and_also(segment, (await self._drop(segment, latest))[0])
            self.over = self.over if keep.bytes else 0
            if keep.bytes:
                gone = await self._squeeze(keep.bytes, now, latest, gone)
        return gone

    async def _squeeze(self, most: int, now: int, latest: int, gone: Gone) -> Gone:
        """Down to `most` bytes, or as near as what may go brings it."""
        weights: dict[int, int] = {}
        while (excess := await self.used() - most) > 0 and not self.halted:
            weights = weights or await self._weights()
            heaviest = max(weights, key=lambda tier: weights[tier])
            if weights[heaviest] <= 0:
                break
            if heaviest == RAW:
                segment = await self._first(SPARED)
                if segment is None:
                    weights[RAW] = 0
                    continue
                samples, freed, grown = await self._drop(segment, latest)
                gone = gone.and_also(segment, samples)
                weights[RAW] -= freed
                weights[FINE] += grown
            else:
                freed = await self._thin(heaviest, block_of(now, heaviest) - SPARED)
                weights[heaviest] = weights[heaviest] - freed if freed else 0
        excess = max(0, excess)
        if excess and not self.over and not self.halted:
            log_.warning(
                "the log is larger than its bound, and nothing more may go",
                bound=most,
                beyond=excess,
                hint="give it more room with retain_bytes",
            )
        self.over = excess
        return gone

    async def _first(self, spared: int = 0) -> Segment | None:
        """The oldest segment, if there are more than so many."""
        async with self._engine.reader() as connection:
            found = await connection.exec_driver_sql(f"{META} ORDER BY id LIMIT ?", (spared + 1,))
            rows = found.all()
        return Segment._make(rows[0]) if len(rows) > spared else None

    async def _past(self, before: int, latest: int) -> Segment | None:
        """The oldest segment, if it is past its time. What is dated ahead keeps nothing: neither the
        readings written beside it, nor those that follow."""
        async with self._engine.snapshot() as connection:
            found = await connection.exec_driver_sql(
                f"{META} WHERE start_at <= ? ORDER BY id LIMIT 1", (latest,)
            )
            row = found.one_or_none()
            if row is None or await self._end(connection, Segment._make(row), latest) >= before:
                return None
        return await self._first()

    async def _end(self, connection: AsyncConnection, segment: Segment, latest: int) -> int:
        """The time of the newest reading that is not dated ahead."""
        if segment.end_at <= latest or segment.start_at > latest:
            return min(segment.end_at, latest)
        try:
            ats = await self._archive.times(connection, segment)
        except Damaged:
            return segment.start_at
        return int(ats[ats <= latest].max(initial=segment.start_at))

    async def _weights(self) -> dict[int, int]:
        """Bytes of each tier, the raw samples as tier 0."""
        questions = {
            RAW: "SELECT (SELECT total(length(body)) FROM strips) "
            "+ (SELECT total(length(head) + length(directory)) FROM segments)"
        } | {
            tier: "SELECT total(length(body)) FROM rollups WHERE place BETWEEN "
            f"{tiers.place_of(tier, 0, 0)} AND {tiers.place_of(tier, tiers.LAST_BLOCK + 1, 0) - 1}"
            for tier in TIERS
        }
        async with self._engine.reader() as connection:
            return {
                tier: int((await connection.exec_driver_sql(question)).scalar() or 0)
                for tier, question in questions.items()
            }

    async def _thin(self, tier: int, last: int) -> int:
        """Forget a bite of the oldest of a tier, no block after `last`; how many bytes went."""
        async with self._turn, self._engine.transaction() as connection:
            size, since = await tiers.forget(connection, tier, last)
            if size:
                await self._horizons.move(connection, {tier: since})
        return size

    async def used(self) -> int:
        """Bytes of the pages that hold something: what the file shrinks to when space is given back."""
        async with self._engine.reader() as connection:
            figures = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() or 0
                for name in ("page_count", "freelist_count", "page_size")
            ]
        return int((figures[0] - figures[1]) * figures[2])

    async def _drop(self, segment: Segment, latest: int) -> tuple[int, int, int]:
        """Samples and bytes that went, and bytes by which the finest tier has grown."""
        low, high = segment.id << 32, (segment.id + 1 << 32) - 1
        async with self._engine.snapshot() as reader:
            columns, wrong = await self._archive.readable(reader, segment)
            # What was taken from the finest tier is not brought back in part.
            fine = await tiers.prepare(
                reader, _since(columns, self._horizons.at(FINE)), coarse=False
            )
            end = await self._end(reader, segment, latest)
            found = await reader.exec_driver_sql(
                "SELECT (SELECT total(length(body)) FROM strips WHERE place BETWEEN ? AND ?) "
                "+ (SELECT length(head) + length(directory) FROM segments WHERE id = ?)",
                (low, high, segment.id),
            )
            freed = int(found.scalar() or 0)
            poorer = await _unsealable(reader, segment.last_seq)
        gone = end + 1 if segment.start_at <= latest else 0
        to = {RAW: gone} | ({FINE: gone} if wrong or fine.damaged else {})
        for what in (*wrong, *fine.damaged):
            log_.error(
                "part of the log is damaged, and forgotten with what is around it",
                what=what,
                segment=segment.id,
            )
        async with self._turn:
            async with self._engine.transaction() as connection:
                await tiers.write(connection, fine)
                await connection.exec_driver_sql(
                    "DELETE FROM strips WHERE place BETWEEN ? AND ?", (low, high)
                )
                row = await connection.exec_driver_sql(
                    "DELETE FROM segments WHERE id = ? RETURNING samples", (segment.id,)
                )
                samples = int(row.scalar_one())
                if poorer is not None:
                    samples = poorer
                    await connection.exec_driver_sql(f"DELETE {UNSEALABLE}", (segment.last_seq,))
                await connection.exec_driver_sql(
                    "UPDATE log SET floor = max(floor, ?), samples = samples - ? WHERE id = 1",
                    (segment.last_seq + 1, samples),
                )
                found = await connection.exec_driver_sql("SELECT epoch, floor, created_at FROM log")
                await connection.exec_driver_sql("UPDATE log SET crc = ?", (crc(*found.one()),))
                await self._horizons.move(connection, to)
            self._dropped(segment.last_seq + 1, samples)
        self._archive.forget(segment)
        return samples, freed, fine.grown

    async def give_back(self, leave: int = BITE_PAGES) -> int:
        """Return free pages to the file system, a bite at a time, but for a few that the next ticks
        will want; how many pages went."""
        returned = 0
        for _ in range(BITES if not self.halted else 0):
            async with self._turn:
                begun = time.perf_counter()
                before = await self._free()
                if before <= leave:
                    break
                await self._engine.vacuum(BITE_PAGES)
                returned += before - await self._free()
                spent = time.perf_counter() - begun
            await asyncio.sleep(max(BITE_S, spent))
        return returned

    async def _free(self) -> int:
        async with self._engine.reader() as connection:
            return (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar() or 0


def _since(columns: Columns, since: int) -> Columns:
    firsts = {id_: int(np.searchsorted(at, since)) for id_, (at, _) in columns.items()}
    return {
        id_: (at[firsts[id_] :], value[firsts[id_] :])
        for id_, (at, value) in columns.items()
        if firsts[id_] < len(at)
    }


async def _unsealable(connection: AsyncConnection, last: int) -> int | None:
    """Ticks up to `last` that are rows still are so for good, being damaged: they go with the segments around
    them. By how many samples the log becomes poorer with those and the first segment, counted, for a damaged
    row does not tell its own; None without such a tick. Nothing is sealed or forgotten meanwhile, and what is
    appended adds to both sides."""
    found = await fetched(connection, f"SELECT 1 {UNSEALABLE} LIMIT 1", (last,))
    if not found:
        return None
    [(left,)] = await fetched(
        connection,
        "SELECT (SELECT samples FROM log) - "
        "(SELECT coalesce(sum(samples), 0) FROM segments WHERE last_seq > ?)",
        (last,),
    )
    loop = asyncio.get_running_loop()
    while page := await fetched(
        connection,
        f"SELECT {EVENT} FROM events WHERE seq > ? AND type = 'metrics' ORDER BY seq LIMIT ?",
        (last, PAGE),
    ):
        left -= await loop.run_in_executor(None, _samples, page)
        last = page[-1][0]
    return int(left)


def _samples(rows: Sequence[tuple[Any, ...]]) -> int:
    """How many there are in those rows that are as they were written."""
    count = 0
    for row in rows:
        with contextlib.suppress(Damaged):
            check_row(row)
            # Where no checksum vouches for the first bytes, all are read.
            fact = event(row).data if row[6] is None else None
            count += len(fact.ids) if isinstance(fact, Metrics) else codec.named(row[5][:6])
    return count
