"""What idempotent writes were answered, by their Idempotency-Key: a retry gets the first answer again.

A row is written in the transaction of its batch (law ack-is-durable). Rows go by number there, the oldest
first and a bite at a time, and by age when the log forgets: the wall clock of one batch takes nobody's answer.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.checksum import crc
from storage.errors import Damaged

AGE_US: Final = 24 * 3600 * 1_000_000
"""How long a repeated key is answered with its first answer."""
MOST: Final = 100_000
"""Rows kept, some 20 MB. Beyond it the oldest are forgotten before their day is over."""
BITE: Final = 100
"""Rows that go with a commit beyond twice those that come."""
AGED: Final = 1000
"""Rows that go by age in one transaction."""


class Receipt(msgspec.Struct, frozen=True):
    """What an idempotent write was answered: its seqs, and an answer only the writer understands."""

    key: str
    at: int
    first: int
    last: int
    body: bytes


async def find(connection: AsyncConnection, key: str) -> Receipt | None:
    """
    Raises:
        Damaged: there is one, and it is not as it was written.
    """
    row: Any = (
        await connection.exec_driver_sql(
            "SELECT key, at, first, last, body, crc FROM receipts WHERE key = ?", (key,)
        )
    ).one_or_none()
    if row is None:
        return None
    *cells, check = row
    if check not in (None, crc(*cells)):
        raise Damaged("it is not as it was written; a request with this key counts as a new one")
    return Receipt(*cells)


def keep(
    connection: sqlite3.Connection, receipts: Sequence[Receipt], head: int, held: int | None
) -> int:
    """Inside the batch's transaction. The seqs of `receipts` count from `head`. `held` is how many there
    are, None when that is not known; gives how many there are now."""
    if held is None:
        (held,) = connection.execute("SELECT count(*) FROM receipts").fetchone()
    held += len(receipts)
    if held > MOST:
        gone = connection.execute(
            "DELETE FROM receipts WHERE key IN (SELECT key FROM receipts ORDER BY at LIMIT ?)",
            (min(BITE + 2 * len(receipts), held - MOST),),
        )
        held -= gone.rowcount
    rows = [(r.key, r.at, r.first + head, r.last + head, r.body) for r in receipts]
    connection.executemany(
        # One of this name is there only if it could not be read.
        "INSERT OR REPLACE INTO receipts (key, at, first, last, body, crc) VALUES (?, ?, ?, ?, ?, ?)",
        [(*row, crc(*row)) for row in rows],
    )
    return held


async def forget(connection: AsyncConnection, now: int) -> int:
    """Drop a bite of those that are past their age at `now` (µs); how many went."""
    gone = await connection.exec_driver_sql(
        "DELETE FROM receipts WHERE key IN (SELECT key FROM receipts WHERE at < ? ORDER BY at LIMIT ?)",
        (now - AGE_US, AGED),
    )
    return gone.rowcount
