"""The few numbers a person looks at first, from the latest samples of one source."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from realtime.core.views import View
from storage.events import Number, Series, canonical

Kpis = dict[str, Number | None]
"""Name → value in the unit its name says; None when it is not known."""

STALE_US = 120_000_000
"""A sample so much older than its source's newest one says nothing of now: a disk that was unmounted
while full must not stay the fullest for ever."""

DIGITS = 4
"""Decimals of a derived number: far below what is measured, and short on the wire."""

VIRTUAL = re.compile(
    r"lo\d*$|veth|br-|docker|virbr|vnet|tap|tun|wg|cni|cali|flannel|bond|team|dummy"
)
"""Interfaces whose bytes cross another one too, or never leave the host."""

PARTITION = re.compile(r"(?P<disk>(?:sd|hd|vd|xvd)[a-z]+)\d+|(?P<numbered>.+\d)p\d+")
STACKED = re.compile(r"(dm-|md)\d+")
"""Devices whose bytes are those of the disks beneath them."""


class Sample(NamedTuple):
    series: Series
    value: float


def kpis(view: View, source: str) -> Kpis:
    """As they stood when `source` was last heard of."""
    samples = _fresh(view, source)

    def one(name: str, scale: float = 1.0, **labels: str) -> Number | None:
        return _scaled(_values(samples, name, labels), lambda found: found[0], scale)

    def highest(name: str, scale: float) -> Number | None:
        return _scaled(_values(samples, name, {}), max, scale)

    def network(direction: str) -> Number | None:
        return _sum(samples, "system_network_io_bytes_per_second", direction, _physical)

    def disk(direction: str) -> Number | None:
        return _sum(samples, "system_disk_io_bytes_per_second", direction, _whole)

    return {
        "cpu_percent": one("system_cpu_utilization_ratio", 100),
        "memory_percent": one("system_memory_utilization_ratio", 100),
        "disk_percent": highest("system_filesystem_utilization_ratio", 100),
        "swap_percent": one("system_swap_utilization_ratio", 100),
        "load_1m": one("system_load", period="1m"),
        "network_receive_bytes_per_second": network("receive"),
        "network_transmit_bytes_per_second": network("transmit"),
        "disk_read_bytes_per_second": disk("read"),
        "disk_write_bytes_per_second": disk("write"),
        "requests_per_second": one("playhead_http_requests_per_second"),
        "response_time_ms": one("playhead_http_response_time_seconds", 1000),
        "error_rate": one("playhead_http_error_ratio", 100),
    }


def _fresh(view: View, source: str) -> Mapping[str, list[Sample]]:
    state = view.sources.get(source)
    since = state.at - STALE_US if state else 0
    samples: dict[str, list[Sample]] = {}
    for id_ in view.of_source.get(source, ()):
        newest = view.latest.get(id_)
        if newest is not None and newest[0] >= since:
            series = view.series[id_]
            samples.setdefault(series.name, []).append(Sample(series, newest[1]))
    return samples


def _values(
    samples: Mapping[str, list[Sample]], name: str, labels: Mapping[str, str]
) -> list[float]:
    """Of every series of that name with these labels among its own; the plainest series first."""
    found = [
        sample for sample in samples.get(name, ()) if labels.items() <= sample.series.labels.items()
    ]
    return [sample.value for sample in sorted(found, key=lambda found: len(found.series.labels))]


def _scaled(
    found: list[float], pick: Callable[[list[float]], float], scale: float
) -> Number | None:
    return canonical(round(pick(found) * scale, DIGITS)) if found else None


def _sum(
    samples: Mapping[str, list[Sample]],
    name: str,
    direction: str,
    counted: Callable[[Iterable[str]], set[str]],
) -> Number | None:
    """Over the devices, each byte once."""
    moved: dict[str, float] = {}
    for sample in samples.get(name, ()):
        if sample.series.labels.get("direction") == direction:
            moved[sample.series.labels.get("device", "")] = sample.value
    shown = counted(moved)
    return _scaled([moved[device] for device in shown], sum, 1) if shown else None


def _physical(devices: Iterable[str]) -> set[str]:
    """Without the interfaces that carry others' bytes; all of them when there are no others."""
    every = set(devices)
    return {device for device in every if not VIRTUAL.match(device)} or every


def _whole(devices: Iterable[str]) -> set[str]:
    """Without partitions of a disk that is there, and what is stacked on disks that are there."""
    every = set(devices)
    disks = {device for device in every if not _part_of(device, every)}
    return {device for device in disks if not STACKED.match(device)} or disks


def _part_of(device: str, disks: set[str]) -> bool:
    found = PARTITION.fullmatch(device)
    return found is not None and (found["disk"] or found["numbered"]) in disks
