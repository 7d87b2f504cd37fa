"""Columns laid end to end come back from where the directory says they lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import Damaged
from storage.strips import STRIP_BYTES, cut, read


@given(
    st.dictionaries(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=9000), max_size=12)
)
def test_each_column_lies_where_the_directory_says(columns):
    """Whatever their number and lengths; no strip is empty, and none goes on behind the column that fills it."""
    directory, strips = cut(columns)
    places = read(directory)
    assert list(places) == sorted(columns)
    assert {id_: strips[at.strip][at.begin : at.end] for id_, at in places.items()} == columns
    assert all(strips)
    for place in places.values():
        assert place.begin < STRIP_BYTES
    assert sum(map(len, strips)) == sum(map(len, columns.values()))


@given(
    st.dictionaries(st.integers(0, 99), st.binary(min_size=1, max_size=9), min_size=1), st.data()
)
def test_a_damaged_directory_is_named(columns, data):
    """Any flipped bit and any cut."""
    directory, _ = cut(columns)
    bit = data.draw(st.integers(0, 8 * len(directory) - 1))
    flipped = bytearray(directory)
    flipped[bit // 8] ^= 1 << bit % 8
    for broken in (bytes(flipped), directory[: data.draw(st.integers(0, len(directory) - 1))]):
        with pytest.raises(Damaged):
            read(broken)
