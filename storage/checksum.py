"""The checksum of a row, kept in its column `crc`: of all its other cells, in their order.

CRC-32 (zlib's) of the last cell, bytes, on top of the CRC-32 of the others as msgpack. In `log` only what
never changes by itself is covered: `epoch`, `floor`, `created_at`; `head` and `samples` can be counted.
"""

from typing import Any
from zlib import crc32

import msgspec

_packed = msgspec.msgpack.Encoder().encode
"""The same bytes as msgpack's own, in a fifth of the time."""


def crc(*cells: Any) -> int:
    last = cells[-1]
    if isinstance(last, bytes):
        return crc32(last, crc32(_packed(cells[:-1])))
    return crc32(_packed(cells))
