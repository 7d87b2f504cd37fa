"""What may be forgotten, and when: whole segments, oldest first, then the space they took.

Facts stay: below `floor` the log is sparse, it holds alerts, notifications, declarations and life-cycle
changes, but no ticks; what remains of those is in the rollup tiers, each for as long as its own bound.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from storage import tiers
from storage.archive import Archive, Segment
from storage.checksum import crc
from storage.engine import Engine

DAY_US = 86_400_000_000
BITE_PAGES = 256
BITE_S = 0.02
"""What giving space back may hold the writer for at a time; the next bite follows after the commits that waited."""
BITES = 50
"""Bites a round: 12 MB with pages of 1 KiB."""
WAL_BYTES = 64 * 1024 * 1024

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


class Retention:
    """`turn` is the writer's lock: a segment goes in one short transaction, between commits.
    `dropped(floor, samples)` is called before the turn is over."""

    def __init__(
        self,
        engine: Engine,
        turn: asyncio.Lock,
        archive: Archive,
        dropped: Callable[[int, int], None],
    ) -> None:
        self._dropped = dropped
        self._engine = engine
        self._turn = turn
        self._archive = archive

    async def apply(self, keep: Keep, now: int) -> Gone:
        """One round; call it again when it forgot something, until it forgets nothing."""
        gone = Gone(0, 0, 0)
        while (segment := await self._oldest()) and await self._is_due(segment, keep, now):
            samples = await self._drop(segment)
            gone = Gone(gone.segments + 1, gone.samples + samples, segment.last_seq + 1)
        bounds = {10: keep.fine_days, 60: keep.minute_days, 3600: keep.hour_days}
        async with self._turn, self._engine.transaction() as connection:
            for tier, days in bounds.items():
                await tiers.forget(connection, tier, now - int(days * DAY_US))
        return gone

    async def _oldest(self) -> Segment | None:
        async with self._engine.reader() as connection:
            row = (
                await connection.exec_driver_sql(
                    "SELECT id, first_seq, last_seq, start_at, end_at FROM segments ORDER BY id LIMIT 1"
                )
            ).one_or_none()
        return Segment._make(row) if row else None

    async def _is_due(self, segment: Segment, keep: Keep, now: int) -> bool:
        if segment.end_at < now - int(keep.raw_days * DAY_US):
            return True
        return bool(keep.bytes) and await self.used() > keep.bytes

    async def used(self) -> int:
        """Bytes of the pages that hold something: what the file shrinks to when space is given back."""
        async with self._engine.reader() as connection:
            figures = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() or 0
                for name in ("page_count", "freelist_count", "page_size")
            ]
        return int((figures[0] - figures[1]) * figures[2])

    async def _drop(self, segment: Segment) -> int:
        low, high = segment.id << 32, (segment.id + 1 << 32) - 1
        async with self._engine.snapshot() as connection:
            columns = await self._archive.whole(connection, segment)
        async with self._turn:
            async with self._engine.transaction() as connection:
                await tiers.make_fine(connection, columns)
                await connection.exec_driver_sql(
                    "DELETE FROM strips WHERE place BETWEEN ? AND ?", (low, high)
                )
                row = await connection.exec_driver_sql(
                    "DELETE FROM segments WHERE id = ? RETURNING samples", (segment.id,)
                )
                samples = int(row.scalar_one())
                await connection.exec_driver_sql(
                    "UPDATE log SET floor = max(floor, ?), samples = samples - ? WHERE id = 1",
                    (segment.last_seq + 1, samples),
                )
                found = await connection.exec_driver_sql("SELECT epoch, floor, created_at FROM log")
                await connection.exec_driver_sql("UPDATE log SET crc = ?", (crc(*found.one()),))
            self._dropped(segment.last_seq + 1, samples)
        self._archive.forget([segment.id])
        return samples

    async def give_back(self, leave: int = BITE_PAGES) -> int:
        """Return free pages to the file system, a bite at a time, but for a few that the next ticks
        will want; how many pages went."""
        returned = 0
        for _ in range(BITES):
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
