"""The answer to a range question as bytes: JSON, msgpack or CSV, each with its entity tag.

JSON and msgpack have one shape. It ends with `cached`, so that what was made once serves both the one
it was made for and those who find it on the shelf.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from realtime.core.columns import Column, numbers, seconds
from realtime.core.downsample import Times
from realtime.core.spelling import Spelled, spelled

JSON = "application/json"
MSGPACK = "application/msgpack"
CSV = "text/csv"
MEDIA = (JSON, MSGPACK, CSV)

CSV_HEAD = b"at,source,series,value\r\n"

_SERIES = b'"series":['
W = TypeVar("W")

_ENVELOPE = {"status": "success", "message": ""}


class Table(NamedTuple):
    """`about` is what the answer says of itself, `series` what it says of each of its columns. Where nothing
    but JSON is asked for, `spelled` may stand in their place."""

    about: Mapping[str, Any]
    series: Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    spelled: Sequence[Spelled] = ()

    @property
    def cells(self) -> int:
        """Readings that are still to be written."""
        return sum(len(column.at) for column in self.columns)


class Page(NamedTuple):
    """`parts` and then `fresh`, for who had it made, or `warm`, for who finds it on the shelf.

    Parts that say the same, the times of series that were read together, are one object many times.
    `etag` (weak) stands for the numbers, not for the cursor or for who made them.
    """

    parts: Sequence[bytes]
    fresh: bytes
    warm: bytes
    media: str
    etag: str
    coding: str = ""

    @property
    def front(self) -> bytes:
        return b"".join(self.parts)

    @property
    def length(self) -> int:
        """Bytes of the front."""
        return sum(map(len, self.parts))

    @property
    def size(self) -> int:
        """Bytes it takes in memory."""
        held = {id(part): len(part) for part in self.parts}
        return sum(held.values()) + len(self.fresh) + len(self.warm)


def page(table: Table, cursor: str, media: str) -> Page:
    """`media` is one of `MEDIA`."""
    said: list[bytes] | None = None
    match media:
        case "application/msgpack":
            head, parts, ends = _msgpack(table, cursor)
        case "text/csv":
            head, parts, ends = CSV_HEAD, list(_csv(table)), (b"", b"")
        case _:
            head, parts, ends, said = _json(table, cursor)
    digest = hashlib.sha256(msgspec.json.encode([media, table.about]))
    told: dict[int, int] = {}
    for place, part in enumerate(parts if said is None else said):
        # What was said before is named by its place: the times of ten series are hashed once.
        first = told.setdefault(id(part), place)
        digest.update(part if first == place else b"%d;" % first)
    etag = f'W/"{digest.hexdigest()[:32]}"'
    return Page([head, *parts], *ends, media, etag)


def _json(table: Table, cursor: str) -> tuple[bytes, list[bytes], tuple[bytes, bytes], list[bytes]]:
    """And what the tag stands for: of numbers that carry a mark, the mark."""
    encode = msgspec.json.encode
    about = encode({**_ENVELOPE, "data": {"cursor": cursor, **table.about}})
    axes = Axes(lambda at: encode(seconds(at)))
    columns = table.spelled or [
        Spelled(axes.of(at), spelled(value), b"") for at, value in table.columns
    ]
    parts: list[bytes] = []
    said: list[bytes] = []
    for series, one in zip(table.series, columns, strict=True):
        begin = (b"," if parts else b"") + encode(series)[:-1] + b',"at":'
        parts += [begin, one.at, b',"value":', one.value, b"}"]
        said += [begin, one.mark] if one.mark else [begin, one.at, one.value]
    ends = b'],"cached":false}}', b'],"cached":true}}'
    return about[:-2] + b"," + _SERIES, parts, ends, said


def _msgpack(table: Table, cursor: str) -> tuple[bytes, list[bytes], tuple[bytes, bytes]]:
    encode = msgspec.msgpack.encode
    data = {"cursor": cursor, **table.about}
    head = [_map_head(len(_ENVELOPE) + 1)]
    head += [encode(one) for pair in _ENVELOPE.items() for one in pair]
    head += [encode("data"), _map_head(len(data) + 2)]
    head += [encode(one) for pair in data.items() for one in pair]
    head += [encode("series"), _array_head(len(table.series))]
    axes = Axes(lambda at: encode(seconds(at)))
    parts: list[bytes] = []
    for series, column in zip(table.series, table.columns, strict=True):
        parts += [
            _map_head(len(series) + 2),
            *(encode(one) for pair in series.items() for one in pair),
            encode("at"),
            axes.of(column.at),
            encode("value"),
            encode(numbers(column.value)),
        ]
    cached = encode("cached")
    return b"".join(head), parts, (cached + encode(False), cached + encode(True))


def _csv(table: Table) -> Iterator[bytes]:
    """A row a reading (RFC 4180), the series one after the other; no value where a step has none."""
    axes = Axes(_moments)
    for series, column in zip(table.series, table.columns, strict=True):
        if not len(column.at):
            continue
        named = f",{_quoted(series['source'])},{_quoted(series['series'])},"
        values = msgspec.json.encode(numbers(column.value))[1:-1].decode().replace("null", "")
        rows = [
            f"{at}{named}{value}\r\n"
            for at, value in zip(axes.of(column.at), values.split(","), strict=True)
        ]
        yield "".join(rows).encode()


class Axes(Generic[W]):
    """Columns mostly share their times: those are written once."""

    def __init__(self, write: Callable[[Times], W]) -> None:
        self._write = write
        self._last: tuple[Times, W] | None = None

    def of(self, at: Times) -> W:
        if self._last is None or not np.array_equal(at, self._last[0]):
            self._last = at, self._write(at)
        return self._last[1]


def _moments(at: Times) -> list[str]:
    moments = np.datetime_as_string(at.astype("datetime64[us]"), unit="us", timezone="UTC")
    plain: list[str] = moments.tolist()
    return plain


def _quoted(text: str) -> str:
    return f'"{text.replace(chr(34), chr(34) * 2)}"'


def _map_head(count: int) -> bytes:
    """msgpack: a map of `count` pairs begins."""
    return bytes([0x80 | count]) if count < 16 else b"\xde" + count.to_bytes(2, "big")


def _array_head(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
