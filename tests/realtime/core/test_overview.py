"""What is shown of every source: what needs a look first, peaks kept, nothing invented."""

from typing import Any

import numpy as np
import pytest

from realtime.core.columns import SECOND, Column
from realtime.core.naming import parse_series
from realtime.core.overview import (
    ENOUGH,
    FEW,
    STEPS,
    choose,
    deviations,
    overview,
    standing,
    wanted,
)
from realtime.core.steps import Grid
from realtime.core.views import View, declare, evolve
from storage.events import Alert, Event, Metrics, Series, System

START = 1_764_000_000 * SECOND
CPU = "system_cpu_utilization_ratio"
GRID = Grid(START, 10 * SECOND, START + 600 * SECOND)
NETWORK = 'system_network_io_bytes_per_second{device="%s",direction="receive"}'


class Hosts:
    """Sources whose readings come every second."""

    def __init__(self) -> None:
        self.view = View()

    def read(self, source: str, text: str, values: Any, kind: Any = "gauge", unit: str = "") -> int:
        name, labels = parse_series(text)
        id_ = self.view.next_id
        declare(self.view, source, Series(id_, name, dict(labels), unit, kind))
        for second, value in enumerate(values):
            if not np.isnan(value):
                self.tell(source, Metrics([id_], [float(value)]), START + second * SECOND)
        return id_

    def tell(self, source: str, fact: Any, at: int = START) -> None:
        evolve(self.view, Event(self.view.seq + 1, at, source, fact))

    def fire(self, source: str, severity: Any, id_: int) -> None:
        alert = Alert(f"{source}{severity}", "cpu", "firing", severity, id_, 1, 1, START, "high")
        self.tell(source, alert)

    def shown(self, limit: int = 500, grid: Grid = GRID) -> dict[str, Any]:
        known = standing(self.view)()
        glances = choose(known)
        columns = {id_: Column(*self.view.windows.columns(id_)) for id_ in wanted(glances)}
        return overview(known, glances, columns, grid, limit)


def quiet(seed: int = 1) -> Any:
    return 0.2 + np.random.default_rng(seed).random(600) / 100


def test_what_needs_a_look_comes_first() -> None:
    """Critical, warning, lost, unusual, and then the others by name; the rest is counted."""
    hosts = Hosts()
    ids = {
        name: hosts.read(name, CPU, quiet(ord(name[-1]))) for name in ("h-b", "h-a", "h-w", "h-c")
    }
    hosts.read("h-l", CPU, quiet(7))
    odd = quiet(8)
    odd[-10:] = 0.9
    hosts.read("h-u", CPU, odd)
    hosts.fire("h-w", "warning", ids["h-w"])
    hosts.fire("h-c", "warning", ids["h-c"])
    hosts.fire("h-c", "critical", ids["h-c"])
    hosts.tell("h-l", System("source_lost", {}))
    data = hosts.shown()
    named = [one["source"] for one in data["sources"]]
    assert named[:4] == ["h-c", "h-w", "h-l", "h-u"]
    assert sorted(named[4:]) == ["h-a", "h-b"]
    assert [one["alerts"] for one in data["sources"]][:3] == [
        {"severity": "critical", "count": 2},
        {"severity": "warning", "count": 1},
        {"severity": None, "count": 0},
    ]
    unusual = data["sources"][3]
    assert (unusual["unusual_in"], unusual["kpis"]["cpu_percent"]) == ("cpu_percent", 90)
    assert unusual["unusual"] > 10 > data["sources"][4]["unusual"]
    less = hosts.shown(limit=2)
    assert ([one["source"] for one in less["sources"]], less["more"]) == (["h-c", "h-w"], 4)


def test_a_spark_keeps_its_peak_and_its_gap() -> None:
    """Each value is the highest of its step; where nothing was read there is none."""
    hosts = Hosts()
    values = quiet()
    values[123] = 0.99
    values[300:330] = np.nan
    hosts.read("host", CPU, values)
    data = hosts.shown()
    spark = data["sources"][0]["sparks"]["cpu_percent"]
    assert len(data["at"]) == len(spark["value"]) == 60
    assert data["at"][:2] == [1_764_000_000, 1_764_000_010]
    assert (spark["value"][12], spark["unit"], spark["fn"]) == (99, "percent", "max")
    assert [place for place, one in enumerate(spark["value"]) if one is None] == [30, 31, 32]


def test_devices_are_added_up_and_the_fullest_disk_is_drawn() -> None:
    """At each moment, not after the peaks were taken: no sum is shown that nobody measured."""
    hosts = Hosts()
    waves = [np.where(np.arange(600) % 2 == turn, 100.0, 0.0) for turn in (0, 1)]
    for device, wave in zip(("eth0", "eth1"), waves, strict=True):
        hosts.read("host", NETWORK % device, wave)
        hosts.read(
            "host", f'system_filesystem_utilization_ratio{{mountpoint="/{device}"}}', wave / 200
        )
    hosts.read("host", NETWORK % "lo", np.full(600, 1e9))
    sparks = hosts.shown()["sources"][0]["sparks"]
    assert [(one["way"], one["scale"], len(one["ids"])) for one in sparks.values()] == [
        ("highest", 100, 2),
        ("sum", 1, 2),
    ]
    assert {
        hosts.view.series[id_].labels["device"]
        for id_ in sparks["network_receive_bytes_per_second"]["ids"]
    } == {"eth0", "eth1"}
    assert set(sparks["network_receive_bytes_per_second"]["value"]) == {100}
    assert set(sparks["disk_percent"]["value"]) == {50}


def test_an_application_shows_its_first_series() -> None:
    """By name, with their unit; a counter as its growth a second. A host shows figures alone."""
    hosts = Hosts()
    hosts.read("shop", "shop_orders_total", np.arange(600) * 3, "counter", "orders")
    for letter in "fedcb":
        hosts.read("shop", f"shop_{letter}", np.full(600, 7), unit="carts")
    hosts.read("host", "anything", quiet())
    hosts.read("host", CPU, quiet())
    shown = {one["source"]: one for one in hosts.shown()["sources"]}
    assert list(shown["shop"]["sparks"]) == [f"shop_{letter}" for letter in "bcde"][:FEW]
    assert shown["shop"]["sparks"]["shop_b"]["unit"] == "carts"
    assert list(shown["host"]["sparks"]) == ["cpu_percent"]
    hosts.read("till", "a_total", np.arange(600) * 3, "counter", "orders")
    till = next(one for one in hosts.shown()["sources"] if one["source"] == "till")
    spark = till["sparks"]["a_total"]
    assert (spark["unit"], spark["fn"]) == ("orders_per_second", "rate")
    assert set(spark["value"]) == {3}
    assert till["kpis"]["cpu_percent"] is None


def test_a_source_without_readings_is_there_too() -> None:
    """Seen and nothing more: no sparks, nothing unusual."""
    hosts = Hosts()
    hosts.tell("new", System("source_seen", {"facts": {"os": "linux"}}))
    (one,) = hosts.shown()["sources"]
    assert (one["state"], one["facts"], one["series"], one["sparks"]) == (
        "live",
        {"os": "linux"},
        0,
        {},
    )
    assert (one["unusual"], one["unusual_in"], one["first_seen"]) == (0, None, None)


def test_of_very_many_sources_the_alerting_and_the_lost_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others by how lately they were heard of."""
    monkeypatch.setattr("realtime.core.overview.CANDIDATES", 3)
    hosts = Hosts()
    ids = [hosts.read(f"h{number}", CPU, [0.5] * (number + 1)) for number in range(6)]
    hosts.fire("h0", "warning", ids[0])
    hosts.tell("h1", System("source_lost", {}))
    assert [one.state.source for one in choose(standing(hosts.view)())] == ["h0", "h1", "h5"]
    assert hosts.shown()["more"] == 3


def test_only_what_is_read_now_can_be_unusual() -> None:
    """Nor is a little, nor what has no past to compare with."""
    steady = np.full(STEPS, 50.0)
    odd = np.append(steady[1:], 60.0)
    young = np.where(np.arange(STEPS) < STEPS - ENOUGH + 1, np.nan, odd)
    silent = np.append(odd[2:], [np.nan, np.nan])
    late = np.append(odd[1:], np.nan)
    little = np.append(steady[1:], 52.0)
    table = np.array([steady, odd, young, silent, late, little, np.full(STEPS, np.nan)])
    assert deviations(table, np.ones(7)).tolist() == [0, 4, 0, 0, 4, 0.8, 0]
    idle = np.array([np.zeros(STEPS), np.append(np.zeros(STEPS - 1), 9.0)])
    assert deviations(idle, np.zeros(2)).tolist() == [0, 0]
    assert deviations(idle, np.full(2, 3.0)).tolist() == [0, 3]
    assert len(deviations(np.empty((0, STEPS)), np.empty(0))) == 0


def test_the_copy_stands_still() -> None:
    """What comes while it is worked on is not in it."""
    hosts = Hosts()
    hosts.read("host", CPU, [0.5])
    arrange = standing(hosts.view)
    hosts.read("host", "later", [1.0])
    hosts.read("other", CPU, [0.5])
    known = arrange()
    assert list(known.sources) == ["host"] and known.of_source == {"host": [1]}
    assert known.latest == {1: (START, 0.5)}
