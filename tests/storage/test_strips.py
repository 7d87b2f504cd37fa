"""Columns laid end to end come back from where the directory says they lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import Damaged
from storage.packing import pack_ints
from storage.strips import STRIP_BYTES, cut, read


@given(
    st.dictionaries(
        st.integers(0, 2**32 - 1),
        st.binary(min_size=1, max_size=9000) | st.sampled_from([b"a", b"b" * 9000]),
        max_size=12,
    )
)
def test_each_column_lies_where_the_directory_says(columns):
    """Whatever their number and lengths, and once where several are the same; no strip is empty, and none goes
    on behind the column that fills it."""
    directory, strips = cut(columns)
    places = read(directory)
    assert list(places) == sorted(columns)
    assert {id_: strips[at.strip][at.begin : at.end] for id_, at in places.items()} == columns
    assert all(strips)
    for place in places.values():
        assert place.begin < STRIP_BYTES
    assert sum(map(len, strips)) == sum(map(len, set(columns.values())))


@pytest.mark.parametrize("lengths", [[-1], [9, -3], [9, -(2**40)]])
def test_a_column_is_never_that_of_a_later_one(lengths):
    """Nor its own, nor one there is not, whatever the checksums say."""
    ids = pack_ints(np.arange(len(lengths)))
    with pytest.raises(Damaged, match="none of it"):
        read(len(ids).to_bytes(4, "little") + ids + pack_ints(np.array(lengths)))


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
