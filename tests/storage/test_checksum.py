"""A row's checksum covers every cell in its place."""

from hypothesis import given
from hypothesis import strategies as st

from storage.checksum import crc

CELLS = (7, 1_795_403_506_000_000, "host", "metrics", 1, b"\x92\x91\x01\x91\x05")


def test_it_is_frozen():
    """Written by one version, read by all that come: CRC-32 of the body over that of the other cells."""
    assert crc(*CELLS) == 876_748_496
    assert crc("00ff00ff00ff00ff", 1, 5) == 824_400_244


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
