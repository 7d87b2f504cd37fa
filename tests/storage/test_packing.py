"""A packed column is the same column again, bit for bit, or it is called damaged."""

import json
import math
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage import packing
from storage.errors import Damaged
from storage.packing import MOST, guard, pack, pack_ints, unpack, unpack_ints

FROZEN = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "segment-format-1.json").read_text()
)

bits = st.integers(0, 2**64 - 1)
any_double = st.one_of(
    bits.map(lambda word: struct.unpack("<d", struct.pack("<Q", word))[0]),
    st.floats(),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324, -2.2e-308, 1.7e308, 2.0**53, 0.1]),
)


@st.composite
def columns(draw):
    """Columns as they come: noise, decimals, counters, few values, and one odd value in between."""
    count = draw(st.integers(1, 400))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.integers(0, 14))
    values = draw(
        st.sampled_from(
            [
                lambda: random.integers(0, 2**64, count, dtype=np.uint64).view(np.float64),
                lambda: np.round(random.normal(size=count) * 1000, scale),
                lambda: np.cumsum(random.integers(0, 2**40, count)).astype(np.float64),
                lambda: random.integers(-(2**53), 2**53, count) / 10.0**scale,
                lambda: random.choice([0.1, 1 / 3, -0.0, 7], count),
                lambda: random.normal(size=count).astype(np.float32).astype(np.float64),
                lambda: np.full(count, random.normal()),
            ]
        )
    )()
    for place, value in draw(
        st.dictionaries(st.integers(0, count - 1), any_double, max_size=3)
    ).items():
        values[place] = value
    return values


def same(one, other):
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


@given(st.lists(any_double, max_size=40).map(lambda told: np.array(told, dtype=np.float64)))
@example(np.array([]))
@example(np.array([-0.0]))
@example(np.array([-0.0, 0.0]))
@example(np.array([math.nan, -math.nan]))
@example(np.array([0x7FF0000000000001, 0xFFF8DEADBEEF0000], dtype=np.uint64).view(np.float64))
@example(np.array([2.0**53, 2.0**53 + 2, -(2.0**53)]))
def test_any_doubles_come_back_bit_for_bit(values):
    """Payloads of NaN, infinities, -0.0, subnormals and the largest included."""
    assert same(unpack(pack(values)), values)


@given(columns())
def test_columns_as_they_come_come_back_bit_for_bit(values):
    """Whichever method a column is packed with."""
    body = pack(values)
    assert same(unpack(body), values)
    assert len(body) <= 8 * len(values) + 7


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60))
@example([-(2**63), 2**63 - 1])
@example([2**63 - 1, -(2**63), 0, 5])
@example([7] * 300)
@example([1, 2**8, 2**16, 2**32])
def test_any_integers_come_back(told):
    """The whole range of 64 bits, however far apart."""
    values = np.array(told, dtype=np.int64)
    assert same(unpack_ints(pack_ints(values)), values)


def test_what_is_given_need_not_be_contiguous_or_its_own():
    """A column of a table may be packed as it stands, and what comes back may be changed."""
    table = np.arange(60, dtype=np.float64).reshape(20, 3)
    for values in (table[:, 1], table[::-1, 2], np.zeros(9)):
        again = unpack(pack(values))
        assert same(again, values.copy())
        again[0] = 5


@pytest.mark.parametrize(
    ("method", "values"),
    [
        (packing.RAW, [1e300, -0.0]),
        (packing.CONSTANT, [0.1] * 600),
        (packing.PCO, (np.arange(600) / 7).tolist()),
        (packing.SCALED, (np.arange(600) * 3).tolist()),
        (packing.SCALED, [tenth / 10 for tenth in range(600)]),
        (packing.SCALED, [1e-05 * place for place in range(3)] * 50),
    ],
)
def test_each_method_is_used_where_it_is_meant(method, values):
    """No method is there that nothing uses."""
    body = pack(np.array(values, dtype=np.float64))
    assert body[0] == method
    assert same(unpack(body), np.array(values, dtype=np.float64))


def test_more_than_a_column_holds_is_refused_before_it_is_written():
    """What could not be read back is not written."""
    with pytest.raises(ValueError, match="4,194,305"):
        pack(np.zeros(MOST + 1))
    with pytest.raises(ValueError, match="4,194,305"):
        pack_ints(np.zeros(MOST + 1, dtype=np.int64))
    assert same(unpack(pack(np.zeros(MOST))), np.zeros(MOST))


@pytest.mark.parametrize(
    "body",
    [
        pack(np.array([])),
        pack(np.array([0.1, -0.0])),
        pack(np.full(600, 2.5)),
        pack(np.arange(300) / 7),
        pack(np.arange(300) / 4),
    ],
    ids=["empty", "raw", "constant", "pco", "scaled"],
)
def test_each_flipped_bit_and_each_lost_byte_is_noticed(body):
    """Every one of them: no damage gives an answer, and none gives another error."""
    for bit in range(8 * len(body)):
        hurt = bytearray(body)
        hurt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            unpack(bytes(hurt))
    for length in range(len(body)):
        with pytest.raises(Damaged):
            unpack(body[:length])
        with pytest.raises(Damaged):
            unpack(body[length + 1 :])


def test_doubles_and_integers_are_not_taken_for_each_other():
    """A method belongs to one of the two."""
    for values in ([], [1], [1, 5], list(range(600))):
        with pytest.raises(Damaged, match="unknown way"):
            unpack_ints(pack(np.array(values, dtype=np.float64)))
        with pytest.raises(Damaged, match="unknown way"):
            unpack(pack_ints(np.array(values, dtype=np.int64)))


@given(
    columns(),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 500),
)
def test_what_has_a_right_checksum_and_wrong_content_is_damaged_or_a_column(values, edits, length):
    """Bytes that somebody made up fail in the same way, whatever they are."""
    inner = bytearray(pack(values)[:-4])
    for place, byte in edits:
        inner[place % len(inner)] = byte
    for made_up in (inner, inner[:length], inner + b"\0"):
        for read in (unpack, unpack_ints):
            try:
                found = read(guard(bytes(made_up)))
            except Damaged:
                continue
            assert found.dtype in (np.float64, np.int64)
            assert len(found) <= MOST


FAR = b"\xff\xff\xff\x7f"
MOST_VARINT = b"\x80\x80\x80\x02"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00" + b"\xff" * 9 + b"\x01",
        b"\x00" + b"\xff" * 40,
        b"\x00" + FAR,
        b"\x01" + FAR + bytes(8),
        b"\x01" + b"\x81\x80\x80\x02" + bytes(8),
        b"\x01\x05" + bytes(7),
        b"\x00" + MOST_VARINT + bytes(80),
        b"\x02" + FAR + b"\x04\x01",
        b"\x02" + MOST_VARINT + b"\x04\x01",
        b"\x02\x00",
        b"\x03\x02",
        b"\x03\x02\x0d\x01\x00\x04\x01",
        b"\x03\x02\x02",
        b"\x03\x02\x02\x03\x00\x04\x01",
        b"\x12\x02\x01" + b"\xff" * 10,
        b"\x12\x02\x01" + b"\xff" * 9 + b"\x7f\x04\x01",
        b"\x63\x02" + bytes(16),
    ],
    ids=lambda body: body.hex()[:24],
)
def test_a_count_from_a_file_allocates_little(body):
    """No claim is believed before it is bounded."""
    tracemalloc.start()
    try:
        for read in (unpack, unpack_ints):
            with pytest.raises(Damaged):
                read(guard(body))
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("frozen", FROZEN["packed"], ids=lambda frozen: frozen["what"])
def test_what_the_first_release_packed_can_be_read_for_ever(frozen):
    """Law history-is-frozen: these bytes are never made anew."""
    body = bytes.fromhex(frozen["bytes"])
    words = np.array([int(word, 16) for word in frozen["words"]], dtype=np.uint64)
    found = unpack_ints(body) if body[0] >= packing.RAW_INTS else unpack(body)
    assert body[0] == frozen["method"]
    assert found.view(np.uint64).tolist() == words.tolist()


def test_every_method_is_frozen():
    """A method without such bytes could change unnoticed."""
    assert {frozen["method"] for frozen in FROZEN["packed"]} == {0, 1, 2, 3, 16, 17, 18}
