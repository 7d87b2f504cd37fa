"""One column of numbers ↔ few bytes, bit for bit: NaN payloads and -0.0 come back as they went in.

docs/storage.md tells the format byte by byte. A packed column says how it was packed, how many numbers
it holds, and ends with a CRC-32 of all that stands before. History is frozen: a method below is never
changed, only joined by another number.
"""

import zlib
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pcodec import (  # type: ignore[import-untyped,unused-ignore]
    ChunkConfig,
    DeltaSpec,
    PagingSpec,
    wrapped,
)

from storage.errors import Damaged

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

RAW, CONSTANT, PCO, SCALED = 0, 1, 2, 3
"""The methods of doubles."""

RAW_INTS, CONSTANT_INTS, OFFSETS = 16, 17, 18
"""The methods of integers."""

MOST: Final = 2**22
"""A column holds no more numbers: no count read from a file allocates more than 32 MiB."""

CRC: Final = 4
SCALES: Final = 12
"""Decimals looked for: with more of them, not even ten thousand is exact within 2**53."""

_SAMPLE: Final = 8
_EXACT: Final = 2.0**53
_WIDTHS: Final = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}
_PCO_NAMES: Final = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


def pack(values: Doubles) -> bytes:
    """The shortest form found that gives the same bits again.

    Raises:
        ValueError: more than `MOST` values.
    """
    values = np.ascontiguousarray(values, dtype="<f8")
    bits = values.view("<u8")
    _check(len(bits))
    best = _start(RAW, len(bits)) + values.tobytes()
    if not len(bits):
        return guard(best)
    if (bits == bits[0]).all():
        return guard(_start(CONSTANT, len(bits)) + best[-8:])
    candidate = _scaled(values) or _start(PCO, len(bits)) + _compress(values)
    if len(candidate) < len(best) and _same(_doubles(candidate), bits):
        best = candidate
    return guard(best)


def unpack(body: bytes) -> Doubles:
    """What `pack` was given.

    Raises:
        Damaged: these are not the bytes that `pack` made.
    """
    return _doubles(unguard(body, "a column"))


def pack_ints(values: Ints) -> bytes:
    """As `pack`, for integers of 64 bits with a sign."""
    values = np.ascontiguousarray(values, dtype="<i8")
    _check(len(values))
    best = _start(RAW_INTS, len(values)) + values.tobytes()
    if not len(values):
        return guard(best)
    if (values == values[0]).all():
        return guard(_start(CONSTANT_INTS, len(values)) + best[-8:])
    candidate = _start(OFFSETS, len(values)) + _offsets(values)
    if len(candidate) < len(best) and (_ints(candidate) == values).all():
        best = candidate
    return guard(best)


def unpack_ints(body: bytes) -> Ints:
    """What `pack_ints` was given.

    Raises:
        Damaged: these are not the bytes that `pack_ints` made.
    """
    return _ints(unguard(body, "a column of integers"))


def guard(body: bytes) -> bytes:
    """`body` with its CRC-32 behind it."""
    return body + zlib.crc32(body).to_bytes(CRC, "little")


def unguard(body: object, what: str) -> bytes:
    """`body` without the CRC-32 at its end.

    Raises:
        Damaged: the CRC-32 is another one, or this is no string of bytes: a torn page has cells of any type.
    """
    if not isinstance(body, bytes):
        raise Damaged(f"{what} is no string of bytes")
    if len(body) <= CRC or zlib.crc32(body[:-CRC]) != int.from_bytes(body[-CRC:], "little"):
        raise Damaged(f"{what} of {len(body)} bytes does not match its checksum")
    return body[:-CRC]


def _check(count: int) -> None:
    if count > MOST:
        raise ValueError(f"{count:,} numbers are more than the {MOST:,} of one column")


def _start(method: int, count: int) -> bytes:
    return bytes([method]) + _varint(count)


def _varint(value: int) -> bytes:
    """LEB128: seven bits a byte, the lowest first, the high bit set on all but the last."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _take_varint(body: bytes, place: int) -> tuple[int, int]:
    """The number that begins at `place`, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(body):
            break
        value |= (body[place] & 0x7F) << shift
        place += 1
        if not body[place - 1] & 0x80:
            return value, place
    raise Damaged("a column ends within a number, or the number does not end")


def _open(body: bytes) -> tuple[int, int, bytes]:
    """Method, count, and what follows."""
    count, place = _take_varint(body, 1)
    if count > MOST:
        raise Damaged(f"a column claims to hold {count:,} numbers")
    return body[0], count, body[place:]


def _same(values: Doubles, bits: NDArray[np.uint64]) -> bool:
    return bool((values.view("<u8") == bits).all())


def _doubles(body: bytes) -> Doubles:
    method, count, rest = _open(body)
    if method in (RAW, CONSTANT):
        return _plain(rest, count, method == CONSTANT).view("<f8")
    if method == PCO:
        doubles: Doubles = _decompress(rest, count, "<f8", "f64")
        return doubles
    if method == SCALED:
        if not rest or rest[0] > SCALES:
            raise Damaged("a scaled column names no scale")
        whole = _from_offsets(rest[1:], count).astype("<f8")
        scaled: Doubles = whole / 10.0 ** rest[0]
        return scaled
    raise Damaged(f"a column of doubles is packed in the unknown way {method}")


def _ints(body: bytes) -> Ints:
    method, count, rest = _open(body)
    if method in (RAW_INTS, CONSTANT_INTS):
        return _plain(rest, count, method == CONSTANT_INTS)
    if method == OFFSETS:
        return _from_offsets(rest, count)
    raise Damaged(f"a column of integers is packed in the unknown way {method}")


def _plain(body: bytes, count: int, constant: bool) -> Ints:
    if len(body) != 8 * (1 if constant else count):
        raise Damaged(f"a column of {count:,} numbers does not have the bytes of them")
    values = np.frombuffer(body, dtype="<i8")
    return np.repeat(values, count) if constant else values.copy()


def _scaled(values: Doubles) -> bytes | None:
    """For values that are all a whole number of tenths, hundredths…: the scale and those numbers."""
    if not (np.abs(values) <= _EXACT).all():  # nor is any of them NaN
        return None
    needed = _decimals(values)
    for scale in range(needed, min(needed + 3, SCALES + 1)):
        factor = 10.0**scale
        scaled = np.rint(values * factor)
        if np.abs(scaled).max() > _EXACT:
            return None
        whole = scaled.astype("<i8")
        if _same(whole.astype("<f8") / factor, values.view("<u8")):
            return _start(SCALED, len(values)) + bytes([scale]) + _offsets(whole)
    return None


def _decimals(values: Doubles) -> int:
    """Decimals in the shortest spelling of the values, judged by a few of them."""
    few = [*values[:_SAMPLE].tolist(), *values[:: 1 + len(values) // _SAMPLE].tolist()]
    return max(0 if value.is_integer() else _places(value) for value in few)


def _places(value: float) -> int:
    text = repr(value)
    if "e" not in text:
        return len(text) - text.index(".") - 1
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int), "finite"
    return -exponent


def _offsets(values: Ints) -> bytes:
    """The lowest value, then how far each is above it, in as few bits as the widest needs."""
    lowest = int(values.min())
    above = values.view("<u8") - np.array(lowest, dtype="<i8").view("<u8")  # modulo 2**64
    widest = int(above.max())
    width = next(width for width in _WIDTHS if widest < 1 << 8 * width)
    zigzag = lowest << 1 if lowest >= 0 else ~(lowest << 1)
    return bytes([width]) + _varint(zigzag) + _compress(above.astype(_WIDTHS[width]))


def _from_offsets(body: bytes, count: int) -> Ints:
    if not body or body[0] not in _WIDTHS:
        raise Damaged("a column of offsets does not say how wide they are")
    base, place = _take_varint(body, 1)
    above = _decompress(body[place:], count, _WIDTHS[body[0]], _PCO_NAMES[body[0]])
    lowest = ~(base >> 1) if base & 1 else base >> 1
    if not -(2**63) <= lowest < 2**63:
        raise Damaged("a column of offsets begins beyond 64 bits")
    values: Ints = above.astype("<u8").view("<i8")
    values += lowest  # modulo 2**64
    return values


def _compress(values: NDArray[Any]) -> bytes:
    """As pco would tell them, by what each is more than the one before, or by what that is more than it was: it
    judges by a sample, and of ten minutes of a host's columns it is wrong about a tenth."""
    deltas = DeltaSpec.auto(), DeltaSpec.try_consecutive(1), DeltaSpec.try_consecutive(2)
    return min((_chunk(values, delta) for delta in deltas), key=len)


def _chunk(values: NDArray[Any], delta: DeltaSpec) -> bytes:
    """The pieces of pco's wrapped format, one behind the other: header, meta of one chunk, its one page."""
    config = ChunkConfig(
        enable_8_bit=True,
        delta_spec=delta,
        paging_spec=PagingSpec.exact_page_sizes([len(values)]),
    )
    file = wrapped.FileCompressor()
    chunk = file.chunk_compressor(values, config)
    packed: bytes = file.write_header() + chunk.write_meta() + chunk.write_page(0)
    return packed


def _decompress(body: bytes, count: int, kind: str, name: str) -> Any:
    values = np.empty(count, dtype=kind)
    try:
        file, used = wrapped.FileDecompressor.new(body)
        body = body[used:]
        chunk, used = file.chunk_decompressor(body, name)
        body = body[used:]
        progress, used = chunk.read_page_into(body, count, values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise Damaged(f"a column cannot be decompressed ({error})") from error
    if progress.n_processed != count or used != len(body):
        raise Damaged(f"a column of {count:,} numbers holds {progress.n_processed:,}")
    return values
