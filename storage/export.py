"""Samples out of the log as Parquet, CSV or NDJSON, a piece at a time: memory does not grow with the range.

All formats say the same: source, series, at, value. Pieces come in the order in which the log was written,
ten minutes or so each; within a piece samples are by series, then by time.
"""

import csv
import io
import sqlite3
from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import msgspec
import numpy as np

from storage import codec, proof
from storage.checksum import crc
from storage.errors import Damaged
from storage.events import Declared, Series, canonical
from storage.horizons import RAW
from storage.look import Progress, quiet
from storage.packing import Doubles, Ints
from storage.proof import Damage, Tell, told
from storage.scan import rows

Format = Literal["parquet", "csv", "ndjson"]

COLUMNS: Final = ("source", "series", "at", "value")
PIECE: Final = 200_000
"""Samples held at once, more or less: some 20 MB."""

Names = Mapping[int, tuple[str, str]]
"""Series id → its source, and its text."""


Cells = tuple["array[int]", "array[float]"]
"""Times and values as they come."""


class Run(NamedTuple):
    """Samples of one series, in order of time (µs)."""

    series: int
    ats: Ints
    values: Doubles


class Exported(msgspec.Struct):
    """`damages` names what was in the range and could not be read. Of what is older than `samples_since` (µs),
    all or a part was given up, and lives on in rollups alone; 0 if the range begins later."""

    series: int = 0
    samples: int = 0
    bytes: int = 0
    samples_since: int = 0
    damages: list[Damage] = []


def declared(connection: sqlite3.Connection, tell: Tell) -> dict[int, tuple[str, Series]]:
    """Every series of the log with its source, by id."""
    found: dict[int, tuple[str, Series]] = {}
    for row in rows(
        connection, proof.EVENT, "events", "seq", told("events", tell), where="type = 'series'"
    ):
        try:
            event = proof.event(row)
        except Damaged as error:
            tell(Damage("events", str(row[0]), error.detail))
            continue
        if isinstance(event.data, Declared):
            found.update({series.id: (event.source, series) for series in event.data.series})
    return found


def whole_since(connection: sqlite3.Connection, tell: Tell) -> int:
    """The time (µs) before which samples were given up; 0 if none was, or if the record of it is damaged."""
    for tier, at, check in connection.execute(
        "SELECT tier, at, crc FROM horizons WHERE tier = ?", (RAW,)
    ):
        if check not in (None, crc(tier, at)):
            tell(Damage("horizons", str(tier), "it is not as it was written"))
            break
        return int(at)
    return 0


def runs(
    connection: sqlite3.Connection,
    wanted: Iterable[int],
    start: int,
    end: int,
    tell: Tell,
    progress: Progress = quiet,
) -> Iterator[Run]:
    """The samples of some series with `start ≤ at < end` (µs), sealed and unsealed."""
    ids = frozenset(wanted)
    within = "end_at >= ? AND start_at < ?"
    count = connection.execute(f"SELECT count(*) FROM segments WHERE {within}", (start, end))
    total = count.fetchone()[0]
    segments = rows(
        connection,
        "id",
        "segments",
        "id",
        told("segments", tell),
        where=f"end_at >= {start:d} AND start_at < {end:d}",
    )
    for done, (segment,) in enumerate(segments):
        progress("segments", done, total)
        _, head, places = proof.sleeve(connection, segment, tell)
        if head is None:
            continue
        here = sorted(ids.intersection(head.series()))
        for id_, ats, values in proof.samples(connection, segment, (head, places), here, tell):
            first, last = np.searchsorted(ats, (start, end))
            if first < last:
                yield Run(id_, ats[first:last], values[first:last])
    yield from unsealed(connection, ids, start, end, tell)


def unsealed(
    connection: sqlite3.Connection, ids: Container[int], start: int, end: int, tell: Tell
) -> Iterator[Run]:
    """Those that stand as rows."""
    held: dict[int, Cells] = {}
    size = 0
    for row in rows(
        connection,
        proof.EVENT,
        "events",
        "seq",
        told("events", tell),
        where=f"type = 'metrics' AND at >= {start:d} AND at < {end:d}",
    ):
        try:
            proof.event(row)
        except Damaged as error:
            tell(Damage("events", str(row[0]), error.detail))
            continue
        for id_, value in zip(*codec.samples(row[5]), strict=True):
            if id_ in ids:
                ats, values = held.setdefault(id_, (array("q"), array("d")))
                ats.append(row[1])
                values.append(value)
                size += 1
        if size >= PIECE:
            yield from _sorted(held)
            held, size = {}, 0
    yield from _sorted(held)


def _sorted(held: Mapping[int, Cells]) -> Iterator[Run]:
    for id_, (ats, values) in sorted(held.items()):
        at, value = np.array(ats, np.int64), np.array(values, np.float64)
        order = np.argsort(at, kind="stable")
        yield Run(id_, at[order], value[order])


def write(
    found: Iterable[Run],
    names: Names,
    format_: Format,
    out: BinaryIO,
    remarks: Mapping[str, str] | None = None,
) -> Exported:
    """`out` is written from front to back and not closed. `remarks` go along where the format has a place for them,
    which is Parquet's metadata alone."""
    exported = Exported()
    seen: set[int] = set()

    def counted() -> Iterator[Run]:
        for run in found:
            seen.add(run.series)
            exported.samples += len(run.ats)
            yield run

    if format_ == "parquet":
        _parquet(counted(), names, out, remarks or {})
    else:
        _LINES[format_](counted(), names, out)
    exported.series = len(seen)
    return exported


def _csv(found: Iterable[Run], names: Names, out: BinaryIO) -> None:
    out.write(",".join(COLUMNS).encode() + b"\r\n")  # RFC 4180 section 2
    for run in found:
        start = io.StringIO()
        csv.writer(start, lineterminator=",").writerow(names[run.series])
        words = start.getvalue()
        lines = [
            f"{words}{at}Z,{canonical(value)!r}\r\n"
            for at, value in zip(_times(run.ats), run.values.tolist(), strict=True)
        ]
        out.write("".join(lines).encode())


def _ndjson(found: Iterable[Run], names: Names, out: BinaryIO) -> None:
    """One sample a line. What is no number in JSON is null."""
    for run in found:
        source, text = (msgspec.json.encode(word).decode() for word in names[run.series])
        words = f'{{"source":{source},"series":{text},"at":"'
        lines = [
            f'{words}{at}Z","value":{canonical(value)!r}}}\n'
            if value - value == 0.0
            else f'{words}{at}Z","value":null}}\n'
            for at, value in zip(_times(run.ats), run.values.tolist(), strict=True)
        ]
        out.write("".join(lines).encode())


def _times(ats: Ints) -> list[str]:
    """RFC 3339 without the Z."""
    times: list[str] = np.datetime_as_string(ats.view("datetime64[us]"), unit="us").tolist()
    return times


def _parquet(found: Iterable[Run], names: Names, out: BinaryIO, remarks: Mapping[str, str]) -> None:
    # Loaded here and not above: nothing but this needs them, and the server starts without.
    from arro3.core import DataType, Field, RecordBatchReader, Schema
    from arro3.io import write_parquet

    moment = DataType.timestamp("us", tz="UTC")
    kinds = (DataType.utf8(), DataType.utf8(), moment, DataType.float64())
    schema = Schema(
        [Field(name, kind, nullable=False) for name, kind in zip(COLUMNS, kinds, strict=True)]
    )
    write_parquet(
        RecordBatchReader.from_batches(schema, _batches(found, names, schema)),
        out,
        compression="zstd(3)",
        key_value_metadata=dict(remarks),
        max_row_group_size=PIECE * 5,
    )


def _batches(found: Iterable[Run], names: Names, schema: Any) -> Iterator[Any]:
    held: list[Run] = []
    size = 0
    for run in found:
        held.append(run)
        size += len(run.ats)
        if size >= PIECE:
            yield _batch(held, names, schema)
            held, size = [], 0
    if held:
        yield _batch(held, names, schema)


def _batch(held: list[Run], names: Names, schema: Any) -> Any:
    from arro3.core import Array, DataType, RecordBatch

    which = Array.from_numpy(
        np.repeat(np.arange(len(held), dtype=np.uint32), [len(run.ats) for run in held])
    )
    return RecordBatch.from_arrays(
        [
            *(
                Array([names[run.series][part] for run in held], type=DataType.utf8()).take(which)
                for part in (0, 1)
            ),
            Array.from_numpy(np.concatenate([run.ats for run in held])).cast(
                DataType.timestamp("us", tz="UTC")
            ),
            Array.from_numpy(np.concatenate([run.values for run in held])),
        ],
        schema=schema,
    )


_LINES: dict[str, Callable[[Iterable[Run], Names, BinaryIO], None]] = {
    "csv": _csv,
    "ndjson": _ndjson,
}
