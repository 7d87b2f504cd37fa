"""The alert rule of tests: a CPU above 80 % fires, below 75 % it is over."""

from realtime.core.alerts import Rule


def cpu(hold_s: float = 0, series: str = "cpu_ratio") -> Rule:
    return Rule(
        rule="cpu",
        title="CPU",
        series=series,
        above=80,
        clear=75,
        hold_s=hold_s,
        severity="critical",
        unit="percent",
        scale=100,
        kpi="cpu_percent",
    )
