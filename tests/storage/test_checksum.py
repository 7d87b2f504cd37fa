"""A row's checksum covers every cell in its place."""

from zlib import crc32

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from storage.checksum import crc

CELLS = (7, 1_795_403_506_000_000, "host", "metrics", 1, b"\x92\x91\x01\x91\x05")


def test_it_is_frozen():
    """Written by one version, read by all that come: CRC-32 of the body over that of the other cells."""
    assert crc(*CELLS) == 876_748_496
    assert crc("00ff00ff00ff00ff", 1, 5) == 824_400_244


WORDS = st.text(st.characters(exclude_categories=["Cs"]))
ANY = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | WORDS | st.binary()


@given(st.lists(ANY, min_size=1))
def test_any_msgpack_tells_it(cells):
    """Whatever a damaged cell may have become: the packer that is quickest packs as the plain one does."""
    *others, last = cells
    if isinstance(last, bytes):
        assert crc(*cells) == crc32(last, crc32(msgpack.packb(others)))
    else:
        assert crc(*cells) == crc32(msgpack.packb(cells))


@given(st.integers(0, 5), st.integers(0, 60))
def test_any_bit_of_any_cell_counts(place, bit):
    """One bit is enough for another checksum."""
    cell = CELLS[place]
    if isinstance(cell, int):
        other = cell ^ 1 << bit
    elif isinstance(cell, str):
        other = cell[:-1] + chr(ord(cell[-1]) ^ 1 << bit % 7)
    else:
        changed = bytearray(cell)
        changed[bit % len(cell)] ^= 1 << bit % 8
        other = bytes(changed)
    assert crc(*CELLS[:place], other, *CELLS[place + 1 :]) != crc(*CELLS)
