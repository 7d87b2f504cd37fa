"""A small log with something in every table, and hands that damage it."""

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

from storage.events import Declared, Draft, Metrics, Notification, Series, System
from storage.log import Log
from storage.migrate import migrate
from storage.producers import Taken
from storage.receipts import Receipt
from storage.retention import Keep
from tests.storage.conftest import NOW

SECOND = 1_000_000
TABLES = (
    *("log", "events", "segments", "strips", "rollups", "tiers", "horizons", "receipts"),
    *("producers", "checkpoints"),
)


def fill(path: Path, *, forget: bool = True) -> Log:
    """Closed again: a declaration each for two sources, ticks with a late one among them, facts between, four
    segments of which the oldest is forgotten, and a tail that is not sealed."""
    return asyncio.run(_filled(path, forget))


async def _filled(path: Path, forget: bool) -> Log:
    migrate(path)
    log = Log(path, span_us=600 * SECOND)
    await log.open(NOW)
    at = NOW // (600 * SECOND) * 600 * SECOND
    a = Declared([Series(1, "x", {"mode": "a"}), Series(2, "y", {}), Series(3, "still", {})])
    b = Declared([Series(4, "z", {}, kind="counter")])
    await log.append([Draft(at, "one", a), Draft(at, "two", b)])
    dice = random.Random(7)
    for span in range(5):
        drafts = []
        for second in range(0, 600, 10):
            moment = at + (span * 600 + second) * SECOND
            late = moment - 30 * SECOND if second == 300 else moment
            values = [round(dice.random(), 3), dice.random(), 5]
            drafts.append(Draft(late, "one", Metrics([1, 2, 3], values)))
            drafts.append(Draft(moment, "two", Metrics([4], [span * 600 + second])))
        drafts.insert(50, Draft(at, "one", Notification(f"n{span}", "info", "hello")))
        drafts.append(Draft(at, "one", System("source_seen", {"span": span})))
        # Younger than a day when the log forgets, so that some are left.
        receipt = Receipt(f"key{span}", NOW + 3600 * SECOND, 1, len(drafts), b"answer")
        await log.append(drafts, [receipt, Taken("till", f"e{span}", 7, 1, len(drafts), b"yes")])
    await log.seal(log.head)
    if forget:
        keep = Keep(1.0, 60, 400, 3650, 0)
        await log.forget(keep, at + 86_400 * SECOND + 600 * SECOND)
    await log.save_checkpoint("view", 1, log.head, b"the view")
    await log.close()
    return log


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    connection = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
    try:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    finally:
        connection.close()


def change(path: Path, sql: str, *values: object) -> int:
    """Somebody else's hand in the file; how many rows it changed."""
    connection = sqlite3.connect(path)
    count = connection.execute(sql, values).rowcount
    connection.commit()
    connection.close()
    return count


def flip_cell(path: Path, table: str, column: str, dice: random.Random) -> str:
    """One bit of one cell of one row, as a broken disk would; says which."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    columns = [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table})")]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    row = dice.choice(rows)
    cell = row[columns.index(column)]
    where = " AND ".join(f"{name} IS ?" for name in columns)
    kinds = [kind[2].decode() for kind in connection.execute(f"PRAGMA table_info({table})")]
    text = kinds[columns.index(column)] == "TEXT"
    if isinstance(cell, int):
        flipped: object = cell ^ 1 << dice.randrange(max(1, cell.bit_length()))
    else:
        place = dice.randrange(len(cell))
        changed = bytearray(cell)
        changed[place] ^= 1 << dice.randrange(8)
        flipped = bytes(changed)
    known = [one.decode() if kind == "TEXT" else one for one, kind in zip(row, kinds, strict=True)]
    cast = "CAST(? AS TEXT)" if text else "?"
    done = connection.execute(
        f"UPDATE OR FAIL {table} SET {column} = {cast} WHERE {where}", (flipped, *known)
    )
    assert done.rowcount == 1
    connection.commit()
    connection.close()
    return f"{table}.{column}: {cell!r:.60} is {flipped!r:.60}"
