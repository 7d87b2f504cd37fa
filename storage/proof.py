"""What can be proved of one row and of one segment: everything else is damage, and gets a name."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from storage import rows, strips
from storage.errors import Damaged
from storage.events import Event, Metrics
from storage.packing import Doubles, Ints
from storage.rows import EVENT as EVENT
from storage.rows import LATEST as LATEST
from storage.scan import Lost, readable
from storage.scan import rows as scan
from storage.segments import Head, column, digest
from storage.strips import Place

META = "id, first_seq, last_seq, start_at, end_at, ticks, samples, format, hash, previous"


class Damage(msgspec.Struct, frozen=True, order=True):
    """`table` and `key` say where (a key may be a range, "" the whole table), `what` says what is wrong."""

    table: str
    key: str
    what: str


Tell = Callable[[Damage], None]


class Meta(NamedTuple):
    """A row of `segments` without its head. Cells are as they were found: any of them may be wrong."""

    id: int
    first_seq: Any
    last_seq: Any
    start_at: Any
    end_at: Any
    ticks: Any
    samples: Any
    format: Any
    hash: Any
    previous: Any


class Piece(NamedTuple):
    """What is left of a segment. `bodies` holds the columns that can be read; without a `head` there are
    no times, and nothing of it can be told. `intact` when all of it is as it was sealed."""

    meta: Meta
    head: Head | None
    bodies: dict[int, bytes]
    intact: bool

    @property
    def lost(self) -> list[int]:
        """Series whose column cannot be read."""
        if self.head is None:
            return []
        return [
            id_
            for id_ in self.head.series()
            if id_ not in self.bodies and id_ not in self.head.constants
        ]


def told(table: str, tell: Tell) -> Callable[[Lost], None]:
    """Tells of rows that a scan could not read."""

    def tell_lost(lost: Lost) -> None:
        first, last = lost.after + 1, lost.before - 1
        if last >= LATEST:
            key = f"from {_key(table, first)} on"
        else:
            key = _key(table, first)
            key += f" to {_key(table, last)}" if last > first else ""
        tell(Damage(table, key, f"cannot be read ({lost.why})"))

    return tell_lost


def _key(table: str, key: int) -> str:
    return f"segment {key >> 32} strip {key & 0xFFFFFFFF}" if table == "strips" else str(key)


def event(row: tuple[Any, ...]) -> Event:
    """
    Raises:
        Damaged: what the row holds cannot have been written.
    """
    found = rows.event(row)
    if isinstance(found.data, Metrics):
        rows.check_tick(found.data)
    return found


def metas(connection: sqlite3.Connection, tell: Tell) -> list[Meta]:
    """The segments, oldest first."""
    found = [Meta(*row) for row in scan(connection, META, "segments", "id", told("segments", tell))]
    return sorted(found, key=lambda meta: meta.id)


def piece(connection: sqlite3.Connection, meta: Meta, tell: Tell, decode: bool = True) -> Piece:
    """Reads a segment whole and checks each part of it by itself: one bad column leaves the others. Without
    `decode` its columns are not looked into where its hash says that they are as they were written."""
    damages: list[Damage] = []

    def note(damage: Damage) -> None:
        damages.append(damage)
        tell(damage)

    raw, head, places = sleeve(connection, meta.id, note)
    scanned = scan(
        connection,
        "place, body",
        "strips",
        "place",
        told("strips", note),
        after=(meta.id << 32) - 1,
        before=meta.id + 1 << 32,
    )
    stored = {key & 0xFFFFFFFF: body for key, body in scanned}
    bodies: dict[int, bytes] = {}
    if head is not None:
        _check_meta(meta, head, note)
        varying = sorted({*places, *(set(head.series()) - head.constants.keys())})
        if not decode:
            bodies = _unopened(head, varying, places, stored)
            decode = digest(meta.previous, raw, bodies) != meta.hash
        for id_ in varying if decode else ():
            try:
                bodies[id_] = body(head, id_, places.get(id_), stored)
            except Damaged as error:
                bodies.pop(id_, None)
                note(Damage("strips", f"segment {meta.id} series {id_}", error.detail))
        if places:
            _check_strips(meta.id, places, stored, note)
    if not damages and digest(meta.previous, raw, bodies) != meta.hash:
        note(
            Damage(
                "segments",
                str(meta.id),
                "its hash is not that of its head, its columns and the one before it",
            )
        )
    return Piece(meta, head, bodies, not damages)


def sleeve(
    connection: sqlite3.Connection, segment: int, tell: Tell
) -> tuple[bytes, Head | None, dict[int, Place]]:
    """The head of a segment, as it is and as it reads, and where its columns lie."""
    answer = readable(connection, "SELECT head, directory FROM segments WHERE id = ?", segment)
    raw, head, places = b"", None, dict[int, Place]()
    if isinstance(answer, str) or not answer:
        why = answer if isinstance(answer, str) else "it is not there"
        tell(Damage("segments", str(segment), f"its head cannot be read ({why})"))
        return raw, head, places
    try:
        raw = _bytes(answer[0][0], "head")
        head = Head.read(raw)
    except Damaged as error:
        tell(Damage("segments", str(segment), error.detail))
    try:
        places = strips.read(_bytes(answer[0][1], "directory"))
    except Damaged as error:
        tell(Damage("segments", str(segment), f"its directory cannot be read: {error.detail}"))
    return raw, head, places


def body(head: Head, series: int, where: Place | None, stored: Mapping[int, Any]) -> bytes:
    """The packed column of a series out of the strips of its segment.

    Raises:
        Damaged: it is not there, or not what was packed.
    """
    packed = _packed(head, series, where, stored)
    column(head, series, packed)
    return packed


def _packed(head: Head, series: int, where: Place | None, stored: Mapping[int, Any]) -> bytes:
    if not head.has(series):
        raise Damaged("the head of the segment does not name this series")
    if where is None:
        raise Damaged("the directory of the segment does not say where it is")
    if where.strip not in stored:
        raise Damaged(f"strip {where.strip}, where it is, is missing")
    return _bytes(stored[where.strip], "strip")[where.begin : where.end]


def _unopened(
    head: Head, wanted: Iterable[int], places: Mapping[int, Place], stored: Mapping[int, Any]
) -> dict[int, bytes]:
    """What is there of columns; the hash tells whether that is all of it."""
    found: dict[int, bytes] = {}
    for id_ in wanted:
        with contextlib.suppress(Damaged):
            found[id_] = _packed(head, id_, places.get(id_), stored)
    return found


def samples(
    connection: sqlite3.Connection,
    segment: int,
    sleeve_: tuple[Head, Mapping[int, Place]],
    wanted: Iterable[int],
    tell: Tell,
) -> Iterator[tuple[int, Ints, Doubles]]:
    """(series, times, values) of some series of a segment, each in order of time; what cannot be read is
    told and left out. Reads the strips in which they lie, and those between."""
    head, places = sleeve_
    series = [id_ for id_ in wanted if head.has(id_)]
    here = [places[id_].strip for id_ in series if id_ in places]
    stored: dict[int, Any] = {}
    if here:
        scanned = scan(
            connection,
            "place, body",
            "strips",
            "place",
            told("strips", tell),
            after=(segment << 32 | min(here)) - 1,
            before=(segment << 32 | max(here)) + 1,
        )
        stored = {key & 0xFFFFFFFF: strip for key, strip in scanned}
    for id_ in series:
        try:
            still = id_ in head.constants
            packed = None if still else _packed(head, id_, places.get(id_), stored)
            yield id_, *column(head, id_, packed)
        except Damaged as error:
            tell(Damage("strips", f"segment {segment} series {id_}", error.detail))


def _bytes(cell: Any, what: str) -> bytes:
    if type(cell) is not bytes:
        raise Damaged(f"its {what} is no bytes")
    return cell


def _check_strips(
    segment: int, places: Mapping[int, Place], stored: Mapping[int, Any], tell: Tell
) -> None:
    """No byte that no column accounts for."""
    ends: dict[int, int] = {}
    for where in places.values():
        ends[where.strip] = max(where.end, ends.get(where.strip, 0))
    for strip, cell in stored.items():
        if type(cell) is bytes and len(cell) != ends.get(strip, 0):
            tell(
                Damage(
                    "strips",
                    f"segment {segment} strip {strip}",
                    f"has {len(cell)} bytes; its columns end at {ends.get(strip, 0)}",
                )
            )


def _check_meta(meta: Meta, head: Head, tell: Tell) -> None:
    for name, said, proved in (
        ("first_seq", meta.first_seq, int(head.seqs[0])),
        ("last_seq", meta.last_seq, int(head.seqs[-1])),
        ("start_at", meta.start_at, int(head.ats.min())),
        ("end_at", meta.end_at, int(head.ats.max())),
        ("ticks", meta.ticks, len(head.seqs)),
        ("samples", meta.samples, head.samples),
        ("format", meta.format, head.format),
    ):
        if said != proved:
            tell(Damage("segments", str(meta.id), f"{name} is {said!r}, its head says {proved}"))
    for name, cell in (("hash", meta.hash), ("previous", meta.previous)):
        if type(cell) is not bytes or len(cell) != 32:
            tell(Damage("segments", str(meta.id), f"{name} is no hash"))
