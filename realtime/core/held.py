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
    """Ticks that name the same series follow each other as a rule: of those the newest is enough. Only
    what differs, or comes late, is taken apart by series."""

    __slots__ = ("_at", "_ats", "_newest", "_values", "count", "first")

    def __init__(self, event: Event) -> None:
        self.first = event.seq
        self.count = 1
        self._newest = event
        self._at = event.at
        self._values: dict[int, Number] = {}
        self._ats: dict[int, int] = {}
        """When each of `_values` was taken: what is late for one series is news of another."""

    def add(self, event: Event) -> None:
        newest = self._newest
        if event.at < newest.at or _metrics(event).ids != _metrics(newest).ids:
            self._fold(newest)
        self._newest = event
        self._at = max(self._at, event.at)
        self.count += 1

    def _fold(self, tick: Event) -> None:
        at, fact = tick.at, _metrics(tick)
        ats, values = self._ats, self._values
        samples = zip(fact.ids, fact.values, strict=True)
        if at == self._at:  # nothing is newer
            values.update(samples)
            ats.update(dict.fromkeys(fact.ids, at))
            return
        for id_, value in samples:
            if at >= ats.get(id_, at):
                values[id_], ats[id_] = value, at

    def event(self, early: bool) -> Event:
        newest = self._newest
        if self.count == 1:
            return newest
        fact = _metrics(newest)
        if self._values:
            self._fold(newest)
            fact = Metrics(list(self._values), list(self._values.values()))
        return Event(self.first if early else newest.seq, self._at, newest.source, fact)


def _metrics(event: Event) -> Metrics:
    assert isinstance(event.data, Metrics)
    return event.data
