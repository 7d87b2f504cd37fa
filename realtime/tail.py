"""The newest applied events in memory, each with the frames made of it so far.

Most readers are served from here without SQL: a frame is built once a form, and its bytes are shared.
"""

from collections import deque
from collections.abc import Iterable

from realtime.core import frames
from realtime.core.frames import Encoding, Road
from realtime.core.session import Form
from realtime.core.views import View
from storage.events import Event, Metrics

OVERHEAD = 600
"""Bytes of an entry beyond its samples: objects, and the first few frames."""
SAMPLE = 60
"""Bytes of one sample in an entry, its share of the frames included; generous, because it bounds."""


class Entry:
    """An event, and its bytes by form and road."""

    __slots__ = ("_bytes", "event", "size")

    def __init__(self, event: Event) -> None:
        self.event = event
        fact = event.data
        self.size = OVERHEAD + (SAMPLE * len(fact.ids) if isinstance(fact, Metrics) else 0)
        self._bytes: dict[tuple[Form, Road, Encoding], bytes] = {}

    def told(
        self,
        form: Form,
        only: set[int] | None,
        road: Road,
        encoding: Encoding,
        epoch: str,
        view: View,
    ) -> bytes:
        """The bytes of the event's frame; empty when this form has nothing to tell."""
        place = (form, road, encoding)
        known = self._bytes.get(place)
        if known is None:
            frame = frames.of_event(self.event, epoch, view.texts, only=only, compact=form.compact)
            known = frames.encode(frame, road, encoding) if frame else b""
            self._bytes[place] = known
        return known


class Tail:
    """Bounded by events and bytes; the oldest go first. Holds a run of seqs without a hole."""

    def __init__(self, most_events: int, most_bytes: int) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._entries: deque[Entry] = deque()
        self._size = 0
        self.edge = 0
        """The last applied seq (law edge-is-applied)."""

    def start(self, edge: int) -> None:
        self.edge = edge

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            entry = Entry(event)
            self._entries.append(entry)
            self._size += entry.size
            self.edge = event.seq
        while len(self._entries) > 1 and (
            len(self._entries) > self._most_events or self._size > self._most_bytes
        ):
            self._size -= self._entries.popleft().size

    def after(self, seq: int, most: int) -> list[Entry] | None:
        """Up to `most` entries after `seq`, oldest first; None when the tail does not reach back so far."""
        entries = self._entries
        behind = self.edge - seq
        if behind <= 0:
            return []
        if behind > len(entries):
            return None
        first = len(entries) - behind
        return [entries[place] for place in range(first, min(first + most, len(entries)))]

    def __len__(self) -> int:
        return len(self._entries)
