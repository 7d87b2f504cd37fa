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
from storage.rollups import TIERS

DAY_US = 86_400_000_000
BITE_PAGES = 256
BITE_S = 0.02
"""What giving space back may hold the writer for at a time; the next bite follows after the commits that waited."""
BITES = 50
"""Bites a round: 12 MB with pages of 1 KiB."""
WAL_BYTES = 64 * 1024 * 1024
RAW = 0
ROWS = 64
"""Rows of a tier that go in one transaction."""

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
    that are not sealed yet and facts never go, so a bound too narrow for them is not kept.
    """

    def __init__(
        self,
        engine: Engine,
        turn: asyncio.Lock,
        alone: asyncio.Lock,
        archive: Archive,
        dropped: Callable[[int, int], None],
    ) -> None:
        self.halted = False
        """Nothing further is dropped: the server is stopping."""
        self._dropped = dropped
        self._engine = engine
        self._turn = turn
        self._alone = alone
        self._archive = archive

    async def apply(self, keep: Keep, now: int) -> Gone:
        """One round; call it again when it forgot something, until it forgets nothing."""
        gone = Gone(0, 0, 0)
        async with self._alone:
            bounds = {10: keep.fine_days, 60: keep.minute_days, 3600: keep.hour_days}
            async with self._turn, self._engine.transaction() as connection:
                for tier, days in bounds.items():
                    await tiers.forget(connection, tier, now - int(days * DAY_US))
            while (
                not self.halted
                and (segment := await self._oldest())
                and (segment.end_at < now - int(keep.raw_days * DAY_US))
            ):
                gone = gone.and_also(segment, await self._drop(segment))
            while not self.halted and keep.bytes and (excess := await self.used() - keep.bytes) > 0:
                weights = await self._weights()
                heaviest = max(weights, key=lambda tier: weights[tier])
                if weights[heaviest] == 0:
                    break
                if heaviest != RAW:
                    await self._thin(heaviest, excess)
                elif segment := await self._oldest():
                    gone = gone.and_also(segment, await self._drop(segment))
        return gone

    async def _oldest(self) -> Segment | None:
        async with self._engine.reader() as connection:
            row = (
                await connection.exec_driver_sql(
                    "SELECT id, first_seq, last_seq, start_at, end_at FROM segments ORDER BY id LIMIT 1"
                )
            ).one_or_none()
        return Segment._make(row) if row else None

    async def _weights(self) -> dict[int, int]:
        """Bytes of each tier, the raw samples as tier 0."""
        questions = {RAW: "SELECT sum(length(body)) FROM strips"} | {
            tier: "SELECT sum(length(body)) FROM rollups WHERE place BETWEEN "
            f"{tiers.place_of(tier, 0, 0)} AND {tiers.place_of(tier, tiers.LAST_BLOCK + 1, 0) - 1}"
            for tier in TIERS
        }
        async with self._engine.reader() as connection:
            weights = {
                tier: int((await connection.exec_driver_sql(question)).scalar() or 0)
                for tier, question in questions.items()
            }
            heads = await connection.exec_driver_sql(
                "SELECT sum(length(head) + length(directory)) FROM segments"
            )
        weights[RAW] += int(heads.scalar() or 0)
        return weights

    async def _thin(self, tier: int, excess: int) -> None:
        """Forget the oldest blocks of a tier, some `excess` bytes of it but a few rows a transaction."""
        async with self._turn, self._engine.transaction() as connection:
            found = await connection.exec_driver_sql(
                "DELETE FROM rollups WHERE place IN (SELECT place FROM rollups "
                "WHERE place >= ? ORDER BY place LIMIT ?) AND place < ? RETURNING length(body)",
                (
                    tiers.place_of(tier, 0, 0),
                    min(ROWS, max(1, excess // 4096)),
                    tiers.place_of(tier, tiers.LAST_BLOCK + 1, 0),
                ),
            )
            found.all()

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
        async with self._engine.snapshot() as reader:
            columns, wrong = await self._archive.readable(reader, segment)
            fine = await tiers.prepare(reader, columns, coarse=False)
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
                await connection.exec_driver_sql(
                    "UPDATE log SET floor = max(floor, ?), samples = samples - ? WHERE id = 1",
                    (segment.last_seq + 1, samples),
                )
                found = await connection.exec_driver_sql("SELECT epoch, floor, created_at FROM log")
                await connection.exec_driver_sql("UPDATE log SET crc = ?", (crc(*found.one()),))
            self._dropped(segment.last_seq + 1, samples)
        self._archive.forget(segment)
        return samples

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
