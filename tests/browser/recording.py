"""The recorded half hour of a real host, in the names the product gives: a past to paint."""

import gzip
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from realtime.core.naming import parse_series
from storage.events import Declared, Draft, Fact, Metrics, Series, System
from storage.log import Log
from storage.migrate import migrate

SECOND = 1_000_000
BATCH_S = 600
LOOP_S = 1_750
"""No part of a day: the same hour of two days differs."""
RECORDING = Path(__file__).resolve().parent.parent / "data" / "host-recording.jsonl.gz"
MODES = ("user", "system", "iowait", "softirq", "steal", "nice", "irq")
CORES = (0, 1)
UNITS = {
    "system_cpu_mode_ratio": "ratio",
    "system_cpu_utilization_ratio": "ratio",
    "system_memory_bytes": "bytes",
    "system_memory_total_bytes": "bytes",
    "system_memory_utilization_ratio": "ratio",
    "system_disk_io_bytes_per_second": "bytes_per_second",
    "system_network_io_bytes_per_second": "bytes_per_second",
    "system_filesystem_utilization_ratio": "ratio",
}

Values = Mapping[str, float]


def columns(source: str, end: int, seconds: int) -> dict[str, Any]:
    """The first `seconds` of the recording as one ingest body whose last tick is at `end` (epoch s)."""
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][: seconds + 1]
    ticks = [
        readings(before["values"], now["values"], now["ts"] - before["ts"])
        for before, now in pairwise(rows)
    ]
    return {
        "source": source,
        "at": [end - len(ticks) + 1 + k for k in range(len(ticks))],
        "series": {name: [tick[name] for tick in ticks] for name in ticks[0]},
        "units": UNITS,
    }


async def tape(directory: Path, source: str, end: int, seconds: int) -> None:
    """The log of a data directory as `source` left it at `end` (epoch s): the recording, over and over."""
    directory.mkdir()
    path = directory / "playhead.db"
    migrate(path)
    told = columns(source, end, min(seconds, LOOP_S))
    ticks = list(zip(*told["series"].values(), strict=True))
    ids = tuple(range(1, len(told["series"]) + 1))
    series = [
        Series(id_, name, dict(labels), unit=UNITS.get(name, ""))
        for id_, (name, labels) in zip(ids, map(parse_series, told["series"]), strict=True)
    ]
    begin = end - seconds + 1
    log = Log(path)
    await log.open(begin * SECOND)
    started = System("started", {"version": "0", "facts": {}})
    facts: list[Fact] = [started, Declared(series)]
    await log.append([Draft(begin * SECOND, source, fact) for fact in facts])
    for first in range(begin, end + 1, BATCH_S):
        batch = range(first, min(first + BATCH_S, end + 1))
        await log.append(
            [
                Draft(at * SECOND, source, Metrics(ids, ticks[(at - begin) % len(ticks)]))
                for at in batch
            ]
        )
    await log.close()


def readings(before: Values, now: Values, interval_s: float) -> dict[str, float]:
    """psutil's counters and gauges → base units."""

    def rate(name: str) -> float:
        return max(0, now[name] - before[name]) / interval_s

    spent = {
        mode: sum(now[f"cpu.{core}.{mode}"] - before[f"cpu.{core}.{mode}"] for core in CORES)
        for mode in (*MODES, "idle")
    }
    whole = sum(spent.values()) or 1
    told = {
        "system_cpu_utilization_ratio": 1 - (spent["idle"] + spent["iowait"]) / whole,
        "system_memory_total_bytes": now["mem.total"],
        "system_memory_utilization_ratio": 1 - now["mem.available"] / now["mem.total"],
        'system_filesystem_utilization_ratio{mountpoint="/"}': now["du./.percent"] / 100,
    }
    for mode in MODES:
        told[f'system_cpu_mode_ratio{{mode="{mode}"}}'] = spent[mode] / whole
    for state in ("used", "cached", "buffers"):
        told[f'system_memory_bytes{{state="{state}"}}'] = now[f"mem.{state}"]
    for direction, counter in (("read", "read_bytes"), ("write", "write_bytes")):
        series = f'system_disk_io_bytes_per_second{{device="vda",direction="{direction}"}}'
        told[series] = rate(f"disk.vda.{counter}")
    for direction, counter in (("receive", "bytes_recv"), ("transmit", "bytes_sent")):
        series = f'system_network_io_bytes_per_second{{device="eth0",direction="{direction}"}}'
        told[series] = rate(f"net.eth0.{counter}")
    for place, period in enumerate(("1m", "5m", "15m")):
        told[f'system_load{{period="{period}"}}'] = now[f"load.{place}"]
    return told
