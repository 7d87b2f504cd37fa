"""What is drawn from buckets was measured: no height that nobody reached, no peak lost, no gap closed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.core.columns import SECOND
from realtime.core.sketch import sketch
from storage.rollups import Buckets, fold

START = 1_764_000_000 * SECOND


def bucketed(seconds: Any, value: Any, tier: int = 60) -> Buckets:
    at = START + np.asarray(seconds, dtype=np.int64) * SECOND
    return fold(at, np.broadcast_to(np.asarray(value, np.float64), at.shape).copy(), tier)


def rows(at: NDArray[np.int64]) -> list[float]:
    return [float(one - START) / SECOND for one in at]


def test_lines_have_their_lowest_and_their_highest() -> None:
    """Two rows a bucket, in order, and the last reading of all at its own time."""
    value = np.sin(np.arange(180))
    value[77], value[100] = 9.0, -9.0
    at, (line,) = sketch([bucketed(range(180), value)], stacked=False)
    assert (np.diff(at) > 0).all()
    assert rows(at) == [0, 29.5, 60, 89.5, 120, 149.5, 179]
    assert line.tolist() == [
        *(extreme(value[part : part + 60]) for part in (0, 60, 120) for extreme in (min, max)),
        value[-1],
    ]


def test_a_stack_is_never_higher_than_it_was() -> None:
    """Of two that peaked at different moments, the one that rose most is shown as high as it was, and their
    sum as no more than somebody measured; every other row is one that was read."""
    random = np.random.default_rng(3)
    low, high = random.random(600), random.random(600)
    low[77], high[78] = 20.0, 30.0
    _, (first, second) = sketch(
        [bucketed(range(600), low), bucketed(range(600), high)], stacked=True
    )
    total = low + high
    assert second.max() == 30.0 and first[np.argmax(second)] == low[60:120].min()
    for place in range(10):
        part = slice(60 * place, 60 * place + 60)
        assert first[2 * place] + second[2 * place] <= total[part].max()
        assert first[2 * place + 1] == low[part][-1]
        assert second[2 * place + 1] == high[part][-1]


def test_what_does_not_move_or_comes_slowly_is_as_it_was_read() -> None:
    """A bucket of one reading is that reading, at its own time."""
    slow = np.arange(13, 900, 60)
    value = np.arange(len(slow), dtype=np.float64)
    for stacked in (True, False):
        at, (line,) = sketch([bucketed(slow, value)], stacked)
        assert rows(at) == slow.tolist() and line.tolist() == value.tolist()
        at, (line,) = sketch([bucketed(range(120), 4)], stacked)
        assert rows(at) == [59, 119] and line.tolist() == [4, 4]


def test_a_silence_is_a_gap_also_between_two_parts() -> None:
    """A minute's silence of who is read each second is seen though only buckets are left; a step of the
    usual length is none."""
    seconds = [*range(100), *range(170, 600)]
    one = bucketed(seconds, np.arange(530))
    at, (line,) = sketch([one], stacked=False)
    assert rows(at)[np.flatnonzero(np.isnan(line))[0]] == 100
    assert np.isnan(line).sum() == 1 and line[np.flatnonzero(np.isnan(line))[0] - 1] == 99
    cut = int(np.searchsorted(one.at, START + 120 * SECOND))
    rest = one.take(np.arange(len(one.at)) >= cut)
    at, (line,) = sketch([rest], stacked=False, after=START + 99 * SECOND)
    assert rows(at)[:2] == [100, 120] and np.isnan(line[0]) and not np.isnan(line[1:]).any()
    at, (line,) = sketch([rest], stacked=False, after=START + 119 * SECOND)
    assert not np.isnan(line).any()


def test_where_one_of_them_has_nothing_its_line_breaks() -> None:
    """The others go on; one that is read seldom stands until its next reading."""
    whole = bucketed(range(600), np.arange(600))
    half = bucketed([*range(120), *range(480, 600)], np.arange(240))
    seldom = bucketed(range(0, 600, 120), 5)
    at, (one, two, three, four) = sketch([whole, half, None, seldom], stacked=False)
    inside = (at >= START + 120 * SECOND) & (at < START + 480 * SECOND)
    assert not np.isnan(one).any()
    assert np.isnan(two[inside]).all() and not np.isnan(two[~inside]).any()
    assert np.isnan(three).all()
    assert set(four[at < START + 540 * SECOND]) == {5.0}


def test_nothing_gives_no_rows() -> None:
    """No series, or none with a bucket."""
    assert sketch([], stacked=True)[1] == []
    at, (line, other) = sketch([None, bucketed([], 0)], stacked=True)
    assert len(at) == len(line) == len(other) == 0


def test_numbers_at_the_edge_of_what_a_double_holds_are_drawn() -> None:
    """Nothing is added up that has no sum."""
    at, (line,) = sketch([bucketed(range(60), [-1e308, 1.7e308] * 30)], stacked=True)
    assert np.isfinite(line).all() and line.max() == 1.7e308 and len(at) == 2
