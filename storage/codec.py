"""Facts to bytes and back. The bytes are msgpack arrays in the order of the struct's fields; of facts that are
long and repeat themselves, as declarations of many series do, a zstd frame of them, which no array begins like.

An upcaster turns the payload of an older version into the next one, on read (law history-is-frozen).
Fields may be appended to a version with a default only before its release.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgpack
import msgspec
import zstandard

from storage.errors import StorageBroken, StorageError
from storage.events import KINDS, Fact, Metrics, Series

Payload = list[Any]
Upcaster = Callable[[Payload], Payload]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type, version) → payload of version + 1. Empty until a second version of any fact is released."""

_BY_TYPE: dict[str, type[Fact]] = {kind.type: kind for kind in KINDS}


UNREADABLE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    msgpack.UnpackException,
    msgspec.ValidationError,
    zstandard.ZstdError,
)
"""All that bytes can raise that are not what was packed."""

_packed = msgspec.msgpack.Encoder().encode
"""The same bytes as msgpack's own, in a quarter of the time."""


LONG = 512
"""Bytes from which a fact is compressed; shorter ones find room beside others."""
_LEVEL = 3
_UNFOLDED = 2**24
"""No payload is longer when it is decompressed: a few bytes that somebody made could else hold the loop for long,
and fill the memory. Longer facts are written as they are."""

_TICK = b"\x92"
"""An array of two begins."""


def encoded(facts: Iterable[Fact]) -> Iterator[bytes]:
    """The bytes of one after the other. Ticks that came together share their list of ids: it is packed once."""
    ids: Sequence[int] | None = None
    named = b""
    for fact in facts:
        if isinstance(fact, Metrics):
            if fact.ids is not ids:
                ids, named = fact.ids, _TICK + _packed(fact.ids)
            yield named + _packed(fact.values)
        else:
            yield encode(fact)


def encode(fact: Fact) -> bytes:
    """
    Raises:
        StorageError: something in it has no bytes.
    """
    if isinstance(fact, Metrics):  # the hot road: no walk over fields, lists go to C as they are
        return _packed((fact.ids, fact.values))
    try:
        body = msgpack.packb([_plain(getattr(fact, name)) for name in fact.__struct_fields__])
        if not LONG <= len(body) <= _UNFOLDED:
            return body
        return min(body, zstandard.compress(body, _LEVEL), key=len)
    except (OverflowError, ValueError) as error:
        # Whole numbers beyond 64 bits, text that has no UTF-8: what lets such pass is to be mended, but one fact
        # that cannot be written is no reason to write none any more.
        raise StorageError(f"an event of type {fact.type} cannot be written ({error})") from error


def decode(type_: str, version: int, body: bytes) -> Fact:
    """The fact as the newest version tells it.

    Raises:
        StorageBroken: the payload is not what `type_` and `version` promise.
    """
    kind = _BY_TYPE.get(type_)
    if kind is None:
        raise StorageBroken(
            f"the log holds an event of unknown type {type_!r}",
            "use the newer Playhead that wrote it",
        )
    try:
        if kind is Metrics and version == Metrics.version:
            ids, values = msgpack.unpackb(body, use_list=False)
            return Metrics(ids, values)
        payload: Payload = msgpack.unpackb(_unfolded(body))
        while version < kind.version:
            payload = UPCASTERS[type_, version](payload)
            version += 1
        if version > kind.version:
            raise StorageBroken(
                f"the log holds a {type_} event of version {version}; this Playhead reads up to {kind.version}",
                "use the newer Playhead that wrote it",
            )
        return msgspec.convert(dict(zip(kind.__struct_fields__, payload, strict=False)), kind)
    except UNREADABLE as error:
        raise StorageBroken(f"the payload of a {type_} event cannot be read ({error})") from error


def _unfolded(body: bytes) -> bytes:
    if body[: len(zstandard.FRAME_HEADER)] != zstandard.FRAME_HEADER:
        return body
    if not 0 < zstandard.frame_content_size(body) <= _UNFOLDED:
        raise ValueError("it would be longer than any when it is decompressed")
    return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)


def samples(body: bytes) -> tuple[list[int], list[int | float]]:
    """Ids and values of a stored tick, without building a fact: range reads decode thousands of these."""
    ids, values = msgpack.unpackb(body)
    return ids, values


def named(begin: bytes) -> int:
    """How many series a tick names, by the first bytes of its body; 0 when that is no tick."""
    kind = begin[1] if len(begin) > 1 else 0
    if kind & 0xF0 == 0x90:
        return kind & 0x0F
    size = {0xDC: 2, 0xDD: 4}.get(kind, 0)
    return int.from_bytes(begin[2 : 2 + size], "big")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Series):
        return [getattr(value, name) for name in Series.__struct_fields__]
    return value
