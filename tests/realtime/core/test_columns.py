"""Columns come together on one axis without inventing a reading or hiding a silence."""

import math
import struct

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.columns import NOTHING, SECOND, Column, align, broken, numbers, seconds

START = 1_764_000_000 * SECOND


def column(*readings: tuple[float, float]) -> Column:
    at = [START + round(second * SECOND) for second, _ in readings]
    return Column(np.array(at, np.int64), np.array([value for _, value in readings], np.float64))


def shown(value: np.ndarray) -> list[float | None]:
    return [None if math.isnan(one) else one for one in value.tolist()]


@given(st.lists(st.floats(allow_infinity=False, allow_nan=False)))
def test_numbers_are_the_same_doubles_after_json(values: list[float]) -> None:
    """Every finite double comes back bit for bit, -0.0 and the integers above 2**53 included."""
    told = msgspec.json.decode(msgspec.json.encode(numbers(np.array(values, np.float64))))
    assert [struct.pack("d", float(one)) for one in told] == [
        struct.pack("d", value) for value in values
    ]


def test_numbers_are_canonical() -> None:
    """Integral values are ints where a double is sure of them; what is missing is None."""
    value = np.array([1.0, 0.5, np.nan, -0.0, 0.0, 2.0**53, 2.0**54])
    told = numbers(value)
    assert told[:3] == [1, 0.5, None]
    assert [type(one) for one in told] == [int, float, type(None), float, int, int, float]
    assert [type(one) for one in numbers(np.array([1.0, 2.0]))] == [int, int]


@given(st.integers(0, 4_102_444_800 * SECOND))
def test_seconds_are_true_to_the_microsecond(at: int) -> None:
    """Rounding the seconds gives the microsecond back."""
    (second,) = seconds(np.array([at], np.int64))
    assert abs(second * SECOND - at) < 0.5


def test_series_of_one_tick_keep_their_axis() -> None:
    """Columns that share their times are laid side by side as they are."""
    at, values = align([column((0, 1), (1, 2)), column((0, 5), (1, 6))])
    assert seconds(at) == [1_764_000_000, 1_764_000_001]
    assert [shown(value) for value in values] == [[1, 2], [5, 6]]


def test_what_was_not_read_is_missing() -> None:
    """A series that joins later, or missed a tick, has no reading there; an empty one has none."""
    late = column((2, 5), (4, 6), (5, 7), (6, 8))
    at, values = align([column(*((second, second) for second in range(7))), late, NOTHING])
    assert len(at) == 7
    assert shown(values[1]) == [None, None, 5, None, 6, 7, 8]
    assert shown(values[2]) == [None] * 7


def test_a_series_read_at_other_moments_is_carried_at_its_own_pace() -> None:
    """Two tickers that never meet both stay drawn; where one missed a beat its gap stays."""
    one = column((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
    other = column((0.4, 10), (1.4, 20), (3.4, 40), (4.4, 50))
    at, values = align([one, other])
    assert len(at) == 9
    assert shown(values[0]) == [1, 1, 2, 2, 3, 4, 4, 5, None]
    assert shown(values[1]) == [None, 10, 10, 20, None, None, 40, 40, 50]


def test_of_two_readings_at_one_moment_the_later_holds() -> None:
    """An axis has each moment once."""
    at, values = align([column((0, 1), (1, 2), (1, 3), (2, 4))])
    assert len(at) == 3
    assert shown(values[0]) == [1, 3, 4]


def test_a_silence_breaks_the_line() -> None:
    """Where nobody read anything for long, one empty row stands; at a slow pace nothing is added."""
    at, values = broken(*align([column((0, 1), (1, 2), (2, 3), (60, 4), (61, 5))]))
    assert seconds(at - START) == [0, 1, 2, 3, 60, 61]
    assert shown(values[0]) == [1, 2, 3, None, 4, 5]
    slow = align([column((0, 1), (60, 2), (120, 3))])
    assert len(broken(*slow)[0]) == 3


def test_a_silence_across_two_slices_breaks_the_line_as_well() -> None:
    """The last row of the slice before is what the first row of this one is measured against."""
    at, values = align([column((100, 1), (101, 2), (102, 3))])
    assert len(broken(at, values, START + 99 * SECOND)[0]) == 3
    at, values = broken(at, values, START + 10 * SECOND)
    assert seconds(at - START) == [11, 100, 101, 102]
    assert shown(values[0]) == [None, 1, 2, 3]


def test_a_silence_of_one_source_is_none_of_all() -> None:
    """Sources that tick at almost one moment every ten seconds are silent between for none of them; one that stops
    breaks its own line alone."""
    often = [
        column(*((10 * k, k) for k in range(6))),
        column(*((10 * k + 0.003, k) for k in range(6))),
    ]
    stops = column(*((k, k) for k in range(21)))
    at, values = align(often)
    _, values = broken(at, values, None, often)
    assert not any(np.isnan(value).all() for value in zip(*values, strict=True))
    at, values = align([*often, stops])
    at, values = broken(at, values, None, [*often, stops])
    late = at > START + 20 * SECOND
    assert np.isnan(values[2][late]).all()
    assert not np.isnan(values[0][late & (at < START + 50 * SECOND)]).any()


def test_nothing_aligns_to_nothing() -> None:
    """No readings at all are no rows."""
    at, values = align([NOTHING, NOTHING])
    assert (len(at), len(values)) == (0, 2)
    assert len(broken(at, values)[0]) == 0
