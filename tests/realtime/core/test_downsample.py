"""Downsampling may drop points, never the truth: what stands out still stands out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.downsample import Times, Values, cut, peaks, rows

POINTS = st.integers(4, 60)
Table = tuple[Times, list[Values]]
VALUES = st.floats(allow_nan=False, allow_infinity=False, width=64)
HOLES = st.one_of(VALUES, st.just(float("nan")), st.sampled_from([0.0, 1.0]))


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[float], width: int) -> Table:
    """Irregular times, repeats and long silences included, with `width` columns of one length."""
    steps = draw(
        st.lists(st.sampled_from([0, 1, 1, 7, 1_000_000, 10**12]), min_size=1, max_size=200)
    )
    at = np.cumsum(np.array(steps, dtype=np.int64)) + 1_700_000_000_000_000
    column = st.lists(cell, min_size=len(steps), max_size=len(steps))
    return at, [np.array(draw(column), dtype=np.float64) for _ in range(width)]


@given(tables(VALUES, 1), POINTS)
def test_ends_and_extremes_of_a_series_survive(table: Table, points: int) -> None:
    """At most `points` sorted, distinct indices; first, last, lowest and highest are among them."""
    at, (value,) = table
    kept = peaks(at, value, points)
    assert len(kept) <= points
    assert np.all(np.diff(kept) > 0)
    assert {0, len(at) - 1} <= set(kept.tolist())
    assert value[kept].min() == value.min()
    assert value[kept].max() == value.max()


@given(tables(VALUES, 1), POINTS)
def test_a_short_series_comes_back_whole(table: Table, points: int) -> None:
    """Nothing is dropped from a series that has no more than `points`."""
    at, value = table[0][:points], table[1][0][:points]
    assert peaks(at, value, points).tolist() == list(range(len(at)))


@given(st.integers(0, 99), st.integers(200, 5_000))
def test_every_pixel_column_keeps_its_spike(place: int, length: int) -> None:
    """A one-sample spike anywhere is kept, though a higher one stands elsewhere."""
    at = np.arange(length, dtype=np.int64) * 1_000_000
    value = np.sin(np.arange(length))
    spike = length * place // 100
    value[spike] = 50.0
    value[(spike + length // 2) % length] = 90.0
    kept = peaks(at, value, 202)
    assert spike in kept


def test_buckets_are_of_time_not_of_count() -> None:
    """A thousand readings in one second do not take the detail from the quiet hour after it."""
    burst = np.arange(1_000, dtype=np.int64) * 1_000
    quiet = 1_000_000 + np.arange(1, 3_600, dtype=np.int64) * 1_000_000
    at = np.concatenate([burst, quiet])
    kept = peaks(at, np.random.default_rng(1).random(len(at)), 400)
    assert (kept < 1_000).sum() < 10
    assert np.diff(at[kept]).max() < 40_000_000


def test_equal_times_still_keep_the_extremes() -> None:
    """A series whose times are all the same has one bucket, and its extremes are kept."""
    value = np.arange(100, dtype=np.float64)
    value[40], value[60] = -5.0, 500.0
    assert peaks(np.zeros(100, dtype=np.int64), value, 8).tolist() == [0, 40, 60, 99]


@given(tables(HOLES, 3), POINTS)
def test_every_column_of_a_chart_keeps_its_own(table: Table, points: int) -> None:
    """Whole rows, sorted; each column keeps its first, last, lowest and highest reading."""
    at, columns = table
    kept = rows(at, columns, points)
    assert np.all(np.diff(kept) > 0)
    assert len(kept) <= points + 2 + 4 * len(columns) + max(4, points // 4)
    for column in columns:
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            assert {known[0], known[-1]} <= set(kept.tolist())
            assert np.nanmin(column[kept]) == np.nanmin(column)
            assert np.nanmax(column[kept]) == np.nanmax(column)


@given(st.integers(1, 4_990), st.integers(1, 3_000))
def test_a_gap_keeps_both_edges(start: int, length: int) -> None:
    """The last reading before a gap, both ends of the gap and the first after it are all kept."""
    at = np.arange(5_000, dtype=np.int64) * 1_000_000
    steady, holed = np.random.default_rng(2).random((2, 5_000))
    end = min(start + length, 4_999)
    holed[start:end] = np.nan
    kept = set(rows(at, [steady, holed], 100).tolist())
    assert {start - 1, start, end - 1, end} <= kept


def test_many_gaps_are_bounded_and_the_longest_is_seen() -> None:
    """A series that comes and goes does not flood the chart; its long silence stays."""
    at = np.arange(20_000, dtype=np.int64) * 1_000_000
    value = np.where(np.arange(20_000) % 2, np.nan, 1.0)
    value[7_000:9_000] = np.nan
    kept = rows(at, [value], 200)
    assert len(kept) <= 200
    assert {6_998, 6_999, 8_999, 9_000} <= set(kept.tolist())


def test_a_column_without_a_reading_is_no_obstacle() -> None:
    """A column that is missing throughout neither fails nor costs more than its edges."""
    at = np.arange(1_000, dtype=np.int64)
    kept = rows(at, [np.full(1_000, np.nan), np.arange(1_000, dtype=np.float64)], 50)
    assert {0, 999} <= set(kept.tolist())
    assert len(kept) <= 50


def test_the_budget_is_used() -> None:
    """Noise fills most of the points asked for: detail is not thrown away for nothing."""
    at = np.arange(50_000, dtype=np.int64) * 1_000_000
    noise = np.random.default_rng(3).random((7, 50_000))
    assert 500 <= len(rows(at, list(noise), 600)) <= 600


@pytest.mark.parametrize("points", [3, 0, -1])
def test_too_few_points_are_refused(points: int) -> None:
    """Fewer than four points cannot keep a series honest, so they are an error."""
    with pytest.raises(ValueError, match="at least 4"):
        peaks(np.arange(9, dtype=np.int64), np.zeros(9), points)


def test_nothing_in_nothing_out() -> None:
    """An empty series gives no indices."""
    assert len(peaks(np.array([], dtype=np.int64), np.array([]), 4)) == 0


@given(tables(HOLES, 2), st.integers(1, 60))
def test_a_part_of_a_range_keeps_its_own(table: Table, buckets: int) -> None:
    """A cut keeps each column's ends and extremes, in all and in each bucket of time."""
    at, columns = table
    kept = cut(at, columns, buckets)
    assert np.all(np.diff(kept) > 0)
    for column in columns:
        known = np.flatnonzero(~np.isnan(column))
        if len(known):
            assert {known[0], known[-1]} <= set(kept.tolist())
            assert np.nanmin(column[kept]) == np.nanmin(column)
            assert np.nanmax(column[kept]) == np.nanmax(column)


def test_a_cut_keeps_the_extremes_of_each_bucket() -> None:
    """Ten buckets of a hundred readings each: the lowest and the highest of all ten are kept."""
    value = np.random.default_rng(4).random(1_000)
    kept = cut(np.arange(1_000, dtype=np.int64), [value], 10)
    assert len(kept) <= 22
    for part in value.reshape(10, 100):
        assert {part.min(), part.max()} <= set(value[kept].tolist())
