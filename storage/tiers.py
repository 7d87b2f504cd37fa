"""The rollups in the file. A row holds a block of one tier for `GROUP` series that were named one after
another: beside its neighbours a series that never moves costs a few bytes.

Everything here is handed its connection: who writes, and in which transaction, is the caller's business.
Folding, packing and unpacking happen off the loop.
"""

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.blocks import pack_buckets, unpack_buckets
from storage.errors import Damaged
from storage.rollups import (
    BLOCK,
    TIERS,
    Buckets,
    Columns,
    Sheaf,
    block_of,
    block_start,
    coarser,
    fold_all,
    laid_out,
    merge_all,
    width,
)

__all__ = [
    "Columns",
    "End",
    "Prepared",
    "ends",
    "forget",
    "is_level",
    "merge_in",
    "parts",
    "prepare",
    "read",
    "stored",
    "write",
]

FINE: Final = TIERS[0]
GROUP: Final = 64
LAST_BLOCK: Final = (1 << 26) - 2
"""No time that can be told lies in a later one."""
ASKED: Final = 500
"""Rows asked for in one statement."""
ROWS: Final = 64
BYTES: Final = 1_000_000
"""What goes in one transaction, for which commits wait."""

_Done = TypeVar("_Done")
Place = int
"""`tier's number << 58 | block << 32 | first series of the group`; the tiers are numbered from 1."""


def place_of(tier: int, block: int, series: int) -> Place:
    return TIERS.index(tier) + 1 << 58 | block << 32 | series // GROUP * GROUP


def block_at(place: Place) -> int:
    return place >> 32 & (1 << 26) - 1


class End(NamedTuple):
    """When the first bucket of a series begins, and its last sample (µs)."""

    first: int
    last_at: int
    last: float


class Prepared(NamedTuple):
    """Rows to be written as they are, folded and merged before the writer's turn is taken.

    `damaged` names blocks that cannot be read: they stay as they are, so that a reader is told of the
    damage and of nothing wrong, and what would have been merged into them is in the segments.
    `grown`: bytes by which the tiers are larger afterwards.
    """

    rows: list[tuple[Place, bytes]]
    damaged: list[str]
    tiers: tuple[int, ...]
    grown: int


async def prepare(connection: AsyncConnection, columns: Columns, coarse: bool = True) -> Prepared:
    """What a sealed span changes in the coarse tiers, or what samples that are about to go change in the
    finest one. Nobody else may write these tiers until it is written."""
    sheaves = await _off_loop(
        lambda: _coarse(columns) if coarse else {FINE: fold_all(columns, FINE)}
    )
    rows: list[tuple[Place, bytes]] = []
    damaged: list[str] = []
    grown = 0
    for tier, sheaf in sheaves.items():
        split = await _off_loop(functools.partial(parts, tier, sheaf))
        stored = dict(await _rows(connection, sorted(split)))
        merged, unread = await _off_loop(functools.partial(merge_in, tier, split, stored))
        rows += merged
        damaged += unread
        grown += sum(len(body) - len(stored.get(place, b"")) for place, body in merged)
    return Prepared(rows, damaged, tuple(sheaves), grown)


async def write(
    connection: AsyncConnection, prepared: Prepared, position: int | None = None
) -> None:
    """Put prepared rows in their places, and note the seq they end with."""
    if prepared.rows:
        await connection.exec_driver_sql(
            "INSERT INTO rollups (place, body) VALUES (?, ?) "
            "ON CONFLICT (place) DO UPDATE SET body = excluded.body",
            prepared.rows,
        )
    if position is not None:
        for tier in prepared.tiers:
            await _move(connection, tier, position)


async def read(
    connection: AsyncConnection,
    ids: Collection[int],
    start: int,
    end: int,
    tier: int,
    holes: dict[Place, str] | None = None,
) -> dict[int, Buckets]:
    """The stored buckets of some series that have part in `start ≤ at < end` (µs), for each id asked.
    Into `holes` goes what is wrong with blocks that cannot be read, and the others are given.

    Raises:
        Damaged: a block among them cannot be read, and there are no `holes`.
    """
    wanted = frozenset(ids)
    start = start // width(tier) * width(tier)
    rows = await _rows(connection, await _places(connection, wanted, start, end, tier))

    def unpacked() -> Iterator[Sheaf]:
        for row in sorted(rows):
            try:
                yield _unpack(tier, row, wanted)
            except Damaged as error:
                if holes is None:
                    raise
                holes[row[0]] = error.detail

    found = await _off_loop(lambda: laid_out(unpacked()))
    return {id_: found.get(id_, Buckets.none()).within(start, end) for id_ in ids}


def stored(
    connection: sqlite3.Connection, tier: int, start: int, end: int
) -> Iterator[tuple[int, Buckets]]:
    """The buckets of each series that begin at `start ≤ at < end` (µs), a block after the other. For a thread.

    Raises:
        Damaged: a block of it cannot be read.
    """
    first, last = (
        place_of(tier, block_of(max(0, start), tier), 0),  # below its first is another tier's last
        place_of(tier, block_of(end, tier) + 1, 0),
    )
    rows = connection.execute(
        "SELECT place, body FROM rollups WHERE place >= ? AND place < ? ORDER BY place",
        (first, last),
    )
    for row in rows:
        for id_, buckets in _unpack(tier, row, None).split().items():
            yield id_, buckets.within(start, end)


def is_level(connection: sqlite3.Connection, tier: int) -> bool:
    """Whether all that is sealed has come into a tier."""
    [(level,)] = connection.execute(
        "SELECT coalesce((SELECT position FROM tiers WHERE tier = ?), 0) >= "
        "coalesce((SELECT max(last_seq) FROM segments), 0)",
        (tier,),
    )
    return bool(level)


async def ends(connection: AsyncConnection, tier: int) -> dict[int, End]:
    """What a tier remembers of the first and the last of each series, a few rows in memory at a time.

    Raises:
        Damaged: a block of it cannot be read.
    """
    found: dict[int, End] = {}
    after, last = place_of(tier, 0, 0) - 1, place_of(tier, LAST_BLOCK + 1, 0)
    while True:
        rows: Any = (
            await connection.exec_driver_sql(
                "SELECT place, body FROM rollups WHERE place > ? AND place < ? ORDER BY place LIMIT ?",
                (after, last, ROWS),
            )
        ).all()
        if not rows:
            return found
        await _off_loop(functools.partial(_ends, tier, rows, found))
        after = rows[-1][0]


async def forget(connection: AsyncConnection, tier: int, last: int) -> tuple[int, int]:
    """Delete the oldest rows of a tier, a bite of them, but none of a block after `last`. The bytes that
    went, and the time (µs) before which the tier is not whole any more; 0 bytes when there was nothing."""
    if last < 0:
        return 0, 0
    found = await connection.exec_driver_sql(
        "SELECT place, length(body) FROM rollups WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?",
        (place_of(tier, 0, 0), place_of(tier, min(last, LAST_BLOCK) + 1, 0) - 1, ROWS),
    )
    rows: Any = found.all()
    size, newest = 0, 0
    for place, length in rows:
        if size and size + length > BYTES:
            break
        size, newest = size + length, place
    if size:
        await connection.exec_driver_sql(
            "DELETE FROM rollups WHERE place BETWEEN ? AND ?", (place_of(tier, 0, 0), newest)
        )
    return size, block_start(block_at(newest) + 1, tier)


async def _move(connection: AsyncConnection, tier: int, position: int) -> None:
    await connection.exec_driver_sql(
        "INSERT INTO tiers (tier, position) VALUES (?, ?) "
        "ON CONFLICT (tier) DO UPDATE SET position = excluded.position",
        (tier, position),
    )


async def _places(
    connection: AsyncConnection, ids: Iterable[int], start: int, end: int, tier: int
) -> list[Place]:
    """Where buckets of the range may be. Nothing is asked for beyond what the tier holds."""
    held = (place_of(tier, 0, 0), place_of(tier, (1 << 26) - 1, 0) | (1 << 32) - 1)
    ends: list[Place | None] = []
    for order in ("ASC", "DESC"):
        found = await connection.exec_driver_sql(
            f"SELECT place FROM rollups WHERE place BETWEEN ? AND ? ORDER BY place {order} LIMIT 1",
            held,
        )
        ends.append(found.scalar())
    oldest, newest = ends
    if oldest is None or newest is None or start >= end:
        return []
    first = max(block_of(start, tier), block_at(oldest))
    last = min(block_of(end - 1, tier), block_at(newest))
    groups = sorted({id_ // GROUP * GROUP for id_ in ids})
    return [place_of(tier, block, group) for block in range(first, last + 1) for group in groups]


async def _rows(connection: AsyncConnection, places: Sequence[Place]) -> list[tuple[Place, bytes]]:
    rows: list[tuple[Place, bytes]] = []
    for begin in range(0, len(places), ASKED):
        some = tuple(places[begin : begin + ASKED])
        marks = ",".join("?" * len(some))
        found = await connection.exec_driver_sql(
            f"SELECT place, body FROM rollups WHERE place IN ({marks})", some
        )
        page: Any = found.all()
        rows += [(row[0], row[1]) for row in page]
    return rows


def _ends(tier: int, rows: Sequence[Any], found: dict[int, End]) -> None:
    for place, body in rows:
        for id_, buckets in _unpack(tier, (place, body), None).split().items():
            first = found[id_].first if id_ in found else int(buckets.at[0])
            found[id_] = End(first, int(buckets.last_at[-1]), float(buckets.last[-1]))


def _coarse(columns: Columns) -> dict[int, Sheaf]:
    _, minutes, hours = TIERS
    fine = fold_all(columns, minutes)
    return {minutes: fine, hours: coarser(fine, hours)}


def parts(tier: int, sheaf: Sheaf) -> dict[Place, Sheaf]:
    """By the row that each bucket belongs to."""
    places = (
        (TIERS.index(tier) + 1 << 58)
        | sheaf.buckets.at // (width(tier) * BLOCK) << 32
        | sheaf.series // GROUP * GROUP
    )
    split: dict[Place, Sheaf] = {}
    for place in sorted(set(places.tolist())):
        rows = places == place
        split[place] = Sheaf(sheaf.series[rows], sheaf.buckets.take(rows))
    return split


def merge_in(
    tier: int, split: dict[Place, Sheaf], stored: dict[Place, bytes]
) -> tuple[list[tuple[Place, bytes]], list[str]]:
    """The rows that `split` and what is stored make together, and which of what is stored cannot be read."""
    rows: list[tuple[Place, bytes]] = []
    damaged: list[str] = []
    for place in sorted(split):
        part = split[place]
        try:
            if place in stored:
                part = merge_all([_unpack(tier, (place, stored[place]), None), part])
        except Damaged as error:
            damaged.append(error.detail)
        else:
            rows.append((place, pack_buckets(part, block_at(place), tier)))
    return rows, damaged


def _unpack(tier: int, row: tuple[Place, bytes], wanted: Collection[int] | None) -> Sheaf:
    place, body = row
    block, series = block_at(place), place & (1 << 32) - 1
    try:
        if type(body) is not bytes:
            raise Damaged("it is no bytes")
        return unpack_buckets(body, block, tier, wanted)
    except Damaged as error:
        raise Damaged(
            f"the {tier} s rollups of series {series} to {series + GROUP - 1} "
            f"from {block_start(block, tier)} µs on are damaged: {error.detail}"
        ) from error


async def _off_loop(work: Callable[[], _Done]) -> _Done:
    return await asyncio.get_running_loop().run_in_executor(None, work)
