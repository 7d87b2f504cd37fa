"""Buckets of neighbouring series in one block of time ↔ bytes.

What series share is kept once: a shape is when they have buckets, how many samples each of those has, and the
time of the last. A constant series is its value. Most others are numbers of few decimals: then min, max,
last and total are whole multiples of a common unit, and each is kept as its distance from what the others let
expect (a counter's max is its last). What is left is cut to the bits the widest needs, or goes through pco.

A *varint* is LEB128; signed ones are zigzag first. The bytes are the format (1, or 2 if bodies are shared), and then,
the last four being the CRC-32 of all before:

- varint shapes, and for each: varint n; a column of places in the block (0 to 359), from each of which its
  own number in the column has been taken; a column of counts; a column of µs from the begin of the bucket to
  its last sample.
- varint series, and for each: varint id, less the id before; varint which shape; varint bytes of its body. In format 2
  these can be 0: then it has the body of an earlier series, and a varint of 2 × that one's number here follows. One
  more, and a signed varint behind it: its numbers are those of kind 1 that are left of so many when the other's are
  taken away, as what is free is of what is used; so its min is what the other's max leaves.
- The bodies. Their first byte has the kind in bits 0–1, `places` in bits 2–4, flags in bits 5–7.
  0, constant: signed varint, which is ÷ 10**places. 3, constant: a little-endian double.
  1, numbers: varint unit, or 0, varint `halvings` and varint unit; columns `min`, `last - min`, `max - min` and
  `total - count × min`, all ÷ unit. With bit 5, `min - last of the bucket before` (0 before the first); with
  bit 6, `max - last`; with bit 7, `total - count × (min + max + last) // 3`. Arithmetic is modulo 2**64.
  Min, max and last are ÷ (10**places × 2**halvings); the total is so many 10**-places, and if there are
  halvings so many 10**-6 × 2**-halvings.
  2, doubles: min, max and last, each a varint of bytes and a column of `storage.packing`; the `base` and the
  number of the limbs as varints; a column for each limb.
- A column: a byte `bits`; its lowest number, a signed varint; then how far each is above it, in `bits` bits,
  the highest first, up to a whole byte. Bits 65 to 68 are pco's wrapped format of 8, 16, 32 and 64 bits: a
  varint of bytes; header, chunk and one page.

History is frozen: another layout is another first byte.
"""

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pcodec import (  # type: ignore[import-untyped]
    ChunkConfig,
    DeltaSpec,
    ModeSpec,
    PagingSpec,
    wrapped,
)

from storage import packing
from storage.errors import Damaged
from storage.rollups import (
    BLOCK,
    ONE,
    PLACES,
    Buckets,
    Ints,
    Sheaf,
    block_start,
    edges_of,
    normal,
    totals,
    trimmed,
    width,
)

PLAIN, SHARED = 1, 2
"""Formats."""
CONSTANT, NUMBERS, DOUBLES, CONSTANT_DOUBLE = range(4)
FROM_LAST, UNDER_LAST, OF_THREE = 1 << 5, 1 << 6, 1 << 7
"""How the distances are told: min from the last before, max from the last, total from a third of all three."""

PCO: Final = 65
"""Widths of a column: 0 to 64 bits, or one of pco's words by its place in `_WORDS`."""
ENOUGH: Final = 24
"""Numbers for which pco may pay: it has to tell how they are spread first."""

_WORDS: Final = (("u1", "u8"), ("<u2", "u16"), ("<u4", "u32"), ("<u8", "u64"))
_MASK: Final = 0xFFFFFFFF
_EXACT: Final = 2.0**53
_ROOM: Final = 1 << 29
Words = NDArray[np.uint64]


def pack_buckets(sheaf: Sheaf, block: int, tier: int) -> bytes:
    """
    Raises:
        ValueError: a bucket is outside the block.
    """
    buckets = sheaf.buckets
    index = (buckets.at - block_start(block, tier)) // width(tier)
    if len(index) and not 0 <= index.min() <= index.max() < BLOCK:
        raise ValueError(f"not all of these buckets are in block {block} of tier {tier}")
    late = buckets.last_at - buckets.at
    edges = edges_of(sheaf.series[1:] != sheaf.series[:-1], len(sheaf.series))
    starts = edges[:-1]
    places = np.maximum.reduceat(_places(buckets), starts).tolist() if len(index) else []
    low = np.minimum.reduceat(buckets.min, starts).tolist() if len(index) else []
    high = np.maximum.reduceat(buckets.max, starts).tolist() if len(index) else []
    shapes: dict[bytes, int] = {}
    shared, directory, bodies = _Writer(), _Writer(), bytearray()
    twins = _Twins()
    before = 0
    for nth, (first, last) in enumerate(itertools.pairwise(edges.tolist())):
        rows = slice(first, last)
        shape = b"".join(column[rows].tobytes() for column in (index, buckets.count, late))
        if shape not in shapes:
            shapes[shape] = len(shapes)
            shared.number(last - first)
            shared.column(index[rows] - np.arange(last - first))
            shared.column(buckets.count[rows])
            shared.column(late[rows])
        series = int(sheaf.series[first])
        directory.number(series - before)
        directory.number(shapes[shape])
        before = series
        if low[nth] == high[nth]:
            body = _constant(low[nth], places[nth])
        else:
            some = buckets.take(rows)
            whole = _whole(some, places[nth])
            if whole and twins.told(directory, nth, shapes[shape], whole, some.count):
                continue
            body = _numbers(whole, some.count) if whole else _doubles(some)
        directory.number(len(body))
        bodies += body
    start = _Writer(bytes([SHARED if twins.found else PLAIN]))
    start.number(len(shapes))
    start.bytes += shared.bytes
    start.number(len(edges) - 1)
    return packing.guard(bytes(start.bytes + directory.bytes + bodies))


def unpack_buckets(
    body: bytes, block: int, tier: int, wanted: Collection[int] | None = None
) -> Sheaf:
    """What was packed, or only what it holds of some series.

    Raises:
        Damaged: these are not the bytes that `pack_buckets` made.
    """
    reader = _Reader(packing.unguard(body, f"block {block} of the {tier} s tier"))
    try:
        return _Unpacked(reader, wanted).sheaf(block_start(block, tier), width(tier))
    except (IndexError, ValueError, OverflowError, RuntimeError) as error:
        raise Damaged(f"block {block} of the {tier} s tier cannot be read ({error})") from error


@dataclass(frozen=True, slots=True)
class _Shape:
    index: Ints
    count: Ints
    late: Ints


class _Whole(NamedTuple):
    """Min, max and last as whole numbers of 10**-places × 2**-halvings, and the totals as kind 1 has them."""

    places: int
    halvings: int
    numbers: Ints
    total: Ints

    def mirrored(self, both: int, count: Ints) -> "_Whole":
        """What is left of so many."""
        return self._replace(
            numbers=both - self.numbers[[1, 0, 2]], total=both * count - self.total
        )

    def same(self, other: "_Whole") -> bool:
        return self[:2] == other[:2] and all(map(np.array_equal, self[2:], other[2:]))


class _Twins:
    """Series of a block that have a body, for those that tell the same or what it leaves."""

    def __init__(self) -> None:
        self.found = False
        self._rises: dict[tuple[int, bytes], tuple[int, _Whole]] = {}

    def told(self, directory: "_Writer", nth: int, shape: int, whole: _Whole, count: Ints) -> bool:
        """Whether it could be told by another; else it will be asked for itself."""
        last = whole.numbers[2]
        rise = last - last[0]
        for key, mirrored in ((rise, 0), (-rise, 1)):
            other, one = self._rises.get((shape, key.tobytes()), (0, None))
            if one is None:
                continue
            both = int(last[0]) + int(one.numbers[2][0])
            if mirrored and whole.halvings:
                continue
            if whole.same(one.mirrored(both, count) if mirrored else one):
                directory.number(0)
                directory.number(2 * other + mirrored)
                if mirrored:
                    directory.signed(both)
                self.found = True
                return True
        self._rises[shape, rise.tobytes()] = nth, whole
        return False


class _Entry(NamedTuple):
    """Where the body of a series begins behind the directory. `both`: of how much it tells what is left."""

    series: int
    shape: _Shape
    place: int
    both: int | None


class _Unpacked:
    """Series are read one by one, and turned into doubles and totals all at once."""

    def __init__(self, reader: "_Reader", wanted: Collection[int] | None) -> None:
        if reader.byte() not in (PLAIN, SHARED):
            raise Damaged("a block of buckets is packed in an unknown way")
        shapes = [self._shape(reader) for _ in range(reader.number())]
        entries: list[_Entry] = []
        series = place = 0
        for _ in range(reader.number()):
            series += reader.number()
            shape, length = shapes[reader.number()], reader.number()
            if length:
                entries.append(_Entry(series, shape, place, None))
                place += length
            else:
                other, mirrored = divmod(reader.number(), 2)
                both = reader.signed() if mirrored else None
                entries.append(_Entry(series, shape, entries[other].place, both))
        held = [one.shape for one in entries if wanted is None or one.series in wanted]
        self._rows = sum(len(shape.index) for shape in held)
        self._shapes = held
        self._ids: list[int] = []
        self._values = np.empty((3, self._rows))
        self._totals = np.zeros(self._rows, np.int64)
        self._units = np.ones(self._rows, np.int64)
        self._limbs: list[tuple[int, Ints, int]] = []
        self._constants: list[tuple[float, int, int]] = []
        begin, row = reader.place, 0
        for one in entries:
            if wanted is None or one.series in wanted:
                reader.place = begin + one.place
                self._ids.append(one.series)
                self._read(reader, one.shape, row, one.both)
                row += len(one.shape.index)

    def _shape(self, reader: "_Reader") -> _Shape:
        size = reader.number()
        if not 0 < size <= BLOCK:
            raise Damaged(f"a block claims {size:,} buckets")
        index = reader.column(size) + np.arange(size)
        return _Shape(index, reader.column(size), reader.column(size))

    def _read(self, reader: "_Reader", shape: _Shape, row: int, both: int | None) -> None:
        flags, size = reader.byte(), len(shape.index)
        kind, places = flags & 3, flags >> 2 & 7
        if both is not None and kind != NUMBERS:
            raise Damaged("a block tells what is left by what is no number")
        rows = slice(row, row + size)
        if kind == CONSTANT:
            self._constants.append((reader.signed() / 10**places, row, size))
        elif kind == CONSTANT_DOUBLE:
            self._constants.append((float(np.frombuffer(reader.take(8), "<f8")[0]), row, size))
        elif kind == NUMBERS:
            unit, halvings = reader.number(), 0
            if not unit:
                halvings, unit = reader.number(), reader.number()
            numbers, total = _expected(flags, shape.count, reader, unit)
            if both is not None:
                whole = _Whole(places, halvings, numbers, total).mirrored(both, shape.count)
                numbers, total = whole.numbers, whole.total
            self._values[:, rows] = numbers / (10.0**places * 2.0**halvings)
            if halvings:
                self._limbs.append((row, *_halved(total, 10 ** (PLACES - places), halvings)))
            else:
                self._totals[rows] = total
                self._units[rows] = 10 ** (PLACES - places)
        else:
            for column in range(3):
                self._values[column, rows] = packing.unpack(reader.take(reader.number()))
            base, count = reader.number(), reader.number()
            limbs = np.stack([reader.column(size) for _ in range(count)], axis=1)
            self._limbs.append((row, limbs, base))

    def sheaf(self, start: int, step: int) -> Sheaf:
        if not self._rows:
            return Sheaf(np.empty(0, np.int64), Buckets.none())
        sizes = [len(shape.index) for shape in self._shapes]
        at = np.concatenate([shape.index for shape in self._shapes]) * step + start
        late = np.concatenate([shape.late for shape in self._shapes])
        count = np.concatenate([shape.count for shape in self._shapes])
        self._fill_constants(count)
        base = min([ONE, *(base for _, _, base in self._limbs)])
        top = max([ONE + 2, *(base + limbs.shape[1] for _, limbs, base in self._limbs)])
        limbs = np.zeros((self._rows, top - base), np.int64)
        limbs[:, ONE - base] = (self._totals & _MASK) * self._units
        limbs[:, ONE - base + 1] = (self._totals >> 32) * self._units
        for row, some, first in self._limbs:
            limbs[row : row + len(some), first - base : first - base + some.shape[1]] = some
        limbs, base = normal(limbs, base)
        low, high, last = self._values
        buckets = Buckets(at, count, low, high, last, at + late, limbs, base)
        return Sheaf(np.repeat(np.array(self._ids, np.int64), sizes), buckets)

    def _fill_constants(self, count: Ints) -> None:
        if not self._constants:
            return
        values, rows, sizes = (list(column) for column in zip(*self._constants, strict=True))
        limbs, base = totals(np.array(values), np.arange(len(values)))
        for value, row, size, limb in zip(values, rows, sizes, limbs, strict=True):
            self._values[:, row : row + size] = value
            self._limbs.append((row, count[row : row + size, None] * limb, base))


def _places(buckets: Buckets) -> Ints:
    """The decimals each row's three values need; PLACES + 1 when that is too few."""
    values = np.stack([buckets.min, buckets.max, buckets.last])
    needed = np.full(values.shape[1], PLACES + 1, np.int64)
    left = np.arange(values.shape[1])
    for places in range(PLACES + 1):
        some = values[:, left]
        with np.errstate(over="ignore"):
            whole = np.rint(some * 10.0**places)
        fits = ((whole / 10.0**places == some) & (np.abs(whole) <= _EXACT)).all(axis=0)
        needed[left[fits]] = places
        left = left[~fits]
        if not len(left):
            break
    return needed


def _constant(value: float, places: int) -> bytes:
    if places > PLACES:
        return bytes([CONSTANT_DOUBLE]) + np.array(value, "<f8").tobytes()
    writer = _Writer(bytes([CONSTANT | places << 2]))
    writer.signed(round(value * 10**places))
    return bytes(writer.bytes)


def _whole(buckets: Buckets, places: int) -> _Whole | None:
    """None for what is to be kept as doubles."""
    found = _units(buckets, places)
    if found is None:
        return None
    places, halvings, limbs = found
    while (total := _quotient(limbs, 10 ** (PLACES - places))) is None:
        if places == PLACES:
            return None
        places += 1
    values = np.stack([buckets.min, buckets.max, buckets.last])
    scale = 10.0**places * 2.0**halvings
    if (np.abs(values) * scale > _EXACT).any():
        return None
    whole = np.rint(values * scale)
    if not (whole / scale == values).all():
        return None
    return _Whole(places, halvings, whole.astype(np.int64), total)


def _numbers(whole: _Whole, count: Ints) -> bytes:
    places, halvings, numbers, total = whole
    unit = int(np.gcd(np.gcd.reduce(numbers, axis=None), np.gcd.reduce(total)))
    flags, columns = _distances(numbers // unit, total // unit, count)
    writer = _Writer(bytes([NUMBERS | places << 2 | flags]))
    if halvings:
        writer.number(0)
        writer.number(halvings)
    writer.number(unit)
    for column in columns:
        writer.column(column)
    return bytes(writer.bytes)


def _units(buckets: Buckets, places: int) -> tuple[int, int, Ints] | None:
    """Decimals, halvings of a millionth, and the totals in those, as two limbs."""
    limbs, base = trimmed(buckets.limbs, buckets.base)
    if base == ONE and limbs.shape[1] == 2:
        return (places, 0, limbs) if places <= PLACES else None
    if base != ONE - 1 or limbs.shape[1] != 3:
        return None
    below = int(np.bitwise_or.reduce(limbs[:, 0]))
    halvings = 32 - ((below & -below).bit_length() - 1)
    carried = limbs[:, 1] << halvings
    low = carried & _MASK | limbs[:, 0] >> 32 - halvings
    high = (limbs[:, 2] << halvings) + (limbs[:, 1] >> 32 - halvings)
    if np.abs(high).max() >= _ROOM:
        return None
    return PLACES, halvings, np.stack([low, high], axis=1)


def _quotient(limbs: Ints, by: int) -> Ints | None:
    """The totals divided; None when that leaves something or does not fit."""
    quotient, rest = np.divmod(limbs[:, 1], by)
    low, left = np.divmod((rest << 32) + limbs[:, 0], by)
    if left.any() or np.abs(quotient).max() >= _ROOM:
        return None
    return (quotient << 32) + low


def _halved(total: Ints, unit: int, halvings: int) -> tuple[Ints, int]:
    low = (total & _MASK) * unit
    high = (total >> 32) * unit + (low >> 32)
    low &= _MASK
    below = (low & (1 << halvings) - 1) << 32 - halvings
    back = 32 - halvings
    rest = high & (1 << halvings) - 1
    return normal(
        np.stack([below, (low >> halvings) + (rest << back), high >> halvings], axis=1), ONE - 1
    )


def _distances(numbers: Ints, total: Ints, count: Ints) -> tuple[int, list[Ints]]:
    """All arithmetic is modulo 2**64, which reading it back undoes."""
    low, high, last = numbers
    flags = 0
    before = np.concatenate(([0], last[:-1]))
    choices = (
        (FROM_LAST, low, low - before),
        (UNDER_LAST, high - low, high - last),
        (OF_THREE, total - count * low, total - count * (low + high + last) // 3),
    )
    columns = []
    for flag, plain, other in choices:
        if _span(other) < _span(plain):
            flags |= flag
            plain = other
        columns.append(plain)
    return flags, [columns[0], last - low, columns[1], columns[2]]


def _span(column: Ints) -> int:
    return int(column.max()) - int(column.min())


def _expected(flags: int, count: Ints, reader: "_Reader", unit: int) -> tuple[Ints, Ints]:
    size = len(count)
    low, above, high, total = (reader.column(size) for _ in range(4))
    if flags & FROM_LAST:  # last = low + above, and low = the last before + its distance
        last = np.cumsum(low + above)
        low = last - above
    else:
        last = low + above
    high += last if flags & UNDER_LAST else low
    total += count * (low + high + last) // 3 if flags & OF_THREE else count * low
    return np.stack([low, high, last]) * unit, total * unit


def _doubles(buckets: Buckets) -> bytes:
    limbs, base = trimmed(buckets.limbs, buckets.base)
    writer = _Writer(bytes([DOUBLES]))
    for column in (buckets.min, buckets.max, buckets.last):
        packed = packing.pack(column)
        writer.number(len(packed))
        writer.bytes += packed
    writer.number(base)
    writer.number(limbs.shape[1])
    for place in range(limbs.shape[1]):
        writer.column(limbs[:, place])
    return bytes(writer.bytes)


class _Writer:
    """Numbers are LEB128: seven bits a byte, the lowest first. Signed ones are zigzag first."""

    def __init__(self, start: bytes = b"") -> None:
        self.bytes = bytearray(start)

    def number(self, value: int) -> None:
        while value > 0x7F:
            self.bytes.append(value & 0x7F | 0x80)
            value >>= 7
        self.bytes.append(value)

    def signed(self, value: int) -> None:
        self.number(value << 1 if value >= 0 else ~(value << 1))

    def column(self, values: Ints) -> None:
        """Width, lowest value, and how far each is above it."""
        lowest = int(values.min())
        bits = (int(values.max()) - lowest).bit_length()
        above = (values - lowest).view(np.uint64)
        size = (bits * len(values) + 7) // 8
        packed = _pco(above, bits) if bits and len(values) >= ENOUGH else None
        if packed is not None and len(packed) + 2 < size:
            self.bytes.append(PCO + _word(bits))
            self.signed(lowest)
            self.number(len(packed))
            self.bytes += packed
            return
        self.bytes.append(bits)
        self.signed(lowest)
        if bits:
            planes = np.unpackbits(above.astype(">u8").view(np.uint8)).reshape(-1, 64)
            self.bytes += np.packbits(planes[:, 64 - bits :]).tobytes()


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.place = 0

    def byte(self) -> int:
        self.place += 1
        return self._body[self.place - 1]

    def take(self, size: int) -> bytes:
        taken = self._body[self.place : self.place + size]
        if len(taken) != size:
            raise Damaged("a block of buckets ends too early")
        self.place += size
        return taken

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self) -> int:
        value = self.number()
        return ~(value >> 1) if value & 1 else value >> 1

    def column(self, size: int) -> Ints:
        bits, lowest = self.byte(), self.signed()
        if not bits:
            return np.full(size, lowest, np.int64)
        if bits >= PCO:
            above = _from_pco(self.take(self.number()), size, bits - PCO)
        else:
            packed = np.frombuffer(self.take((bits * size + 7) // 8), np.uint8)
            planes = np.zeros((size, 64), np.uint8)
            planes[:, 64 - bits :] = np.unpackbits(packed, count=bits * size).reshape(size, bits)
            above = np.packbits(planes).view(">u8").astype(np.uint64)
        values: Ints = above.view(np.int64)
        values += lowest
        return values


def _word(bits: int) -> int:
    return 0 if bits <= 8 else 1 if bits <= 16 else 2 if bits <= 32 else 3


def _pco(above: Words, bits: int) -> bytes:
    config = ChunkConfig(
        enable_8_bit=True,
        mode_spec=ModeSpec.classic(),
        delta_spec=DeltaSpec.no_op(),
        paging_spec=PagingSpec.exact_page_sizes([len(above)]),
    )
    file = wrapped.FileCompressor()
    chunk = file.chunk_compressor(above.astype(_WORDS[_word(bits)][0]), config)
    packed: bytes = file.write_header() + chunk.write_meta() + chunk.write_page(0)
    return packed


def _from_pco(body: bytes, size: int, word: int) -> Words:
    kind, name = _WORDS[word]
    values: NDArray[Any] = np.empty(size, kind)
    file, used = wrapped.FileDecompressor.new(body)
    body = body[used:]
    chunk, used = file.chunk_decompressor(body, name)
    chunk.read_page_into(body[used:], size, values)
    return values.astype(np.uint64)
