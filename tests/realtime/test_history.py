"""A question about a range gets the readings that were recorded, peaks kept, without holding the loop."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.core.columns import SECOND
from realtime.core.downsample import Times, Values
from realtime.core.media import JSON, Table, page
from realtime.core.selectors import Selector
from realtime.core.steps import FUNCTIONS, Buckets, Fn, lasts
from realtime.core.views import View, evolve
from realtime.errors import BadInput, TooMuch
from realtime.history import AT_ONCE, MOST_SERIES, MOST_SLICES, History, check_range, slices
from realtime.shelf import Shelf
from storage.events import Declared, Draft, Event, Metrics, Series
from storage.log import Log
from storage.rollups import fold
from tests.realtime.conftest import START

HOUR = 3600 * SECOND
CPU = [Series(1, "system_cpu_mode_ratio", {"mode": "user"}, "ratio")]
CPU += [Series(2, "system_cpu_mode_ratio", {"mode": "system"}, "ratio")]
OTHER = [Series(3, "queue", {}, "items")]

Columns = Mapping[int, tuple[Times, Values]]


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


async def recorded_view(log: Log, window_us: int) -> View:
    view = View(window_us=window_us)
    for event in await log.read(0, 10_000):
        evolve(view, event)
    return view


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
    with pytest.raises(BadInput) as many:
        await ask(history, list(range(MOST_SERIES + 1)), START, START + 1, 100)
    assert fields(many) == ["series"]


def test_many_series_may_have_fewer_points_each() -> None:
    """The bound is on the whole answer."""
    check_range(START, START + HOUR, 50_000, 1)
    with pytest.raises(BadInput, match="range"):
        check_range(START, START + HOUR, 50_000, 200)


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


class Tape:
    """Readings in memory that are read as the log's are, with every read noted."""

    def __init__(self) -> None:
        self.view = View()
        self.columns: dict[int, tuple[Times, Values]] = {}
        self.read_spans: list[tuple[int, int, int]] = []
        self.seq = 0

    def hold(self, at: Times, *values: Values, source: str = "host") -> None:
        first = len(self.columns) + 1
        numbered = [Series(first + n, "load", {"n": str(first + n)}) for n in range(len(values))]
        self.hold_all(at, numbered, values, source)

    def hold_all(
        self, at: Times, named: list[Series], values: Sequence[Values], source: str = "host"
    ) -> None:
        self._evolve(int(at[0]), source, Declared(named))
        for one, value in zip(named, values, strict=True):
            self.columns[one.id] = (at, value)
        for moment in (int(at[0]), int(at[-1])):
            ids = [one.id for one in named]
            self._evolve(moment, source, Metrics(ids, [0.5] * len(ids)))

    def add(self, id_: int, at: int, value: float) -> Event:
        ats, values = self.columns[id_]
        place = int(np.searchsorted(ats, at, side="right"))
        self.columns[id_] = np.insert(ats, place, at), np.insert(values, place, value)
        return self._evolve(at, self.view.owner[id_], Metrics([id_], [value]))

    def _evolve(self, at: int, source: str, fact: Any) -> Event:
        self.seq += 1
        event = Event(self.seq, at, source, fact)
        evolve(self.view, event)
        return event

    async def read(self, source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        assert {self.view.owner[id_] for id_ in ids} == {source}
        self.read_spans.append((0, start, end))
        return {id_: self._within(id_, start, end) for id_ in ids}

    async def buckets(
        self, ids: Sequence[int], start: int, end: int, tier_s: int
    ) -> Mapping[int, Buckets]:
        assert start % (tier_s * SECOND) == end % (tier_s * SECOND) == 0
        self.read_spans.append((tier_s, start, end))
        return {id_: fold(*self._within(id_, start, end), tier_s) for id_ in ids}

    def _within(self, id_: int, start: int, end: int) -> tuple[Times, Values]:
        at, value = self.columns[id_]
        inside = slice(*np.searchsorted(at, [start, end]))
        return at[inside], value[inside]


def days_of(count: int, pace_s: int = 30) -> Tape:
    """Two series of `count` days up to a moment inside a minute: a saw with spikes, and a counter."""
    tape = Tape()
    at = START + np.arange(0, count * 24 * HOUR, pace_s * SECOND, dtype=np.int64)
    random = np.random.default_rng(1)
    saw = random.integers(0, 100, len(at)).astype(float)
    saw[len(at) // 3] = 1e6
    counter = np.cumsum(random.integers(0, 9, len(at))).astype(float)
    counter[len(at) // 2 :] -= counter[len(at) // 2]
    tape.hold(at, saw, counter)
    return tape


def of(table: Table) -> list[tuple[list[int], list[float]]]:
    return [(at.tolist(), np.nan_to_num(value, nan=-1).tolist()) for at, value in table.columns]


@pytest.mark.gen_test
async def test_a_step_is_answered_from_the_log(log: Log, pool: Executor) -> None:
    """Every step of the clock that the range touches; one without a reading is null."""
    view = await recorded(log, [*range(25), *range(50, 70)])
    history = History(log.columns, view, pool)
    start, end = START + 5 * SECOND, START + 69 * SECOND
    table = await ask(history, [1], start, end, 600, step=10 * SECOND, fn="count")
    answer = told(table)
    assert (answer["step"], answer["fn"], answer["tier"]) == (10, "count", "raw")
    assert (answer["from"], answer["to"]) == (
        "2025-11-24T16:00:00.000000Z",
        "2025-11-24T16:01:10.000000Z",
    )
    (one,) = answer["series"]
    assert one["at"] == [1_764_000_000 + second for second in range(0, 70, 10)]
    assert one["value"] == [10, 10, 5, None, None, 10, 10]


@pytest.mark.gen_test
@pytest.mark.parametrize("fn", FUNCTIONS)
async def test_every_tier_gives_the_answer_of_the_readings(pool: Executor, fn: Fn) -> None:
    """Whatever it is read from, and in however many slices; only what it was read from is told."""
    tape = days_of(3)
    raw = History(tape.read, tape.view, pool)
    tiered = History(tape.read, tape.view, pool, buckets=tape.buckets)
    start, end = START + HOUR + 7, START + 70 * HOUR
    for step, tier in ((HOUR, "3600s"), (300 * SECOND, "60s"), (90 * SECOND, "10s")):
        wanted = await ask(raw, [1, 2], start, end, 600, step=step, fn=fn)
        found = await ask(tiered, [1, 2], start, end, 600, step=step, fn=fn)
        assert (wanted.about["tier"], found.about["tier"]) == ("raw", tier)
        for one, other in zip(found.columns, wanted.columns, strict=True):
            np.testing.assert_array_equal(one.at, other.at)
            if fn in ("rate", "increase"):
                # Of a saw, buckets cannot know each fall; of a counter they know its one reset.
                one, other = found.columns[1], wanted.columns[1]
            np.testing.assert_allclose(one.value, other.value)


@pytest.mark.gen_test
@pytest.mark.parametrize("fn", ["avg", "increase"])
async def test_steps_do_not_show_where_slices_meet(
    pool: Executor, fn: Fn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range read in a hundred parts is the same as in one."""
    tape = days_of(2)
    history = History(tape.read, tape.view, pool)
    asked: tuple[Any, ...] = ([1, 2], START, START + 47 * HOUR, 600, 700 * SECOND, fn)
    wanted = of(await ask(history, *asked))
    few = len(tape.read_spans)
    monkeypatch.setattr("realtime.history.SLICE_CELLS", 1_400)
    tape.read_spans.clear()
    assert of(await ask(history, *asked)) == wanted
    assert len(tape.read_spans) > 40 * few


@pytest.mark.gen_test
async def test_the_tier_is_picked_by_the_points(pool: Executor) -> None:
    """Readings while they are cheap; then the coarsest that has two points for each one asked."""
    tape = days_of(60, 600)
    history = History(tape.read, tape.view, pool, buckets=tape.buckets)

    def tier(hours: float, points: int, step: int | None = None) -> int:
        end = START + 59 * 24 * HOUR
        return history.ask([1, 2], end - int(hours * HOUR), end, points, step).tier

    assert [tier(1, 600), tier(12, 600), tier(14, 40)] == [0, 0, 60]
    assert [tier(24, 600), tier(48, 10_000), tier(720, 1_000)] == [60, 10, 3_600]
    assert tier(24 * 30, 40_000) == 60
    assert [tier(720, 600, s * SECOND) for s in (90, 120, 7_200, 7_201)] == [10, 60, 3_600, 0]
    assert History(tape.read, tape.view, pool).ask([1], START, START + 720 * HOUR, 9).tier == 0


@pytest.mark.gen_test
async def test_what_retention_took_is_answered_from_what_is_left(pool: Executor) -> None:
    """The range or the step grows to the finest tier that still reaches back so far."""
    tape = days_of(10)
    floors = {0: START + 5 * 24 * HOUR, 10: START + 3 * 24 * HOUR, 60: START + HOUR, 3_600: 0}
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, held=floors.__getitem__)
    recent = START + 9 * 24 * HOUR
    assert history.ask([1], recent, recent + HOUR, 600).tier == 0
    early = START + 4 * 24 * HOUR + 5
    assert history.ask([1], early, early + 60 * SECOND, 600)[1:4] == (
        early - 5,
        early - 5 + 70 * SECOND,
        10,
    )
    asked = history.ask([1], early, early + HOUR, 600, 15 * SECOND)
    assert (asked.tier, asked.step) == (10, 20 * SECOND)
    assert history.ask([1], START, START + HOUR, 600, SECOND).step == HOUR
    table = await ask(history, [1], START, START + 2 * HOUR, 600)
    assert table.about["tier"] == "3600s"


@pytest.mark.parametrize("step", [None, 60 * SECOND])
@pytest.mark.gen_test
async def test_what_is_taken_while_it_is_read_is_asked_anew(
    pool: Executor, step: int | None
) -> None:
    """The answer is the one of the tier that was left whole, and not what was left of the other."""
    tape = days_of(2)
    horizons = {0: 0, 10: 0, 60: 0, 3_600: 0}
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, held=horizons.__getitem__)
    start, end = START + 2 * HOUR, START + 4 * HOUR - 1
    question = history.ask([1], start, end, 600, step, "sum" if step else None)
    whole = await history.answer(question)
    assert question.tier == 0
    at, value = tape.columns[1]
    read = tape.read

    async def late(*asked: Any) -> Columns:
        horizons[0] = start + HOUR
        tape.columns[1] = at[at >= horizons[0]], value[at >= horizons[0]]
        found = await read(*asked)
        tape.columns[1] = at, value  # rollups have them still
        return found

    history = History(late, tape.view, pool, buckets=tape.buckets, held=horizons.__getitem__)
    answer = await history.answer(question)
    assert answer.about["tier"] == "10s"
    if step:
        assert of(answer) == of(whole)
    else:
        assert max(of(answer)[0][1]) == max(of(whole)[0][1])
    assert len(answer.columns[0].at) and answer.columns[0].at[0] < start + HOUR


@pytest.mark.gen_test
async def test_a_step_is_never_answered_from_half_of_it(pool: Executor) -> None:
    """Not even the first of them, which may begin before the range; nor a rate without what came before."""
    tape = days_of(2)
    horizons = {0: START + HOUR + 30 * SECOND, 10: 0, 60: 0, 3_600: 0}
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, held=horizons.__getitem__)
    late = START + HOUR + 45 * SECOND
    assert history.ask([1], late, late + HOUR, 600).tier == 0
    assert history.ask([1], late, late + HOUR, 600, 60 * SECOND, "sum").tier == 10
    assert history.ask([1], late + 60 * SECOND, late + HOUR, 600, 60 * SECOND, "sum").tier == 0
    assert history.ask([1], late + 60 * SECOND, late + HOUR, 600, 60 * SECOND, "rate").tier == 10


@pytest.mark.gen_test
async def test_buckets_keep_the_peak_of_a_month(pool: Executor) -> None:
    """Thinned from buckets: at most so many points, the spike and the last reading among them."""
    tape = days_of(30, 60)
    history = History(tape.read, tape.view, pool, buckets=tape.buckets)
    for points in (9, 100, 1_000):
        table = await ask(history, [1], START, START + 30 * 24 * HOUR, points)
        assert table.about["tier"] == "3600s"
        ((at, value),) = table.columns
        assert points // 3 < len(at) <= points
        assert value.max() == 1e6
        assert (at[-1], value[-1]) == (tape.columns[1][0][-1], tape.columns[1][1][-1])
        assert (np.diff(at) >= 0).all()


def shelf_of() -> Shelf[Any]:
    return Shelf(time.monotonic, lambda value: int(value.size))


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "asked", [{"points": 400}, {"points": 400, "step": 600 * SECOND, "fn": "increase"}]
)
async def test_only_what_is_not_settled_is_read_again(
    pool: Executor, asked: dict[str, Any]
) -> None:
    """Whoever asks up to now, again and again, has the settled part read once."""
    tape = days_of(3)
    shelf = shelf_of()
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, shelf=shelf)
    plain = History(tape.read, tape.view, pool, buckets=tape.buckets)
    newest = int(tape.columns[1][0][-1])
    lengths = []
    for _ in range(10):
        newest += 30 * SECOND
        tape.add(1, newest, 5.0)
        tape.add(2, newest, 1e9)
        tape.read_spans.clear()
        found = await ask(history, [1, 2], newest - 70 * HOUR, newest, **asked)
        lengths.append(sum(end - start for _, start, end in tape.read_spans))
        wanted = await ask(plain, [1, 2], newest - 70 * HOUR, newest, **asked)
        if "fn" in asked:
            assert of(found) == of(wanted)
        for (at, value), (_, other) in zip(found.columns, wanted.columns, strict=True):
            assert (np.nanmin(value), np.nanmax(value)) == (np.nanmin(other), np.nanmax(other))
            assert (np.diff(at) >= 0).all()
            assert len(at) <= 430
    assert lengths[0] > 69 * HOUR
    assert max(lengths[1:]) < 20 * HOUR
    assert shelf.stats().misses == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("points", [40_000, 5_000])
async def test_a_range_kept_in_parts_is_exact(pool: Executor, points: int) -> None:
    """As many readings as points come whole and in order, from wherever the parts begin."""
    tape = days_of(1, 2)
    history = History(tape.read, tape.view, pool, shelf=shelf_of())
    end = int(tape.columns[1][0][-1])
    for start in (end - 20 * HOUR - 1, end - 20 * HOUR + 7 * SECOND):
        (at, value), _ = (await ask(history, [1, 2], start, end, points)).columns
        inside = slice(np.searchsorted(tape.columns[1][0], start), None)
        if points > 36_000:
            np.testing.assert_array_equal(at, tape.columns[1][0][inside])
            np.testing.assert_array_equal(value, tape.columns[1][1][inside])
        else:
            assert points // 2 < len(at) <= points
            assert at[0] == tape.columns[1][0][inside][0]
    assert tape.read_spans[-1][1] > end - 4 * HOUR


@pytest.mark.gen_test
async def test_a_late_reading_is_never_missed(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settled or not, whatever comes and is asked in whatever order: the shelf is never wrong."""
    tape = days_of(2)
    shelf = shelf_of()
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, shelf=shelf)
    plain = History(tape.read, tape.view, pool, buckets=tape.buckets)
    monkeypatch.setattr("realtime.history.WORTH_CELLS", 100)
    random = np.random.default_rng(3)
    newest = int(tape.columns[1][0][-1])
    outdated = 0
    for turn in range(60):
        newest += 7 * SECOND
        late = 0 if turn % 4 else int(random.integers(0, 40 * HOUR))
        event = tape.add(int(random.integers(1, 3)), newest - late, float(turn))
        tags = history.outdated([event])
        outdated += len(tags)
        shelf.invalidate(tags)
        for fn in ("sum", "last"):
            start, end = newest - int(random.integers(45, 47)) * HOUR, newest - turn % 2 * HOUR
            asked: tuple[Any, ...] = ([1, 2], start, end, 600, 300 * SECOND, fn)
            assert of(await ask(history, *asked)) == of(await ask(plain, *asked))
    assert 5 < outdated <= 15
    assert shelf.stats().hits > 10


@pytest.mark.gen_test
async def test_what_was_spelled_before_says_the_same(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever range is asked, whatever comes, late or not: the numbers are those of the readings, and of what is
    settled none is read twice."""
    tape = days_of(1, 2)
    tape.hold(np.arange(7, 9_000, 3) * SECOND + START + 14 * HOUR, np.arange(2_998.0), source="far")
    shelf = shelf_of()
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, shelf=shelf)
    plain = History(tape.read, tape.view, pool, buckets=tape.buckets)
    random = np.random.default_rng(5)
    newest = int(tape.columns[1][0][-1])
    spelled = 0
    for turn in range(60):
        if turn == 30:  # the others are spelled in a thread
            monkeypatch.setattr("realtime.history.SPELLED", 0)
        newest += 7 * SECOND
        late = 0 if turn % 4 else int(random.integers(0, 2 * HOUR))
        shelf.invalidate(history.outdated([tape.add(1 + turn % 3, newest - late, turn / 7)]))
        length = int(random.integers(1, 2 * HOUR))
        start = newest - length - int(random.integers(0, HOUR)) * (turn % 2)
        question = history.ask([3, 1, 2], start, start + length, 8_000)
        found, wanted = await history.answer(question, spelled=True), await plain.answer(question)
        assert told(found) == told(wanted)
        spelled += bool(found.spelled)
        tape.read_spans.clear()
        again = await history.answer(question, spelled=True)
        assert told(again) == told(wanted)
        if found.spelled:
            assert page(again, "", JSON).etag == page(found, "", JSON).etag
            assert all(end - begin <= 420 * SECOND for _, begin, end in tape.read_spans)
    assert spelled > 40


@pytest.mark.gen_test
async def test_what_is_to_be_thinned_is_not_spelled_before(pool: Executor) -> None:
    """More readings than points, steps, and buckets: the answer is the usual one."""
    tape = days_of(1, 2)
    history = History(tape.read, tape.view, pool, buckets=tape.buckets, shelf=shelf_of())
    newest = int(tape.columns[1][0][-1])
    for question in (
        history.ask([1, 2], newest - HOUR, newest, 100),
        history.ask([1, 2], newest - HOUR, newest, 4_000, 60 * SECOND, "sum"),
        history.ask([1, 2], newest - 20 * HOUR, newest, 4_000),
    ):
        found = await history.answer(question, spelled=True)
        assert not found.spelled and len(found.columns) == 2
    # More often than once a second: only the readings themselves tell that they are too many.
    at = np.arange(0, 600 * SECOND, SECOND // 4) + newest - 3_000 * SECOND
    tape.hold(at, np.arange(2_400.0), source="quick")
    question = history.ask([3], int(at[0]), int(at[-1]), 700)
    found = await history.answer(question, spelled=True)
    assert not found.spelled and len(found.columns[0].at) <= 700


@pytest.mark.gen_test
async def test_what_comes_late_while_blocks_are_read_is_not_missed(pool: Executor) -> None:
    """All blocks are asked for before the first is read: none is kept that may lack it."""
    tape = days_of(1, 2)
    shelf = shelf_of()
    gate = asyncio.Event()

    async def read(source: str, ids: Sequence[int], start: int, end: int) -> Columns:
        found = await tape.read(source, ids, start, end)
        await gate.wait()
        return found

    history = History(read, tape.view, pool, shelf=shelf)
    newest = int(tape.columns[1][0][-1])
    question = history.ask([1, 2], newest - 2 * HOUR, newest - HOUR, 4_000)
    asked = [asyncio.create_task(history.answer(question, spelled=True)) for _ in range(2)]
    await asyncio.sleep(0.01)
    shelf.invalidate(history.outdated([tape.add(1, newest - 2 * HOUR + 77, 5.5)]))
    asked[0].cancel()
    gate.set()
    assert (await asked[1]).spelled
    found = await history.answer(question, spelled=True)
    assert 5.5 in told(found)["series"][0]["value"]


@pytest.mark.gen_test
async def test_settled_is_what_only_a_late_reading_can_change(pool: Executor) -> None:
    """Two minutes behind the newest reading; a lost source holds nobody up."""
    tape = days_of(1)
    tape.hold(np.array([START, START + HOUR]), np.array([1.0, 2.0]), source="gone")
    history = History(tape.read, tape.view, pool, shelf=shelf_of())
    newest = int(tape.columns[1][0][-1])

    def settled(ids: list[int], end: int) -> tuple[bool, set[str]]:
        question = history.ask(ids, START, end, 600)
        return history.settled(question), history.tags(question)

    assert settled([1], newest) == (False, {"series:host", "metrics:host"})
    assert settled([1], newest - 121 * SECOND) == (True, {"series:host", "late:host"})
    assert settled([1, 3], newest - 121 * SECOND)[0] is False
    tape.view.sources["gone"].state = "lost"
    assert settled([1, 3], newest - 121 * SECOND)[0] is True
    late = tape.add(3, START + 2 * HOUR, 1.0)
    assert history.outdated([late]) == {"late:gone"}
    assert history.outdated([late]) == set()
    bare = History(tape.read, tape.view, pool)
    assert bare.settled(bare.ask([1], START, newest - HOUR, 600)) is False


@pytest.mark.gen_test
async def test_columns_are_there_for_other_languages(pool: Executor) -> None:
    """By matchers: the readings, or the last of each step at its own time, from whatever tier fits."""
    tape = days_of(3)
    history = History(tape.read, tape.view, pool, buckets=tape.buckets)
    matchers = [Selector.parse('load{n=~"1|2"}')]
    start, end = START + HOUR, START + 70 * HOUR
    at, value = (await history.columns(matchers, start, end))[1]
    wanted = slice(*np.searchsorted(tape.columns[1][0], [start, end]))
    np.testing.assert_array_equal(at, tape.columns[1][0][wanted])
    np.testing.assert_array_equal(value, tape.columns[1][1][wanted])
    tape.read_spans.clear()
    thin = await history.columns(matchers, start, end, HOUR)
    assert {tier for tier, _, _ in tape.read_spans} == {3_600}
    whole = lasts(at, value, HOUR)
    np.testing.assert_array_equal(thin[1].at, whole.at)
    np.testing.assert_array_equal(thin[1].value, whole.value)
    assert await history.columns([Selector.parse("none")], start, end) == {}


@pytest.mark.gen_test
async def test_more_readings_than_memory_should_hold_are_refused(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads columns is told to ask for less."""
    tape = days_of(3)
    history = History(tape.read, tape.view, pool)
    monkeypatch.setattr("realtime.history.MOST_READ", 5_000)
    with pytest.raises(TooMuch, match="5,000"):
        await history.columns([Selector.parse("load")], START, START + 70 * HOUR)


@pytest.mark.gen_test
async def test_too_many_steps_are_refused_with_one_that_would_do(pool: Executor) -> None:
    """The step named in the refusal is taken."""
    tape = days_of(30, 600)
    history = History(tape.read, tape.view, pool)
    with pytest.raises(BadInput) as refused:
        history.ask([1], START, START + 720 * HOUR, 600, SECOND)
    assert fields(refused) == ["step"]
    assert "a step of 60 s" in refused.value.errors[0].detail
    assert history.ask([1], START, START + 720 * HOUR, 600, 60 * SECOND).step == 60 * SECOND
    assert history.ask([1], START, START + 720 * HOUR, 600, None, "max").step == 2 * HOUR


@pytest.mark.gen_test
async def test_series_that_come_later_are_found(pool: Executor) -> None:
    """A selector is held against each series once, and new ones are not forgotten."""
    tape = days_of(1, 600)
    history = History(tape.read, tape.view, pool)
    assert await history.find(["load"]) == [1, 2]
    tape.hold(np.array([START]), np.array([1.0]), source="other")
    assert await history.find(["load"]) == [1, 2, 3]
    assert await history.find(["load", '{source="other"}']) == [1, 2, 3]
    assert await history.find(['{source="other"}']) == [3]


@pytest.mark.gen_test
async def test_a_hundred_thousand_series_are_searched_by_turns(pool: Executor) -> None:
    """Law loop-never-blocks: fifty patterns over all of them leave the loop its turns."""
    view = View()
    many = [Series(n + 1, "load", {"n": str(n)}) for n in range(30_000)]
    evolve(view, Event(1, START, "host", Declared(many)))
    history = History(Tape().read, view, pool)
    patterns = [f'{{n=~"{n}9.*7"}}' for n in range(50)]
    work = asyncio.ensure_future(history.find(patterns))
    longest = await longest_hold(work.done)
    with pytest.raises(BadInput):
        await work
    assert longest < 0.05
