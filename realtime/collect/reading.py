"""A raw sample, and the key of the series it belongs to."""

from functools import lru_cache
from typing import NamedTuple

from realtime.core.batch import Key
from realtime.core.naming import VALUE_LIMIT, series_text
from storage.events import Number

DIGITS = 6
"""Decimals kept of ratios and seconds: finer than any of them is measured, and far cheaper to keep."""


class Reading(NamedTuple):
    """One sample of one series, in the unit of its descriptor; the moment is the tick's."""

    key: Key
    value: Number


def reading(name: str, value: Number, **labels: str) -> Reading:
    """Without the noise of its arithmetic: digits beyond a millionth are none that were measured, and
    cost most of what a sample takes on disk. Label values may be whatever the system calls a thing."""
    told = round(value, DIGITS) if isinstance(value, float) else value
    return Reading(key(name, **labels), told)


@lru_cache(maxsize=8192)
def key(name: str, **labels: str) -> Key:
    """The same few hundred keys come every second: written once, then remembered."""
    pairs = tuple(sorted((label, clean(value)) for label, value in labels.items() if value))
    return Key(name, pairs, series_text(name, pairs))


def clean(value: str) -> str:
    """`value` as UTF-8 can hold it: to the system, paths and commands are bytes of any kind."""
    whole = value.encode(errors="replace").decode(errors="replace")
    return "".join(char if char.isprintable() else "?" for char in whole)[:VALUE_LIMIT]
