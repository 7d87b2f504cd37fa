"""A stretch of the log as a log of its own: the same events under the same seqs, what they stand on, and what
was said of the stretch afterwards.

Below the stretch only facts are kept, and of those what still held when it began: names of series, open alerts,
dashboards, annotations that reach into it. Behind it stand annotations that were made later, under seqs of the
new log. Synchronous, for a thread or a command.
"""

import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from storage import codec, proof, tiers
from storage.checksum import crc
from storage.errors import Absent, Damaged, StorageFull, TooMuch, translated
from storage.events import Alert, Annotation, Event, Layout, System
from storage.horizons import RAW
from storage.log import INSERT
from storage.look import Progress, quiet
from storage.migrate import migrate
from storage.press import press, without
from storage.proof import Damage, Meta, Piece
from storage.rollups import TIERS, Sheaf, coarser, fold_all, merge_all
from storage.rows import EVENT
from storage.sealer import GENESIS
from storage.segments import Head, Sealed, column, seal, unseal

MOST_BYTES = 512 * 1024 * 1024
"""Of sealed columns and rows that one package takes."""
COPIES = 2.5
"""The log, its rollups and pages that are not full, and the file that it is packed into."""
NOTES = 50
"""Notifications from before the stretch."""
TOGETHER = 36
"""Segments whose buckets are held at once: of ten minutes each, a block of minutes."""
_, MINUTE, HOUR = TIERS


class Cut(msgspec.Struct):
    """`first` to `last` are the seqs of the stretch, `head` ends with what was said later. `damages` names what
    could not be read and is missing."""

    epoch: str = ""
    of_epoch: str = ""
    first: int = 0
    last: int = 0
    head: int = 0
    events: int = 0
    ticks: int = 0
    samples: int = 0
    later: int = 0
    damages: list[Damage] = []


def cut(
    connection: sqlite3.Connection,
    target: Path,
    start: int,
    end: int,
    now: int,
    progress: Progress = quiet,
    spare: int = 0,
) -> Cut:
    """What was recorded from `start` until the first event of `end` (µs) came, as a log at `target`, which must
    not be there. `connection` looks at the log; `spare` bytes of the disk are to be left.

    Raises:
        Absent: nothing of it is held.
        StorageError: `target` cannot be written.
        StorageFull: there may not be room for it and a packed copy of it.
        TooMuch: it is more than a package takes.
    """
    with translated(target.parent):
        migrate(target)
        out = sqlite3.connect(target, isolation_level=None)
        try:
            # Whole or not at all: nobody knows of the file before it is done.
            out.execute("PRAGMA journal_mode=DELETE")
            out.execute("PRAGMA synchronous=OFF")
            out.execute("BEGIN")
            room = max(0, shutil.disk_usage(target.parent).free - spare)
            done = _Cut(connection, out, start, end, progress, room).run(now)
            out.execute("COMMIT")
        finally:
            out.close()
    return done


class _Cut:
    def __init__(
        self,
        connection: sqlite3.Connection,
        out: sqlite3.Connection,
        start: int,
        end: int,
        progress: Progress,
        room: int,
    ) -> None:
        self._room = room
        self._in = connection
        self._out = out
        self._start = start
        self._end = end
        self._progress = progress
        self._done = Cut()
        self._minutes: list[Sheaf] = []

    def run(self, now: int) -> Cut:
        done = self._done
        [(done.of_epoch, head, floor)] = self._in.execute("SELECT epoch, head, floor FROM log")
        metas = [
            meta
            for meta in proof.metas(self._in, self._tell)
            if all(type(cell) is int for cell in meta[1:7])
        ]
        first = self._first(metas, self._start)
        if first is None:
            raise Absent("nothing was recorded in that span or later")
        beyond = self._first(metas, self._end)
        done.first, done.last = max(first, floor), (head + 1 if beyond is None else beyond) - 1
        if done.last < done.first:
            gone = self._in.execute("SELECT at FROM horizons WHERE tier = ?", (RAW,)).fetchone()
            held = "is held any more" if gone and gone[0] > self._start else "was recorded"
            raise Absent(f"of that span nothing {held}")
        inside = [one for one in metas if one.last_seq >= done.first and one.first_seq <= done.last]
        self._bound(inside)
        done.epoch = secrets.token_hex(8)
        self._before()
        self._rows()
        self._segments(inside)
        self._rollups()
        self._later()
        floor = done.first
        self._out.execute(
            "INSERT INTO log (id, epoch, head, floor, samples, created_at, crc) "
            "VALUES (1, ?, ?, ?, ?, ?, ?)",
            (done.epoch, done.head, floor, done.samples, now, crc(done.epoch, floor, now)),
        )
        if floor > 1:
            # A floor needs a horizon, and nothing was given up here: the tape begins where it begins.
            self._out.execute(
                "INSERT INTO horizons (tier, at, crc) VALUES (?, ?, ?)", (RAW, 1, crc(RAW, 1))
            )
        return done

    def _tell(self, damage: Damage) -> None:
        if damage not in self._done.damages:
            self._done.damages.append(damage)

    def _first(self, metas: Iterable[Meta], at: int) -> int | None:
        """The first seq with a time of `at` or later."""
        [(best,)] = self._in.execute("SELECT min(seq) FROM events WHERE at >= ?", (at,))
        for meta in metas:
            if meta.end_at < at:
                continue
            if best is not None and meta.first_seq >= best:
                break
            _, head, _ = proof.sleeve(self._in, meta.id, self._tell)
            if head is not None:
                best = int(head.seqs[head.ats >= at].min(initial=best or int(head.seqs[-1])))
        return None if best is None else int(best)

    def _bound(self, metas: Iterable[Meta]) -> None:
        """TooMuch before anything is written."""
        size = sum(
            self._in.execute(
                "SELECT total(length(body)) FROM strips WHERE place BETWEEN ? AND ?",
                (meta.id << 32, (meta.id + 1 << 32) - 1),
            ).fetchone()[0]
            for meta in metas
        )
        [(rows,)] = self._in.execute(
            "SELECT total(length(body)) FROM events WHERE seq BETWEEN ? AND ?",
            (self._done.first, self._done.last),
        )
        if size + rows > MOST_BYTES:
            raise TooMuch(
                f"the span takes {int(size + rows):,} bytes; {MOST_BYTES:,} is the most a package holds",
                "Choose a shorter span.",
            )
        need = int(COPIES * (size + rows))
        if need > self._room:
            raise StorageFull(
                f"it may take {need:,} bytes while it is made, and there is room for {self._room:,}",
                "Free some space there, or choose a shorter span.",
            )

    def _read(self, where: str, *values: Any) -> Iterator[tuple[tuple[Any, ...], Event]]:
        """Rows with what they say; of those that are damaged, their name."""
        for row in self._in.execute(f"SELECT {EVENT} FROM events WHERE {where}", values):
            try:
                yield row, proof.event(row)
            except Damaged as error:
                self._tell(Damage("events", str(row[0]), error.detail))

    def _keep(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._out.executemany(INSERT, ((*row[:-1], crc(*row[:-1])) for row in rows))

    def _before(self) -> None:
        """Facts from before the stretch that still held when it began."""
        first = self._done.first
        self._keep(row for row, _ in self._read("type = 'series' AND seq < ?", first))
        held: dict[Any, tuple[Any, ...]] = {}
        kinds = "type IN ('alert', 'annotation', 'layout', 'system')"
        for row, event in self._read(
            f"{kinds} AND type <> 'metrics' AND seq < ? ORDER BY seq", first
        ):
            key, holds = self._standing(event)
            held.pop(key, None)
            if holds:
                held[key] = row
        self._keep(held.values())
        notes = "type = 'notification' AND seq < ? ORDER BY seq DESC LIMIT ?"
        self._keep([row for row, _ in self._read(notes, first, NOTES)])

    def _standing(self, event: Event) -> tuple[Any, bool]:
        """What a fact replaces, and whether it still says something after that."""
        fact = event.data
        if isinstance(fact, Alert):
            return ("alert", fact.id), fact.state == "firing"
        if isinstance(fact, Annotation):
            return ("annotation", fact.id), fact.state != "removed" and self._touches(fact)
        if isinstance(fact, Layout):
            return ("layout", fact.id), fact.state == "saved"
        what = fact.what if isinstance(fact, System) else ""
        return (what.partition("_")[0], event.source), what in (
            "started",
            "source_seen",
            "source_lost",
        )

    def _touches(self, fact: Annotation) -> bool:
        last = fact.since if fact.until is None else fact.until
        return last >= self._start and fact.since < self._end

    def _rows(self) -> None:
        """What stands as rows in the stretch: facts, and ticks that are not sealed."""
        done = self._done
        span = (done.first, done.last)
        for place, (row, event) in enumerate(self._read("seq BETWEEN ? AND ? ORDER BY seq", *span)):
            if place % 1000 == 0:
                self._progress("events", place, 0)
            self._keep([row])
            done.events += 1
            if event.type == "metrics":
                done.ticks += 1
                done.samples += len(codec.samples(row[5])[0])

    def _segments(self, metas: list[Meta]) -> None:
        done = self._done
        previous, sealed, position = GENESIS, 0, 0
        for id_, meta in enumerate(metas, 1):
            self._progress("segments", id_ - 1, len(metas))
            piece = proof.piece(self._in, meta, self._tell, decode=False)
            one = self._of(piece)
            if one is None:
                continue
            sealed += 1
            previous = press(self._out, sealed, one, previous)
            head = Head.read(one.head)
            columns = {
                series: column(head, series, one.columns.get(series)) for series in head.series()
            }
            self._minutes.append(fold_all(columns, MINUTE))
            if len(self._minutes) >= TOGETHER:
                self._rollups()
            done.events += one.ticks
            done.ticks += one.ticks
            done.samples += one.samples
            position = one.last_seq
        if sealed:
            self._out.executemany(
                "INSERT INTO tiers (tier, position) VALUES (?, ?)",
                [(MINUTE, position), (HOUR, position)],
            )

    def _of(self, piece: Piece) -> Sealed | None:
        """As much of a segment as belongs to the stretch."""
        head, done = piece.head, self._done
        if head is None:
            return None
        inside = (head.seqs >= done.first) & (head.seqs <= done.last)
        if inside.all() and piece.intact:
            raw, _, _ = proof.sleeve(self._in, piece.meta.id, self._tell)
            return Sealed(*piece.meta[1:7], raw, piece.bodies)
        if not inside.any():
            return None
        ticks = unseal(without(head, piece.lost), piece.bodies)
        return seal([tick for tick in ticks if done.first <= tick.seq <= done.last])

    def _rollups(self) -> None:
        """Write what has gathered; a block that is there already is made whole with it."""
        minutes = merge_all(self._minutes)
        self._minutes.clear()
        if not len(minutes.series):
            return
        for tier, sheaf in ((MINUTE, minutes), (HOUR, coarser(minutes, HOUR))):
            split = tiers.parts(tier, sheaf)
            stored: dict[int, bytes] = {}
            for place in split:
                stored.update(
                    self._out.execute("SELECT place, body FROM rollups WHERE place = ?", (place,))
                )
            rows, _ = tiers.merge_in(tier, split, stored)
            self._out.executemany(
                "INSERT OR REPLACE INTO rollups (place, body) VALUES (?, ?)", rows
            )

    def _later(self) -> None:
        """What was said of the stretch after it, one fact for each annotation, under seqs of this log."""
        done = self._done
        known: set[str] = set()
        for body, version in self._out.execute(
            "SELECT body, version FROM events WHERE type = 'annotation'"
        ):
            fact = codec.decode("annotation", version, body)
            assert isinstance(fact, Annotation)
            known.add(fact.id)
        said: dict[str, tuple[Event, Annotation]] = {}
        for _, event in self._read(
            "type = 'annotation' AND type <> 'metrics' AND seq > ? ORDER BY seq", done.last
        ):
            if isinstance(event.data, Annotation):
                said[event.data.id] = event, event.data
        done.head = done.last
        for event, fact in said.values():
            if fact.id not in known and (fact.state == "removed" or not self._touches(fact)):
                continue
            if fact.id not in known:
                fact = msgspec.structs.replace(fact, state="noted")
            done.head += 1
            done.later += 1
            row = (
                done.head,
                event.at,
                event.source,
                fact.type,
                fact.version,
                codec.encode(fact),
                0,
            )
            self._keep([row])
