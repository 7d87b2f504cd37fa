"""Answers by the step are what a plain loop over the readings would say."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from realtime.core.columns import SECOND, Column
from realtime.core.steps import (
    LOOKBACK,
    Fn,
    Grid,
    bucket_rates,
    from_buckets,
    from_readings,
    joined,
    lasts,
    outline,
    parse_step,
    rates,
    round_step,
    since,
)

FUNCTIONS = get_args(Fn)
DAY = 86_400 * SECOND
START = 1_764_000_000 * SECOND

Reading = tuple[int, float]


@dataclass
class Folded:
    """Buckets as a tier holds them."""

    at: np.ndarray
    count: np.ndarray
    sum: np.ndarray
    min: np.ndarray
    max: np.ndarray
    last: np.ndarray
    last_at: np.ndarray


def fold(readings: list[Reading], tier: int) -> Folded:
    rows = []
    for begin in sorted({at // tier * tier for at, _ in readings}):
        inside = [(at, value) for at, value in readings if begin <= at < begin + tier]
        values = [value for _, value in inside]
        last_at, last = inside[-1]
        told = (math.fsum(values), min(values), max(values), last, last_at)
        rows.append((begin, len(values), *told))
    columns = list(zip(*rows, strict=True)) or [()] * 7
    kinds = [np.int64, np.int64] + [np.float64] * 4 + [np.int64]
    return Folded(*(np.array(c, dtype=k) for c, k in zip(columns, kinds, strict=True)))


def naive(readings: list[Reading], grid: Grid, fn: Fn) -> list[float | None]:
    """What the documentation says, one step and one reading at a time."""
    answers: list[float | None] = []
    for begin in range(grid.start, grid.beyond, grid.step):
        inside = [one for one in readings if begin <= one[0] < begin + grid.step]
        values = [value for _, value in inside]
        if not inside:
            answers.append(None)
        elif fn in ("rate", "increase"):
            before = [one for one in readings if begin - grid.lookback <= one[0] < begin]
            counted = before[-1:] + inside
            risen = [b if b < a else b - a for (_, a), (_, b) in pairwise(counted)]
            passed = (counted[-1][0] - counted[0][0]) / SECOND
            if not risen or (fn == "rate" and not passed):
                answers.append(None)
            else:
                answers.append(math.fsum(risen) / (passed if fn == "rate" else 1))
        else:
            answers.append(
                {
                    "last": values[-1],
                    "avg": math.fsum(values) / len(values),
                    "min": min(values),
                    "max": max(values),
                    "sum": math.fsum(values),
                    "count": len(values),
                }[fn]
            )
    return answers


def columns(readings: list[Reading]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([at for at, _ in readings], dtype=np.int64),
        np.array([value for _, value in readings], dtype=np.float64),
    )


def same(found: np.ndarray, wanted: list[float | None], scale: float) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found.tolist(), wanted, strict=True):
        if other is None:
            assert math.isnan(one)
        else:
            assert one == pytest.approx(other, rel=1e-9, abs=1e-9 * scale)


@st.composite
def questions(draw: st.DrawFn, values: st.SearchStrategy[float]) -> tuple[list[Reading], Grid]:
    """Readings with bursts, silences and equal times; a grid that starts among them or before."""
    step = draw(st.sampled_from([1, 7, 10, 60, 300, 3_600])) * SECOND
    pace = st.sampled_from([0, 1, SECOND // 3, SECOND, 9 * SECOND, 61 * SECOND, 700 * SECOND])
    at = START + draw(st.integers(0, step))
    readings = []
    for wait, value in draw(st.lists(st.tuples(pace, values), max_size=60)):
        at += wait
        readings.append((at, float(value)))
    first = START + draw(st.integers(-3 * step, 10 * step))
    grid = Grid.over(first, first + draw(st.integers(1, 200 * step)), step)
    return readings, grid


ANY = st.floats(-1e6, 1e6) | st.integers(-5, 5)
COUNTER = st.integers(0, 50)


@pytest.mark.parametrize("fn", FUNCTIONS)
@given(question=questions(ANY))
def test_readings_by_the_step_are_what_a_plain_loop_says(fn, question):
    """Every function, whatever the readings; a step without a reading has no answer."""
    readings, grid = question
    same(from_readings(*columns(readings), grid, fn), naive(readings, grid, fn), 6e7)


@pytest.mark.parametrize("fn", ["last", "avg", "min", "max", "sum", "count"])
@given(question=questions(ANY), parts=st.sampled_from([1, 2, 5]))
def test_buckets_say_what_their_readings_say(fn, question, parts):
    """A tier that divides the step loses nothing."""
    readings, grid = question
    if grid.step % parts:
        parts = 1
    found = from_buckets(fold(readings, grid.step // parts), grid, fn)
    same(found, naive(readings, grid, fn), 6e7)


@given(question=questions(COUNTER), parts=st.sampled_from([1, 2, 5]))
def test_buckets_never_claim_more_growth_than_the_readings(question, parts):
    """Of a counter that resets as it likes; where readings know no growth, buckets know none."""
    readings, grid = question
    if grid.step % parts:
        parts = 1
    found = from_buckets(fold(readings, grid.step // parts), grid, "increase")
    wanted = naive(readings, grid, "increase")
    for one, other in zip(found.tolist(), wanted, strict=True):
        if other is None:
            assert math.isnan(one)
        elif not math.isnan(one):
            assert 0 <= one <= other + 1e-6


@given(
    question=questions(st.integers(1, 9)),
    fallen=st.integers(0, 60),
    fn=st.sampled_from(["rate", "increase"]),
)
def test_buckets_know_a_single_reset(question, fallen, fn):
    """A counter that grows, begins again once, and does not pass its old height: as from readings."""
    steps, grid = question
    # Two readings of one moment have no time between them to divide by: buckets cannot tell them apart.
    assume(len({at for at, _ in steps}) == len(steps))
    total, readings = 1_000.0, []
    for place, (at, grown) in enumerate(steps):
        total = 0.0 if place == fallen else total + grown
        readings.append((at, total))
    # The beginning is known: without it a bucket cannot tell what came first in it.
    readings = [(at, value) for at, value in readings if at >= grid.start]
    first = [(grid.start - SECOND, 1_000.0)]
    readings = first + readings
    found = from_buckets(fold(readings, grid.step), grid, fn)
    wanted = naive(readings, grid, fn)
    for one, other, begin in zip(found.tolist(), wanted, grid.axis().tolist(), strict=True):
        known = [at for at, _ in readings if begin - grid.lookback <= at < begin]
        if known or other is None:
            same(np.array([one]), [other], 1e6)


def test_increases_add_up_to_the_whole():
    """Nothing is lost at the border of two steps, and a reset in the middle is no loss either."""
    at = START + np.arange(0, 600, 7) * SECOND
    value = np.arange(len(at), dtype=np.float64) * 3
    value[40:] -= value[40]
    grid = Grid.over(START, START + 600 * SECOND, 60 * SECOND)
    whole = 39 * 3 + (len(at) - 41) * 3
    assert np.nansum(from_readings(at, value, grid, "increase")) == whole
    rates = from_readings(at, value, grid, "rate")
    assert rates[-1] == pytest.approx(3 / 7)


def test_a_step_that_has_only_begun_has_the_rate_of_the_others():
    """The rate is over the time that was measured, not over the whole step."""
    at = START + np.arange(0, 65) * SECOND
    grid = Grid.over(START, int(at[-1]) + 1, 60 * SECOND)
    assert from_readings(at, np.arange(65.0), grid, "rate").tolist() == [1, 1]
    assert from_readings(at, np.arange(65.0), grid, "increase").tolist() == [59, 5]


def test_growth_across_a_silence_is_not_claimed():
    """A recorder that was off for an hour makes no spike in the first step afterwards."""
    late = START + 12 * LOOKBACK
    at = np.array([START, late, late + 10 * SECOND])
    grid = Grid.over(START, late + 60 * SECOND, 60 * SECOND)
    found = from_readings(at, np.array([0.0, 1e9, 1e9 + 5]), grid, "increase")
    assert found[-1] == 5
    assert np.isnan(found[:-1]).all()


@pytest.mark.parametrize("fn", FUNCTIONS)
def test_nothing_is_nothing(fn):
    """No readings, or none within: every step is a gap."""
    grid = Grid.over(START, START + 60 * SECOND, 10 * SECOND)
    none: list[Reading] = []
    for readings in (none, [(START - DAY, 1.0)], [(START + DAY, 1.0)]):
        assert np.isnan(from_readings(*columns(readings), grid, fn)).all()
        assert np.isnan(from_buckets(fold(readings, SECOND * 10), grid, fn)).all()


@pytest.mark.parametrize("fn", FUNCTIONS)
def test_what_no_double_holds_is_a_gap_and_no_warning(fn):
    """Sums beyond 1.8e308 have no number; an average has one all the same."""
    readings = [(START, 1.7e308), (START + 1, 1.7e308), (START + 2, -1.7e308), (START + 3, 1.7e308)]
    grid = Grid.over(START, START + SECOND, SECOND)
    (found,) = from_readings(*columns(readings), grid, fn).tolist()
    if fn == "avg":
        assert found == pytest.approx(0.85e308)
    elif fn in ("sum", "rate", "increase"):
        assert math.isnan(found)
    else:
        assert math.isfinite(found)


@given(question=questions(ANY))
def test_the_last_of_each_step_is_a_reading_at_its_own_time(question):
    """What an evaluation at steps would look back at."""
    readings, grid = question
    found = lasts(*columns(readings), grid.step)
    wanted = {at // grid.step: (at, value) for at, value in readings}
    assert list(zip(found.at.tolist(), found.value.tolist(), strict=True)) == list(wanted.values())


@given(question=questions(ANY), tier=st.sampled_from([10, 60]))
def test_an_outline_keeps_every_peak_in_its_bucket(question, tier):
    """Sorted, within the bucket, lowest and highest of each; the last reading ends it."""
    readings, _ = question
    buckets = fold(readings, tier * SECOND)
    found = outline(buckets, 0, 2 * START)
    assert (np.diff(found.at) >= 0).all()
    home = found.at // (tier * SECOND) * tier * SECOND
    for begin, low, high in zip(buckets.at, buckets.min, buckets.max, strict=True):
        inside = found.value[home == begin]
        assert (inside.min(), inside.max()) == (low, high)
    if readings:
        assert (found.at[-1], found.value[-1]) == readings[-1]
    points = set(zip(found.at.tolist(), found.value.tolist(), strict=True))
    assert all(
        (at, low) in points
        for at, low, count in zip(buckets.last_at, buckets.min, buckets.count, strict=True)
        if count == 1
    )


def test_lone_readings_and_constants_are_drawn_as_they_are():
    """A bucket of one reading is exact, a constant is one point, and a gap stays empty."""
    readings = [(START + 3, 5.0)]
    readings += [(START + DAY + second * SECOND, 7.0) for second in range(20)]
    found = outline(fold(readings, 10 * SECOND), START, START + 2 * DAY)
    assert found.at.tolist() == [START + 3, START + DAY + 9 * SECOND, START + DAY + 19 * SECOND]
    assert found.value.tolist() == [5, 7, 7]
    assert not len(outline(fold(readings, 10 * SECOND), START + DAY // 2, START + DAY).at)


def test_steps_lie_on_the_clock():
    """The same step has the same borders, whatever range is asked."""
    grid = Grid.over(START + 61 * SECOND, START + 119 * SECOND, 60 * SECOND)
    assert grid == (START + 60 * SECOND, 60 * SECOND, START + 120 * SECOND)
    assert grid.length == len(grid.axis()) == 1
    assert Grid.over(START, START + 60 * SECOND, 60 * SECOND).length == 1


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("60", 60 * SECOND),
        ("0.5", SECOND // 2),
        ("250ms", SECOND // 4),
        ("15s", 15 * SECOND),
        ("1.5m", 90 * SECOND),
        ("1h", 3_600 * SECOND),
        ("2d", 2 * DAY),
        (" 1w ", 7 * DAY),
    ],
)
def test_a_step_can_be_written(text, step):
    """Seconds, or a number with a unit."""
    assert parse_step(text) == step


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "1y", "five", "1e3", "0.1ms", "367d", "9" * 60, "٣s"]
)
def test_what_is_no_step_is_told(text):
    """With what would do."""
    with pytest.raises(ValueError, match="use seconds"):
        parse_step(text)


@pytest.mark.parametrize(
    ("least", "step"), [(1, 1), (SECOND, 1), (SECOND + 1, 2), (31 * SECOND, 60), (DAY, 86_400)]
)
def test_a_round_step_is_long_enough(least, step):
    """Seconds, minutes, hours, days."""
    assert round_step(least) == step * SECOND
    assert round_step(DAY + 1) == 2 * DAY


def test_a_rate_stands_at_each_reading_since_the_one_before():
    """Resets and silences as by the step; two readings at one moment, and what no double holds, have none."""
    at = np.array([0, 1, 3, 3, 4, 400, 401]) * SECOND
    value = np.array([10.0, 12, 18, 19, 5, 6, 13])
    told = rates(Column(at, value))
    assert told.at.tolist() == [1 * SECOND, 3 * SECOND, 4 * SECOND, 401 * SECOND]
    assert told.value.tolist() == [2, 3, 5, 7]
    assert len(rates(Column(at[:2], np.array([-1.7e308, 1.7e308]))).at) == 0
    for count in (0, 1):
        assert len(rates(Column(at[:count], value[:count])).at) == 0


@pytest.mark.parametrize("tier", [10, 60])
def test_buckets_have_the_rate_of_their_readings(tier):
    """Of even growth the very same; a bucket of one reading has it since the bucket before."""
    grown = bucket_rates(evenly(4, tier))
    assert set(grown.max) == set(grown.min) == set(grown.last) == {2.0}
    assert grown.last_at[-1] == 596 * SECOND and len(grown.at) == 600 // tier
    lone = bucket_rates(evenly(tier, tier))
    assert lone.at.tolist() == [at * SECOND for at in range(tier, 600, tier)]
    assert set(lone.last) == {2.0}


def evenly(pace_s: int, tier_s: int) -> Folded:
    """Ten minutes of a counter that grows by two a second."""
    return fold([(at * SECOND, at * 2.0) for at in range(0, 600, pace_s)], tier_s * SECOND)


def test_buckets_are_joined_and_cut():
    """In order, and any number of them from either end."""
    whole = evenly(5, 10)
    again = joined(since(whole, 0), since(whole, -2))
    assert again.at.tolist() == [*whole.at.tolist(), *whole.at[-2:].tolist()]
    assert since(again, 3).last.tolist() == again.last[3:].tolist()
