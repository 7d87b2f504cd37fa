"""A question about a range gets the readings that were recorded, peaks kept, without holding the loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.core.columns import SECOND
from realtime.core.downsample import Times, Values
from realtime.core.media import JSON, Table, page
from realtime.core.views import View, evolve
from realtime.errors import BadInput
from realtime.history import AT_ONCE, MOST_SERIES, MOST_SLICES, History, check_range, slices
from storage.events import Declared, Draft, Event, Metrics, Series
from storage.log import Log
from storage.migrate import migrate

START = 1_764_000_000 * SECOND
HOUR = 3600 * SECOND
CPU = [Series(1, "system_cpu_mode_ratio", {"mode": "user"}, "ratio")]
CPU += [Series(2, "system_cpu_mode_ratio", {"mode": "system"}, "ratio")]
OTHER = [Series(3, "queue", {}, "items")]

Columns = Mapping[int, tuple[Times, Values]]


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    path = tmp_path / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(START)
    yield log
    await log.close()


async def record(log: Log, view: View, drafts: Sequence[Draft]) -> None:
    for event in await log.append(drafts):
        evolve(view, event)


def ticks(source: str, ids: Sequence[int], seconds: Sequence[int]) -> list[Draft]:
    """Each series is its id a hundredfold plus the sine of the second, exactly."""
    return [
        Draft(
            START + at * SECOND,
            source,
            Metrics(ids, [id_ * 100 + float(np.sin(at)) for id_ in ids]),
        )
        for at in seconds
    ]


async def recorded(log: Log, seconds: Sequence[int], window_us: int = 900 * SECOND) -> View:
    view = View(window_us=window_us)
    declared = [Draft(START, "host", Declared(CPU)), Draft(START, "far", Declared(OTHER))]
    await record(log, view, declared)
    await record(log, view, ticks("host", [1, 2], seconds) + ticks("far", [3], seconds[::2]))
    return view


async def ask(history: History, *asked: Any, **more: Any) -> Table:
    return await history.answer(history.ask(*asked, **more))


def told(table: Table) -> dict[str, Any]:
    """An answer as its JSON tells it."""
    data: dict[str, Any] = msgspec.json.decode(page(table, "cursor", JSON).front + b"]}}")["data"]
    return data


def fields(error: pytest.ExceptionInfo[BadInput]) -> list[str]:
    return [one.field for one in error.value.errors]


@pytest.mark.gen_test
async def test_a_short_range_comes_back_exactly(log: Log, pool: Executor) -> None:
    """No more readings than points: every one of them, both ends of the range included."""
    history = History(log.columns, await recorded(log, range(100)), pool)
    answer = told(await ask(history, [3, 1], START + 10 * SECOND, START + 20 * SECOND, 50))
    far, user = answer["series"]
    assert (answer["tier"], answer["from"]) == ("raw", "2025-11-24T16:00:10.000000Z")
    assert (far["series"], far["source"], far["unit"]) == ("queue", "far", "items")
    assert user["at"] == [1_764_000_000 + second for second in range(10, 21)]
    assert user["value"] == [100 + float(np.sin(second)) for second in range(10, 21)]
    assert far["at"] == [1_764_000_000 + second for second in range(10, 21, 2)]


@pytest.mark.gen_test
async def test_a_long_range_keeps_its_peaks(log: Log, pool: Executor) -> None:
    """More readings than points: at most so many, the ends and the extremes among them."""
    view = await recorded(log, range(3_000))
    spike = Draft(START + 1_234_500_000, "host", Metrics([1], [1e6]))
    await record(log, view, [spike])
    table = await ask(History(log.columns, view, pool), [1], START, START + HOUR, 100)
    (user,) = told(table)["series"]
    assert len(user["at"]) == len(user["value"]) <= 100
    assert user["at"][0] == 1_764_000_000 and user["at"][-1] == 1_764_002_999
    assert dict(zip(user["at"], user["value"], strict=True))[1_764_001_234.5] == 1_000_000


@pytest.mark.gen_test
async def test_many_slices_are_one_answer(pool: Executor) -> None:
    """A week arrives in slices; whole while it is short, and peaks are kept once it is not."""
    view = View()
    asked: list[tuple[int, int]] = []
    week = np.arange(0, 168 * HOUR, 60 * SECOND) + START
    value = np.random.default_rng(1).random(len(week))
    value[4_321] = 7.0

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        asked.append((start, end))
        inside = slice(*np.searchsorted(week, [start, end]))
        return dict.fromkeys(ids, (week[inside], value[inside]))

    declare_week(view, week)
    history = History(read, view, pool)
    (whole,) = told(await ask(history, [1], START, START + 168 * HOUR, 20_000))["series"]
    assert whole["value"] == value.tolist()
    assert len(asked) == 7
    assert all(before[1] == after[0] for before, after in pairwise(asked))
    (thin,) = told(await ask(history, [1], START, START + 168 * HOUR, 200))["series"]
    assert 150 < len(thin["at"]) <= 200
    assert (max(thin["value"]), min(thin["value"])) == (7, value.min())


def declare_week(view: View, week: Times) -> None:
    evolve(view, Event(1, int(week[0]), "host", Declared(CPU)))
    evolve(view, Event(2, int(week[0]), "host", Metrics([1], [0.5])))
    evolve(view, Event(3, int(week[-1]), "host", Metrics([1], [0.5])))


@pytest.mark.gen_test
async def test_a_range_without_readings_costs_no_search(pool: Executor) -> None:
    """From 1970 to next century, only the time in which the series was read is looked at."""
    view = View()
    asked: list[tuple[int, int]] = []

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        asked.append((start, end))
        return {}

    declare_week(view, np.array([START, START + HOUR]))
    history = History(read, view, pool)
    answer = told(await ask(history, [1, 2], 0, 2 * START, 100))
    assert asked == [(START, START + HOUR + 1)]
    assert [one["at"] for one in answer["series"]] == [[], []]
    assert told(await ask(history, [2], 0, 2 * START, 100))["series"][0]["value"] == []
    assert len(asked) == 1


@pytest.mark.gen_test
async def test_recent_charts_do_not_touch_the_disk(log: Log, pool: Executor) -> None:
    """Inside the window charts come from memory, and are the same as from the log."""
    view = await recorded(log, range(700))

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        raise AssertionError("the log was asked")

    start, end = START + 100 * SECOND, START + 650 * SECOND
    warm = await History(read, view, pool).charts("host", start, end, 600)
    cold = History(log.columns, await recorded_view(log, 60 * SECOND), pool)
    assert await cold.charts("host", start, end, 600) == warm
    cpu = warm[0]
    assert [line["label"] for line in cpu["series"]] == ["user", "system"]
    assert len(cpu["at"]) == 551


async def recorded_view(log: Log, window_us: int) -> View:
    view = View(window_us=window_us)
    for event in await log.read(0, 10_000):
        evolve(view, event)
    return view


@pytest.mark.gen_test
async def test_a_quick_series_that_outgrew_the_window_is_read_from_the_log(
    log: Log, pool: Executor
) -> None:
    """The window is bounded in readings too; a chart never begins later than it says."""
    await recorded(log, range(100))
    view = View(window_points=20)
    for event in await log.read(0, 10_000):
        evolve(view, event)
    charts = await History(log.columns, view, pool).charts("host", START, START + 99 * SECOND, 600)
    assert len(charts[0]["at"]) == 100


@pytest.mark.gen_test
async def test_charts_of_an_unknown_source_are_empty(log: Log, pool: Executor) -> None:
    """There is nothing to read for it, and all five charts say so."""
    view = await recorded(log, range(10))
    for start in (START, START - 168 * HOUR):
        charts = await History(log.columns, view, pool).charts("nobody", start, START + HOUR, 600)
        assert [chart["at"] for chart in charts] == [[]] * 5


@pytest.mark.gen_test
async def test_no_more_than_two_ranges_are_read_at_once(pool: Executor) -> None:
    """The others wait their turn, and all are answered."""
    view, now, most = View(), 0, 0

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return {}

    declare_week(view, np.array([START, START + HOUR]))
    history = History(read, view, pool)
    await asyncio.gather(*(ask(history, [1], START, START + HOUR, 100) for _ in range(7)))
    assert most == AT_ONCE


@pytest.mark.gen_test
async def test_selectors_find_series(log: Log, pool: Executor) -> None:
    """Any of the selectors is enough; nobody is named twice."""
    history = History(log.columns, await recorded(log, range(3)), pool)
    assert await history.find(["system_cpu_mode_ratio", '{mode="user"}']) == [1, 2]
    assert await history.find(['{source="far"}', '{mode=~"us.*"}']) == [1, 3]
    assert await history.find(["unheard_of"]) == []


@pytest.mark.gen_test
async def test_a_bad_question_names_its_field(log: Log, pool: Executor) -> None:
    """What cannot be asked is said before anything is read."""
    history = History(log.columns, await recorded(log, range(3)), pool)
    with pytest.raises(BadInput) as nothing:
        await history.find([])
    assert fields(nothing) == ["series"]
    with pytest.raises(BadInput) as unread:
        await history.find(["fine", "{broken"], "match")
    assert fields(unread) == ["match[1]"]
    with pytest.raises(BadInput) as backwards:
        await ask(history, [1], START, START, 2)
    assert fields(backwards) == ["from", "points"]
    with pytest.raises(BadInput) as early:
        await history.charts("host", -1, START, 600)
    assert fields(early) == ["from"]
    with pytest.raises(BadInput) as many:
        await ask(history, list(range(MOST_SERIES + 1)), START, START + 1, 100)
    assert fields(many) == ["series"]


def test_many_series_may_have_fewer_points_each() -> None:
    """The bound is on the whole answer."""
    check_range(START, START + HOUR, 50_000, 1)
    with pytest.raises(BadInput, match="range"):
        check_range(START, START + HOUR, 50_000, 200)


@pytest.mark.gen_test
async def test_a_range_beyond_the_window_is_the_same_within_a_step(
    log: Log, pool: Executor
) -> None:
    """Who asks again within a step finds the answer on the shelf, and it covers what was asked."""
    history = History(log.columns, await recorded(log, range(1_000)), pool)
    step = 24 * HOUR // 600
    end = START - START % step + step // 2
    ranges = {history.aligned(end + late - 24 * HOUR, end + late, 600) for late in (0, 1, SECOND)}
    assert len(ranges) == 1
    ((first, last),) = ranges
    assert first <= end - 24 * HOUR and last >= end + SECOND
    assert last - first <= 24 * HOUR + step
    recent = (START + 500 * SECOND, START + 999 * SECOND)
    assert history.aligned(*recent, 600) == recent


@pytest.mark.parametrize(("span", "series"), [(HOUR, 1), (200 * 24 * HOUR, 200), (START, 1)])
def test_slices_cover_the_range_once_and_are_few(span: int, series: int) -> None:
    """No microsecond is left out or read twice, however long the range is."""
    parts = list(slices(START, START + span, series))
    assert (parts[0][0], parts[-1][1]) == (START, START + span)
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert len(parts) <= MOST_SLICES + 1


@pytest.mark.gen_test
async def test_numbers_are_crunched_off_the_loop(pool: Executor) -> None:
    """Law loop-never-blocks: two hundred series of a long range leave the loop free meanwhile."""
    view = View()
    many = [Series(number + 1, "load", {"n": str(number)}) for number in range(MOST_SERIES)]
    evolve(view, Event(1, START, "host", Declared(many)))
    at = START + np.arange(20_000, dtype=np.int64) * SECOND
    value = np.random.default_rng(1).random(20_000)
    for id_ in range(1, MOST_SERIES + 1):
        view.first[id_] = START
        view.windows.add(id_, int(at[-1]), 1.0)

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        inside = slice(*np.searchsorted(at, [start, end]))
        return dict.fromkeys(ids, (at[inside], value[inside]))

    work = asyncio.ensure_future(
        ask(History(read, view, pool), list(view.series), START, int(at[-1]), 1_000)
    )
    longest = await longest_hold(work.done)
    assert len((await work).series) == MOST_SERIES
    assert longest < 0.05


async def longest_hold(done: Callable[[], Any]) -> float:
    """Seconds of this thread's own CPU in one turn of the loop, whatever the neighbours do."""
    longest = 0.0
    while not done():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    return longest
