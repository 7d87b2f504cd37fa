"""Ticks that wait, merged: the latest of each series, for readers who want or can take no more.

What is held stays as big as one tick of each source, however long it waits (law slow-costs-itself).
"""

from storage.events import Event, Metrics, Number


class Held:
    """Feed it `metrics` events in the order of the log."""

    def __init__(self) -> None:
        self._of_source: dict[str, _Merged] = {}

    def __bool__(self) -> bool:
        return bool(self._of_source)

    @property
    def first(self) -> int | None:
        """The lowest seq held: nothing from here on has been told."""
        # The first that came of all sources is the first that came of the first source.
        for merged in self._of_source.values():
            return merged.first
        return None

    def add(self, event: Event) -> None:
        merged = self._of_source.get(event.source)
        if merged is None:
            self._of_source[event.source] = _Merged(event)
        else:
            merged.add(event)

    def clear(self) -> None:
        self._of_source.clear()

    def release(self) -> list[tuple[Event, int]]:
        """One tick a source with the number of ticks in it; nothing is held afterwards.

        Where several sources interleave, all but the last stand at the seq of their own first tick: the
        cursor must not pass what is told after it, for the connection may break in between.
        """
        held = list(self._of_source.values())
        self._of_source.clear()
        last = len(held) - 1
        return [(one.event(early=place < last), one.count) for place, one in enumerate(held)]


class _Merged:
    __slots__ = ("_at", "_newest", "_values", "count", "first")

    def __init__(self, event: Event) -> None:
        self.first = event.seq
        self.count = 1
        self._newest = event
        self._at = event.at
        self._values: dict[int, Number] = {}

    def add(self, event: Event) -> None:
        if not self._values:
            self._values = _samples(self._newest)
        samples = _samples(event)
        if event.at >= self._at:
            self._values.update(samples)
            self._at = event.at
        else:  # a late arrival: it knows only what no newer tick has told
            self._values = {**samples, **self._values}
        self._newest = event
        self.count += 1

    def event(self, early: bool) -> Event:
        newest = self._newest
        if self.count == 1:
            return newest
        seq = self.first if early else newest.seq
        values = self._values
        return Event(seq, self._at, newest.source, Metrics(list(values), list(values.values())))


def _samples(event: Event) -> dict[int, Number]:
    assert isinstance(event.data, Metrics)
    return dict(zip(event.data.ids, event.data.values, strict=True))
