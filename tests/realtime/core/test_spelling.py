"""Columns that are cut and joined as JSON say what the columns themselves would, number by number."""

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.columns import Column, numbers, seconds
from realtime.core.spelling import Piece, joined, pieces, size, spelled, within

DOUBLES = st.floats(allow_infinity=False) | st.integers(-(2**53), 2**53).map(float)
TIMES = st.lists(st.integers(0, 4_000_000_000).map(lambda at: at * 250_000), max_size=30)
"""µs: some whole seconds, some not, some twice."""


@st.composite
def tables(draw: st.DrawFn) -> list[Column]:
    """Some series at the same moments, some at others; some that never move."""
    axes = draw(st.lists(TIMES.map(sorted), min_size=1, max_size=2))
    columns = []
    for place in draw(st.lists(st.integers(0, len(axes) - 1), min_size=1, max_size=4)):
        count = len(axes[place])
        told = draw(st.lists(DOUBLES, min_size=count, max_size=count))
        value = np.array(told[:1] * count if draw(st.booleans()) else told, np.float64)
        columns.append(Column(np.array(axes[place], np.int64), value))
    return columns


def cells(told: bytes) -> list[str]:
    """Numbers as they are written: `1` is not `1.0`, and `-0.0` not `0`."""
    plain: list[Any] = msgspec.json.decode(told)
    return [repr(one) for one in plain]


@given(tables(), st.lists(st.integers(0, 10**15), max_size=4), st.data())
def test_in_pieces_it_says_the_same(columns, edges, data):
    """Wherever it is cut in blocks, and whatever range is asked of them: shortest round-trip, bit for bit."""
    start, beyond = sorted(data.draw(st.tuples(*[st.integers(0, 10**15 + 1)] * 2)))
    bounds = [0, *sorted(edges), 10**15 + 1]
    blocks: list[list[Piece]] = []
    for first, last in pairwise(bounds):
        some = []
        for at, value in columns:
            inside = slice(*np.searchsorted(at, (first, last)))
            some.append(Column(at[inside], value[inside]))
        blocks.append(within(pieces(some), start, beyond))
    for (at, value), one in zip(columns, joined(list(zip(*blocks, strict=True))), strict=True):
        inside = slice(*np.searchsorted(at, (start, beyond)))
        assert cells(one.value) == [repr(cell) for cell in numbers(value[inside])]
        assert msgspec.json.decode(one.at) == seconds(at[inside])


def column(*value: float, at: int = 0) -> Column:
    return Column(np.arange(len(value), dtype=np.int64) * 1_000_000 + at, np.array(value, float))


def test_times_that_are_shared_are_one_object():
    """In a piece, in a part of it, and in what is joined: they are told once and held once."""
    some = pieces([column(1, 2, 3), column(4, 5, 6.5), column(7, 8, 9, at=5)])
    assert some[0].at is some[1].at and some[0].times is some[1].times
    assert size(some[:2]) < size([some[0], some[2]])
    parts = within(some, 1_000_000, 2_000_001)
    assert parts[0].at is parts[1].at and parts[0].at == b"1,2"
    one, other, _ = joined([[part, piece] for part, piece in zip(parts, some, strict=True)])
    assert one.at is other.at and one.value == b"[2,3,1,2,3]"


def test_a_mark_stands_for_the_numbers():
    """Equal columns have equal marks, whoever made them; another number, time or part has another one."""
    (first,) = pieces([column(1, 2, 3)])
    (again,) = pieces([column(1, 2, 3)])
    assert first.mark == again.mark
    marks = {one.mark for one in pieces([column(1, 2, 4), column(1, 2, 3, at=1), column(1, 2)])}
    marks |= {one.mark for end in (1, 2) for one in within([first], 0, end * 1_000_000)}
    assert len(marks) == 5 and first.mark not in marks
    (whole,) = within([first], 0, 9_000_000)
    assert whole.mark == first.mark


def test_a_piece_holds_no_more_than_itself():
    """A few readings out of hours do not keep the hours in memory."""
    at, value = column(*range(10_000))
    (piece,) = pieces([Column(at[5:9], value[5:9])])
    assert piece.times.base is None and len(piece.times) == 4


def test_what_never_moved_is_spelled_once():
    """And told every time."""
    assert spelled(np.array([-0.0, -0.0, -0.0])) == b"[-0.0,-0.0,-0.0]"
    assert spelled(np.array([0.5])) == b"[0.5]"
    assert spelled(np.array([])) == b"[]"
