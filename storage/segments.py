"""Ticks ↔ a segment: one head that knows when and what, and one packed column a series.

docs/storage.md tells the format byte by byte. Everything here is pure: no file, no clock, no table.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain
from typing import Any, Final, NamedTuple, Self

import numpy as np
import zstandard
from numpy.typing import NDArray

from storage.errors import Damaged
from storage.events import EXACT, Number
from storage.packing import (
    MOST,
    Doubles,
    Ints,
    guard,
    pack,
    pack_ints,
    unguard,
    unpack,
    unpack_ints,
)

PLAIN, MIRRORED = 1, 2
"""The first byte of a head: the format. The second also tells of mirrors."""

IDS: Final = 2**32
"""Ids of series lie below."""

LEVEL: Final = 9
TOLD: Final = 20_000
"""Values that are spelled at once."""
HEAD_MOST: Final = 2**26
"""No head is longer when it is decompressed."""

_COUNTS: Final = struct.Struct("<8I")


class Tick(NamedTuple):
    """One tick of one source, as its event tells it; `at` µs UTC. Not `whole` where a column of its segment
    cannot be read, and so it lacks samples it had."""

    seq: int
    at: int
    source: str
    ids: Sequence[int]
    values: Sequence[Number]
    whole: bool = True


class Sealed(NamedTuple):
    """A segment that is not yet stored. `end_at` is the newest time, itself inside.

    Series that never moved have no column: the head knows them. Those that tell the same, or the same from the
    other side, have the same one.
    """

    first_seq: int
    last_seq: int
    start_at: int
    end_at: int
    ticks: int
    samples: int
    head: bytes
    columns: dict[int, bytes]


class Shape(NamedTuple):
    """What many ticks have in common: whose they are, and which series they name, in their order."""

    source: str
    ids: NDArray[np.uint32]


class Head:
    """All of a segment but what moved: decoded once, small, never changed.

    `shape_of[i]` is the place in `shapes` of the i-th tick; ticks are in the order of `seqs`. The values of a
    series in `mirrors` are what its column lacks to the number there: what is free, of what is used.
    """

    __slots__ = (
        "_series",
        "_shapes_with",
        "ats",
        "constants",
        "in_order",
        "mirrors",
        "seqs",
        "shape_of",
        "shapes",
    )

    def __init__(
        self,
        seqs: Ints,
        ats: Ints,
        shape_of: Ints,
        shapes: Sequence[Shape],
        constants: dict[int, float],
        mirrors: dict[int, float],
    ) -> None:
        self.seqs = seqs
        self.ats = ats
        self.shape_of = shape_of
        self.shapes = shapes
        self.constants = constants
        self.mirrors = mirrors
        for shared in (seqs, ats, shape_of):
            shared.flags.writeable = False
        self.in_order = bool((ats[1:] >= ats[:-1]).all())
        self._series = frozenset[int]().union(*(shape.ids.tolist() for shape in shapes))
        self._shapes_with: dict[int, list[int]] | None = None

    @classmethod
    def read(cls, head: bytes) -> Self:
        """
        Raises:
            Damaged: these are not the bytes that `seal` made.
        """
        try:
            read = cls(*_read(unguard(head, "the head of a segment")))
        except (ValueError, IndexError, struct.error, zstandard.ZstdError) as error:
            raise Damaged(f"the head of a segment cannot be read ({error})") from error
        if not (read.constants.keys() | read.mirrors.keys()) <= read._series:
            raise Damaged("the head of a segment has a value for a series that no tick names")
        return read

    @property
    def format(self) -> int:
        return MIRRORED if self.mirrors else PLAIN

    @property
    def samples(self) -> int:
        return int(self._lengths()[self.shape_of].sum())

    @property
    def sources(self) -> list[str]:
        """Each once, in the order of their first ticks."""
        return list(dict.fromkeys(shape.source for shape in self.shapes))

    def series(self) -> Set[int]:
        return self._series

    def has(self, series: int) -> bool:
        return series in self._series

    def rows(self, series: int) -> NDArray[np.intp]:
        """Which ticks carry it, in the order of seq."""
        if len(self.shapes) == 1 and self.has(series):
            return np.arange(len(self.seqs))
        carries = np.zeros(len(self.shapes), dtype=bool)
        carries[self._places(series)] = True
        return np.flatnonzero(carries[self.shape_of])

    def _places(self, series: int) -> list[int]:
        """Which shapes name it."""
        found = self._shapes_with
        if found is None:
            found = {}
            for place, shape in enumerate(self.shapes):
                for id_ in shape.ids.tolist():
                    found.setdefault(id_, []).append(place)
            self._shapes_with = found
        return found.get(series, [])

    def _lengths(self) -> Ints:
        return np.array([len(shape.ids) for shape in self.shapes], dtype=np.int64)


def seal(ticks: Sequence[Tick]) -> Sealed:
    """Ticks in the order of their seqs, which may have holes. Their times need no order.

    Raises:
        ValueError: this is no list of ticks: empty, out of order, a series named twice in one tick, an id
            that is no id, or a value that is no number or that no double holds.
    """
    if not ticks:
        raise ValueError("a segment has one tick at least")
    seqs = _ints(tick.seq for tick in ticks)
    if (seqs[1:] <= seqs[:-1]).any():
        raise ValueError("ticks of a segment come in the order of their seqs")
    ats = _ints(tick.at for tick in ticks)
    shapes, shape_of = _shapes(ticks)
    values = _values(ticks)
    series, owners = _owners(shapes, shape_of)
    order = np.argsort(owners, kind="stable")
    begins = np.cumsum(np.bincount(owners, minlength=len(series)))[:-1]
    columns: dict[int, bytes] = {}
    constants: dict[int, float] = {}
    mirrors: dict[int, float] = {}
    twins = _Twins()
    # Without any series there is still one part, an empty one.
    for id_, column in zip(series.tolist(), np.split(values[order], begins), strict=False):
        bits = column.view("<u8")
        if (bits == bits[0]).all():
            constants[id_] = float(column[0])
        elif (twin := twins.of(column)) is not None:
            columns[id_], mirrored = twin
            if mirrored is not None:
                mirrors[id_] = mirrored
        else:
            columns[id_] = pack(column)
            twins.add(column, columns[id_])
    return Sealed(
        first_seq=ticks[0].seq,
        last_seq=ticks[-1].seq,
        start_at=int(ats.min()),
        end_at=int(ats.max()),
        ticks=len(ticks),
        samples=len(values),
        head=_write(seqs, ats, shape_of, shapes, constants, mirrors),
        columns=columns,
    )


class _Twins:
    """Columns that are packed already, for those whose values are the same to the bit, or what one number less
    the values is. Found by hashes, and then compared."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[Doubles, bytes]] = {}
        self._rises: dict[int, tuple[Doubles, bytes]] = {}

    def add(self, values: Doubles, packed: bytes) -> None:
        self._values[_hash(values)] = values, packed
        with np.errstate(all="ignore"):  # of infinities nothing is left
            self._rises[_hash(values - values[0])] = values, packed

    def of(self, values: Doubles) -> tuple[bytes, float | None] | None:
        """The packed column, and what its values are to be taken from, unless they are these."""
        found = self._values.get(_hash(values))
        if found and found[0].tobytes() == values.tobytes():
            return found[1], None
        with np.errstate(all="ignore"):
            found = self._rises.get(_hash(values[0] - values))
            if found:
                both = float(values[0] + found[0][0])
                if (both - found[0]).tobytes() == values.tobytes():
                    return found[1], both
        return None


def _hash(values: Doubles) -> int:
    return hash(values.tobytes())


def column(head: Head, series: int, body: bytes | None) -> tuple[Ints, Doubles]:
    """Times (µs) and values of one series, by time and then by seq; `body` is None if it is constant.

    The times may be the head's own, and cannot be changed.

    Raises:
        Damaged: `body` is not the column of this series.
    """
    rows = head.rows(series)
    values = _column(head, series, body, len(rows))
    ats = head.ats if len(rows) == len(head.ats) else head.ats[rows]
    if not head.in_order:
        order = np.argsort(ats, kind="stable")
        ats, values = ats[order], values[order]
    return ats, values


class Opened:
    """A segment with its values decoded, eight bytes each: ticks are told out of it a page at a time.

    `lost` says what is wrong with the series that cannot be read; the ticks come without them.
    """

    __slots__ = ("_begins", "_ids", "_values", "_whole", "head", "lost")

    def __init__(self, head: Head, columns: Mapping[int, bytes], lost: Mapping[int, str]) -> None:
        """
        Raises:
            Damaged: a column that is not among the lost is not one of this head.
        """
        self.head = head
        self.lost = lost
        values, owners, series = _by_tick(head, columns, lost)
        shapes = [shape.ids for shape in head.shapes]
        if lost:
            gone = np.array(sorted(lost), dtype=np.uint32)
            values = values[~np.isin(series, gone)[owners]]
            shapes = [ids[~np.isin(ids, gone)] for ids in shapes]
        lengths = np.array([len(ids) for ids in shapes], dtype=np.int64)
        self._values = values
        self._ids = [ids.tolist() for ids in shapes]
        self._whole = [
            len(ids) == len(shape.ids) for ids, shape in zip(shapes, head.shapes, strict=True)
        ]
        self._begins = np.concatenate(([0], np.cumsum(lengths[head.shape_of])))

    @classmethod
    def of(cls, head: Head, columns: Mapping[int, bytes], missing: Mapping[int, str]) -> Self:
        """As much of it as can be read; `missing` are the series whose column was not found."""
        known = {id_: body for id_, body in columns.items() if head.has(id_)}
        try:
            return cls(head, known, missing)
        except Damaged:
            lost = dict(missing)
            for id_ in head.series() - missing.keys():
                try:
                    column(head, id_, known.get(id_))
                except Damaged as error:
                    lost[id_] = error.detail
            return cls(head, {id_: body for id_, body in known.items() if id_ not in lost}, lost)

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return self._values.nbytes + self._begins.nbytes + 36 * sum(map(len, self._ids))

    def ticks(
        self,
        after: int = 0,
        most: int | None = None,
        start: int | None = None,
        end: int | None = None,
        source: str | None = None,
    ) -> list[Tick]:
        """The ticks with `after < seq` and `start ≤ at < end`, of one source or of all; at most `most`."""
        head, begins = self.head, self._begins
        first = int(np.searchsorted(head.seqs, after, side="right"))
        wanted = np.ones(len(head.seqs) - first, dtype=bool)
        if start is not None:
            wanted &= head.ats[first:] >= start
        if end is not None:
            wanted &= head.ats[first:] < end
        if source is not None:
            theirs = np.array([shape.source == source for shape in head.shapes])
            wanted &= theirs[head.shape_of[first:]]
        places = np.flatnonzero(wanted)[: None if most is None else max(0, most)] + first
        if not len(places):
            return []
        low, high = int(places[0]), int(places[-1]) + 1
        values = self._values[begins[low] : begins[high]]
        lengths = np.diff(begins[low : high + 1])
        if len(places) < high - low:
            values = values[np.repeat(wanted[low - first : high - first], lengths)]
            lengths = lengths[places - low]
        told: list[Number] = []
        # A thread that makes a million objects at once lets nobody else run meanwhile.
        for begin in range(0, len(values), TOLD):
            told += _canonical(values[begin : begin + TOLD])
        ends = np.cumsum(lengths).tolist()
        return [
            Tick(
                seq,
                at,
                head.shapes[shape].source,
                self._ids[shape],
                told[begin:end],
                self._whole[shape],
            )
            for seq, at, shape, begin, end in zip(
                head.seqs[places].tolist(),
                head.ats[places].tolist(),
                head.shape_of[places].tolist(),
                [0, *ends[:-1]],
                ends,
                strict=True,
            )
        ]


def unseal(
    head: Head, columns: Mapping[int, bytes], after: int = 0, most: int | None = None
) -> list[Tick]:
    """The ticks with `after < seq`, at most `most`: the very ticks that were sealed, values canonical.

    Raises:
        Damaged: these are not the columns of this head.
    """
    return Opened(head, columns, {}).ticks(after, most)


def holds(head: Head, columns: Mapping[int, bytes], ticks: Sequence[Tick]) -> bool:
    """These are the ticks of this segment, to the bit: a value's spelling follows from its double."""
    if not (
        head.seqs.tolist() == [tick.seq for tick in ticks]
        and head.ats.tolist() == [tick.at for tick in ticks]
    ):
        return False
    shapes = [(shape.source, tuple(shape.ids.tolist())) for shape in head.shapes]
    if any(
        shapes[place] != (tick.source, tuple(tick.ids))
        for place, tick in zip(head.shape_of.tolist(), ticks, strict=True)
    ):
        return False
    return _by_tick(head, columns, {})[0].tobytes() == _values(ticks).tobytes()


def digest(previous: bytes, head: bytes, columns: Mapping[int, bytes]) -> bytes:
    """SHA-256 of a segment and of all before it, which `previous` stands for (empty: there is none)."""
    found = hashlib.sha256()
    for part in (previous, head):
        found.update(struct.pack("<I", len(part)) + part)
    for id_, body in sorted(columns.items()):
        found.update(struct.pack("<II", id_, len(body)) + body)
    return found.digest()


def _ints(values: Iterable[int]) -> Ints:
    try:
        return np.fromiter(values, dtype="<i8")
    except OverflowError as error:
        raise ValueError("a seq or a time is beyond 64 bits") from error


def _shapes(ticks: Sequence[Tick]) -> tuple[list[Shape], Ints]:
    known: dict[tuple[str, tuple[int, ...]], int] = {}
    places = [known.setdefault((tick.source, tuple(tick.ids)), len(known)) for tick in ticks]
    for source, ids in known:
        if len(set(ids)) != len(ids):
            raise ValueError(f"a tick of {source} names a series twice")
        if not all(type(id_) is int and 0 <= id_ < IDS for id_ in ids):
            raise ValueError(f"a tick of {source} names a series by what is no id")
    shapes = [Shape(source, np.array(ids, dtype="<u4")) for source, ids in known]
    return shapes, np.array(places, dtype="<i8")


def _values(ticks: Sequence[Tick]) -> Doubles:
    kinds: set[type] = set()
    for tick in ticks:
        if len(tick.ids) != len(tick.values):
            raise ValueError(f"tick {tick.seq} has not one value a series")
        kinds.update(map(type, tick.values))
    if not kinds <= {int, float}:
        raise ValueError("a value is no number")
    count = sum(len(tick.ids) for tick in ticks)
    if max(count, len(ticks)) > MOST:
        raise ValueError(f"{count:,} samples are too many for one segment")
    told = chain.from_iterable(tick.values for tick in ticks)
    try:
        values = np.fromiter(told, dtype="<f8", count=count)
    except OverflowError as error:
        raise ValueError("a value is beyond what a double holds") from error
    if int in kinds and (np.abs(values) >= EXACT).any():
        for value in chain.from_iterable(tick.values for tick in ticks):
            if type(value) is int and float(value) != value:
                raise ValueError(f"no double holds {value}")
    return values


def _owners(shapes: Sequence[Shape], shape_of: Ints) -> tuple[NDArray[Any], NDArray[Any]]:
    """All series in the order of their ids, and for each sample, tick by tick, the place of its series."""
    series = np.unique(np.concatenate([shape.ids for shape in shapes]))
    # numpy sorts 16 bits in linear time.
    kind = np.uint16 if len(series) < 2**16 else np.uint32
    owners = [np.searchsorted(series, shape.ids).astype(kind) for shape in shapes]
    return series, np.concatenate([owners[place] for place in shape_of.tolist()])


def _by_tick(
    head: Head, columns: Mapping[int, bytes], lost: Mapping[int, str]
) -> tuple[Doubles, NDArray[Any], NDArray[Any]]:
    """All values, tick by tick (zeros for what is `lost`); for each, the place of its series; and those."""
    series, owners = _owners(head.shapes, head.shape_of)
    for id_ in columns:
        if not head.has(id_):
            raise Damaged(f"a segment has a column of series {id_}, which its head does not name")
    counts = np.bincount(owners, minlength=len(series))
    values = np.empty(len(owners), dtype="<f8")
    if len(series):
        values[np.argsort(owners, kind="stable")] = np.concatenate(
            [
                np.zeros(count) if id_ in lost else _column(head, id_, columns.get(id_), count)
                for id_, count in zip(series.tolist(), counts.tolist(), strict=True)
            ]
        )
    return values, owners, series


def _column(head: Head, series: int, body: bytes | None, count: int) -> Doubles:
    if series in head.constants:
        if body is not None:
            raise Damaged(f"series {series} has a column, though its head says it never moved")
        return np.full(count, head.constants[series], dtype="<f8")
    if body is None:
        raise Damaged(f"the column of series {series} is missing")
    values = unpack(body)
    if len(values) != count:
        raise Damaged(f"series {series} has {len(values):,} values for {count:,} ticks")
    if series in head.mirrors:
        mirrored: Doubles = head.mirrors[series] - values
        return mirrored
    return values


def _canonical(values: Doubles) -> list[Number]:
    """As `storage.events.canonical` spells each."""
    whole = (np.abs(values) <= EXACT) & (values == np.rint(values))
    whole &= (values != 0) | ~np.signbit(values)
    told: list[Number]
    rare: list[Number]
    if 2 * int(whole.sum()) > len(values):
        told = np.where(whole, values, 0).astype("<i8").tolist()
        places = np.flatnonzero(~whole)
        rare = values[places].tolist()
    else:
        told = values.tolist()
        places = np.flatnonzero(whole)
        rare = values[places].astype("<i8").tolist()
    for place, value in zip(places.tolist(), rare, strict=True):
        told[place] = value
    return told


def _write(
    seqs: Ints,
    ats: Ints,
    shape_of: Ints,
    shapes: Sequence[Shape],
    constants: Mapping[int, float],
    mirrors: Mapping[int, float],
) -> bytes:
    sources = list(dict.fromkeys(shape.source for shape in shapes))
    names = [source.encode() for source in sources]
    ids = np.concatenate([shape.ids for shape in shapes])
    packed = [pack_ints(seqs), pack_ints(ats), pack_ints(shape_of)]
    content = b"".join(
        [
            _COUNTS.pack(
                len(seqs), len(names), len(shapes), len(ids), len(constants), *map(len, packed)
            ),
            *packed,
            _u4([len(name) for name in names]),
            *names,
            _u4([sources.index(shape.source) for shape in shapes]),
            _u4([len(shape.ids) for shape in shapes]),
            _steps(ids),
            *_numbers(constants),
            *((_u4([len(mirrors)]), *_numbers(mirrors)) if mirrors else ()),
        ]
    )
    if len(content) > HEAD_MOST:
        raise ValueError("these ticks differ too much in what they name for one segment")
    format_ = MIRRORED if mirrors else PLAIN
    return guard(bytes([format_]) + zstandard.compress(content, LEVEL))


def _numbers(of: Mapping[int, float]) -> tuple[bytes, bytes]:
    """The ids, and a double for each."""
    return (
        _steps(np.array(list(of), dtype="<u4")),
        np.array(list(of.values()), dtype="<f8").tobytes(),
    )


def _u4(values: Sequence[int]) -> bytes:
    return np.array(values, dtype="<u4").tobytes()


def _steps(ids: NDArray[np.uint32]) -> bytes:
    """Each as its distance from the one before, modulo 2**32: neighbours make a run of ones."""
    return np.diff(ids, prepend=np.uint32(0)).astype("<u4").tobytes()


def _read(
    body: bytes,
) -> tuple[Ints, Ints, Ints, list[Shape], dict[int, float], dict[int, float]]:
    if body[0] not in (PLAIN, MIRRORED):
        raise Damaged(f"a segment has the unknown format {body[0]}")
    size = zstandard.frame_content_size(body[1:])
    if not 0 < size <= HEAD_MOST:
        raise Damaged("the head of a segment is longer than any")
    content = zstandard.ZstdDecompressor().decompress(body[1:], allow_extra_data=False)
    ticks, sources, shapes, entries, constants, *packed = _COUNTS.unpack_from(content)
    pieces = _Pieces(content, _COUNTS.size)
    seqs, ats, shape_of = (unpack_ints(pieces.take(length)) for length in packed)
    names = [pieces.take(length).decode() for length in pieces.u4(sources).tolist()]
    owners = pieces.u4(shapes)
    lengths = pieces.u4(shapes)
    ids = pieces.ids(entries)
    still = pieces.numbers(constants)
    mirrors = pieces.numbers(int(pieces.u4(1)[0])) if body[0] == MIRRORED else {}
    if pieces.left():
        raise Damaged("the head of a segment goes on behind its end")
    if (
        not len(seqs) == len(ats) == len(shape_of) == ticks > 0
        or (seqs[1:] <= seqs[:-1]).any()
        or not 0 <= int(shape_of.min()) <= int(shape_of.max()) < shapes
        or int(lengths.sum()) != entries
        or int(lengths[shape_of].sum()) > MOST
    ):
        raise Damaged("the head of a segment contradicts itself")
    parts = np.split(ids, np.cumsum(lengths)[:-1])
    if still.keys() & mirrors.keys() or any(len(set(part.tolist())) != len(part) for part in parts):
        raise Damaged("the head of a segment names a series twice")
    return (
        seqs,
        ats,
        shape_of,
        [Shape(names[owner], part) for owner, part in zip(owners.tolist(), parts, strict=True)],
        still,
        mirrors,
    )


class _Pieces:
    """Bytes, taken from the front, never more than there are."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content = content
        self._place = place

    def take(self, length: int) -> bytes:
        if length > self.left():
            raise Damaged("the head of a segment ends too early")
        self._place += length
        return self._content[self._place - length : self._place]

    def left(self) -> int:
        return len(self._content) - self._place

    def u4(self, count: int) -> NDArray[np.uint32]:
        return np.frombuffer(self.take(4 * count), dtype="<u4")

    def ids(self, count: int) -> NDArray[np.uint32]:
        return np.cumsum(self.u4(count), dtype=np.uint32)

    def numbers(self, count: int) -> dict[int, float]:
        """A double for each of so many ids, which ascend."""
        ids = self.ids(count)
        if (ids[1:] <= ids[:-1]).any():
            raise Damaged("the head of a segment names a series twice")
        values = np.frombuffer(self.take(8 * count), dtype="<f8")
        return dict(zip(ids.tolist(), values.tolist(), strict=True))
