"""Alert rules and the state machine of one rule on one series.

A value has to stay above the trigger for the hold time to fire, and below the clear level for as long to
resolve: what lies between the two levels changes nothing, so a value that trembles does not flap.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from storage.events import Alert, Event, Number, Series, canonical

GAP_US = 300_000_000
"""Samples further apart than this do not add up to a hold: nobody knows what was between them."""

Transition = Literal["firing", "resolved"]


class Rule(msgspec.Struct, frozen=True):
    """`above`, `clear` and what people read are in `unit`: the series' value times `scale`.
    `kpi` names the figure of the dashboard that the rule watches."""

    rule: str
    title: str
    series: str
    above: float
    clear: float
    hold_s: float
    severity: Literal["warning", "critical"]
    unit: str
    scale: float
    kpi: str


class Watch(msgspec.Struct, frozen=True):
    """`since` (µs) is when the value crossed for the change that is pending or in force."""

    state: Literal["ok", "pending", "firing", "clearing"] = "ok"
    since: int = 0
    last: int = 0
    alert: str = ""
    fired: int = 0


Watches = dict[tuple[str, int], Watch]
"""(rule, series id) → its watch"""

FRESH = Watch()


def rules_by_series(rules: Iterable[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        found[rule.series] = (*found.get(rule.series, ()), rule)
    return found


def resume(alerts: Iterable[Event]) -> Watches:
    """The watches of the alerts that were open when the log was last written."""
    return {
        (fact.rule, fact.series): Watch("firing", event.at, event.at, fact.id, fact.since)
        for event in alerts
        if isinstance(fact := event.data, Alert)
    }


def step(
    rule: Rule, watch: Watch, series: int, at: int, value: Number
) -> tuple[Watch, Transition | None]:
    """The watch after one sample, and what happened if anything did. Samples that come late change nothing."""
    if at <= watch.last:
        return watch, None
    shown = value * rule.scale
    hold = int(rule.hold_s * 1_000_000)
    state, since = watch.state, watch.since
    if at - watch.last > GAP_US and state in ("pending", "clearing"):
        state = "ok" if state == "pending" else "firing"
    if state in ("ok", "pending"):
        if shown <= rule.above:
            return Watch("ok", at, at), None
        since = at if state == "ok" else since
        if at - since < hold:
            return Watch("pending", since, at), None
        return Watch("firing", at, at, f"{rule.rule}-{series}-{since}", since), "firing"
    if shown >= rule.clear:
        return Watch("firing", since, at, watch.alert, watch.fired), None
    since = at if state == "firing" else since
    if at - since < hold:
        return Watch("clearing", since, at, watch.alert, watch.fired), None
    return Watch("ok", at, at, watch.alert, watch.fired), "resolved"


def alert(
    rule: Rule, watch: Watch, transition: Transition, series: Series, at: int, value: Number
) -> Alert:
    """The fact of a transition, in the words and units that people read."""
    shown = canonical(round(float(value) * rule.scale, 3))
    what = _named(rule, series)
    unit = _UNITS.get(rule.unit, rule.unit)
    held = _duration((at - watch.fired) / 1_000_000)
    if transition == "firing":
        message = f"{what} at {shown:.4g} {unit} for {held} (alert above {rule.above:g} {unit})"
    else:
        message = (
            f"{what} back to {shown:.4g} {unit} after {held} (clear below {rule.clear:g} {unit})"
        )
    if not unit:
        message = message.replace("  ", " ").replace(" )", ")")
    return Alert(
        id=watch.alert,
        rule=rule.rule,
        state=transition,
        severity=rule.severity,
        series=series.id,
        value=shown,
        threshold=canonical(float(rule.above)),
        since=watch.fired,
        message=message,
        unit=rule.unit,
    )


_UNITS = {"percent": "%", "milliseconds": "ms"}


def _named(rule: Rule, series: Series) -> str:
    labels = " ".join(series.labels.values())
    return f"{rule.title} {labels}" if labels else rule.title


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
