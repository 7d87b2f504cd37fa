"""The five classic alerts watch what the collectors measure, in the units of their dials."""

from typing import NamedTuple

import pytest

from realtime.core.alerts import FRESH, step
from realtime.core.rules import classic, told
from realtime.settings import load


class Bound(NamedTuple):
    above: float
    clear: float
    hold_s: float


def rules(tmp_path):
    settings = load(["serve", f"--data={tmp_path}"], {})
    return {rule.rule: rule for rule in classic(settings.alerts)}


@pytest.mark.parametrize(
    ("rule", "quiet", "loud"),
    [
        ("cpu", 0.80, 0.801),
        ("memory", 0.85, 0.851),
        ("disk", 0.90, 0.901),
        ("response_time", 1.0, 1.001),
        ("error_rate", 0.05, 0.051),
    ],
)
def test_the_classic_five_fire_above_their_promise(tmp_path, rule, quiet, loud):
    """CPU > 80 %, memory > 85 %, disk > 90 %, response time > 1,000 ms, error rate > 5 %: series are
    measured in ratios and seconds, thresholds are in percent and milliseconds."""
    found = rules(tmp_path)[rule]
    hold = int(found.hold_s * 1_000_000)
    for value, change in ((quiet, None), (loud, "firing")):
        watch, _ = step(found, FRESH, 1, 1, value)
        assert step(found, watch, 1, 1 + hold, value)[1] == change
    assert found.clear < found.above
    assert found.hold_s > 0


def test_they_watch_series_that_are_recorded(tmp_path):
    """A rule on a name that nobody measures would never fire."""
    from realtime.collect.lineup import default_collectors
    from realtime.collect.own import Server

    names = {name for one in default_collectors(1.0, []) for name in one.descriptors}
    names |= set(Server.descriptors)
    assert {rule.series for rule in rules(tmp_path).values()} <= names


def test_thresholds_are_taken_as_given():
    """Whatever the dials say stands in the rule and in what the dashboard is told."""
    bounds = {
        rule: Bound(3, 2, 1) for rule in ("cpu", "memory", "disk", "response_time", "error_rate")
    }
    for rule in classic(bounds):
        assert (rule.above, rule.clear, rule.hold_s) == (3, 2, 1)
        shown = told(rule)
        assert (shown["above"], shown["clear"], shown["hold_s"]) == (3, 2, 1)
        assert shown["rule"] == rule.rule
        assert shown["kpi"] == rule.kpi
        assert shown["unit"] in ("percent", "milliseconds")
