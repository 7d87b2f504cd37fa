"""The few numbers a person looks at first, from the latest samples of one source."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from realtime.core.views import SourceState
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


class Known(Protocol):
    """What has to be known of the sources: a view, or a copy of what is in one."""

    @property
    def sources(self) -> Mapping[str, SourceState]: ...
    @property
    def of_source(self) -> Mapping[str, Sequence[int]]: ...
    @property
    def series(self) -> Mapping[int, Series]: ...
    @property
    def latest(self) -> Mapping[int, tuple[int, Number]]: ...


class Figure(NamedTuple):
    """A number and what it is made of: the `way` to make one value of those of its series, then times `scale`."""

    way: Literal["first", "highest", "sum"]
    scale: float
    ids: tuple[int, ...]

    def of(self, values: Sequence[float]) -> Number | None:
        """From one value a series."""
        if not values:
            return None
        pick = {"first": values[0], "highest": max(values), "sum": sum(values)}[self.way]
        return canonical(round(pick * self.scale, DIGITS))


def kpis(known: Known, source: str) -> Kpis:
    """As they stood when `source` was last heard of."""
    return kpis_of(known, figures(known, source))


def kpis_of(known: Known, figures: Mapping[str, Figure]) -> Kpis:
    return {
        name: figure.of([known.latest[id_][1] for id_ in figure.ids])
        for name, figure in figures.items()
    }


def figures(known: Known, source: str) -> dict[str, Figure]:
    """Every named figure, made of the series that `source` was heard of lately; of none where it has none."""
    fresh = _fresh(known, source)

    def one(name: str, scale: float = 1.0, **labels: str) -> Figure:
        found = [one for one in fresh.get(name, ()) if labels.items() <= one.labels.items()]
        # The plainest series is the one of the whole.
        plainest = sorted(found, key=lambda found: len(found.labels))[:1]
        return Figure("first", scale, tuple(series.id for series in plainest))

    def highest(name: str, scale: float) -> Figure:
        return Figure("highest", scale, tuple(series.id for series in fresh.get(name, ())))

    def moved(name: str, direction: str, counted: Callable[[Iterable[str]], set[str]]) -> Figure:
        """Over the devices, each byte once."""
        devices = {
            series.labels.get("device", ""): series.id
            for series in fresh.get(name, ())
            if series.labels.get("direction") == direction
        }
        return Figure("sum", 1, tuple(devices[device] for device in sorted(counted(devices))))

    network = "system_network_io_bytes_per_second"
    disk = "system_disk_io_bytes_per_second"
    return {
        "cpu_percent": one("system_cpu_utilization_ratio", 100),
        "memory_percent": one("system_memory_utilization_ratio", 100),
        "disk_percent": highest("system_filesystem_utilization_ratio", 100),
        "swap_percent": one("system_swap_utilization_ratio", 100),
        "load_1m": one("system_load", period="1m"),
        "network_receive_bytes_per_second": moved(network, "receive", _physical),
        "network_transmit_bytes_per_second": moved(network, "transmit", _physical),
        "disk_read_bytes_per_second": moved(disk, "read", _whole),
        "disk_write_bytes_per_second": moved(disk, "write", _whole),
        "requests_per_second": one("playhead_http_requests_per_second"),
        "response_time_ms": one("playhead_http_response_time_seconds", 1000),
        "error_rate": one("playhead_http_error_ratio", 100),
    }


def _fresh(known: Known, source: str) -> Mapping[str, list[Series]]:
    state = known.sources.get(source)
    since = state.at - STALE_US if state else 0
    fresh: dict[str, list[Series]] = {}
    for id_ in known.of_source.get(source, ()):
        newest = known.latest.get(id_)
        if newest is not None and newest[0] >= since:
            series = known.series[id_]
            fresh.setdefault(series.name, []).append(series)
    return fresh


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
