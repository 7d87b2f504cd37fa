"""How far each producer has come: the newest batch taken of it, and what it was answered.

A producer numbers its batches within an epoch of its own, and the row is written in the transaction of the
batch (law ack-is-durable), so a batch sent again after a crash on either side is known.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.checksum import crc
from storage.errors import Damaged

MOST = 10_000
"""Rows kept. Beyond it those are forgotten that have been silent for the most events."""


class Taken(msgspec.Struct, frozen=True):
    """The batch `number` of a producer: its seqs, and an answer only the writer understands."""

    producer: str
    epoch: str
    number: int
    first: int
    last: int
    body: bytes


async def newest(connection: AsyncConnection, producer: str, epoch: str) -> Taken | None:
    """
    Raises:
        Damaged: there is one, and it is not as it was written.
    """
    row: Any = (
        await connection.exec_driver_sql(
            "SELECT producer, epoch, pseq, first, last, body, crc FROM producers "
            "WHERE producer = ? AND epoch = ?",
            (producer, epoch),
        )
    ).one_or_none()
    if row is None:
        return None
    *cells, check = row
    if check not in (None, crc(*cells)):
        raise Damaged(
            "it is not as it was written; the next batch of this epoch counts as its first"
        )
    return Taken(*cells)


def keep(connection: sqlite3.Connection, taken: Sequence[Taken], head: int) -> None:
    """Inside the batch's transaction. The seqs of `taken` count from `head`."""
    newest = {(t.producer, t.epoch): t for t in sorted(taken, key=lambda t: t.number)}
    rows = [
        (t.producer, t.epoch, t.number, t.first + head, t.last + head, t.body)
        for t in newest.values()
    ]
    connection.executemany(
        # Whoever is older than the row there was refused before: unless that row could not be read.
        "INSERT OR REPLACE INTO producers (producer, epoch, pseq, first, last, body, crc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*row, crc(*row)) for row in rows],
    )


async def forget(connection: AsyncConnection, most: int = MOST) -> int:
    """Drop the rows beyond `most`, those first whose newest batch is the oldest; how many went."""
    gone = await connection.exec_driver_sql(
        "DELETE FROM producers WHERE (producer, epoch) IN "
        "(SELECT producer, epoch FROM producers ORDER BY last DESC LIMIT -1 OFFSET ?)",
        (most,),
    )
    return gone.rowcount
