"""Parts of the log that reading met and that are not as they were written: each told once, all counted.

A read goes on without them, for the rest is as good as ever; who asked is told through `within`.
"""

import threading
from typing import Final, NamedTuple

import structlog

from storage.errors import Damaged

MOST: Final = 1_000
"""Parts remembered. Of more, only that there are more: by then it is not this list that is missing."""
FOREVER: Final = 1 << 62

log_ = structlog.get_logger(__name__)


class Part(NamedTuple):
    """`place` is as `verify` names it; `start ≤ at ≤ end` (µs) is where its samples lie."""

    place: str
    start: int
    end: int


class Damages:
    def __init__(self) -> None:
        self.count = 0
        self._parts: dict[str, Part] = {}
        self._turn = threading.Lock()
        """Ranges are read in threads."""

    def note(self, place: str, detail: str, start: int = 0, end: int = FOREVER) -> None:
        with self._turn:
            if place in self._parts or self.count > MOST:
                return
            self.count += 1
            if self.count <= MOST:
                self._parts[place] = Part(place, start, end)
        if self.count > MOST:
            log_.error("more of the log is damaged than is named here", hint=Damaged.remedy)
            return
        log_.error("part of the log is damaged", place=place, what=detail, hint=Damaged.remedy)

    def within(self, start: int, end: int) -> list[str]:
        """The places met that may hold samples of `start ≤ at < end` (µs)."""
        with self._turn:
            parts = list(self._parts.values())
        return [p.place for p in parts if p.start < end and p.end >= start]
