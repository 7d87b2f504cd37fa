"""A row of `events`, checked before it is believed."""

from math import isfinite
from typing import Any, Final

from storage import codec
from storage.checksum import crc
from storage.errors import Damaged, StorageBroken
from storage.events import Event, Metrics, Unreadable

LATEST: Final = 1 << 62
"""No time in µs and no seq is as large."""

EVENT: Final = "seq, at, source, type, version, body, crc"
"""The cells of a row, in the order its checksum takes them."""

_LISTS = (list, tuple)


def event(row: tuple[Any, ...]) -> Event:
    """
    Raises:
        Damaged: what the row holds cannot have been written.
    """
    check_row(row)
    seq, at, source, type_, version, body, check = row
    try:
        fact = codec.decode(type_, version, body)
    except StorageBroken as error:
        raise Damaged(error.detail) from error
    if check is None and isinstance(fact, Metrics):
        check_tick(fact)
    return Event(seq, at, source, fact)


def told(row: tuple[Any, ...]) -> Event:
    """The event, or that there was one: a reader learns of what it cannot be given."""
    try:
        return event(row)
    except Damaged as error:
        return Event(row[0], 0, "", Unreadable(row[0], row[0], error.detail))


def check_row(row: tuple[Any, ...]) -> None:
    """Raises Damaged as `event` does, without a look into the payload."""
    _, at, source, type_, version, body, check = row
    if type(at) is not int or not 0 <= at < LATEST:
        raise Damaged(f"its time is {at!r}")
    if type(source) is not str or type(type_) is not str:
        raise Damaged("its source or its type is no text")
    if type(version) is not int or type(body) is not bytes:
        raise Damaged("its version is no number or its payload no bytes")
    if check is not None and check != crc(*row[:-1]):
        raise Damaged("it is not as it was written: its checksum is another one")


def check_tick(fact: Metrics) -> None:
    """What no checksum vouches for is looked at value by value."""
    ids, values = fact.ids, fact.values
    if not isinstance(ids, _LISTS) or not isinstance(values, _LISTS) or len(ids) != len(values):
        raise Damaged("it has not one value for each series")
    if not all(type(id_) is int and 0 < id_ < 1 << 32 for id_ in ids) or len(set(ids)) != len(ids):
        raise Damaged("it names series by what is no id, or one twice")
    if not all(type(value) in (int, float) and isfinite(value) for value in values):
        raise Damaged("a value in it is no number")
