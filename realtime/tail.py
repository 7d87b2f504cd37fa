"""The newest applied events in memory, each with the frames made of it so far.

Most readers are served from here without SQL: a frame is built once a form, and its bytes are shared.
"""

from collections import deque
from collections.abc import Iterable

from realtime.core import frames
from realtime.core.frames import Wire
from realtime.core.session import Form
from realtime.core.views import View
from storage.events import Event, Metrics

OVERHEAD = 1200
"""Bytes of an entry beyond its samples: the event, its lists, the deque's place."""
SAMPLE = 48
"""Bytes of one sample: two places in lists, a float, its share of the rest."""
FORMS = 16
"""Forms of one event whose bytes are kept. Clients choose forms, and must not choose how much we keep."""


class Entry:
    """An event, and its bytes by form and wire. `tail` is told how they grow."""

    __slots__ = ("_bytes", "event", "place", "size", "tail")

    def __init__(self, event: Event, tail: "Tail | None" = None, place: int | None = None) -> None:
        self.event = event
        self.place = event.seq if place is None else place
        """Where it stands in the feed it is read from."""
        self.tail = tail
        fact = event.data
        self.size = OVERHEAD + (SAMPLE * len(fact.ids) if isinstance(fact, Metrics) else 0)
        self._bytes: dict[tuple[Form, Wire], bytes] = {}

    def told(self, form: Form, only: set[int] | None, wire: Wire, epoch: str, view: View) -> bytes:
        """The bytes of the event's frame; empty when this form has nothing to tell."""
        place = (form, wire)
        known = self._bytes.get(place)
        if known is None:
            frame = frames.of_event(self.event, epoch, view.texts, only=only, compact=form.compact)
            known = wire.bytes_of(frame) if frame else b""
            if len(self._bytes) < FORMS:
                self._bytes[place] = known
                self.size += len(known)
                if self.tail is not None:
                    self.tail.bytes += len(known)
        return known


class Tail:
    """Bounded by events and bytes; the oldest go first. Holds a run of seqs without a hole."""

    def __init__(self, most_events: int, most_bytes: int) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._entries: deque[Entry] = deque()
        self.bytes = 0
        self.edge = 0
        """The last applied seq (law edge-is-applied)."""

    def start(self, edge: int) -> None:
        self.edge = edge

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            assert event.seq == self.edge + 1, (event.seq, self.edge)
            entry = Entry(event, self)
            self._entries.append(entry)
            self.bytes += entry.size
            self.edge = event.seq
        while len(self._entries) > 1 and (
            len(self._entries) > self._most_events or self.bytes > self._most_bytes
        ):
            oldest = self._entries.popleft()
            self.bytes -= oldest.size
            # A reader may hold it still; what it adds is no longer ours.
            oldest.tail = None

    def after(self, seq: int, most: int) -> list[Entry] | None:
        """Up to `most` entries after `seq`, oldest first; None when the tail does not reach back so far."""
        entries = self._entries
        behind = self.edge - seq
        if behind <= 0:
            return []
        if behind > len(entries):
            return None
        first = len(entries) - behind
        if behind == 1:
            return [entries[-1]]
        return [entries[place] for place in range(first, min(first + most, len(entries)))]

    def __len__(self) -> int:
        return len(self._entries)
