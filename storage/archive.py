"""The sealed part of the log: reads segments, a few columns or whole ticks, decoding off the loop."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import strips
from storage.damages import Damages
from storage.engine import Plan, fetched, followed
from storage.errors import Damaged
from storage.segments import Head, Opened, Tick, column
from storage.skim import Skim, skim
from storage.strips import Place

SLEEVES_BYTES = 64 * 1024 * 1024
"""Decoded heads and directories kept: of ten-minute segments, some 50 kB each, a week."""
OPENED_BYTES = 32 * 1024 * 1024
"""Decoded values kept for the next page of the same segment. The one read last stays, however large."""
COLUMNS_BYTES = 32 * 1024 * 1024
"""Decoded columns kept: an hour of ten series at a second is half a megabyte."""
NEAR = 2_000
"""Facts behind which a tick that is not sealed is looked for."""
ASKED = 500
"""Rows asked for in one statement."""

Piece = tuple[np.ndarray, np.ndarray]
"""Times (int64 µs) and values (float64), in order of time."""
Columns = dict[int, Piece]
Pieces = dict[int, list[Piece]]
"""By series id."""

NONE = np.empty(0, np.int64)

META = "SELECT id, first_seq, last_seq, start_at, end_at FROM segments"


class Segment(NamedTuple):
    """Where a segment stands: seqs and times are inclusive."""

    id: int
    first_seq: int
    last_seq: int
    start_at: int
    end_at: int


class Sleeve(NamedTuple):
    """What is read of a segment before its columns: what it holds, and where."""

    head: Head
    places: Mapping[int, Place]


class Archive:
    """Every method takes the reader's connection, so that one look sees one state of the log."""

    def __init__(self, damages: Damages) -> None:
        self._damages = damages
        self._opened: OrderedDict[int, Opened] = OrderedDict()
        self._sleeves: LRUCache[int, Sleeve] = LRUCache(SLEEVES_BYTES, _size)
        self._turn = threading.Lock()
        """Questions are answered in threads of their own."""
        self._columns = _Columns()

    async def after(
        self,
        connection: AsyncConnection,
        seq: int,
        until: int,
        most: int,
        start: int | None = None,
        end: int | None = None,
    ) -> list[Segment]:
        """The first `most` segments that may hold a tick with `seq < its seq ≤ until` and
        `start ≤ at < end`; oldest first."""
        within = " AND end_at >= ?" if start is not None else ""
        within += " AND start_at < ?" if end is not None else ""
        rows = await fetched(
            connection,
            # By the index, and unary plus keeps it so: the rows each carry a head.
            f"{META} WHERE last_seq > ? AND +first_seq <= ?{within.replace('AND ', 'AND +')} "
            "ORDER BY last_seq LIMIT ?",
            (seq, until, *(t for t in (start, end) if t is not None), most),
        )
        return [Segment._make(row) for row in rows]

    def within(self, start: int, end: int) -> Plan[list[Segment]]:
        """Segments that may hold a sample with `start ≤ at < end`."""
        rows = yield f"{META} WHERE end_at >= ? AND start_at < ? ORDER BY first_seq", (start, end)
        return [Segment._make(row) for row in rows]

    def columns(
        self,
        segments: Sequence[Segment],
        ids: Iterable[int],
        start: int,
        end: int,
        until: int | None = None,
    ) -> Plan[Pieces]:
        """The samples of some series with `start ≤ at < end` in `segments`: a piece a segment, each in
        order of time. Reads no column but theirs, and none of those that it remembers. With `until`, none that
        came behind that seq."""
        wanted = list(ids)
        if until is not None:
            segments = [segment for segment in segments if segment.first_seq <= until]
        sleeves = yield from self.heads(segments)
        segments = [segment for segment in segments if segment.id in sleeves]
        known = {segment.id: self._columns.known(segment, wanted) for segment in segments}
        rows = sorted(
            {
                segment.id << 32 | place.strip
                for segment in segments
                for id_ in wanted
                if id_ not in known[segment.id] and (place := sleeves[segment.id].places.get(id_))
            }
        )
        bodies: dict[int, bytes] = {}
        for begin in range(0, len(rows), ASKED):
            some = rows[begin : begin + ASKED]
            marks = ",".join("?" * len(some))
            found = yield f"SELECT place, body FROM strips WHERE place IN ({marks})", tuple(some)
            bodies.update(found)
        pieces: Pieces = {id_: [] for id_ in wanted}
        for segment in segments:
            head, places = sleeves[segment.id]
            for id_ in wanted:
                if not head.has(id_):
                    continue
                read = known[segment.id].get(id_)
                if read is None:
                    try:
                        read = column(head, id_, _body(segment, places.get(id_), bodies))
                    except Damaged as error:
                        self._note(segment, id_, error.detail)
                        continue
                    self._columns.keep(segment, id_, read)
                if until is not None and until < segment.last_seq:
                    read = _before(head, id_, read, until)
                pieces[id_] += _within(segment, read, start, end)
        return pieces

    def remembered(
        self, segments: Sequence[Segment], ids: Iterable[int], start: int, end: int
    ) -> Pieces | None:
        """The same from memory, at once; None where something would have to be read or decoded."""
        wanted = list(ids)
        sleeves = self._kept(segments)
        pieces: Pieces = {id_: [] for id_ in wanted}
        for segment in segments:
            if segment.id not in sleeves:
                return None
            known = self._columns.known(segment, wanted)
            if any(id_ not in known and sleeves[segment.id].head.has(id_) for id_ in wanted):
                return None
            for id_, read in known.items():
                pieces[id_] += _within(segment, read, start, end)
        return pieces

    async def ticks(
        self,
        connection: AsyncConnection,
        segment: Segment,
        after: int,
        most: int,
        start: int | None = None,
        end: int | None = None,
        source: str | None = None,
    ) -> list[Tick]:
        """The ticks of a segment after a seq with `start ≤ at < end`, at most `most`, as they were appended;
        without the samples of a column that cannot be read.

        Raises:
            Damaged: its head cannot be read, and so no tick of it.
        """
        head, places = (await self._read(connection, [segment]))[segment.id]
        if source is not None and source not in head.sources:
            return []
        opened = self._opened.pop(segment.first_seq, None)
        if opened is None:
            strips_of = await self._strips(connection, segment)
            opened = await asyncio.get_running_loop().run_in_executor(
                None, _open, segment, head, places, strips_of
            )
            for id_, detail in opened.lost.items():
                self._note(segment, id_, detail)
        self._opened[segment.first_seq] = opened
        while len(self._opened) > 1 and sum(o.size for o in self._opened.values()) > OPENED_BYTES:
            self._opened.popitem(last=False)
        return await asyncio.get_running_loop().run_in_executor(
            None, opened.ticks, after, most, start, end, source
        )

    def _note(self, segment: Segment, series: int, detail: str) -> None:
        place = f"segment {segment.id} series {series}"
        self._damages.note(place, detail, segment.start_at, segment.end_at)

    def note(self, segment: Segment, detail: str) -> None:
        """Nothing of it can be read."""
        self._damages.note(f"segment {segment.id}", detail, segment.start_at, segment.end_at)

    async def whole(self, connection: AsyncConnection, segment: Segment) -> Columns:
        """Every series of a segment, decoded."""
        head, places = (await self._read(connection, [segment]))[segment.id]
        bodies = await self._bodies(connection, segment, places)
        return await asyncio.get_running_loop().run_in_executor(None, _whole, head, bodies)

    async def readable(
        self, connection: AsyncConnection, segment: Segment
    ) -> tuple[Columns, list[str]]:
        """What of a segment can be read, series by series, and what is wrong with the rest."""
        try:
            head, places = (await self._read(connection, [segment]))[segment.id]
        except Damaged as error:
            return {}, [error.detail]
        strips_of = await self._strips(connection, segment)

        def read() -> tuple[Columns, list[str]]:
            columns: Columns = {}
            wrong: list[str] = []
            for id_ in sorted(head.series()):
                try:
                    columns[id_] = column(head, id_, _body(segment, places.get(id_), strips_of))
                except Damaged as error:
                    wrong.append(error.detail)
            return columns, wrong

        return await asyncio.get_running_loop().run_in_executor(None, read)

    def skims(self, seq: int, most: int) -> Plan[list[Skim]]:
        """What the heads of the first `most` segments after a seq tell; those that cannot be read are noted."""
        rows = yield f"{META} WHERE last_seq > ? ORDER BY last_seq LIMIT ?", (seq, most)
        segments = [Segment._make(row) for row in rows]
        sleeves = yield from self.heads(segments)
        return [
            skim(segment.id, sleeves[segment.id].head)
            if segment.id in sleeves
            else Skim(segment.id, segment.last_seq, [], NONE, NONE, NONE, NONE)
            for segment in segments
        ]

    def lasts(self, id_: int, series: Iterable[int]) -> Plan[dict[int, tuple[int, float]]]:
        """The last sample of some series in a segment, as far as they can be read."""
        rows = yield f"{META} WHERE id = ?", (id_,)
        segments = [Segment._make(row) for row in rows]
        pieces = yield from self.columns(segments, series, 0, 1 << 62)
        return {
            one: (int(found[-1][0][-1]), float(found[-1][1][-1]))
            for one, found in pieces.items()
            if found
        }

    def last_before(self, seq: int) -> Plan[int | None]:
        """The time of the newest tick before a seq, sealed or not; None where there is none near."""
        rows = yield (
            "SELECT seq, at FROM events WHERE seq < ? AND seq >= ? AND type = 'metrics' "
            "ORDER BY seq DESC LIMIT 1",
            (seq, seq - NEAR),
        )
        newest: tuple[int, int] = (rows[0][0], rows[0][1]) if rows else (0, 0)
        for question in (
            f"{META} WHERE last_seq >= ? ORDER BY last_seq LIMIT 1",
            f"{META} WHERE last_seq < ? ORDER BY last_seq DESC LIMIT 1",
        ):
            segments = [Segment._make(row) for row in (yield question, (seq,))]
            sleeves = yield from self._heads(segments, isolated=True)
            for sleeve in sleeves.values():
                place = int(np.searchsorted(sleeve.head.seqs, seq)) - 1
                if place >= 0:
                    found = int(sleeve.head.seqs[place]), int(sleeve.head.ats[place])
                    newest = max(newest, found)
        return newest[1] if newest[0] else None

    async def times(self, connection: AsyncConnection, segment: Segment) -> np.ndarray:
        """When its ticks were, in the order in which they came."""
        return (await self._read(connection, [segment]))[segment.id].head.ats

    async def packed(
        self, connection: AsyncConnection, segment: Segment
    ) -> tuple[Head, dict[int, bytes]]:
        """A segment as it was sealed: its head, and its packed columns by series."""
        head, places = (await self._read(connection, [segment]))[segment.id]
        return head, await self._bodies(connection, segment, places)

    async def _bodies(
        self, connection: AsyncConnection, segment: Segment, places: Mapping[int, Place]
    ) -> dict[int, bytes]:
        bodies = await self._strips(connection, segment)
        return {id_: _body(segment, place, bodies) or b"" for id_, place in places.items()}

    async def _strips(self, connection: AsyncConnection, segment: Segment) -> dict[int, bytes]:
        rows: Any = await connection.exec_driver_sql(
            "SELECT place, body FROM strips WHERE place BETWEEN ? AND ?",
            (segment.id << 32, (segment.id + 1 << 32) - 1),
        )
        return {place: body for place, body in rows.all()}

    async def _read(
        self, connection: AsyncConnection, segments: Sequence[Segment]
    ) -> Mapping[int, Sleeve]:
        return self._kept(segments, whole=True) or await followed(connection, self._heads(segments))

    def heads(self, segments: Sequence[Segment]) -> Plan[dict[int, Sleeve]]:
        """By id; those that cannot be read are noted and left out."""
        return (yield from self._heads(segments, isolated=True))

    def _heads(
        self, segments: Sequence[Segment], isolated: bool = False
    ) -> Plan[dict[int, Sleeve]]:
        """Those that cannot be read are noted and left out, if `isolated`; else the first is raised."""
        sleeves = self._kept(segments)
        missing = [segment for segment in segments if segment.id not in sleeves]
        for begin in range(0, len(missing), ASKED):
            some = missing[begin : begin + ASKED]
            marks = ",".join("?" * len(some))
            rows = yield (
                f"SELECT id, head, directory FROM segments WHERE id IN ({marks})",
                tuple(segment.id for segment in some),
            )
            read = {id_: (head, directory) for id_, head, directory in rows}
            for segment in some:
                try:
                    sleeves[segment.id] = _sleeve(*read.get(segment.id, (None, None)))
                except Damaged as error:
                    if not isolated:
                        raise
                    self.note(segment, error.detail)
        with self._turn:
            for segment in missing:
                if segment.id in sleeves and _size(sleeves[segment.id]) <= SLEEVES_BYTES:
                    self._sleeves[segment.first_seq] = sleeves[segment.id]
        return sleeves

    def _kept(self, segments: Sequence[Segment], whole: bool = False) -> dict[int, Sleeve]:
        """The known among them, by id; `whole`: all of them or none."""
        with self._turn:
            # By its first seq: an id comes back once every segment is gone, a seq never does.
            found = {
                segment.id: kept
                for segment in segments
                if (kept := self._sleeves.get(segment.first_seq)) is not None
            }
        return {} if whole and len(found) < len(segments) else found

    def forget(self, segment: Segment) -> None:
        """It is gone."""
        self._opened.pop(segment.first_seq, None)
        with self._turn:
            self._sleeves.pop(segment.first_seq, None)


def _sleeve(head: Any, directory: Any) -> Sleeve:
    if type(head) is not bytes or type(directory) is not bytes:
        raise Damaged("the head or the directory of a segment is no bytes")
    return Sleeve(Head.read(head), strips.read(directory))


class _Columns:
    """Columns as they were read, the latest asked for, up to `COLUMNS_BYTES`; what is sealed does not change,
    so they are never stale. Asked from many threads."""

    def __init__(self) -> None:
        self._read: LRUCache[tuple[int, int], Piece] = LRUCache(COLUMNS_BYTES, _weight)
        self._turn = threading.Lock()

    def known(self, segment: Segment, ids: Sequence[int]) -> dict[int, Piece]:
        with self._turn:
            return {
                id_: piece
                for id_ in ids
                if (piece := self._read.get((segment.first_seq, id_))) is not None
            }

    def keep(self, segment: Segment, id_: int, piece: Piece) -> None:
        for part in piece:
            part.flags.writeable = False  # many get the same one
        if _weight(piece) <= COLUMNS_BYTES:
            with self._turn:
                self._read[segment.first_seq, id_] = piece


def _weight(piece: Piece) -> int:
    """Bytes, if the times were its own: mostly they are the head's."""
    at, value = piece
    return at.nbytes + value.nbytes + 300


def _open(
    segment: Segment, head: Head, places: Mapping[int, Place], strips_of: Mapping[int, bytes]
) -> Opened:
    bodies: dict[int, bytes] = {}
    missing: dict[int, str] = {}
    for id_ in head.series():
        try:
            body = _body(segment, places.get(id_), strips_of)
        except Damaged as error:
            missing[id_] = error.detail
            continue
        if body is not None:
            bodies[id_] = body
    return Opened.of(head, bodies, missing)


def _size(sleeve: Sleeve) -> int:
    """Bytes, roughly: three numbers a tick, and some hundred bytes of objects a column or constant."""
    head, places = sleeve
    named = sum(len(shape.ids) for shape in head.shapes)
    return (
        24 * len(head.seqs)
        + 100 * (len(places) + len(head.constants) + len(head.mirrors))
        + 100 * named
        + 1000
    )


def _body(segment: Segment, place: Place | None, bodies: Mapping[int, bytes]) -> bytes | None:
    """None for a column that the head holds, being constant."""
    if place is None:
        return None
    strip = bodies.get(segment.id << 32 | place.strip)
    if strip is None:
        raise Damaged(f"strip {place.strip} of segment {segment.id} is missing")
    if type(strip) is not bytes:
        raise Damaged(f"strip {place.strip} of segment {segment.id} is no bytes")
    return strip[place.begin : place.end]


def _whole(head: Head, bodies: Mapping[int, bytes]) -> Columns:
    return {id_: column(head, id_, bodies.get(id_)) for id_ in head.series()}


def _before(head: Head, id_: int, read: Piece, until: int) -> Piece:
    """What of a column came up to a seq."""
    rows = head.rows(id_)
    seqs = head.seqs[rows]
    if head.in_order:
        count = int(np.searchsorted(seqs, until, side="right"))
        return read[0][:count], read[1][:count]
    kept = seqs[np.argsort(head.ats[rows], kind="stable")] <= until
    return read[0][kept], read[1][kept]


def _within(segment: Segment, read: Piece, start: int, end: int) -> list[Piece]:
    """What of a column has part in `start ≤ at < end`, if anything."""
    at, value = read
    if segment.start_at < start or segment.end_at >= end:
        first, last = np.searchsorted(at, (start, end))
        at, value = at[first:last], value[first:last]
    return [(at, value)] if len(at) else []


def joined(pieces: Sequence[Piece]) -> Piece:
    """Pieces of one series as one column in order of time; equal times keep their order of arrival."""
    if not pieces:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    if len(pieces) == 1:
        return pieces[0]
    at = np.concatenate([piece[0] for piece in pieces])
    value = np.concatenate([piece[1] for piece in pieces])
    if np.any(at[1:] < at[:-1]):
        order = np.argsort(at, kind="stable")
        return at[order], value[order]
    return at, value
