"""Half an hour of a real host, second by second, in the shapes the measurements feed."""

import gzip
import time
from functools import cache
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import msgspec

from realtime.core.batch import Batch, Columns, Key

FILE = Path(__file__).resolve().parents[1] / "data" / "host-recording.jsonl.gz"
SECOND = 1_000_000


@cache
def ticks() -> list[dict[str, float]]:
    """1,800 of them, with 191 series each."""
    with gzip.open(FILE) as lines:
        told = [msgspec.json.decode(line)["values"] for line in lines]
    # One name, that of the root's filesystem, has a character that metric names have not.
    return [{name.replace("/", "root"): value for name, value in tick.items()} for tick in told]


@cache
def names() -> list[str]:
    return list(ticks()[0])


@cache
def keys() -> list[Key]:
    return [Key(name, (), name) for name in names()]


def looped(count: int) -> list[dict[str, float]]:
    """The recording, from its start again where it ends."""
    return list(islice((tick for again in repeat(ticks()) for tick in again), count))


def begin(count: int) -> int:
    """When a stretch of `count` seconds that ends now began, µs."""
    return (int(time.time()) - count) * SECOND


def batches(count: int, size: int, source: str = "recorded") -> list[Batch]:
    """`count` ticks in batches of `size`."""
    since, told = begin(count), looped(count)
    return [
        Batch(
            [
                Columns(
                    source,
                    [since + (first + place) * SECOND for place in range(len(part))],
                    keys(),
                    [[tick[name] for tick in part] for name in names()],
                )
            ]
        )
        for first in range(0, count, size)
        if (part := told[first : first + size])
    ]


def columns(count: int, size: int) -> list[dict[str, Any]]:
    """The same as bodies of POST /api/realtime/metrics."""
    since, told = begin(count) / SECOND, looped(count)
    return [
        {
            "source": "recorded",
            "at": [since + first + place for place in range(len(part))],
            "series": {name: [tick[name] for tick in part] for name in names()},
        }
        for first in range(0, count, size)
        if (part := told[first : first + size])
    ]


def readings(count: int) -> list[list[dict[str, Any]]]:
    """A list of readings a tick."""
    since = begin(count) / SECOND
    return [
        [
            {"source": "recorded", "name": name, "value": value, "at": since + place}
            for name, value in tick.items()
        ]
        for place, tick in enumerate(looped(count))
    ]


_DRAWN = {
    'system_cpu_mode_ratio{mode="user"}': ("cpupct.0.user", 0.01),
    'system_cpu_mode_ratio{mode="system"}': ("cpupct.0.system", 0.01),
    'system_cpu_mode_ratio{mode="iowait"}': ("cpupct.0.iowait", 0.01),
    'system_memory_bytes{state="used"}': ("mem.used", 1),
    'system_memory_bytes{state="cached"}': ("mem.cached", 1),
    'system_memory_bytes{state="buffers"}': ("mem.buffers", 1),
    'system_load{period="1m"}': ("load.0", 1),
    'system_load{period="5m"}': ("load.1", 1),
    'system_load{period="15m"}': ("load.2", 1),
}
"""Series of the dashboard's charts ← what the recording calls them, and the factor between."""


def drawn(count: int, source: str) -> dict[str, Any]:
    """A history for the charts of `source`, as one body of columns that ends a while ago."""
    told, since = looped(count), begin(count) / SECOND
    return {
        "source": source,
        "at": [since + place for place in range(count)],
        "series": {
            series: [tick[name] * factor for tick in told]
            for series, (name, factor) in _DRAWN.items()
        },
    }
