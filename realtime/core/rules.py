"""The five alerts that every installation has. Thresholds are dials; what they watch is here."""

from collections.abc import Mapping
from typing import Any, Protocol

from realtime.core.alerts import Rule


class Thresholds(Protocol):
    """Fires above, ends below `clear`, each after `hold_s`; in the rule's own unit."""

    @property
    def above(self) -> float: ...
    @property
    def clear(self) -> float: ...
    @property
    def hold_s(self) -> float: ...


_WATCHED: tuple[tuple[str, str, str, str, str, float, str], ...] = (
    ("cpu", "CPU", "system_cpu_utilization_ratio", "critical", "percent", 100, "cpu_percent"),
    (
        "memory",
        "Memory",
        "system_memory_utilization_ratio",
        "critical",
        "percent",
        100,
        "memory_percent",
    ),
    (
        "disk",
        "Disk",
        "system_filesystem_utilization_ratio",
        "warning",
        "percent",
        100,
        "disk_percent",
    ),
    (
        "response_time",
        "Response time",
        "playhead_http_response_time_seconds",
        "warning",
        "milliseconds",
        1000,
        "response_time_ms",
    ),
    (
        "error_rate",
        "Error rate",
        "playhead_http_error_ratio",
        "warning",
        "percent",
        100,
        "error_rate",
    ),
)


TEST = Rule(
    rule="test",
    title="Test alert",
    series="playhead_alert_test",
    above=0.5,
    clear=0.5,
    hold_s=0,
    severity="warning",
    unit="",
    scale=1,
    kpi="",
)
"""Judged as any other rule is, and watches a series that only the test of alerts writes. Not among those that
are told: it says nothing of the host."""


def classic(thresholds: Mapping[str, Thresholds]) -> list[Rule]:
    """Rule id → thresholds becomes rules."""
    rules = []
    for rule, title, series, severity, unit, scale, kpi in _WATCHED:
        bound = thresholds[rule]
        rules.append(
            Rule(
                rule=rule,
                title=title,
                series=series,
                above=bound.above,
                clear=bound.clear,
                hold_s=bound.hold_s,
                severity="critical" if severity == "critical" else "warning",
                unit=unit,
                scale=scale,
                kpi=kpi,
            )
        )
    return rules


def told(rule: Rule) -> dict[str, Any]:
    """A rule as the dashboard needs it: what colours a tile, and in which words."""
    return {
        "rule": rule.rule,
        "kpi": rule.kpi,
        "title": rule.title,
        "above": rule.above,
        "clear": rule.clear,
        "hold_s": rule.hold_s,
        "severity": rule.severity,
        "unit": rule.unit,
    }
