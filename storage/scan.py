"""Every row that can still be read of a table, whatever has happened to the others.

A damaged page makes a scan stop in its middle. The rows before it are read from the front, those behind it
from the back, and what lies between is halved again and again, so that one bad page costs what is on it and
no more."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

LAST = (1 << 63) - 1
PROBES = 400
"""Places tried between two damaged pages before what is left there is given up."""


class Lost(NamedTuple):
    """Rows with `after < key < before` that cannot be read, if there were any. `why` is SQLite's word."""

    after: int
    before: int
    why: str


def rows(
    connection: sqlite3.Connection,
    what: str,
    table: str,
    key: str,
    lost: Callable[[Lost], None],
    *,
    after: int = -1,
    before: int = LAST,
    where: str = "1",
) -> Iterator[tuple[Any, ...]]:
    """`SELECT what FROM table` for `after < key < before`. Ascending, but for what lies behind damage.

    `what` begins with `key`, an integer primary key: nothing else can be read from both ends.
    """
    head = f"SELECT {what} FROM {table} WHERE {where} AND {key} > ? AND {key} < ? ORDER BY {key}"
    probes = PROBES
    open_: deque[tuple[int, int]] = deque([(after, before)])
    given_up: list[Lost] = []
    while open_:
        low, high = open_.popleft()
        reached: int = low
        try:
            for row in connection.execute(head, (low, high)):
                reached = row[0]
                yield row
            continue
        except sqlite3.DatabaseError as error:
            low, why = reached, _word(error)
        reached = high
        try:
            for row in connection.execute(head + " DESC", (low, high)):
                reached = row[0]
                yield row
        except sqlite3.DatabaseError:
            pass
        else:
            given_up.append(Lost(low, reached, why))
            continue
        high = reached
        # Between two damaged pages there may be good ones. Keys are sparse: the middle is as good as any.
        probes -= 1
        if high - low > 2 and probes > 0:
            middle = (low + high) // 2
            open_ += [(low, middle + 1), (middle, high)]
        else:
            given_up.append(Lost(low, high, why))
    for each in _merged(given_up):
        lost(each)


def _merged(ranges: list[Lost]) -> list[Lost]:
    merged: list[Lost] = []
    for each in sorted(ranges):
        if merged and each.after < merged[-1].before:
            merged[-1] = Lost(merged[-1].after, max(each.before, merged[-1].before), merged[-1].why)
        else:
            merged.append(each)
    return merged


def _word(error: BaseException) -> str:
    return str(error) or type(error).__name__


def readable(connection: sqlite3.Connection, question: str, *values: Any) -> list[Any] | str:
    """All rows of an answer, or why there is none."""
    try:
        return connection.execute(question, values).fetchall()
    except sqlite3.DatabaseError as error:
        return _word(error)
