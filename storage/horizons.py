"""From when on each tier is whole: what retention gives up is on record in the transaction that gives it up."""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.checksum import crc
from storage.errors import Damaged
from storage.rollups import TIERS, block_start

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
    if tier not in TIERS:
        found = await connection.exec_driver_sql("SELECT min(start_at) FROM segments")
        return int(found.scalar() or 0)
    number = TIERS.index(tier) + 1 << 58
    found = await connection.exec_driver_sql(
        "SELECT min(place) FROM rollups WHERE place >= ? AND place < ?",
        (number, number + (1 << 58)),
    )
    place = found.scalar()
    return 0 if place is None else block_start(place >> 32 & (1 << 26) - 1, tier)
