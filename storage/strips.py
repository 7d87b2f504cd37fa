"""Packed columns laid end to end in strips, with a directory of where each lies.

A row of its own for every column of a few hundred bytes would leave a fifth of each page empty. A strip
is long enough to fill its pages, and short enough that a reader of one series loads little else.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from storage.errors import Damaged
from storage.packing import pack_ints, unpack_ints

STRIP_BYTES = 16 * 1024
"""A strip ends with the column that reaches this length."""


class Place(NamedTuple):
    """Which strip of its segment, and where in it."""

    strip: int
    begin: int
    end: int


def cut(columns: Mapping[int, bytes]) -> tuple[bytes, list[bytes]]:
    """The directory and the strips of a segment's columns, which lie in the order of their series' ids."""
    series = sorted(columns)
    known: dict[bytes, int] = {}
    lengths: list[int] = []
    strips: list[bytearray] = []
    for nth, id_ in enumerate(series):
        body = columns[id_]
        first = known.setdefault(body, nth)
        if first < nth:
            lengths.append(-1 - first)
            continue
        lengths.append(len(body))
        if not strips or len(strips[-1]) >= STRIP_BYTES:
            strips.append(bytearray())
        strips[-1] += body
    ids = pack_ints(np.array(series, np.int64))
    # The first packed list is told apart from the second by its length, which stands in front.
    directory = len(ids).to_bytes(4, "little") + ids + pack_ints(np.array(lengths, np.int64))
    return directory, [bytes(strip) for strip in strips]


def read(directory: bytes) -> dict[int, Place]:
    """
    Raises:
        Damaged: this is no directory.
    """
    size = int.from_bytes(directory[:4], "little")
    series = unpack_ints(directory[4 : 4 + size]).tolist()
    lengths = unpack_ints(directory[4 + size :]).tolist()
    if len(series) != len(lengths):
        raise Damaged("the directory of a segment names columns without a length")
    places: dict[int, Place] = {}
    strip = begin = 0
    for nth, (id_, length) in enumerate(zip(series, lengths, strict=True)):
        if length < 0:  # it is the one of an earlier series, which is told by its number
            if -1 - length >= nth:
                raise Damaged("the directory of a segment names a column that is none of it")
            places[id_] = places[series[-1 - length]]
            continue
        if begin >= STRIP_BYTES:
            strip, begin = strip + 1, 0
        places[id_] = Place(strip, begin, begin + length)
        begin += length
    return places
