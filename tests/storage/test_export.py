"""Every format says every sample, exactly."""

import asyncio
import csv
import io
import json
import math

import numpy as np
import pytest
from arro3.io import read_parquet

from storage.events import Metrics
from storage.export import Run, declared, runs, write
from storage.log import Log
from storage.look import look
from storage.proof import Damage
from tests.storage.conftest import NOW
from tests.storage.filled import change, fill

NAMES = {1: ("one", 'x{mode="a"}'), 2: ("one", "y"), 4: ("two, or so", "z")}


def exported(path, format_, start=0, end=1 << 60, names=NAMES):
    damages: list[Damage] = []
    out = io.BytesIO()
    with look(path) as connection:
        found = runs(connection, names, start, end, damages.append)
        done = write(found, names, format_, out)
    return done, out, damages


async def truth(path, names=NAMES, start=0, end=1 << 60):
    """(source, series, at, value) of every sample, by the log's own reading."""
    log = Log(path)
    await log.open(NOW)
    told = [
        (*names[id_], event.at, value)
        for event in await log.read(0, 100_000)
        if isinstance(event.data, Metrics)
        for id_, value in zip(event.data.ids, event.data.values, strict=True)
        if id_ in names and start <= event.at < end
    ]
    await log.close()
    return sorted(told)


def micros(text):
    return int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64))


def read(format_, out):
    if format_ == "parquet":
        table = read_parquet(io.BytesIO(out.getvalue())).read_all()
        assert 'Timestamp(µs, "UTC")' in str(table.schema)
        source, series, at, value = (
            table[name].to_pylist() for name in ("source", "series", "at", "value")
        )
        micros_ = [round(moment.timestamp() * 1_000_000) for moment in at]
        return sorted(zip(source, series, micros_, value, strict=True))
    if format_ == "csv":
        rows = csv.DictReader(io.StringIO(out.getvalue().decode()))
        found = [(r["source"], r["series"], micros(r["at"]), float(r["value"])) for r in rows]
    else:
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        found = [(r["source"], r["series"], micros(r["at"]), r["value"]) for r in lines]
    return sorted(found)


@pytest.mark.parametrize("format_", ["parquet", "csv", "ndjson"])
def test_every_sample_once(tmp_path, format_):
    """Sealed and unsealed, constants and late ones: the very doubles, at the very microsecond."""
    path = tmp_path / "playhead.db"
    fill(path)
    wanted = asyncio.run(truth(path))
    done, out, damages = exported(path, format_)
    assert read(format_, out) == wanted
    assert (done.samples, done.series, damages) == (len(wanted), 3, [])


def test_a_range_of_time(tmp_path):
    """From is in it, to is not."""
    path = tmp_path / "playhead.db"
    fill(path)
    every = asyncio.run(truth(path))
    start, end = every[len(every) // 3][2], every[len(every) // 2][2]
    wanted = asyncio.run(truth(path, start=start, end=end))
    assert read("csv", exported(path, "csv", start, end)[1]) == wanted
    assert 0 < len(wanted) < len(every)


def test_series_are_found_with_their_sources(tmp_path):
    """Names come from the log itself."""
    path = tmp_path / "playhead.db"
    fill(path)
    damages: list[Damage] = []
    with look(path) as connection:
        found = declared(connection, damages.append)
    assert damages == []
    assert {id_: (source, one.name, one.labels) for id_, (source, one) in found.items()} == {
        1: ("one", "x", {"mode": "a"}),
        2: ("one", "y", {}),
        3: ("one", "still", {}),
        4: ("two", "z", {}),
    }


def test_what_is_damaged_is_named_and_left_out(tmp_path):
    """The rest is exported all the same."""
    path = tmp_path / "playhead.db"
    fill(path)
    wanted = len(asyncio.run(truth(path)))
    change(path, "DELETE FROM strips WHERE place >> 32 = 3")
    done, out, damages = exported(path, "ndjson")
    # 60 ticks a span and source; the counter is not constant, and neither are the other two.
    assert len(read("ndjson", out)) == done.samples == wanted - 3 * 60
    assert {one.key for one in damages} == {f"segment 3 series {id_}" for id_ in (1, 2, 4)}


def test_what_is_no_number_in_json_is_null():
    """CSV and Parquet have words for it."""
    values = np.array([math.nan, math.inf, -0.0, 1e300])
    run = Run(1, np.arange(4, dtype=np.int64), values)
    out = io.BytesIO()
    write([run], NAMES, "ndjson", out)
    assert [json.loads(line)["value"] for line in out.getvalue().splitlines()] == [
        None,
        None,
        -0.0,
        1e300,
    ]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_range(tmp_path):
    """Pieces are drawn one after the other, and written before all have been drawn."""
    target = tmp_path / "x.parquet"
    sizes = []

    def drawn():
        dice = np.random.default_rng(1)
        for piece in range(60):
            sizes.append(target.stat().st_size)
            at = np.arange(100_000, dtype=np.int64) + piece * 100_000
            yield Run(1, at, dice.random(100_000))

    with target.open("wb") as out:
        done = write(drawn(), NAMES, "parquet", out)
    assert done.samples == 6_000_000
    assert sizes[30] > 8 * 1_000_000
    assert read_parquet(target).read_all().num_rows == 6_000_000
