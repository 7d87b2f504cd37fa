"""Charts of a range are those that were recorded, whatever they are drawn from."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.charts import Charts
from realtime.core.charts import Drawn, Sheet, spell
from realtime.core.columns import SECOND
from realtime.core.selectors import Selector
from realtime.core.steps import Buckets
from realtime.core.times import rfc3339
from realtime.core.views import View, evolve
from realtime.errors import BadInput
from storage.events import Series
from storage.log import Log
from tests.realtime.conftest import START
from tests.realtime.test_history import (
    HOUR,
    Columns,
    Tape,
    fields,
    recorded,
    recorded_view,
    shelf_of,
)


@pytest.mark.gen_test
async def test_recent_charts_do_not_touch_the_disk(log: Log, pool: Executor) -> None:
    """Inside the window charts come from memory, and are the same as from the log."""
    view = await recorded(log, range(700))

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        raise AssertionError("the log was asked")

    start, end = START + 100 * SECOND, START + 650 * SECOND
    warm = await Charts(read, view, pool).charts("host", start, end, 600)
    cold = Charts(log.columns, await recorded_view(log, 60 * SECOND), pool)
    assert await cold.charts("host", start, end, 600) == warm
    cpu = warm[0]
    assert [line["label"] for line in cpu["series"]] == ["user", "system"]
    assert len(cpu["at"]) == 551


@pytest.mark.gen_test
async def test_a_quick_series_that_outgrew_the_window_is_read_from_the_log(
    log: Log, pool: Executor
) -> None:
    """The window is bounded in readings too; a chart never begins later than it says."""
    await recorded(log, range(100))
    view = View(window_points=20)
    for event in await log.read(0, 10_000):
        evolve(view, event)
    charts = await Charts(log.columns, view, pool).charts("host", START, START + 99 * SECOND, 600)
    assert len(charts[0]["at"]) == 100


@pytest.mark.gen_test
async def test_charts_of_an_unknown_source_are_empty(log: Log, pool: Executor) -> None:
    """There is nothing to read for it, and all five charts say so."""
    view = await recorded(log, range(10))
    for start in (START, START - 168 * HOUR):
        charts = await Charts(log.columns, view, pool).charts("nobody", start, START + HOUR, 600)
        assert [chart["at"] for chart in charts] == [[]] * 5


@pytest.mark.gen_test
async def test_a_range_beyond_the_window_is_the_same_within_a_step(
    log: Log, pool: Executor
) -> None:
    """Who asks again within a step finds the answer on the shelf, and it covers what was asked."""
    history = Charts(log.columns, await recorded(log, range(1_000)), pool)
    step = 24 * HOUR // 600
    end = START - START % step + step // 2
    ranges = {history.aligned(end + late - 24 * HOUR, end + late, 600) for late in (0, 1, SECOND)}
    assert len(ranges) == 1
    ((first, last),) = ranges
    assert first <= end - 24 * HOUR and last >= end + SECOND
    assert last - first <= 24 * HOUR + step
    recent = (START + 500 * SECOND, START + 999 * SECOND)
    assert history.aligned(*recent, 600) == recent


def charted(days: int, pace_s: int = 10) -> Tape:
    """Load and three modes of the processor, each with a spike of its own, and an hour of silence."""
    tape = Tape()
    at = START + np.arange(0, days * 24 * HOUR, pace_s * SECOND, dtype=np.int64)
    at = at[(at < START + 20 * HOUR) | (at >= START + 21 * HOUR)]
    random = np.random.default_rng(1)
    values = [random.random(len(at)) / 4 for _ in range(4)]
    for place, value in enumerate(values):
        value[len(at) // 2 + 7 * place] = 0.9 + place / 100
    named = [Series(1, "system_load", {"period": "1m"})]
    named += [
        Series(2 + place, "system_cpu_mode_ratio", {"mode": mode})
        for place, mode in enumerate(("user", "system", "iowait"))
    ]
    tape.hold_all(at, named, values)
    return tape


@pytest.mark.gen_test
async def test_charts_of_a_week_are_drawn_from_buckets(pool: Executor) -> None:
    """No reading is read, each line keeps its peak, no stack is higher than it was, and the silence is a gap."""
    tape = charted(7)
    history = Charts(tape.read, tape.view, pool, buckets=tape.buckets)
    start, end = START, START + 168 * HOUR
    charts = {one["chart"]: one for one in await history.charts("host", start, end, 600)}
    assert {span[0] for span in tape.read_spans} == {60}
    columns = [value for _, value in tape.columns.values()]
    total = np.sum(columns[1:], axis=0).max()
    for name in ("load", "cpu"):
        chart = charts[name]
        assert chart["tier"] == "60s"
        assert 300 < len(chart["at"]) <= 600
        assert np.all(np.diff(chart["at"]) > 0)
        for line in chart["series"]:
            drawn = np.array(line["values"], dtype=np.float64)
            assert np.nanmax(drawn) == columns[line["id"] - 1].max()
            silent = [at for at, one in zip(chart["at"], drawn, strict=True) if np.isnan(one)]
            assert silent and all(
                START / SECOND <= at - 20 * 3600 < START / SECOND + 3600 for at in silent
            )
    stack = np.array([line["values"] for line in charts["cpu"]["series"]], dtype=np.float64)
    assert np.nanmax(stack.sum(axis=0)) <= total + 1e-9
    raw = Charts(tape.read, tape.view, pool)
    for one in await raw.charts("host", start, end, 600):
        assert one["tier"] == "raw"
        assert [line["label"] for line in one["series"]] == [
            line["label"] for line in charts[one["chart"]]["series"]
        ]


@pytest.mark.gen_test
async def test_charts_reach_back_beyond_the_readings(pool: Executor) -> None:
    """A chart that spans the horizon joins: all of it is drawn from the finest tier that is whole. While readings
    are held, buckets of ten seconds are not asked for: they would be folded from them."""
    tape = charted(4)
    held = {0: START + 72 * HOUR, 10: START + 48 * HOUR, 60: START + 24 * HOUR, 3_600: 0}
    history = Charts(tape.read, tape.view, pool, buckets=tape.buckets, held=held.__getitem__)

    async def tier(first: float, last: float) -> str:
        start, end = START + int(first * HOUR), START + int(last * HOUR)
        charts = await history.charts("host", start, end, 600)
        at = charts[-1]["at"]
        assert charts[-1]["from"] <= rfc3339(start) and rfc3339(end) <= charts[-1]["to"]
        assert start - HOUR <= at[0] * SECOND <= start + 61 * SECOND
        assert end - 61 * SECOND <= at[-1] * SECOND <= end + HOUR
        (found,) = {chart["tier"] for chart in charts}
        return str(found)

    assert await tier(73, 74) == "raw"
    assert await tier(71.5, 74) == "10s"
    assert await tier(40, 50) == "60s"
    assert await tier(2, 60) == "3600s"
    held = dict.fromkeys(held, 0)
    history = Charts(tape.read, tape.view, pool, buckets=tape.buckets, held=held.__getitem__)
    # So many cells that ten seconds would do, were they not folded from all of these.
    assert history.ask(range(1, 5), START, START + 7 * HOUR + 1, 2_500).tier == 10
    charts = await history.charts("host", START, START + 7 * HOUR + 1, 2_500)
    assert charts[0]["tier"] == "raw"


@pytest.mark.gen_test
async def test_charts_and_columns_are_read_anew_when_retention_came_between(pool: Executor) -> None:
    """What is told is whole, by the tier that was left, and not what was left of the other."""
    tape = charted(1)
    held = {0: 0, 10: 0, 60: 0, 3_600: 0}
    read = tape.read
    start, end = START + 2 * HOUR, START + 4 * HOUR

    async def late(*asked: Any) -> Columns:
        held[0] = start + HOUR
        found = await read(*asked)
        return {
            id_: (at[at >= held[0]], value[at >= held[0]]) for id_, (at, value) in found.items()
        }

    history = Charts(late, tape.view, pool, buckets=tape.buckets, held=held.__getitem__)
    charts = await history.charts("host", start, end, 600)
    assert charts[-1]["tier"] == "10s"
    assert charts[-1]["at"][0] * SECOND < start + 20 * SECOND
    held[0] = 0
    found = await history.columns([Selector.parse("system_load")], start, end, 60 * SECOND)
    whole = Charts(read, tape.view, pool)
    wanted = await whole.columns([Selector.parse("system_load")], start, end, 60 * SECOND)
    np.testing.assert_array_equal(found[1].at, wanted[1].at)
    np.testing.assert_array_equal(found[1].value, wanted[1].value)


@pytest.mark.gen_test
async def test_a_late_reading_outdates_charts_that_stand_for_a_while(pool: Executor) -> None:
    """A tick does not; a reading of long ago does, and a new series."""
    tape = charted(1)
    history = Charts(tape.read, tape.view, pool, buckets=tape.buckets)
    newest = tape.view.latest[1][0]
    tags = history.chart_tags("host", newest)
    assert "series:host" in tags and "metrics:host" not in tags
    tick = tape.add(1, newest + SECOND, 0.5)
    assert not history.outdated([tick]) & tags
    late = tape.add(1, START + HOUR + 5, 0.5)
    assert history.outdated([late]) & tags
    assert history.chart_tags("nobody", newest)


def go_on(tape: Tape, ticks: int, pace_s: int = 10) -> int:
    """All of its series are read on, by memory and log alike; the newest moment (µs)."""
    newest = max(int(at[-1]) for at, _ in tape.columns.values())
    random = np.random.default_rng(newest)
    for tick in range(ticks):
        for id_ in tape.columns:
            tape.add(id_, newest + (tick + 1) * pace_s * SECOND, float(random.random()) / 4)
    return newest + ticks * pace_s * SECOND


async def composed(
    history: Charts, asked: Sequence[Sheet], start: int, end: int, points: int = 600
) -> list[Drawn]:
    _, draw = await history.compose(asked, start, end, points, str)
    return draw()


PAIR = [Sheet("stack", (2, 3, 4)), Sheet("line", (1,))]


@pytest.mark.gen_test
async def test_what_a_page_puts_together_is_what_the_dashboard_draws(
    log: Log, pool: Executor
) -> None:
    """The same series give the same rows, from memory and from the log; in any order, of several sources."""
    view = await recorded(log, range(700))
    start, end = START + 100 * SECOND, START + 650 * SECOND
    asked = [Sheet("stack", (1, 2)), Sheet("line", (3, 2))]

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        raise AssertionError("the log was asked")

    stack, mixed = await composed(Charts(read, view, pool), asked, start, end)
    five = await Charts(read, view, pool).charts("host", start, end, 600)
    told = spell([stack])[0]
    assert {**told, "at": json(told["at"]), "values": [json(one) for one in told["values"]]} == {
        **{key: five[0][key] for key in ("kind", "tier", "from", "to", "at")},
        "values": [line["values"] for line in five[0]["series"]],
    }
    queue, system = mixed.rows.values
    np.testing.assert_array_equal(system, stack.rows.values[1])
    assert set(queue) < {300 + float(np.sin(second)) for second in range(100, 651)}
    cold = Charts(log.columns, await recorded_view(log, 60 * SECOND), pool)
    for one, other in zip(await composed(cold, asked, start, end), (stack, mixed), strict=True):
        np.testing.assert_array_equal(one.rows.at, other.rows.at)
        np.testing.assert_array_equal(one.rows.values, other.rows.values)


def json(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("days", "hours", "tier"),
    [(1, 0.75, "raw"), (1, 23, "60s"), (3, 68, "60s"), (30, 700, "3600s")],
)
async def test_a_long_chart_ends_with_the_newest_reading_each_time(
    pool: Executor, days: int, hours: float, tier: str
) -> None:
    """Law no-gap-no-double: the part from the log and the part in memory meet with nothing missing and nothing
    twice, however the range moves on; what is settled is read once for each row it moves by."""
    tape = charted(days, 10 if days < 30 else 60)
    go_on(tape, 120)
    shelf = shelf_of()
    history = Charts(tape.read, tape.view, pool, buckets=tape.buckets, shelf=shelf)
    read = []
    for _ in range(12):
        newest = go_on(tape, 1)
        tape.read_spans.clear()
        drawn = await composed(history, PAIR, newest - int(hours * HOUR), newest)
        read.append(len(tape.read_spans))
        for chart in drawn:
            at = chart.rows.at
            assert chart.tier == (tier if chart.kind == "stack" or hours > 24 else "raw")
            assert (np.diff(at) > 0).all() and len(at) <= 630
            assert (at[-1], chart.end) == (newest, newest)
        load, stack = drawn[1].rows, drawn[0].rows
        inside = tape.columns[1][0] >= drawn[1].start
        assert np.nanmax(load.values[0]) == tape.columns[1][1][inside].max()
        recent = newest - load.at < 3 * int(hours * HOUR) // 600
        assert not np.isnan(load.values[0][recent]).any()
        assert load.at[0] - drawn[1].start <= 3 * int(hours * HOUR) // 600
        assert stack.at[-1] == load.at[-1]
    assert read[0] >= 2
    assert sum(count > 0 for count in read[1:]) <= 1 + 2 * 120 // max(10, int(hours * 6))


@pytest.mark.gen_test
async def test_readings_that_come_while_it_is_read_are_on_the_chart(pool: Executor) -> None:
    """Law no-gap-no-double: the place told is that of the newest row, not of when the question came."""
    tape = charted(1)
    newest = go_on(tape, 120)
    read = tape.buckets

    async def slow(ids: Sequence[int], start: int, end: int, tier_s: int) -> Mapping[int, Buckets]:
        go_on(tape, 1)
        return await read(ids, start, end, tier_s)

    history = Charts(tape.read, tape.view, pool, buckets=slow)
    end = newest + 90 * SECOND
    place, draw = await history.compose(
        PAIR, end - 23 * HOUR, end, 100, lambda: str(tape.view.latest[1][0])
    )
    go_on(tape, 1)
    ends = {int(chart.rows.at[-1]) for chart in draw()}
    assert ends == {int(place)} and int(place) > newest


@pytest.mark.gen_test
async def test_a_chart_that_memory_has_left_behind_is_read_again(pool: Executor) -> None:
    """When reading took longer than memory reaches back, what lies between is not left out."""
    tape = charted(1)
    newest = go_on(tape, 120)
    read, late = tape.read, [100]

    async def slow(*asked: Any) -> Columns:
        found = await read(*asked)
        go_on(tape, late.pop() if late else 0)
        return found

    history = Charts(slow, tape.view, pool)
    (chart,) = await composed(history, PAIR[1:], newest - HOUR, newest + HOUR, 2_000)
    at, value = tape.columns[1]
    np.testing.assert_array_equal(chart.rows.at, at[at >= chart.start])
    np.testing.assert_array_equal(chart.rows.values[0], value[at >= chart.start])


@pytest.mark.gen_test
async def test_a_source_of_another_time_is_whole_as_well(pool: Executor) -> None:
    """What came late enough to be unsettled still joins memory; its own readings outdate it."""
    tape = charted(1)
    newest = go_on(tape, 120)
    tape.hold(np.arange(START, newest - 2 * HOUR, 60 * SECOND), np.ones(1), source="slow")
    at = tape.columns[5][0]
    tape.columns[5] = at, np.arange(len(at), dtype=np.float64)
    history = Charts(tape.read, tape.view, pool, shelf=shelf_of())
    for more in range(3):
        (chart,) = await composed(
            history, [Sheet("line", (5, 1))], newest - 4 * HOUR, newest, 2_000
        )
        seen = chart.rows.values[0][~np.isnan(chart.rows.values[0])]
        assert seen[-1] == tape.columns[5][1][-1]
        assert chart.rows.at[-1] == newest
        tape.add(5, newest - HOUR + more * SECOND, 9_000.0 + more)
        assert history._shelf is not None
        history._shelf.invalidate({"metrics:slow"})


@pytest.mark.gen_test
async def test_charts_of_what_retention_left_grow_to_whole_buckets(pool: Executor) -> None:
    """Where readings are gone, what follows the last whole bucket is told by that bucket; a range that is over
    is read once, and a late reading of it outdates that."""
    tape = charted(4)
    newest = go_on(tape, 120)
    held = {
        0: newest - 600 * SECOND,
        10: newest - 600 * SECOND,
        60: newest - 600 * SECOND,
        3_600: 0,
    }
    shelf = shelf_of()
    history = Charts(
        tape.read, tape.view, pool, buckets=tape.buckets, held=held.__getitem__, shelf=shelf
    )
    for start, end in ((newest - 90 * HOUR, newest), (START + 7 * SECOND, START + 50 * HOUR)):
        (chart,) = await composed(history, PAIR[1:], start, end)
        assert chart.tier == "3600s"
        assert chart.start <= start and end <= chart.end
        assert (chart.end + 1) % HOUR == 0 or chart.end == newest
        assert {span[0] for span in tape.read_spans} == {3_600}
    tape.read_spans.clear()
    await composed(history, PAIR[1:], START + 7 * SECOND, START + 50 * HOUR)
    assert tape.read_spans == []
    late = tape.add(1, START + 5 * HOUR, 7.0)
    shelf.invalidate(history.outdated([late]))
    (chart,) = await composed(history, PAIR[1:], START + 7 * SECOND, START + 50 * HOUR)
    assert np.nanmax(chart.rows.values[0]) == 7.0


@pytest.mark.gen_test
async def test_charts_put_together_have_the_bounds_of_others(pool: Executor) -> None:
    """The range, and points times series."""
    history = Charts(Tape().read, View(), pool)
    with pytest.raises(BadInput):
        await composed(history, PAIR, START, START)
    with pytest.raises(BadInput):
        await composed(history, [Sheet("line", tuple(range(400)))], START, START + HOUR, 2_000)


@pytest.mark.gen_test
async def test_a_range_before_all_time_is_refused(pool: Executor) -> None:
    """By its field, before anything is read."""
    with pytest.raises(BadInput) as early:
        await Charts(Tape().read, View(), pool).charts("host", -1, START, 600)
    assert fields(early) == ["from"]
