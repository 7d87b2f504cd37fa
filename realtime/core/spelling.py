"""Columns as JSON writes them. A piece of one can be kept, cut and put beside others without its numbers being
spelled again: most of what an answer costs is that.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from realtime.core.columns import Column, numbers, seconds
from realtime.core.downsample import Times, Values

MARK = 16
"""Bytes of a digest."""
COMMA = ord(",")
WEIGHT = 300
"""Bytes of a piece beside its numbers, roughly."""


class Piece(NamedTuple):
    """Readings of one series: their times (µs), and both columns with commas between and no brackets.

    `mark` stands for the numbers: equal marks, equal numbers. Series that were read together share the
    objects that tell their times.
    """

    times: Times
    at: bytes
    value: bytes
    mark: bytes


class Spelled(NamedTuple):
    """One series, ready: both columns with their brackets. Those with the same times share one object."""

    at: bytes
    value: bytes
    mark: bytes


def pieces(columns: Iterable[Column]) -> list[Piece]:
    made: list[Piece] = []
    last: Piece | None = None
    for at, value in columns:
        if last is None or not np.array_equal(at, last.times):
            times = at.copy()  # not a window on what may be hours of it
            last = Piece(times, _inner(seconds(times)), b"", b"")
        told = spelled(value)[1:-1]
        digest = hashlib.sha256(b"%d;" % len(last.at) + last.at)
        digest.update(told)
        last = last._replace(value=told, mark=digest.digest()[:MARK])
        made.append(last)
    return made


def within(some: Sequence[Piece], start: int, beyond: int) -> list[Piece]:
    """What of them has part in `start ≤ at < beyond` (µs)."""
    made: list[Piece] = []
    seen: dict[int, tuple[int, int, Times, bytes]] = {}
    for piece in some:
        known = seen.get(id(piece.times))
        if known is None:
            first, last = (int(n) for n in np.searchsorted(piece.times, (start, beyond)))
            whole = last - first == len(piece.times)
            at = piece.at if whole else _part(piece.at, first, last)
            known = seen[id(piece.times)] = first, last, piece.times[first:last], at
        first, last, times, at = known
        if last - first < len(piece.times):
            mark = piece.mark + b"%d-%d;" % (first, last)
            piece = Piece(times, at, _part(piece.value, first, last), mark)
        made.append(piece)
    return made


def joined(some: Sequence[Sequence[Piece]]) -> list[Spelled]:
    """Of each series its pieces, one after the other."""
    told: dict[tuple[int, ...], bytes] = {}
    made: list[Spelled] = []
    for parts in some:
        parts = [piece for piece in parts if piece.at]
        axis = tuple(id(piece.at) for piece in parts)
        if axis not in told:
            told[axis] = b"[" + b",".join([piece.at for piece in parts]) + b"]"
        value = b"[" + b",".join([piece.value for piece in parts]) + b"]"
        made.append(Spelled(told[axis], value, b"".join([piece.mark for piece in parts])))
    return made


def size(some: Iterable[Piece]) -> int:
    """Bytes that they take in memory together."""
    held = {id(piece.times): piece.times.nbytes + len(piece.at) for piece in some}
    return sum(held.values()) + sum(len(piece.value) + WEIGHT for piece in some)


def spelled(value: Values) -> bytes:
    """A list in JSON. Much of what is measured does not move for hours: said once, it is copied."""
    if len(value) > 1 and (value.view(np.int64) == value.view(np.int64)[0]).all():
        (one,) = numbers(value[:1])
        word = msgspec.json.encode(one)
        return b"[" + (word + b",") * (len(value) - 1) + word + b"]"
    return msgspec.json.encode(numbers(value))


def _inner(plain: Sequence[object]) -> bytes:
    return msgspec.json.encode(plain)[1:-1]


def _part(told: bytes, first: int, last: int) -> bytes:
    """The numbers `first` to `last`, that one not among them."""
    if first >= last:
        return b""
    (commas,) = (np.frombuffer(told, np.uint8) == COMMA).nonzero()
    begin = int(commas[first - 1]) + 1 if first else 0
    return told[begin : int(commas[last - 1]) if last <= len(commas) else len(told)]
