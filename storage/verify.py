"""Reads all of the log and names what is not as it was written. Changes nothing, and goes on after damage."""

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from storage import proof
from storage.checksum import crc
from storage.errors import Damaged
from storage.events import Declared, Metrics
from storage.horizons import RAW
from storage.look import Progress, quiet
from storage.proof import Damage, Piece, told
from storage.recount import HOUR, MINUTE, Recount
from storage.rollups import BLOCK, TIERS, width
from storage.scan import LAST, readable, rows
from storage.sealer import GENESIS
from storage.seqs import Seqs

STEPS = 200_000
"""Instructions of SQLite's machine between two signs of life."""
NAMED = 1_000
"""Damages named; of more, only how many."""


class Report(msgspec.Struct):
    """`damages` is empty when the log is sound; `more` counts those beyond the named ones."""

    epoch: str = ""
    head: int = 0
    floor: int = 0
    facts: int = 0
    rows: int = 0
    segments: int = 0
    ticks: int = 0
    samples: int = 0
    columns: int = 0
    rollups: int = 0
    series: int = 0
    damages: list[Damage] = []
    more: int = 0

    @property
    def sound(self) -> bool:
        return not self.damages


def verify(connection: sqlite3.Connection, progress: Progress = quiet) -> Report:
    """`connection` is inside a read transaction: everything is of one moment."""
    return _Verify(connection, progress).run()


class _Verify:
    def __init__(self, connection: sqlite3.Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress
        self._report = Report()
        self._told: set[Damage] = set()
        self._seqs = Seqs()
        self._series: dict[int, str] = {}
        self._used: dict[int, tuple[str, str]] = {}
        """Series → (source, where it was seen first)."""
        self._blocks: dict[int, list[int]] = {}
        """Block of minutes → segments with ticks in it."""
        self._since: dict[int, int] = {}
        """Tier → from when on it is whole."""
        self._damaged = False
        self._sealed = 0
        """The newest seq in a segment, if the newest segment can be read."""

    def run(self) -> Report:
        self._file()
        self._events()
        self._segments()
        self._log()
        self._rollups()
        self._names()
        self._answers()
        return self._report

    def _tell(self, damage: Damage) -> None:
        if damage in self._told:
            return
        self._told.add(damage)
        if len(self._report.damages) < NAMED:
            self._report.damages.append(damage)
        else:
            self._report.more += 1

    def _file(self) -> None:
        """The trees and, unlike quick_check, their indexes: a sealed log has few rows with an index."""
        done = 0

        def alive() -> int:
            nonlocal done
            done += 1
            self._progress("pages", done, 0)
            return 0

        self._connection.set_progress_handler(alive, STEPS)
        answer = readable(self._connection, f"PRAGMA integrity_check({NAMED})")
        self._connection.set_progress_handler(None, 0)
        if isinstance(answer, str):
            self._tell(Damage("file", "", answer))
            return
        for (line,) in answer:
            if line != "ok":
                self._tell(Damage("file", "", str(line)))

    def _events(self) -> None:
        report = self._report
        total = self._count("events")
        scanned = rows(self._connection, proof.EVENT, "events", "seq", told("events", self._tell))
        for done, row in enumerate(scanned):
            if done % 1000 == 0:
                self._progress("events", done, total)
            seq = row[0]
            self._seqs.add(seq, seq)
            try:
                event = proof.event(row)
            except Damaged as error:
                self._tell(Damage("events", str(seq), error.detail))
                continue
            fact = event.data
            if isinstance(fact, Metrics):
                report.rows += 1
                report.ticks += 1
                report.samples += len(fact.ids)
                self._use(fact.ids, event.source, f"event {seq}")
                continue
            report.facts += 1
            if isinstance(fact, Declared):
                for series in fact.series:
                    if series.id in self._series:
                        self._tell(Damage("events", str(seq), f"declares series {series.id} again"))
                    self._series[series.id] = event.source

    def _segments(self) -> None:
        report = self._report
        metas = proof.metas(self._connection, self._tell)
        previous: tuple[int, Any] = (0, GENESIS)
        columns = 0
        for done, meta in enumerate(metas):
            self._progress("segments", done, len(metas))
            piece = proof.piece(self._connection, meta, self._tell)
            columns += len(piece.bodies)
            self._damaged = self._damaged or not piece.intact
            self._sealed = 0 if piece.head is None else int(piece.head.seqs[-1])
            if piece.head is not None:
                self._take(piece)
            if meta.id != previous[0] + 1 and previous[0]:
                gap = f"{previous[0] + 1}" + (
                    f" to {meta.id - 1}" if meta.id > previous[0] + 2 else ""
                )
                self._tell(Damage("segments", gap, "is missing"))
            elif (previous[0] or meta.id == 1) and meta.previous != previous[1]:
                self._tell(
                    Damage("segments", str(meta.id), "does not name the hash of the one before it")
                )
            previous = (meta.id, meta.hash)
            report.segments += 1
        report.columns = columns
        self._orphans({meta.id for meta in metas})

    def _take(self, piece: Piece) -> None:
        head, report = piece.head, self._report
        assert head is not None
        self._seqs.take(head.seqs)
        report.ticks += len(head.seqs)
        report.samples += head.samples - sum(len(head.rows(id_)) for id_ in piece.lost)
        for block in np.unique(head.ats // (width(MINUTE) * BLOCK)).tolist():
            self._blocks.setdefault(block, []).append(piece.meta.id)
        for shape in head.shapes:
            self._use(shape.ids.tolist(), shape.source, f"segment {piece.meta.id}")

    def _orphans(self, known: set[int]) -> None:
        """Strips of no segment. Only keys are read, one for each segment there seems to be."""
        last = -1
        while last < LAST:
            answer = readable(
                self._connection, "SELECT min(place) FROM strips WHERE place > ?", last
            )
            if isinstance(answer, str) or answer[0][0] is None:
                return
            found = answer[0][0]
            if found >> 32 not in known:
                where = f"segment {found >> 32} strip {found & 0xFFFFFFFF}"
                self._tell(Damage("strips", where, "belongs to no segment"))
            last = (found >> 32 << 32) + (1 << 32) - 1

    def _log(self) -> None:
        report = self._report
        answer = readable(
            self._connection,
            "SELECT epoch, head, floor, samples, created_at, crc FROM log WHERE id = 1",
        )
        if isinstance(answer, str) or len(answer) != 1:
            why = answer if isinstance(answer, str) else f"it has {len(answer)} rows"
            self._tell(Damage("log", "", f"its only row cannot be read ({why})"))
            return
        epoch, head, floor, samples, created, check = answer[0]
        if type(epoch) is not str or len(epoch) != 16 or set(epoch) - set("0123456789abcdef"):
            self._tell(Damage("log", "epoch", f"is {epoch!r}, which no log is called"))
        for name, cell in (("head", head), ("floor", floor), ("created_at", created)):
            if type(cell) is not int or not 0 <= cell < proof.LATEST:
                self._tell(Damage("log", name, f"is {cell!r}"))
                return
        report.epoch, report.head, report.floor = str(epoch), head, floor
        if check not in (None, crc(epoch, floor, created)):
            self._tell(Damage("log", "", "its epoch, floor or time is not as it was written"))
        self._figures(head, floor, samples)
        self._horizons(floor)

    def _horizons(self, floor: int) -> None:
        """What is given up has a time, and what has a time was given up."""
        answer = readable(self._connection, "SELECT tier, at, crc FROM horizons")
        if isinstance(answer, str):
            self._tell(Damage("horizons", "", f"cannot be read ({answer})"))
            return
        for tier, at, check in answer:
            if tier not in (RAW, *TIERS):
                self._tell(Damage("horizons", str(tier), "there is no such tier"))
            elif type(at) is not int or not 0 <= at < proof.LATEST:
                self._tell(Damage("horizons", str(tier), f"is {at!r}"))
            elif check not in (None, crc(tier, at)):
                self._tell(Damage("horizons", str(tier), "it is not as it was written"))
            else:
                self._since[tier] = at
        if (floor > 1) != any(tier == RAW for tier, _, _ in answer):
            says = "the floor is 1, and yet" if floor == 1 else f"the floor is {floor}, and"
            is_ = "samples are said to be gone" if floor == 1 else "nobody noted up to when"
            self._tell(Damage("horizons", str(RAW), f"{says} {is_}"))

    def _figures(self, head: int, floor: int, samples: Any) -> None:
        """What the log says of itself, against what was met."""
        report = self._report
        if samples != report.samples:
            self._tell(Damage("log", "samples", f"is {samples!r}; {report.samples} can be read"))
        for first, last in self._seqs.twice():
            self._tell(Damage("events", _span(first, last), "stands twice"))
        for first, last in self._seqs.missing(floor, head):
            self._tell(Damage("events", _span(first, last), "is neither a row nor in a segment"))
        newest = self._seqs.newest
        if newest > head:
            self._tell(Damage("log", "head", f"is {head}, and yet there is event {newest}"))
        if not 1 <= floor <= head + 1:
            self._tell(Damage("log", "floor", f"is {floor}, which is not within 1 and {head + 1}"))

    def _rollups(self) -> None:
        partly = self._damaged or self._report.floor > 1
        recount = Recount(
            self._connection, self._blocks, self._since, partly, self._tell, self._progress
        )
        self._report.rollups = recount.run()
        self._positions()

    def _positions(self) -> None:
        """Each coarse tier stands where the segments do."""
        answer = readable(self._connection, "SELECT tier, position FROM tiers")
        if isinstance(answer, str):
            self._tell(Damage("tiers", "", f"cannot be read ({answer})"))
            return
        positions = dict(answer)
        for tier in positions.keys() - set(TIERS):
            self._tell(Damage("tiers", str(tier), "there is no such tier"))
        for tier in (MINUTE, HOUR):
            position = positions.get(tier)
            if self._sealed and position != self._sealed:
                self._tell(
                    Damage(
                        "tiers",
                        str(tier),
                        f"is at {position!r}, the segments are at {self._sealed}",
                    )
                )

    def _use(self, ids: Iterable[int], source: str, where: str) -> None:
        for id_ in ids:
            if self._used.setdefault(id_, (source, where))[0] != source:
                self._tell(
                    Damage(
                        *_where(where), f"has series {id_} of {self._used[id_][0]} as of {source}"
                    )
                )

    def _names(self) -> None:
        """Every sample has a name, and ids are 1, 2, 3 …: the next one is given by their number."""
        self._report.series = len(self._series)
        for id_, (source, where) in sorted(self._used.items()):
            owner = self._series.get(id_)
            if owner is None:
                self._tell(
                    Damage(*_where(where), f"has samples of series {id_}, which has no name")
                )
            elif owner != source:
                self._tell(Damage(*_where(where), f"has series {id_} of {owner} as of {source}"))
        missing = sorted({*range(1, max(self._series, default=0) + 1)} - self._series.keys())
        for id_ in missing[:NAMED]:
            if id_ not in self._used:
                self._tell(Damage("events", "", f"no event declares series {id_}"))

    def _answers(self) -> None:
        """Receipts, producers and checkpoints tell of seqs the log has reached."""
        head = self._report.head
        for table, name, last, cells in (
            ("receipts", 1, 3, "key, at, first, last, body"),
            ("producers", 2, 4, "producer, epoch, pseq, first, last, body"),
            ("checkpoints", 1, 2, "name, version, seq, body"),
        ):
            answer = readable(self._connection, f"SELECT {cells}, crc FROM {table}")
            if isinstance(answer, str):
                self._tell(Damage(table, "", f"cannot be read ({answer})"))
                continue
            for *row, said in answer:
                key = " ".join(map(str, row[:name]))
                if said not in (None, crc(*row)):
                    self._tell(Damage(table, key, "it is not as it was written"))
                elif type(row[last]) is not int or not 0 <= row[last] <= head:
                    self._tell(
                        Damage(table, key, f"tells of event {row[last]!r}; the head is {head}")
                    )

    def _count(self, table: str) -> int:
        answer = readable(self._connection, f"SELECT count(*) FROM {table}")
        return 0 if isinstance(answer, str) else int(answer[0][0])


def _where(words: str) -> tuple[str, str]:
    kind, _, key = words.partition(" ")
    return kind + "s", key


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
