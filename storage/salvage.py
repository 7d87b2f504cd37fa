"""What can be proved of a damaged log, as a new log under a new epoch. The damaged one is only read.

Seqs stay what they are. What is lost leaves holes, so the floor of the new log is behind the last of them:
from there on it holds everything, below it what could be saved. A series whose name is lost gets another,
for its samples are not.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from storage import codec, proof, tiers
from storage.backup import written
from storage.blocks import pack_buckets, unpack_buckets
from storage.checksum import crc
from storage.errors import Damaged, StorageError, translated
from storage.events import Declared, Metrics, Series
from storage.horizons import RAW
from storage.lock import Lock
from storage.log import INSERT
from storage.look import FILE, Progress, quiet
from storage.migrate import migrate
from storage.press import press, without
from storage.proof import Damage, Piece, told
from storage.rollups import (
    BLOCK,
    TIERS,
    Columns,
    Sheaf,
    block_start,
    coarser,
    fold_all,
    merge_all,
    width,
)
from storage.scan import Lost, readable, rows
from storage.sealer import GENESIS
from storage.segments import seal, unseal
from storage.seqs import Seqs

FINE, MINUTE, HOUR = TIERS


class Salvaged(msgspec.Struct):
    """`renamed` are the series whose name was lost; `lost` the runs of seqs of which nothing is left;
    `damages` all that was found wrong."""

    data: str = ""
    epoch: str = ""
    head: int = 0
    floor: int = 1
    facts: int = 0
    ticks: int = 0
    samples: int = 0
    segments: int = 0
    rollups: int = 0
    renamed: list[int] = []
    lost: list[tuple[int, int]] = []
    damages: list[Damage] = []


def salvage(
    connection: sqlite3.Connection, directory: Path, now: int, progress: Progress = quiet
) -> Salvaged:
    """`connection` looks at the damaged log; `directory` is new or has no log in it. `now` in µs.

    Raises:
        StorageError: `directory` has a log already, or cannot be written.
    """
    lock = Lock(directory)
    lock.acquire()
    try:
        target = directory / FILE
        if target.exists():
            raise StorageError(
                f"there is a log in {directory} already", "name a new directory for what is saved"
            )
        with written(target) as part, translated(directory):
            migrate(part)
            out = sqlite3.connect(part, isolation_level=None)
            try:
                # Whole or not at all: the file counts for nothing until it has its name.
                out.execute("PRAGMA journal_mode=OFF")
                out.execute("PRAGMA synchronous=OFF")
                out.execute("BEGIN")
                saved = _Salvage(connection, out, progress).run(now)
                out.execute("COMMIT")
                out.execute("PRAGMA journal_mode=WAL")
            finally:
                out.close()
    finally:
        lock.release()
    saved.data = str(directory)
    return saved


class _Salvage:
    def __init__(
        self, connection: sqlite3.Connection, out: sqlite3.Connection, progress: Progress
    ) -> None:
        self._in = connection
        self._out = out
        self._progress = progress
        self._saved = Salvaged()
        self._seqs = Seqs()
        self._used: dict[int, str] = {}
        """Series → source, of samples."""
        self._names: dict[int, str] = {}
        self._newest_at = 0
        self._torn = 0
        """The last seq of the newest segment that is not whole."""
        self._sealed = 0
        self._ticks: list[tuple[int, int, int]] = []
        """(first seq, last seq, newest time) of segments and of ticks that are rows."""
        self._remade: set[int] = set()
        """Tiers of which a row was damaged; such rows are made again from the samples there are."""

    def run(self, now: int) -> Salvaged:
        saved = self._saved
        saved.epoch = secrets.token_hex(8)
        held = Seqs()
        for id_, piece in enumerate(self._pieces(), 1):
            self._keep(id_, piece)
        held.merge(self._seqs)
        self._rows(held)
        head = self._seqs.newest
        saved.lost = self._seqs.missing(1, head)
        head = self._rename(head)
        floor = max([1, self._torn + 1, *(last + 1 for _, last in saved.lost)])
        self._rollups()
        self._horizons(floor)
        self._answers(head, floor)
        saved.head, saved.floor = head, floor
        self._out.execute(
            "INSERT INTO log (id, epoch, head, floor, samples, created_at, crc) "
            "VALUES (1, ?, ?, ?, ?, ?, ?)",
            (saved.epoch, head, floor, saved.samples, now, crc(saved.epoch, floor, now)),
        )
        return saved

    def _tell(self, damage: Damage) -> None:
        if damage not in self._saved.damages:
            self._saved.damages.append(damage)

    def _pieces(self) -> Iterable[Piece]:
        """Segments of which something is left, in the order of their seqs."""
        metas = proof.metas(self._in, self._tell)
        for done, meta in enumerate(metas):
            self._progress("segments", done, len(metas))
            piece = proof.piece(self._in, meta, self._tell)
            if piece.head is not None and int(piece.head.seqs[0]) > self._sealed:
                yield piece

    def _keep(self, id_: int, piece: Piece) -> None:
        head = piece.head
        assert head is not None
        sealed = seal(unseal(without(head, piece.lost), piece.bodies))
        if piece.lost:
            self._torn = sealed.last_seq
        row = self._out.execute("SELECT hash FROM segments WHERE id = ?", (id_ - 1,)).fetchone()
        press(self._out, id_, sealed, row[0] if row else GENESIS)
        self._seqs.take(head.seqs)
        self._ticks.append((sealed.first_seq, sealed.last_seq, sealed.end_at))
        self._sealed = sealed.last_seq
        self._newest_at = max(self._newest_at, sealed.end_at)
        self._saved.segments += 1
        self._saved.ticks += sealed.ticks
        self._saved.samples += sealed.samples
        for shape in head.shapes:
            self._used.update(dict.fromkeys(shape.ids.tolist(), shape.source))

    def _rows(self, held: Seqs) -> None:
        for done, row in enumerate(
            rows(self._in, proof.EVENT, "events", "seq", told("events", self._tell))
        ):
            if done % 1000 == 0:
                self._progress("events", done, 0)
            try:
                event = proof.event(row)
            except Damaged as error:
                self._tell(Damage("events", str(row[0]), error.detail))
                continue
            if held.holds(event.seq) or event.seq < 1:
                self._tell(Damage("events", str(event.seq), "stands twice"))
                continue
            fact = event.data
            if isinstance(fact, Metrics):
                self._saved.ticks += 1
                self._saved.samples += len(fact.ids)
                self._ticks.append((event.seq, event.seq, event.at))
                self._used.update(dict.fromkeys(fact.ids, event.source))
            else:
                self._saved.facts += 1
            if isinstance(fact, Declared):
                self._names.update({series.id: event.source for series in fact.series})
            self._out.execute(INSERT, (*row[:-1], crc(*row[:-1])))
            self._seqs.add(event.seq, event.seq)
            self._newest_at = max(self._newest_at, event.at)

    def _rename(self, head: int) -> int:
        """Ids are 1, 2, 3 …: those whose declaration is lost are declared again, after all else."""
        last = max([*self._names, *self._used], default=0)
        lost = [id_ for id_ in range(1, last + 1) if id_ not in self._names]
        by_source: dict[str, list[Series]] = {}
        for id_ in lost:
            series = Series(
                id_, f"salvaged_{id_}", {}, help="Its name was in a damaged part of the log."
            )
            by_source.setdefault(self._used.get(id_, "salvaged"), []).append(series)
        for source, some in by_source.items():
            head += 1
            fact = Declared(some)
            row = (head, self._newest_at, source, fact.type, fact.version, codec.encode(fact))
            self._out.execute(INSERT, (*row, crc(*row)))
            self._saved.facts += 1
        self._saved.renamed = lost
        return head

    def _horizons(self, floor: int) -> None:
        """What was given up before, and what is lost now: of that nobody knows the time, but that it is none
        later than what comes after it."""
        saved = self._saved
        answer = readable(self._in, "SELECT tier, at, crc FROM horizons")
        if isinstance(answer, str):
            self._tell(Damage("horizons", "", f"cannot be read ({answer})"))
            answer = []
        since: dict[int, int] = {}
        for tier, at, check in answer:
            if tier in (RAW, *TIERS) and type(at) is int and check in (None, crc(tier, at)):
                since[tier] = at
            else:
                self._tell(Damage("horizons", str(tier), "it is not as it was written"))
        if floor > 1 and saved.damages:
            behind = min((at for first, _, at in self._ticks if first >= floor), default=0)
            lost = max([behind, *(at + 1 for first, _, at in self._ticks if first < floor)])
            # What was sealed is in the coarse tiers, whatever became of its segment.
            unsealed = any(last > self._sealed for _, last in saved.lost)
            coarse = {MINUTE, HOUR} if unsealed else self._remade & {MINUTE, HOUR}
            for tier in {RAW, FINE} | coarse:
                since[tier] = max(lost, since.get(tier, 0))
        for tier, at in since.items():
            self._out.execute(
                "INSERT INTO horizons (tier, at, crc) VALUES (?, ?, ?)", (tier, at, crc(tier, at))
            )

    def _rollups(self) -> None:
        """Rows that read are kept: of samples that are gone they are all that is left. The others are
        made again from the samples there are."""
        kept: set[int] = set()

        def lost(lost: Lost) -> None:
            self._remade.update(TIERS)
            told("rollups", self._tell)(lost)

        for place, body in rows(self._in, "place, body", "rollups", "place", lost):
            try:
                _readable_block(place, body)
            except Damaged as error:
                self._remade.update(TIERS)
                self._tell(Damage("rollups", str(place), error.detail))
                continue
            self._out.execute("INSERT INTO rollups (place, body) VALUES (?, ?)", (place, body))
            kept.add(place)
        missing: set[int] = set()
        for columns in self._columns():
            for tier in (MINUTE, HOUR):
                oldest = min((tiers.block_at(p) for p in kept if _tier(p) == tier), default=0)
                for place in _places(columns, tier) - kept:
                    if tiers.block_at(place) >= oldest:
                        missing.add(place)
        for tier in (MINUTE, HOUR):
            self._remake(tier, {place for place in missing if _tier(place) == tier})
            if self._sealed:
                self._out.execute(
                    "INSERT INTO tiers (tier, position) VALUES (?, ?)", (tier, self._sealed)
                )
        self._saved.rollups = len(kept | missing)

    def _remake(self, tier: int, missing: set[int]) -> None:
        if not missing:
            return
        parts: dict[int, list[Sheaf]] = {place: [] for place in missing}
        for columns in self._columns():
            for place in _places(columns, tier) & missing:
                block, group = tiers.block_at(place), place & 0xFFFFFFFF
                some = {id_: columns[id_] for id_ in columns if group <= id_ < group + tiers.GROUP}
                sheaf = coarser(fold_all(some, MINUTE), tier)
                start = block_start(block, tier)
                end = block_start(block + 1, tier)
                inside = (sheaf.buckets.at >= start) & (sheaf.buckets.at < end)
                part = Sheaf(sheaf.series[inside], sheaf.buckets.take(inside))
                parts[place] = [merge_all([*parts[place], part])]
        for place, found in parts.items():
            if found:
                body = pack_buckets(found[0], tiers.block_at(place), tier)
                self._out.execute("INSERT INTO rollups (place, body) VALUES (?, ?)", (place, body))

    def _columns(self) -> Iterable[Columns]:
        """Of what was saved, a segment at a time."""
        for (id_,) in self._out.execute("SELECT id FROM segments ORDER BY id").fetchall():
            _, head, places = proof.sleeve(self._out, id_, _never)
            assert head is not None
            found = proof.samples(self._out, id_, (head, places), head.series(), _never)
            yield {series: (ats, values) for series, ats, values in found}

    def _answers(self, head: int, floor: int) -> None:
        """Answers that were given, where what they answer for is held. Checkpoints are folded anew."""
        for table, place, cells in (
            ("receipts", 2, "key, at, first, last, body, crc"),
            ("producers", 3, "producer, epoch, pseq, first, last, body, crc"),
        ):
            answer = readable(self._in, f"SELECT {cells} FROM {table}")
            if isinstance(answer, str):
                self._tell(Damage(table, "", f"cannot be read ({answer})"))
                continue
            marks = ", ".join("?" * len(cells.split(",")))
            for row in answer:
                first, last = row[place], row[place + 1]
                if row[-1] not in (None, crc(*row[:-1])):
                    self._tell(Damage(table, str(row[0]), "it is not as it was written"))
                elif type(first) is int and type(last) is int and floor <= first <= last <= head:
                    self._out.execute(f"INSERT INTO {table} ({cells}) VALUES ({marks})", row)


def _readable_block(place: Any, body: Any) -> None:
    tier, block, group = _tier(place), tiers.block_at(place), place & 0xFFFFFFFF
    if tier is None or type(body) is not bytes:
        raise Damaged("it is of no tier, or no bytes")
    sheaf = unpack_buckets(body, block, tier)
    if (sheaf.series // tiers.GROUP * tiers.GROUP != group).any():
        raise Damaged("it holds series that belong elsewhere")


def _tier(place: int) -> int | None:
    number = place >> 58
    return TIERS[number - 1] if 1 <= number <= len(TIERS) else None


def _places(columns: Columns, tier: int) -> set[int]:
    found: set[int] = set()
    for id_, (ats, _) in columns.items():
        for block in np.unique(ats // (width(tier) * BLOCK)).tolist():
            found.add(tiers.place_of(tier, block, id_))
    return found


def _never(damage: Damage) -> None:
    raise StorageError(f"what was just saved cannot be read ({damage.what})")
