"""The five charts of the dashboard: which series are on them, in what order, and what is drawn.

`plan` looks at the view and is quick; a `Strip` does the arithmetic and needs no view, so that it can
run off the loop while the view moves on.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from realtime.core.columns import NOTHING, Column, align, broken, numbers, seconds
from realtime.core.downsample import FINER, Times, Values, cut, rows
from realtime.core.kpis import VIRTUAL
from realtime.core.sketch import sketch
from realtime.core.steps import Buckets
from realtime.core.times import rfc3339
from realtime.core.views import View

Side = Literal["up", "down"]

DEVICES = 8
"""A host of many containers has hundreds of interfaces; a chart shows the busiest of the range."""

CANDIDATES = 32
"""Devices that are read to find the busiest among them, physical ones first."""


class Chart(NamedTuple):
    """`parts` are the values of label `part` that are drawn, in order from the bottom of a stack.

    On a mirror the first part goes up and the second down, for each value of the label `device`.
    """

    chart: str
    title: str
    unit: str
    kind: Literal["stack", "line", "mirror"]
    metric: str
    part: str
    parts: tuple[str, ...]
    device: str = ""


CHARTS = (
    Chart(
        "cpu",
        "CPU",
        "ratio",
        "stack",
        "system_cpu_mode_ratio",
        "mode",
        ("user", "system", "iowait", "softirq", "steal", "nice", "irq"),
    ),
    Chart(
        "memory",
        "Memory",
        "bytes",
        "stack",
        "system_memory_bytes",
        "state",
        ("used", "cached", "buffers"),
    ),
    Chart(
        "disk",
        "Disk",
        "bytes_per_second",
        "mirror",
        "system_disk_io_bytes_per_second",
        "direction",
        ("read", "write"),
        "device",
    ),
    Chart(
        "network",
        "Network",
        "bytes_per_second",
        "mirror",
        "system_network_io_bytes_per_second",
        "direction",
        ("receive", "transmit"),
        "device",
    ),
    Chart("load", "Load", "", "line", "system_load", "period", ("1m", "5m", "15m")),
)

_BY_METRIC = {chart.metric: chart for chart in CHARTS}
_DIGITS = re.compile(r"(\d+)")


class Line(NamedTuple):
    """One series of a chart."""

    id: int
    series: str
    device: str
    part: str


Plan = dict[str, list[Line]]
"""Chart → its lines, in the order they are drawn."""


def plan(view: View, source: str) -> Plan:
    """What the charts of `source` can show, whether or not there is anything to show of it."""
    lines: Plan = {chart.chart: [] for chart in CHARTS}
    for id_ in view.of_source.get(source, ()):
        series = view.series[id_]
        chart = _BY_METRIC.get(series.name)
        if chart is None or series.labels.get(chart.part) not in chart.parts:
            continue
        device = series.labels.get(chart.device, "") if chart.device else ""
        line = Line(id_, view.texts[id_], device, series.labels[chart.part])
        lines[chart.chart].append(line)
    return {chart.chart: _ordered(chart, lines[chart.chart]) for chart in CHARTS}


def _ordered(chart: Chart, lines: list[Line]) -> list[Line]:
    devices = sorted({line.device for line in lines}, key=_natural)
    devices.sort(key=lambda device: VIRTUAL.match(device) is not None)
    place = {device: place for place, device in enumerate(devices[:CANDIDATES])}
    return sorted(
        (line for line in lines if line.device in place),
        key=lambda line: (place[line.device], chart.parts.index(line.part), line.series),
    )


def wanted(plan: Plan) -> list[int]:
    """The series the charts are drawn from."""
    return [line.id for lines in plan.values() for line in lines]


class Strip:
    """One chart on its way: readings come in slices, oldest first, and only what will show is kept.

    `share` is the part of the whole range that a slice covers.
    """

    def __init__(
        self, chart: Chart, lines: Sequence[Line], points: int, share: float = 1.0
    ) -> None:
        self._chart = chart
        self._lines = list(lines)
        self._points = points
        self._buckets = int(FINER * points * share)
        self._count = 0
        self._last: int | None = None
        self._moved = [0.0] * len(self._lines)
        self._ats: list[Times] = []
        self._values: list[list[Values]] = [[] for _ in self._lines]

    def add(self, columns: Mapping[int, Column]) -> None:
        """Columns of raw readings by series id; a series may be absent."""
        at, values = align([columns.get(line.id, NOTHING) for line in self._lines])
        if not len(at):
            return
        at, values = broken(at, values, self._last)
        self._moved = [
            moved + float(np.nansum(value))
            for moved, value in zip(self._moved, values, strict=True)
        ]
        self._take(at, values)

    def add_buckets(self, found: Mapping[int, Buckets]) -> None:
        """Buckets by series id instead, where the readings are gone or too many."""
        series = [found.get(line.id) for line in self._lines]
        at, values = sketch(series, self._chart.kind == "stack", self._last)
        if not len(at):
            return
        self._moved = [
            moved + (0.0 if one is None else float(np.nansum(one.sum)))
            for moved, one in zip(self._moved, series, strict=True)
        ]
        self._take(at, values)

    def _take(self, at: Times, values: list[Values]) -> None:
        self._last = int(at[-1])
        self._count += len(at)
        if self._count > self._points:
            kept = cut(at, values, self._buckets)
            at, values = at[kept], [value[kept] for value in values]
        self._ats.append(at)
        for parts, value in zip(self._values, values, strict=True):
            parts.append(value)

    def draw(self, start: int, end: int, tier: str = "raw") -> dict[str, Any]:
        """The chart of the range, by the name of what was added; about `points` whole rows, peaks and gaps kept."""
        at = np.concatenate(self._ats) if self._ats else NOTHING.at
        values = [np.concatenate(parts) if parts else NOTHING.value for parts in self._values]
        shown = self._shown(values)
        kept = rows(at, [values[place] for place in shown], self._points)
        return {
            "chart": self._chart.chart,
            "title": self._chart.title,
            "unit": self._chart.unit,
            "kind": self._chart.kind,
            "from": rfc3339(start),
            "to": rfc3339(end),
            "tier": tier,
            "at": seconds(at[kept]),
            "series": [
                _series(self._chart, self._lines[place], numbers(values[place][kept]))
                for place in shown
            ],
        }

    def _shown(self, values: Sequence[Values]) -> list[int]:
        """Places of the lines that have anything to show, of the busiest devices."""
        shown = [place for place, value in enumerate(values) if not np.isnan(value).all()]
        if not self._chart.device:
            return shown
        total: dict[str, float] = {}
        for place in shown:
            device = self._lines[place].device
            total[device] = total.get(device, 0.0) + self._moved[place]
        busiest = sorted(total, key=lambda device: -total[device])[:DEVICES]
        return [place for place in shown if self._lines[place].device in busiest]


def strips(plan: Plan, points: int, share: float = 1.0) -> list[Strip]:
    """A strip for each of the five charts, empty ones included."""
    return [Strip(chart, plan[chart.chart], points, share) for chart in CHARTS]


def _series(chart: Chart, line: Line, values: list[Any]) -> dict[str, Any]:
    label = f"{line.device} {line.part}".strip()
    drawn: dict[str, Any] = {"id": line.id, "series": line.series, "label": label}
    if chart.kind == "mirror":
        side: Side = "up" if line.part == chart.parts[0] else "down"
        drawn["side"] = side
    drawn["values"] = values
    return drawn


def _natural(name: str) -> list[tuple[int, str]]:
    """sda2 before sda10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]
