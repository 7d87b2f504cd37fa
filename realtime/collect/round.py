"""One beat's walk through the collectors, which another thread may cut short."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from realtime.collect.collector import Collector, Moment
from realtime.collect.reading import Reading


class Outcome(NamedTuple):
    """What one collector gave, or what it raised."""

    collector: Collector
    readings: list[Reading]
    error: Exception | None = None


class Round:
    """Runs in a worker's thread; `abandon` is called on the loop. The lock is held for moments."""

    def __init__(self, due: Sequence[Collector], moment: Callable[[], Moment]) -> None:
        self._moment = moment
        self._lock = threading.Lock()
        self._waiting = list(reversed(due))
        self._current: Collector | None = None
        self._outcomes: list[Outcome] = []
        self._abandoned = False
        self.returned = False
        """True once nothing of it runs any more, even if it was left behind."""

    def run(self) -> None:
        while (collector := self._next()) is not None:
            outcome = collected(collector, self._moment())
            with self._lock:
                if self._abandoned:
                    break
                self._outcomes.append(outcome)
        self.returned = True

    def _next(self) -> Collector | None:
        with self._lock:
            self._current = self._waiting.pop() if self._waiting else None
            return self._current

    def outcomes(self) -> list[Outcome]:
        with self._lock:
            return self._outcomes

    def abandon(self) -> tuple[Collector | None, list[Collector]]:
        """The collector that hangs, and those that were still to come. What it gives is lost."""
        with self._lock:
            self._abandoned = True
            hung, self._current = self._current, None
            waiting, self._waiting = self._waiting[::-1], []
            return hung, waiting


def collected(collector: Collector, moment: Moment) -> Outcome:
    try:
        return Outcome(collector, collector.collect(moment))
    except Exception as error:  # the border of a collector: what it raises costs only itself
        return Outcome(collector, [], error)


def clocks() -> Moment:
    """Both clocks, now."""
    return Moment(time.time(), time.monotonic())
