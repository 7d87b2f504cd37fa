"""The five charts show what the view holds of a source, in a fixed order, peaks and gaps kept."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.charts import (
    CANDIDATES,
    CHARTS,
    DEVICES,
    Plan,
    Sheet,
    Strip,
    draw,
    plan,
    sheets,
    strips,
    wanted,
)
from realtime.core.columns import SECOND, Column
from realtime.core.views import View, declare
from storage.events import Series
from storage.rollups import fold

START = 1_764_000_000 * SECOND
MODES = ["irq", "idle", "user", "steal", "system", "iowait", "softirq", "nice"]


def host(*series: tuple[str, dict[str, str]], source: str = "host") -> View:
    view = View()
    for name, labels in series:
        declare(view, source, Series(len(view.series) + 1, name, labels))
    return view


def moved(device: str) -> list[tuple[str, dict[str, str]]]:
    name = "system_network_io_bytes_per_second"
    both = ("transmit", "receive")
    return [(name, {"device": device, "direction": direction}) for direction in both]


def drawn(plan: Plan, columns: dict[int, Column], points: int = 600) -> dict[str, dict[str, Any]]:
    made = begun(plan, points)
    for strip in made:
        strip.add(columns)
    return {chart["chart"]: chart for chart in draw(plan, made, START, START + 9)}


def begun(plan: Plan, points: int, share: float = 1.0) -> list[Strip]:
    return strips(sheets(plan), points, share)


def ids(plan: Plan) -> list[int]:
    return wanted(sheets(plan))


def flat(value: float, count: int = 10) -> Column:
    return Column(START + np.arange(count, dtype=np.int64) * SECOND, np.full(count, float(value)))


def test_the_processor_is_a_stack_of_modes_in_a_fixed_order() -> None:
    """User is at the bottom; idle is not drawn."""
    view = host(*(("system_cpu_mode_ratio", {"mode": mode}) for mode in MODES))
    lines = plan(view, "host")
    charts = drawn(lines, {id_: flat(id_ / 100) for id_ in ids(lines)})
    chart = charts["cpu"]
    order = ["user", "system", "iowait", "softirq", "steal", "nice", "irq"]
    assert [line["label"] for line in chart["series"]] == order
    assert (chart["kind"], chart["unit"], chart["title"]) == ("stack", "ratio", "CPU")
    assert chart["series"][0] == {
        "id": 3,
        "series": 'system_cpu_mode_ratio{mode="user"}',
        "label": "user",
        "values": [0.03] * 10,
    }
    assert chart["at"] == [1_764_000_000 + second for second in range(10)]
    assert chart["from"] == "2025-11-24T16:00:00.000000Z"
    assert chart["to"] == "2025-11-24T16:00:00.000009Z"


def test_all_five_are_there_even_when_nothing_is_known() -> None:
    """A page can lay itself out before the first reading."""
    charts = drawn(plan(host(), "host"), {})
    assert list(charts) == ["cpu", "memory", "disk", "network", "load"]
    assert all(chart["at"] == [] and chart["series"] == [] for chart in charts.values())
    assert len(CHARTS) == 5


def test_a_mirror_says_which_side_a_series_is_on() -> None:
    """What comes in goes up, what goes out goes down, device by device in natural order."""
    view = host(*moved("eth10"), *moved("eth2"))
    lines = plan(view, "host")
    chart = drawn(lines, {id_: flat(1) for id_ in ids(lines)})["network"]
    assert [(line["label"], line["side"]) for line in chart["series"]] == [
        ("eth2 receive", "up"),
        ("eth2 transmit", "down"),
        ("eth10 receive", "up"),
        ("eth10 transmit", "down"),
    ]
    assert all(len(line["values"]) == len(chart["at"]) for line in chart["series"])


def test_load_and_memory_keep_their_order() -> None:
    """Labels nobody draws are left out, and other sources' series are."""
    view = host(
        *(("system_load", {"period": period}) for period in ("15m", "1m", "5m")),
        *(("system_memory_bytes", {"state": state}) for state in ("free", "buffers", "used")),
    )
    declare(view, "other", Series(99, "system_load", {"period": "1m"}))
    lines = plan(view, "host")
    charts = drawn(lines, {id_: flat(2) for id_ in ids(lines)})
    assert [line["label"] for line in charts["load"]["series"]] == ["1m", "5m", "15m"]
    assert [line["label"] for line in charts["memory"]["series"]] == ["used", "buffers"]
    assert 99 not in ids(lines)


def test_a_series_without_a_reading_in_the_range_is_not_drawn() -> None:
    """An unplugged disk leaves the charts of the time since."""
    view = host(*moved("eth0"), *moved("usb0"))
    lines = plan(view, "host")
    chart = drawn(lines, {id_: flat(1) for id_ in ids(lines)[:2]})["network"]
    assert [line["label"] for line in chart["series"]] == ["eth0 receive", "eth0 transmit"]


def test_only_the_busiest_devices_are_drawn() -> None:
    """Of many interfaces the chart shows those that moved most; physical ones are read first."""
    names = [*(f"veth{number}" for number in range(CANDIDATES)), *(f"eth{n}" for n in range(12))]
    view = host(*(series for name in names for series in moved(name)))
    lines = plan(view, "host")
    devices = {line.device for line in lines["network"]}
    assert len(devices) == CANDIDATES
    assert {f"eth{n}" for n in range(12)} <= devices
    columns = {line.id: flat(len(line.device) + int(line.device[-1])) for line in lines["network"]}
    chart = drawn(lines, columns)["network"]
    assert len({line["label"].split()[0] for line in chart["series"]}) == DEVICES
    assert "eth0 receive" not in [line["label"] for line in chart["series"]]


def test_every_series_keeps_its_peak_in_slices_as_in_one() -> None:
    """A long range that comes in slices keeps each series' extremes and ends, in about `points` rows."""
    view = host(*(("system_cpu_mode_ratio", {"mode": mode}) for mode in MODES))
    lines = plan(view, "host")
    count = 40_000
    at = START + np.arange(count, dtype=np.int64) * SECOND
    values = {id_: np.random.default_rng(id_).random(count) for id_ in ids(lines)}
    for place, id_ in enumerate(values):
        values[id_][1_000 * place + 77] = 5.0 + place
    made = begun(lines, 300, 1 / 10)
    for part in np.split(np.arange(count), 10):
        for strip in made:
            strip.add({id_: Column(at[part], value[part]) for id_, value in values.items()})
    chart = draw(lines, made, START, int(at[-1]))[0]
    assert 200 < len(chart["at"]) <= 300
    for line in chart["series"]:
        whole = values[line["id"]]
        assert (max(line["values"]), min(line["values"])) == (whole.max(), whole.min())
        assert (line["values"][0], line["values"][-1]) == (whole[0], whole[-1])


def test_a_stop_of_the_recorder_stays_a_gap() -> None:
    """Between the last row before a stop and the first after it stands an empty row, also when the
    range is thinned and the stop falls between two slices."""
    view = host(("system_load", {"period": "1m"}))
    at = START + np.concatenate([np.arange(5_000), np.arange(9_000, 14_000)]) * SECOND
    value = np.ones(10_000)
    lines = plan(view, "host")
    made = begun(lines, 50, 1 / 2)
    for part in (slice(0, 5_000), slice(5_000, None)):
        for strip in made:
            strip.add({1: Column(at[part], value[part])})
    chart = draw(lines, made, START, int(at[-1]))[-1]
    gaps = [place for place, one in enumerate(chart["series"][0]["values"]) if one is None]
    assert len(gaps) == 1
    around = [second - 1_764_000_000 for second in chart["at"][gaps[0] - 1 : gaps[0] + 2]]
    assert around == [4_999, 5_000, 9_000]


@given(st.lists(st.integers(200, 999), max_size=4), st.sampled_from([1, 2, 7, 60]))
def test_series_of_other_paces_are_carried_across_slices(cuts: list[int], pace: int) -> None:
    """Wherever the slices of a range end, its rows are those of the whole: a slow series stands until its next
    reading, and no further."""
    columns = {
        1: flat(1, 1_000),
        2: Column(START + np.arange(0, 700, pace) * SECOND, np.arange(0.0, 700, pace)),
    }
    sheet = Sheet("line", (1, 2))
    whole, sliced = Strip(sheet, 2_000), Strip(sheet, 2_000)
    whole.add(columns)
    for first, beyond in pairwise(sorted({0, *cuts, 1_000})):
        span = START + first * SECOND, START + beyond * SECOND
        parts = {id_: slice(*np.searchsorted(one.at, span)) for id_, one in columns.items()}
        sliced.add(
            {id_: Column(one.at[parts[id_]], one.value[parts[id_]]) for id_, one in columns.items()}
        )
    for strip in (whole, sliced):
        strip.end()
    np.testing.assert_array_equal(sliced.rows().at, whole.rows().at)
    np.testing.assert_array_equal(sliced.rows().values, whole.rows().values)
    assert np.isnan(whole.rows().values[1]).sum() == 1_000 - (700 - 1) // pace * pace - 1


def test_readings_go_on_from_buckets_without_a_hole() -> None:
    """The last reading of a bucket stands until the first that follows it."""
    at = START // (60 * SECOND) * 60 * SECOND + np.arange(0, 600, 20) * SECOND
    quick, slow = flat(3, 60), Column(at, np.ones(len(at)))
    quick = Column(at[0] + 300 * SECOND + np.arange(60) * 5 * SECOND, quick.value)
    strip = Strip(Sheet("line", (1, 2)), 600)
    strip.add_buckets({2: fold(at[:15], slow.value[:15], 60)})
    other = strip.copy()
    strip.add({1: quick, 2: Column(at[15:] + 10 * SECOND, slow.value[15:])})
    strip.end()
    rows = strip.rows()
    assert not np.isnan(rows.values[1][rows.at < at[-1]]).any()
    assert np.isnan(rows.values[0][rows.at < at[15]]).all()
    other.end()
    assert len(other.rows().at) == 5 and len(rows.at) > 60
    assert other.size < strip.size


@pytest.mark.parametrize("tier", [0, 10, 60])
def test_counters_are_drawn_as_their_growth(tier: int) -> None:
    """A second, from each reading or bucket to the next, across slices; a reset is no fall, a silence no spike."""
    first = START // (60 * SECOND) * 60 * SECOND
    seconds = np.concatenate([np.arange(0, 600, 5), np.arange(1_200, 1_800, 5)])
    at, value = first + seconds * SECOND, seconds * 3.0 + 1_000
    value[200:] -= value[200] - 15
    sheet = Sheet("line", (1, 2), frozenset([2]))
    strip = Strip(sheet, 2_000)
    for begin, beyond in pairwise((0, 300, 480, 1_320, 1_800)):
        part = slice(*np.searchsorted(seconds, (begin, beyond)))
        if tier and beyond < 1_800:
            strip.add_buckets({id_: fold(at[part], value[part], tier) for id_ in (1, 2)})
        else:
            strip.add({id_: Column(at[part], value[part]) for id_ in (1, 2)})
    strip.end()
    rows = strip.rows()
    plain, grown = rows.values
    assert np.nanmax(plain) > 1_000
    assert set(grown[~np.isnan(grown)]) == {3.0}
    told = rows.at[~np.isnan(grown)]
    assert told[0] - at[0] <= max(tier, 5) * SECOND and told[-1] == at[-1]
    inside = (told > first + 599 * SECOND) & (told < first + 1_200 * SECOND)
    assert not inside.any()
    assert np.diff(told).max() <= 610 * SECOND
    assert np.sort(np.diff(told))[-2] <= 2 * max(tier, 5) * SECOND
