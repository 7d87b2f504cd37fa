"""Wire formats to batches: what a program sends becomes checked columns of samples.

A body, JSON or msgpack, is one of

    {"name", "value", "labels"?, "source"?, "at"?, "unit"?}            a reading
    [reading, …]                                                        readings
    {"source"?, "at"?: […], "series": {text: [number | null, …]}, "units"?: {name: unit}}   columns

Nothing is ever dropped without a word: whatever is not taken is named in the answer.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec

from realtime.bodies import Reading, Table, Time, check_amount, decoded
from realtime.core.batch import Batch, Columns, Descriptor, Key, Rejection
from realtime.core.keys import Keys
from realtime.core.naming import check_name, check_source, shown
from realtime.core.times import SECOND, parse_time
from realtime.errors import BadInput, FieldError
from realtime.rejections import Refused, Rejections, field_of
from storage.events import EXACT, Number, canonical

UNIT_LIMIT = 60


class Limits(msgspec.Struct, frozen=True):
    """Samples a request, seconds a time may lie ahead, rejections told one by one."""

    max_samples: int = 200_000
    future_s: float = 300.0
    max_rejections: int = 100


class Slot:
    """The samples of one source at one moment, while a batch is being put together."""

    __slots__ = ("keys", "texts", "values")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.values: list[list[Number | None]] = []
        self.texts: set[str] = set()


class Intake:
    """Reads bodies into batches. Keys of series are remembered between bodies.

    `read` awaits nothing and may run in a thread: a body of megabytes belongs there, for it takes
    longer than law loop-never-blocks allows.
    """

    def __init__(self, limits: Limits, default_source: str) -> None:
        self._limits = limits
        self._source = check_source(default_source)
        self._keys = Keys()

    def read(self, body: bytes, content_type: str, now: int) -> tuple[Batch, list[Rejection]]:
        """The acceptable samples of `body` and what was rejected. `now` (µs UTC) is the time of
        readings that give none. BadInput when nothing of it can be taken.
        """
        rejections = Rejections(self._limits.max_rejections)
        what = decoded(body, content_type, self._limits.max_samples, rejections)
        if isinstance(what, Table):
            batch = self._from_table(what, now, rejections)
        else:
            batch = self._from_readings(what, now, rejections)
        rejected = rejections.all()
        if not batch.columns:
            errors = [FieldError(line.field or "body", line.detail) for line in rejected]
            first = f": {rejected[0].field} {rejected[0].detail}".rstrip() if rejected else ""
            raise BadInput(f"The request holds no acceptable sample{first}", errors)
        return batch, rejected

    def _from_readings(
        self,
        readings: Iterable[tuple[int | None, Reading]],
        now: int,
        rejections: Rejections,
    ) -> Batch:
        ticks: dict[tuple[str, int], Slot] = {}
        # As it came on the wire → its columns and the texts already in them: parsed once a batch.
        slots: dict[tuple[str | None, Time | None], Slot | tuple[str, str]] = {}
        units: dict[str, str] = {}
        key_of = self._keys.of
        for index, reading in readings:
            wire = (reading.source, reading.at)
            slot = slots.get(wire)
            if slot is None:
                slot = slots[wire] = self._slot(reading, now, ticks)
            try:
                if not isinstance(slot, Slot):
                    raise Refused(*slot)
                try:
                    key = key_of(reading.name, reading.labels)
                except ValueError as error:
                    raise Refused(_blame(reading), error) from None
                try:
                    value = exact(reading.value)
                except ValueError as error:
                    raise Refused("value", error) from None
                if key.text in slot.texts:
                    raise Refused("name", f"{shown(key.text)} has a value at this time already")
                if reading.unit:
                    _note_unit(units, key.name, reading.unit)
            except Refused as refused:
                prefix = "" if index is None else f"[{index}]."
                rejections.add(index, prefix + refused.field, refused.detail)
                continue
            slot.texts.add(key.text)
            slot.keys.append(key)
            slot.values.append([value])
        columns = [
            Columns(source, [at], slot.keys, slot.values)
            for (source, at), slot in ticks.items()
            if slot.keys
        ]
        return Batch(columns, {name: Descriptor(unit=unit) for name, unit in units.items()})

    def _slot(
        self, reading: Reading, now: int, ticks: dict[tuple[str, int], "Slot"]
    ) -> "Slot | tuple[str, str]":
        """Where a reading with this source and time goes, or the field at fault and why."""
        try:
            source = self._checked_source(reading.source)
        except ValueError as error:
            return "source", str(error)
        try:
            at = self._checked_time(reading.at, now)
        except ValueError as error:
            return "at", str(error)
        return ticks.setdefault((source, at), Slot())

    def _checked_source(self, source: str | None) -> str:
        return self._source if source is None else check_source(source)

    def _checked_time(self, at: Time | None, now: int) -> int:
        if at is None:
            return now
        parsed = parse_time(at, now)
        ahead = (parsed - now) / SECOND
        if ahead > self._limits.future_s:
            raise ValueError(
                f"{shown(at)} lies {ahead:.0f} s ahead of this server's clock; "
                f"{self._limits.future_s:g} s is the limit, so check the clocks"
            )
        return parsed

    def _from_table(self, table: Table, now: int, rejections: Rejections) -> Batch:
        try:
            source = self._checked_source(table.source)
        except ValueError as error:
            raise BadInput(str(error), [FieldError("source", str(error))]) from None
        ats, bad_rows = self._rows(table.at, now)
        keys: list[Key] = []
        values: list[list[Number | None]] = []
        seen: set[str] = set()
        for text, column in table.series.items():
            try:
                key = self._keys.of(text)
                if key.text in seen:
                    raise ValueError("names a series that is in this request already")
                if len(column) != len(ats):
                    raise ValueError(f"has {len(column)} values for {len(ats)} times")
            except ValueError as error:
                count = len(column) - column.count(None)
                rejections.add(None, field_of("series", text), error, count)
                continue
            cleaned = _cleaned(text, column, rejections)
            if cleaned.count(None) == len(cleaned):
                continue
            seen.add(key.text)
            keys.append(key)
            values.append(cleaned)
        for row, detail in bad_rows.items():
            count = sum(column[row] is not None for column in values)
            rejections.add(row, f"at[{row}]" if isinstance(table.at, list) else "at", detail, count)
        columns = _without(Columns(source, ats, keys, values), bad_rows)
        names = {key.name for key in columns.keys}
        return Batch([columns] if columns.ats else [], _units(table.units, names, rejections))

    def _rows(
        self, given: list[Time] | Time | None, now: int
    ) -> tuple[list[int], dict[int, ValueError]]:
        times: list[Any] = given if isinstance(given, list) else [given]
        check_amount(len(times), self._limits.max_samples)
        ats: list[int] = []
        bad: dict[int, ValueError] = {}
        seen: set[int] = set()
        for row, time in enumerate(times):
            at = 0
            try:
                if time is None and isinstance(given, list):
                    raise ValueError("null is not a time; leave `at` out for now")
                at = self._checked_time(time, now)
                if at in seen:
                    raise ValueError(f"{shown(time)} is in this list already")
                seen.add(at)
            except ValueError as error:
                bad[row] = error
            ats.append(at)
        return ats, bad


def exact(value: Number) -> Number:
    """`value` in its canonical spelling; ValueError if a double cannot hold it exactly."""
    if value.__class__ is float:
        if isfinite(value):
            return canonical(value)
        raise ValueError(f"{value} is not a finite number; leave out what is not known")
    if -EXACT <= value <= EXACT:
        return value
    try:
        double = float(value)
    except OverflowError:
        double = 0.0
    if double != value:
        raise ValueError(
            f"an integer of {int(value).bit_length()} bits that no "
            "double holds exactly; round it, or send it as a number with a decimal point"
        )
    return double


def _cleaned(
    text: str, column: list[int | float | None], rejections: Rejections
) -> list[Number | None]:
    try:
        return [None if value is None else exact(value) for value in column]
    except ValueError:
        pass
    cleaned: list[Number | None] = []
    for row, value in enumerate(column):
        try:
            cleaned.append(None if value is None else exact(value))
        except ValueError as error:
            rejections.add(row, f"{field_of('series', text)}[{row}]", error)
            cleaned.append(None)
    return cleaned


def _without(columns: Columns, bad_rows: Mapping[int, object]) -> Columns:
    """`columns` less the bad rows, and less rows and series in which no sample is left."""
    if bad_rows or any(None in column for column in columns.values):
        rows = [
            row
            for row in range(len(columns.ats))
            if row not in bad_rows and any(column[row] is not None for column in columns.values)
        ]
        if len(rows) < len(columns.ats):
            columns.ats = [columns.ats[row] for row in rows]
            columns.values = [[column[row] for row in rows] for column in columns.values]
    left = [k for k, column in enumerate(columns.values) if column.count(None) < len(column)]
    if len(left) < len(columns.keys):
        columns.keys = [columns.keys[k] for k in left]
        columns.values = [columns.values[k] for k in left]
    if not columns.keys:
        columns.ats = []
    return columns


def _units(
    given: Mapping[str, str] | None, names: set[str], rejections: Rejections
) -> dict[str, Descriptor]:
    units: dict[str, str] = {}
    for name, unit in (given or {}).items():
        try:
            if name not in names:
                raise Refused("", "is not the name of a series accepted here; the unit is left out")
            if unit:
                _note_unit(units, name, unit)
        except Refused as refused:
            rejections.add(None, field_of("units", name), refused.detail, 0)
    return {name: Descriptor(unit=unit) for name, unit in units.items()}


def _note_unit(units: dict[str, str], name: str, unit: str) -> None:
    known = units.get(name)
    if known == unit:
        return
    if known is not None:
        raise Refused("unit", f"{shown(unit)} differs from {shown(known)} earlier in this request")
    if len(unit) > UNIT_LIMIT or not unit.isprintable():
        raise Refused(
            "unit", f"{shown(unit)} is not a unit; use up to {UNIT_LIMIT} printable characters"
        )
    units[name] = unit


def _blame(reading: Reading) -> str:
    """Which of the two made the key fail."""
    if not reading.labels:
        return "name"
    try:
        check_name(reading.name)
    except ValueError:
        return "name"
    return "labels"
