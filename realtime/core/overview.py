"""Every source at a glance, what is unusual first: state, figures, alerts, and a spark of each figure.

It works in two steps off the loop on copies of the view (law loop-never-blocks): `choose` says which
sources and which of their series, `overview` makes the answer of these series' readings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime.core.columns import Column, align, numbers, seconds
from realtime.core.dashboard import Data, told_of
from realtime.core.downsample import Values
from realtime.core.kpis import DIGITS, Figure, figures, kpis_of
from realtime.core.steps import Fn, Grid, from_readings
from realtime.core.views import SourceState, View
from storage.events import Alert, Event, Number, Series, canonical

STEPS = 60
"""About so many values has a spark, each the highest of its step: a peak must not vanish here either."""

CANDIDATES = 1_000
"""Sources that are looked at; those with alerts, the lost and the ones heard last, in this order."""

FEW = 4
"""Sparks of an application, which has no named figures: its first series by name."""

ENOUGH = 10
"""Values from which there is a normal to deviate from."""

MAD = 1.4826
"""Makes of a median absolute deviation the standard deviation of what is normally distributed."""

SLACK = 0.05
"""Part of the usual by which anything may move without being unusual."""

SPARKED: Mapping[str, tuple[str, float]] = {
    "cpu_percent": ("percent", 2.0),
    "memory_percent": ("percent", 1.0),
    "disk_percent": ("percent", 1.0),
    "load_1m": ("", 0.2),
    "network_receive_bytes_per_second": ("bytes_per_second", 10_000.0),
    "network_transmit_bytes_per_second": ("bytes_per_second", 10_000.0),
    "disk_read_bytes_per_second": ("bytes_per_second", 100_000.0),
    "disk_write_bytes_per_second": ("bytes_per_second", 100_000.0),
}
"""Figure → its unit, and by how much it moves in any case."""

RANK: Mapping[str | None, int] = {"critical": 0, "warning": 1, None: 2}


class Standing(NamedTuple):
    """A copy of what a view knows; of what is in `series` and `texts`, nothing ever changes."""

    sources: Mapping[str, SourceState]
    of_source: Mapping[str, Sequence[int]]
    series: Mapping[int, Series]
    texts: Mapping[int, str]
    latest: Mapping[int, tuple[int, Number]]
    alerts: Sequence[Event]


def standing(view: View) -> Callable[[], Standing]:
    """The copy is taken now; what it gives arranges it, in any thread."""
    sources = dict(view.sources)
    held = {source: list(view.of_source.get(source, ())) for source in sources}
    lasts, alerts = view.windows.lasts(), list(view.alerts.values())

    def made() -> Standing:
        ids, ats, values = lasts
        latest = dict(zip(ids, zip(ats, values, strict=True), strict=True))
        return Standing(sources, held, view.series, view.texts, latest, alerts)

    return made


class Spark(NamedTuple):
    """How `name` is drawn: of the highest of each step, or of counters by how much they grew a second."""

    name: str
    unit: str
    least: float
    figure: Figure
    fn: Fn = "max"


class Glance(NamedTuple):
    """A source that is to be shown, and the alerts that fire on it."""

    state: SourceState
    severity: Literal["critical", "warning"] | None
    firing: int
    figures: Mapping[str, Figure]
    sparks: Sequence[Spark]


def choose(known: Standing) -> list[Glance]:
    """What to show, and of which series the readings are needed."""
    firing: dict[str, list[Alert]] = {}
    for event in known.alerts:
        if isinstance(event.data, Alert):
            firing.setdefault(event.source, []).append(event.data)
    glances = []
    for source, state in known.sources.items():
        severities = {alert.severity for alert in firing.get(source, ())}
        worst = min(severities, key=RANK.__getitem__, default=None)
        glances.append(Glance(state, worst, len(firing.get(source, ())), {}, ()))
    first = nsmallest(CANDIDATES, glances, key=lambda one: (*_urgency(one), -one.state.last_seen))
    return [_looked(known, one) for one in first]


def wanted(glances: Iterable[Glance]) -> list[int]:
    """The series whose readings the sparks are made of."""
    return [id_ for one in glances for spark in one.sparks for id_ in spark.figure.ids]


def overview(
    known: Standing,
    glances: Sequence[Glance],
    readings: Mapping[int, Column],
    grid: Grid,
    limit: int,
) -> Data:
    """At most `limit` sources, with sparks of these steps."""
    sparks = [spark for one in glances for spark in one.sparks]
    values = np.full((len(sparks), grid.length), np.nan)
    for place, spark in enumerate(sparks):
        values[place] = _values(spark, readings, grid)
    odd = deviations(values, np.array([spark.least for spark in sparks]))
    shown, place = [], 0
    for one in glances:
        beyond = place + len(one.sparks)
        most = max(range(place, beyond), key=odd.__getitem__, default=None)
        unusual = 0.0 if most is None else float(odd[most])
        shown.append(
            _Drawn(
                one,
                values[place:beyond],
                unusual,
                sparks[most].name if most is not None and unusual else None,
            )
        )
        place = beyond
    shown.sort(key=lambda one: (*_urgency(one.glance), -one.unusual, one.glance.state.source))
    return {
        "at": seconds(grid.axis()),
        "sources": [_told(known, one) for one in shown[:limit]],
        "more": len(known.sources) - len(shown[:limit]),
    }


def _urgency(one: Glance) -> tuple[int, bool]:
    return RANK[one.severity], one.state.state != "lost"


def _looked(known: Standing, one: Glance) -> Glance:
    made = figures(known, one.state.source)
    return one._replace(figures=made, sparks=_sparks(known, one.state.source, made))


def _sparks(known: Standing, source: str, made: Mapping[str, Figure]) -> list[Spark]:
    sparks = [
        Spark(name, *SPARKED[name], figure)
        for name, figure in made.items()
        if name in SPARKED and figure.ids
    ]
    if sparks:
        return sparks
    named = nsmallest(FEW, ((known.texts[id_], id_) for id_ in known.of_source.get(source, ())))
    for text, id_ in named:
        series, figure = known.series[id_], Figure("first", 1, (id_,))
        if series.kind == "counter":
            unit = f"{series.unit}_per_second" if series.unit else "per_second"
            sparks.append(Spark(text, unit, 0.0, figure, "rate"))
        else:
            sparks.append(Spark(text, series.unit, 0.0, figure))
    return sparks


def _values(spark: Spark, readings: Mapping[int, Column], grid: Grid) -> Values:
    at, columns = align([readings[id_] for id_ in spark.figure.ids])
    if len(columns) == 1:
        value = columns[0]
    else:
        table = np.array(columns)
        summed = spark.figure.way == "sum"
        missing = np.isnan(table)
        if missing.any():
            read = ~missing.all(axis=0)
            at, table = at[read], np.where(missing, 0.0 if summed else -np.inf, table)[:, read]
        value = table.sum(axis=0) if summed else table.max(axis=0)
    values: Values = np.round(from_readings(at, value * spark.figure.scale, grid, spark.fn), DIGITS)
    return values


def deviations(values: NDArray[np.float64], least: Values) -> Values:
    """How far the newest value of each row is from what is usual in it, in deviations of the usual; 0 where that
    is not known, or nothing is read now. Anything may move by `least`."""
    read = ~np.isnan(values)
    counts = read.sum(axis=1)
    usual = _middle(values, counts)
    spread = MAD * _middle(np.abs(values - usual[:, None]), counts)
    spread = np.maximum(np.maximum(spread, SLACK * np.abs(usual)), least)
    steps = values.shape[1]
    newest = steps - 1 - np.argmax(read[:, ::-1], axis=1)
    moved = np.abs(values[np.arange(len(values)), newest] - usual)
    known = (counts >= ENOUGH) & (newest >= steps - 2) & (spread > 0)
    found: Values = np.divide(moved, spread, out=np.zeros(len(values)), where=known)
    return found


def _middle(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Values:
    """The median of what is read in each row; NaN sorts last."""
    inside = np.sort(values, axis=1)
    rows, last = np.arange(len(values)), values.shape[1] - 1
    low, high = np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, last)
    middle: Values = (inside[rows, low] + inside[rows, high]) / 2
    return middle


class _Drawn(NamedTuple):
    glance: Glance
    values: NDArray[np.float64]
    unusual: float
    where: str | None


def _told(known: Standing, one: _Drawn) -> Data:
    state = one.glance.state
    sparks = {
        spark.name: {
            "unit": spark.unit,
            "fn": spark.fn,
            "ids": list(spark.figure.ids),
            "way": spark.figure.way,
            "scale": canonical(spark.figure.scale),
            "value": numbers(value),
        }
        for spark, value in zip(one.glance.sparks, one.values, strict=True)
    }
    return {
        **told_of(state, len(known.of_source.get(state.source, ()))),
        "kpis": kpis_of(known, one.glance.figures),
        "alerts": {"severity": one.glance.severity, "count": one.glance.firing},
        "unusual": canonical(round(one.unusual, 2)),
        "unusual_in": one.where,
        "sparks": sparks,
    }
