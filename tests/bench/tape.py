"""Tapes, sealed: the recording as it is, and the recording over and over for thirty days.

Half an hour is written and sealed by the log itself. A longer tape repeats these segments: the packed columns
as they are, under heads with their own times and seqs, chained by their own hashes; and the blocks of the
rollups, which tell their times from where they begin. So thirty days are there in seconds, each byte as if the
host had been recorded for so long.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from realtime.core import views
from realtime.core.views import View, evolve, evolve_all
from realtime.spine import CHECKPOINT
from storage import segments, strips, tiers
from storage.blocks import pack_buckets
from storage.compact import compact
from storage.events import Declared, Draft, Metrics, Series
from storage.log import Log
from storage.migrate import migrate
from storage.rollups import BLOCK, Sheaf, coarser, fold_all, merge_all, width
from tests.bench import recording
from tests.bench.recording import SECOND

SOURCE = "recorded"
LOOP = 1800
"""Seconds of the recording."""
DAY = 86_400


async def written(directory: Path, start: int, count: int) -> Path:
    """A log with `count` ticks, one a second from `start` (s) on, all sealed; the file."""
    path = directory / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(start * SECOND)
    names = recording.names()
    series = [Series(place, name, {}) for place, name in enumerate(names, 1)]
    await log.append([Draft(start * SECOND, SOURCE, Declared(series))])
    ids = tuple(range(1, len(names) + 1))
    told = recording.looped(count)
    for first in range(0, count, 600):
        await log.append(
            [
                Draft((start + first + place) * SECOND, SOURCE, Metrics(ids, tuple(tick.values())))
                for place, tick in enumerate(told[first : first + 600])
            ]
        )
    await _save_view(log, start)
    await log.close()
    await compact(path, start * SECOND)
    return path


async def _save_view(log: Log, start: int) -> None:
    """The checkpoint that a server leaves which ends here."""
    view = View()
    (declared,) = await log.read(0, 1)
    evolve(view, declared)
    for event in await log.read(1, 1):
        evolve(view, event)
    evolve_all(view, await log.read(max(2, log.head - 900), 900))
    view.first = dict.fromkeys(view.first, start * SECOND)
    view.seq = log.head
    await log.save_checkpoint(CHECKPOINT, views.VERSION, log.head, views.save(view))


async def long(directory: Path, start: int, days: int) -> Path:
    """`days` of the recording, `start` (s) being where a block of every tier begins."""
    assert start % (3600 * BLOCK) == 0 and days % 15 == 0
    path = await written(directory, start, LOOP)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    repeats = days * DAY // LOOP
    last = _segments(connection, repeats)
    _rollups(connection, start, days)
    connection.execute("UPDATE tiers SET position = ?", (last,))
    connection.execute("UPDATE log SET head = ?, samples = samples * ?", (last, repeats))
    connection.execute("COMMIT")
    connection.close()
    log = Log(path)
    await log.open(start * SECOND)
    await _save_view(log, start)
    await log.close()
    return path


class _Segment(NamedTuple):
    head: segments.Head
    columns: dict[int, bytes]
    directory: bytes
    strips: list[bytes]
    samples: int


def _segments(connection: sqlite3.Connection, repeats: int) -> int:
    """The segments again and again; the last seq."""
    model = list(_model(connection))
    (previous,) = connection.execute(
        "SELECT hash FROM segments ORDER BY id DESC LIMIT 1"
    ).fetchone()
    id_, last = len(model), 0
    for repeat in range(1, repeats):
        for one in model:
            id_ += 1
            seqs, ats = one.head.seqs + repeat * LOOP, one.head.ats + repeat * LOOP * SECOND
            last = int(seqs[-1])
            head = segments._write(
                seqs, ats, one.head.shape_of, one.head.shapes, one.head.constants, one.head.mirrors
            )
            digest = segments.digest(previous, head, one.columns)
            connection.execute(
                "INSERT INTO segments (id, first_seq, last_seq, start_at, end_at, ticks, samples, "
                "format, head, directory, hash, previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id_,
                    *(int(seqs[0]), last, int(ats[0]), int(ats[-1])),
                    *(len(seqs), one.samples, head[0], head, one.directory, digest, previous),
                ),
            )
            connection.executemany(
                "INSERT INTO strips (place, body) VALUES (?, ?)",
                [(id_ << 32 | place, strip) for place, strip in enumerate(one.strips)],
            )
            previous = digest
    return last


def _model(connection: sqlite3.Connection) -> Iterator[_Segment]:
    rows = connection.execute("SELECT id, head, directory, samples FROM segments ORDER BY id")
    for id_, head, directory, samples in rows.fetchall():
        bodies = [
            body
            for (body,) in connection.execute(
                "SELECT body FROM strips WHERE place BETWEEN ? AND ? ORDER BY place",
                (id_ << 32, (id_ + 1 << 32) - 1),
            )
        ]
        columns = {
            series: bodies[place.strip][place.begin : place.end]
            for series, place in strips.read(directory).items()
        }
        yield _Segment(segments.Head.read(head), columns, directory, bodies, samples)


def _rollups(connection: sqlite3.Connection, start: int, days: int) -> None:
    """The blocks of both coarse tiers, as sealing would have left them."""
    told = recording.looped(LOOP)
    ats = np.arange(start, start + LOOP, dtype=np.int64) * SECOND
    columns = {
        id_: (ats, np.array([tick[name] for tick in told], np.float64))
        for id_, name in enumerate(recording.names(), 1)
    }
    minutes = fold_all(columns, 60)
    sheaves = {
        60: _repeated(minutes, 60 * BLOCK // LOOP, LOOP),
        3600: _repeated(coarser(_repeated(minutes, 2, LOOP), 3600), BLOCK, 3600),
    }
    for tier, sheaf in sheaves.items():
        rows = [
            (place, pack_buckets(part, tiers.block_at(place), tier))
            for place, part in tiers.parts(tier, sheaf).items()
        ]
        blocks = days * DAY * SECOND // (width(tier) * BLOCK)
        connection.executemany(
            "INSERT OR REPLACE INTO rollups (place, body) VALUES (?, ?)",
            [(place + (block << 32), body) for block in range(blocks) for place, body in rows],
        )


def _repeated(sheaf: Sheaf, times: int, seconds: int) -> Sheaf:
    """The buckets again and again, each time `seconds` later."""
    one = sheaf.buckets
    return merge_all(
        sheaf._replace(buckets=replace(one, at=one.at + by, last_at=one.last_at + by))
        for by in range(0, times * seconds * SECOND, seconds * SECOND)
    )
