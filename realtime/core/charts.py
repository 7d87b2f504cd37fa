"""Charts: rows that some series share, and the five of the dashboard, with which series are on those.

`plan` looks at the view and is quick; a `Strip` does the arithmetic and needs no view, so that it can
run off the loop while the view moves on. It is the same for charts that a page puts together itself.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from realtime.core.columns import NOTHING, Column, align, broken, numbers, seconds, stands
from realtime.core.downsample import FINER, Times, Values, cut, rows
from realtime.core.kpis import VIRTUAL
from realtime.core.media import Axes
from realtime.core.sketch import sketch
from realtime.core.spelling import spelled
from realtime.core.steps import Buckets, bucket_rates, joined, rates, since
from realtime.core.times import rfc3339
from realtime.core.views import View

Kind = Literal["stack", "line", "mirror"]
Side = Literal["up", "down"]

DEVICES = 8
"""A host of many containers has hundreds of interfaces; a chart shows the busiest of the range."""

CANDIDATES = 32
"""Devices that are read to find the busiest among them, physical ones first."""

LEAD = 8
"""Readings that tell at what pace those came which follow."""


class Chart(NamedTuple):
    """`parts` are the values of label `part` that are drawn, in order from the bottom of a stack.

    On a mirror the first part goes up and the second down, for each value of the label `device`.
    """

    chart: str
    title: str
    unit: str
    kind: Kind
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


class Sheet(NamedTuple):
    """What shares one axis of time: series by id, those of a stack from the bottom up.

    Of `counters` it is drawn what they grew a second.
    """

    kind: Kind
    ids: tuple[int, ...]
    counters: frozenset[int] = frozenset()


def sheets(plan: Plan) -> list[Sheet]:
    """One for each of the five charts, empty ones included."""
    return [Sheet(chart.kind, tuple(line.id for line in plan[chart.chart])) for chart in CHARTS]


def wanted(sheets: Iterable[Sheet]) -> list[int]:
    """The series they are drawn from, each once."""
    return list(dict.fromkeys(id_ for sheet in sheets for id_ in sheet.ids))


class Rows(NamedTuple):
    """What is drawn: `values[n][i]` was read of the nth series at `at[i]` (µs), NaN where nothing was."""

    at: Times
    values: list[Values]


class Strip:
    """One chart on its way: readings come in slices, oldest first, and only what will show is kept.

    `share` is the part of the whole range that a slice covers.
    """

    def __init__(self, sheet: Sheet, points: int, share: float = 1.0) -> None:
        self.sheet = sheet
        self.moved = [0.0] * len(sheet.ids)
        """The sum of each series: what tells the busiest."""
        self._points = points
        self._buckets = int(FINER * points * share)
        self._count = 0
        self._last: int | None = None
        self._held = [NOTHING] * len(sheet.ids)
        """Of each series the last readings that rows were taken of, and those that wait for their rows."""
        self._before: dict[int, Column] = {}
        self._bucket_before: dict[int, Buckets] = {}
        """The last reading, and the last bucket, of each counter: what follows grew since."""
        self._ats: list[Times] = []
        self._values: list[list[Values]] = [[] for _ in sheet.ids]

    @property
    def size(self) -> int:
        """Bytes it holds."""
        return sum(at.nbytes for at in self._ats) * (1 + len(self._values))

    def copy(self) -> "Strip":
        """One that goes on by itself from here; the rows so far are shared."""
        other = copy(self)
        other._ats = list(self._ats)
        other._values = [list(parts) for parts in self._values]
        return other

    def add(self, columns: Mapping[int, Column]) -> None:
        """Columns of raw readings by series id; a series may be absent."""
        came = [
            _joined(held, self._grown(columns, id_))
            for held, id_ in zip(self._held, self.sheet.ids, strict=True)
        ]
        at, values = align(came)
        if not len(at):
            return
        # A series slower than its neighbours stands until its next reading, if that comes in time: rows
        # of which this is not known yet wait for it.
        until = min(
            (int(one.at[-1]) for one in came if len(one.at) and one.at[-1] + stands(one) >= at[-1]),
            default=int(at[-1]),
        )
        self._held = [_from(one, until) for one in came]
        self._read(at, values, until, came)

    def _grown(self, columns: Mapping[int, Column], id_: int) -> Column:
        column = columns.get(id_, NOTHING)
        if id_ not in self.sheet.counters or not len(column.at):
            return column
        column = _joined(self._before.get(id_, NOTHING), column)
        self._before = {**self._before, id_: Column(column.at[-1:], column.value[-1:])}
        return rates(column)

    def _grown_buckets(self, found: Mapping[int, Buckets], id_: int) -> Buckets | None:
        buckets = found.get(id_)
        if id_ not in self.sheet.counters or buckets is None or not len(buckets.at):
            return buckets
        before = self._bucket_before.get(id_)
        last = since(buckets, -1)
        self._bucket_before = {**self._bucket_before, id_: last}
        self._before = {**self._before, id_: Column(last.last_at, last.last)}
        if before is None:
            return bucket_rates(buckets)
        grown = bucket_rates(joined(before, buckets))
        return since(grown, int(np.searchsorted(grown.at, before.at[0], side="right")))

    def end(self) -> None:
        """Nothing more comes."""
        at, values = align(self._held)
        if len(at):
            self._read(at, values, int(at[-1]), self._held)

    def _read(self, at: Times, values: list[Values], until: int, read: Sequence[Column]) -> None:
        """Rows of what was read that were not taken yet, up to that moment (µs)."""
        first = 0 if self._last is None else np.searchsorted(at, self._last, side="right")
        inside = slice(first, np.searchsorted(at, until, side="right"))
        at, values = at[inside], [value[inside] for value in values]
        if not len(at):
            return
        at, values = broken(at, values, self._last, read)
        self._take(at, values, [float(np.nansum(value)) for value in values])

    def add_buckets(self, found: Mapping[int, Buckets]) -> None:
        """Buckets by series id instead, where the readings are gone or too many."""
        series = [self._grown_buckets(found, id_) for id_ in self.sheet.ids]
        at, values = sketch(series, self.sheet.kind == "stack", self._last)
        if not len(at):
            return
        self._held = [
            held if one is None or not len(one.at) else Column(one.last_at[-1:], one.last[-1:])
            for held, one in zip(self._held, series, strict=True)
        ]
        moved = [0.0 if one is None else float(np.nansum(one.sum)) for one in series]
        self._take(at, values, moved)

    def _take(self, at: Times, values: list[Values], moved: Sequence[float]) -> None:
        self.moved = [before + more for before, more in zip(self.moved, moved, strict=True)]
        self._last = int(at[-1])
        self._count += len(at)
        if self._count > self._points:
            kept = cut(at, values, self._buckets)
            at, values = at[kept], [value[kept] for value in values]
        self._ats.append(at)
        for parts, value in zip(self._values, values, strict=True):
            parts.append(value)

    def seen(self) -> list[int]:
        """Places of the series that have anything to show."""
        return [
            place
            for place, parts in enumerate(self._values)
            if not all(np.isnan(part).all() for part in parts)
        ]

    def rows(self, shown: Sequence[int] | None = None) -> Rows:
        """About `points` whole rows of the series at those places, or of all; peaks and gaps kept."""
        places = range(len(self._values)) if shown is None else shown
        at = np.concatenate([NOTHING.at, *self._ats])
        values = [np.concatenate([NOTHING.value, *self._values[place]]) for place in places]
        kept = rows(at, values, self._points)
        return Rows(at[kept], [value[kept] for value in values])


def strips(sheets: Iterable[Sheet], points: int, share: float = 1.0) -> list[Strip]:
    return [Strip(sheet, points, share) for sheet in sheets]


class Drawn(NamedTuple):
    """A chart that a page put together, from `start` to `end` (µs)."""

    kind: Kind
    tier: str
    start: int
    end: int
    rows: Rows


def spell(charts: Iterable[Drawn]) -> list[dict[str, Any]]:
    """Ready to be encoded; the numbers are."""
    axes = Axes(lambda at: msgspec.Raw(msgspec.json.encode(seconds(at))))
    return [
        {
            "kind": chart.kind,
            "tier": chart.tier,
            "from": rfc3339(chart.start),
            "to": rfc3339(chart.end),
            "at": axes.of(chart.rows.at),
            "values": [msgspec.Raw(spelled(value)) for value in chart.rows.values],
        }
        for chart in charts
    ]


def _from(column: Column, until: int) -> Column:
    first = max(0, int(np.searchsorted(column.at, until, side="right")) - LEAD)
    return Column(column.at[first:], column.value[first:])


def _joined(held: Column, more: Column) -> Column:
    if not len(held.at):
        return more
    return Column(np.append(held.at, more.at), np.append(held.value, more.value))


def draw(
    plan: Plan, strips: Iterable[Strip], start: int, end: int, tier: str = "raw"
) -> list[dict[str, Any]]:
    """The five charts of the range (µs), by the name of what was added."""
    return [
        _chart(chart, plan[chart.chart], strip, start, end, tier)
        for chart, strip in zip(CHARTS, strips, strict=True)
    ]


def _chart(
    chart: Chart, lines: Sequence[Line], strip: Strip, start: int, end: int, tier: str
) -> dict[str, Any]:
    strip.end()
    shown = _busiest(chart, lines, strip)
    at, values = strip.rows(shown)
    return {
        "chart": chart.chart,
        "title": chart.title,
        "unit": chart.unit,
        "kind": chart.kind,
        "from": rfc3339(start),
        "to": rfc3339(end),
        "tier": tier,
        "at": seconds(at),
        "series": [
            _series(chart, lines[place], numbers(value))
            for place, value in zip(shown, values, strict=True)
        ],
    }


def _busiest(chart: Chart, lines: Sequence[Line], strip: Strip) -> list[int]:
    """Places of the lines that have anything to show, of the busiest devices."""
    shown = strip.seen()
    if not chart.device:
        return shown
    total: dict[str, float] = {}
    for place in shown:
        device = lines[place].device
        total[device] = total.get(device, 0.0) + strip.moved[place]
    busiest = sorted(total, key=lambda device: -total[device])[:DEVICES]
    return [place for place in shown if lines[place].device in busiest]


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
