"""Columns side by side on one axis of time, and as plain numbers at the border."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from realtime.core.downsample import Times, Values
from storage.events import EXACT, Number

SECOND = 1_000_000

SILENCE = 5
"""So many usual steps without a row are a silence: the recorder was off, or the source was."""

LATE = 1.5
"""A reading stands until the next one if that comes within so many of the series' usual steps."""


class Column(NamedTuple):
    """One series: sorted times in µs UTC, and its readings (NaN where there is none)."""

    at: Times
    value: Values


NOTHING = Column(np.empty(0, np.int64), np.empty(0, np.float64))


def seconds(at: Times) -> list[int] | list[float]:
    """Epoch seconds, true to the microsecond; integers where all are whole."""
    whole, rest = np.divmod(at, SECOND)
    plain: list[int] | list[float] = (at / SECOND if rest.any() else whole).tolist()
    return plain


def numbers(value: Values) -> list[Number | None]:
    """Canonical numbers (see `storage.events.canonical`); None for NaN."""
    whole = (np.abs(value) <= EXACT) & (np.trunc(value) == value)
    whole &= (value != 0) | ~np.signbit(value)
    plain: list[Number | None]
    if whole.all():
        plain = value.astype(np.int64).tolist()
        return plain
    mixed = value.astype(object)
    mixed[whole] = value[whole].astype(np.int64)
    mixed[np.isnan(value)] = None
    plain = mixed.tolist()
    return plain


def align(columns: Sequence[Column]) -> tuple[Times, list[Values]]:
    """One axis for all: every moment any of them was read.

    Of two readings at one moment the later one in the column holds. A series that is read at other
    moments than its neighbours is carried forward between two readings that follow each other at
    its own pace; where it missed one, its gap stays.
    """
    read = [column for column in columns if len(column.at)]
    if not read:
        return np.empty(0, np.int64), [np.empty(0) for _ in columns]
    axis = read[0].at
    if not (all(np.array_equal(column.at, axis) for column in read) and (np.diff(axis) > 0).all()):
        axis = np.unique(np.concatenate([column.at for column in read]))
    return axis, [_carried(column, axis) for column in columns]


def stands(column: Column) -> float:
    """For how many µs a reading stands, if another follows; 0 where its pace is not known."""
    steps = np.diff(column.at)
    steps = steps[steps > 0]
    return float(np.median(steps)) * LATE if len(steps) else 0.0


def broken(
    axis: Times, values: Sequence[Values], after: int | None = None, read: Sequence[Column] = ()
) -> tuple[Times, list[Values]]:
    """A row of NaN wherever all fell silent, also since `after`, the last row of what came before.

    Drawn lines then break instead of claiming what nobody measured. Of the columns that were `read`, those whose
    own pace is so slow have not fallen silent: in that row stands what they said last.
    """
    inner = np.diff(axis)
    if not len(inner):
        return axis, list(values)
    usual = int(np.median(inner))
    starts = axis[:-1] if after is None else np.concatenate(([after], axis[:-1]))
    ends = axis[len(axis) - len(starts) :]
    silent = np.flatnonzero(ends - starts > max(SILENCE * usual, SILENCE * SECOND))
    places = silent + (len(axis) - len(starts))
    stood = [_bridged(column, starts[silent], ends[silent]) for column in read]
    axis = np.insert(axis, places, starts[silent] + usual)
    return axis, [
        np.insert(value, places, row)
        for value, row in zip(values, stood or [np.array(np.nan)] * len(values), strict=True)
    ]


def _bridged(column: Column, starts: Times, ends: Times) -> Values:
    """What a column says between these moments that it was not read in: NaN where its pace is quicker than that."""
    at, value = column
    if not len(at):
        return np.full(len(starts), np.nan)
    before = np.searchsorted(at, starts, side="right") - 1
    ahead = np.searchsorted(at, ends)
    inside = (before >= 0) & (ahead < len(at))
    steps = at[np.minimum(ahead, len(at) - 1)] - at[np.maximum(before, 0)]
    return np.where(inside & (steps <= stands(column)), value[before], np.nan)


def _carried(column: Column, axis: Times) -> Values:
    at, value = column
    if at is axis or np.array_equal(at, axis):
        return value
    if not len(at):
        return np.full(len(axis), np.nan)
    held = np.searchsorted(at, axis, side="right") - 1
    before = np.maximum(held, 0)
    exact = (held >= 0) & (at[before] == axis)
    pace = stands(column)
    ahead = np.minimum(before + 1, len(at) - 1)
    between = (held >= 0) & (held < len(at) - 1) & (at[ahead] - at[before] <= pace)
    return np.where(exact | between, value[before], np.nan)
