"""What time it is, as far as forgetting goes: the wall clock, but not at once when it leaps.

A host without a clock of its own may start years ahead, until somebody tells it the time; by such a clock
everything on tape is past its age. So a leap is believed once it has stood for a day. Until then time goes on
by what has passed since it was last known: steadily measured while the server runs, kept over a restart.
"""

from typing import NamedTuple

import msgspec
import structlog

CHECKPOINT = "forgetting"
VERSION = 1
"""Under this name it is on record."""
LEAP_US = 86_400_000_000
"""How far the clock may be from what has passed. A server that was off for longer waits with forgetting."""
PATIENCE_S = 86_400.0
"""How long a leap has to stand, while the server runs, until it is believed."""
BEGUN_S = 1e-6
"""Of a doubt that begins now: 0 is none."""

log_ = structlog.get_logger(__name__)


class Known(NamedTuple):
    """`at` (µs UTC) was believed last; the wall clock has been too far from it for `doubted_s`."""

    at: int
    doubted_s: float = 0.0


UNKNOWN = Known(0)
"""Any clock is far from it: until a day has passed, nothing is too old."""


class Now(NamedTuple):
    """Between these two it is, in µs UTC: ages are told by `least`, and only what is later than `most` is
    of the future."""

    least: int
    most: int


class Trust:
    """`monotonic` is in seconds."""

    def __init__(self, known: Known, monotonic: float) -> None:
        self.known = known
        self._looked = monotonic
        self._said = False

    def look(self, now: int, monotonic: float) -> Now:
        """By a wall clock that says `now`."""
        passed = max(0.0, monotonic - self._looked)
        self._looked = monotonic
        expected = self.known.at + int(passed * 1_000_000)
        # A doubt begins with the look that raises it.
        doubted = self.known.doubted_s + passed if self.known.doubted_s else BEGUN_S
        if abs(now - expected) <= LEAP_US or doubted >= PATIENCE_S:
            self.known, self._said = Known(now), False
            return Now(now, now)
        if not self._said:
            self._said = True
            log_.info(
                "the clock is far from what is on record of the time; until it is believed, less is forgotten",
                leap_s=(now - expected) // 1_000_000,
                believed_in_s=int(PATIENCE_S - self.known.doubted_s),
            )
        self.known = Known(expected, doubted)
        return Now(min(now, expected), max(now, expected))


def save(known: Known) -> bytes:
    return msgspec.msgpack.encode(known)


def load(body: bytes) -> Known:
    """
    Raises:
        msgspec.DecodeError: not what `save` wrote.
    """
    return msgspec.msgpack.decode(body, type=Known)
