"""From when on each tier is whole: what retention gives up is on record in the transaction that gives it up."""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.checksum import crc
from storage.errors import Damaged
from storage.rollups import TIERS, block_start
from storage.rows import LATEST
from storage.tiers import LAST_BLOCK, block_at, place_of

RAW = 0
"""The readings themselves, as a tier."""

log_ = structlog.get_logger(__name__)


class Horizons:
    """What is held in memory is never behind the file: who reads a state of the log in which something is
    gone, and asks afterwards, is told so. It may be ahead, should a transaction fail."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}

    def at(self, tier: int) -> int:
        """The time (µs) from which a tier is whole; 0 if it always was."""
        return self._at.get(tier, 0)

    async def load(self, connection: AsyncConnection) -> None:
        found = await connection.exec_driver_sql("SELECT tier, at, crc FROM horizons")
        rows: Any = found.all()
        for tier, at, check in rows:
            if check in (None, crc(tier, at)):
                self._at[tier] = at
                continue
            log_.error(
                "part of the log is damaged",
                what=f"the horizon of tier {tier} is not as it was written; the oldest held counts",
                hint=Damaged.remedy,
            )
            self._at[tier] = await _oldest(connection, tier)

    async def move(self, connection: AsyncConnection, to: Mapping[int, int]) -> None:
        """Inside the transaction that gives up what is older than `to` (tier → µs). They never go back."""
        for tier, at in to.items():
            self._at[tier] = max(at, self._at.get(tier, 0))
            row = (tier, self._at[tier])
            await connection.exec_driver_sql(
                "INSERT INTO horizons (tier, at, crc) VALUES (?, ?, ?) "
                "ON CONFLICT (tier) DO UPDATE SET at = excluded.at, crc = excluded.crc",
                (*row, crc(*row)),
            )


async def _oldest(connection: AsyncConnection, tier: int) -> int:
    """From when on something is held of a tier; the newest time that is known if nothing is, for 0 says that
    nothing is gone."""
    if tier == RAW:
        found = await connection.exec_driver_sql("SELECT min(start_at) FROM segments")
        start = found.scalar()
        return await _newest(connection) if start is None else int(start)
    blocks = await _blocks(connection, tier)
    return await _newest(connection) if blocks is None else block_start(blocks[0], tier)


async def _newest(connection: AsyncConnection) -> int:
    found = await connection.exec_driver_sql(
        "SELECT max((SELECT created_at FROM log), "
        "coalesce((SELECT max(at) FROM events WHERE at < ?), 0), "
        "coalesce((SELECT max(end_at) FROM segments), 0))",
        (LATEST,),
    )
    newest = int(found.scalar_one() or 0)
    for tier in TIERS:  # the finest tells it the most exactly
        blocks = await _blocks(connection, tier)
        if blocks is not None:
            return max(newest, block_start(blocks[1] + 1, tier))
    return newest


async def _blocks(connection: AsyncConnection, tier: int) -> tuple[int, int] | None:
    """The oldest and the newest that is held of a tier."""
    found = await connection.exec_driver_sql(
        "SELECT min(place), max(place) FROM rollups WHERE place BETWEEN ? AND ?",
        (place_of(tier, 0, 0), place_of(tier, LAST_BLOCK + 1, 0) - 1),
    )
    row: Any = found.one()
    return None if row[0] is None else (block_at(row[0]), block_at(row[1]))
