"""Those who hear the same in the same way: what they are told is made once, and sent in one loop.

A member that stands at the edge with an empty socket buffer is *settled*: nothing about it changes from
message to message, so telling it is one `send` of bytes that all share. One that cannot be told so (its
socket is full, it wants fewer ticks, it reads the log) is out of the loop and served by itself.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from realtime.core import frames
from realtime.core.frames import Wire
from realtime.core.held import Held
from realtime.core.session import Form, Matched, Taste
from realtime.core.views import View
from realtime.tail import Entry, Tail
from storage.events import Event, Metrics

if TYPE_CHECKING:
    from realtime.connection import Connection

PAGE_EVENTS = 500
PAGE_BYTES = 256 * 1024
"""What a connection takes before it waits for the socket: its whole buffer, answers apart."""
PAGES = 8
"""Pages kept at one edge. Readers choose where they resume, and must not choose how much we keep."""

_NONE: "deque[Cohort]" = deque(maxlen=0)
"""Six hundred bytes that an audience need not have before it is told something."""

Send = Callable[[bytes], int]


class Page(NamedTuple):
    """What comes after a seq, for a member that knows the names up to `known`."""

    data: bytes
    seq: int
    known: int


class Cohort:
    """Settled members at one place. Those at the edge move with it while nothing concerns them."""

    __slots__ = ("known", "members", "seq", "since")

    def __init__(self, seq: int, known: int, since: float) -> None:
        self.seq = seq
        self.known = known
        self.since = since
        self.members: dict[Connection, Send] = {}


class Audience:
    """One taste on one wire. `ready` are settled at the edge, `behind` are owed a page."""

    __slots__ = (
        "_epoch",
        "_matched",
        "_pages",
        "_pages_at",
        "_tail",
        "_view",
        "behind",
        "count",
        "most",
        "queued",
        "ready",
        "taste",
        "wire",
    )

    def __init__(
        self,
        wire: Wire,
        taste: Taste,
        tail: Tail,
        view: View,
        epoch: str,
        most: int = PAGE_BYTES,
        matched: Matched | None = None,
    ) -> None:
        self.wire = wire
        self.taste = taste
        self.most = most
        """Bytes after which a page ends."""
        self.ready = Cohort(0, 0, 0.0)
        self.behind: deque[Cohort] = _NONE
        self.count = 0
        """All members, settled or not."""
        self.queued = False
        """It is in the hub's queue."""
        self._tail = tail
        self._view = view
        self._epoch = epoch
        self._matched = matched or (Matched(taste.match) if taste.match else None)
        self._pages: dict[tuple[int, int, bool], Page] | None = None
        self._pages_at = -1

    def is_judged(self) -> bool:
        """Whether it is known which series it means; if not, some more were looked at."""
        view = self._view
        return self._matched is None or self._matched.is_judged(
            view.series, view.owner, view.last_id
        )

    def settle(self, connection: "Connection", send: Send, known: int) -> bool:
        """Take a member that stands at the edge; not when it knows other names than those who stand there."""
        ready = self.ready
        if not ready.members:
            ready.known = known
        elif ready.known != known and self.taste.compact:
            return False
        ready.members[connection] = send
        return True

    def place(self, connection: "Connection") -> Cohort | None:
        """Where a settled member stands."""
        cohorts: tuple[Cohort, ...] = (self.ready, *self.behind)
        for cohort in cohorts:
            if connection in cohort.members:
                return cohort
        return None

    def concern(self, edge: int, now: float) -> bool:
        """Something after `edge` may be for this audience; whether that leaves it with something to do."""
        ready = self.ready
        if not ready.members:
            return False
        ready.seq, ready.since = edge, now
        if self.behind is _NONE:
            self.behind = deque()
        self.behind.append(ready)
        self.ready = Cohort(0, ready.known, now)
        return True

    def target(self, page: Page, since: Cohort) -> Cohort | None:
        """Where a member of a cohort stands when it has a page; None if it knows other names than they."""
        if page.seq >= self._tail.edge:
            ready = self.ready
            if not ready.members:
                ready.known = page.known
            return ready if ready.known == page.known or not self.taste.compact else None
        place = self.behind.index(since) + 1
        while place < len(self.behind) and self.behind[place].seq == page.seq:
            if self.behind[place].known == page.known or not self.taste.compact:
                return self.behind[place]
            place += 1
        cohort = Cohort(page.seq, page.known, since.since)
        self.behind.insert(place, cohort)
        return cohort

    def page(self, seq: int, known: int, lagging: bool = False) -> Page | None:
        """The next page after a seq, the same bytes for all who ask from there; None if it is not in memory."""
        edge = self._tail.edge
        if self._pages is None or self._pages_at != edge:
            self._pages, self._pages_at = {}, edge
        place = (seq, known if self.taste.compact else 0, lagging)
        page = self._pages.get(place)
        if page is None:
            entries = self._tail.after(seq, PAGE_EVENTS)
            if entries is None:
                return None
            page = self.paged(entries, seq, known, lagging)
            if len(self._pages) < PAGES:
                self._pages[place] = page
        return page

    def paged(
        self,
        entries: list[Entry],
        seq: int,
        known: int,
        lagging: bool = False,
    ) -> Page:
        """A page of these entries; for those who lag, ticks are merged into the latest."""
        out: list[bytes] = []
        held = Held()
        size = 0
        for entry in entries:
            event = entry.event
            seq = event.seq
            if lagging and isinstance(event.data, Metrics):
                if self.wants(event):
                    held.add(event)
                continue
            told, known = self.told(entry, known)
            if told and held:
                known = self._release(held, known, out)
            out += told
            size += sum(map(len, told))
            if size > self.most:
                break
        if held:
            known = self._release(held, known, out)
        # One frame is everybody's bytes; it goes as it is.
        return Page(out[0] if len(out) == 1 else b"".join(out), seq, known)

    def _release(self, held: Held, known: int, out: list[bytes]) -> int:
        for event, count in held.release():
            told, known = self.merged(event, count, known)
            out += told
        return known

    def told(self, entry: Entry, known: int) -> tuple[list[bytes], int]:
        """The frames of one event, names first where they are not known yet; and what is known then."""
        event = entry.event
        form = self.taste.wants(event)
        if form is None:
            return [], known
        only = self._only(form)
        told = entry.told(form, only, self.wire, self._epoch, self._view)
        if not told:
            return [], known
        names, known = self._named(event, form, only, known)
        return [*names, told], known

    def merged(self, event: Event, count: int, known: int) -> tuple[list[bytes], int]:
        """As `told`, of a tick that stands for several."""
        form = self.taste.wants(event)
        if form is None:
            return [], known
        only = self._only(form)
        frame = frames.of_event(
            event,
            self._epoch,
            self._view.texts,
            only=only,
            compact=form.compact,
            conflated=count,
        )
        if frame is None:
            return [], known
        names, known = self._named(event, form, only, known)
        return [*names, self.wire.bytes_of(frame)], known

    def wants(self, event: Event) -> bool:
        """Whether a tick has something for this audience."""
        form = self.taste.wants(event)
        if form is None:
            return False
        only = self._only(form)
        return only is None or (
            isinstance(event.data, Metrics) and not only.isdisjoint(event.data.ids)
        )

    def _only(self, form: Form) -> set[int] | None:
        if not form.match or self._matched is None:
            return None
        return self._matched.ids(self._view.series, self._view.owner, self._view.last_id)

    def _named(
        self, event: Event, form: Form, only: set[int] | None, known: int
    ) -> tuple[list[bytes], int]:
        """The `series` frame that has to go before a compact tick, if a name is lacking."""
        view = self._view
        newest = view.last_id
        if not form.compact or known >= newest or not isinstance(event.data, Metrics):
            return [], known
        new = [
            view.series[id_]
            for id_ in range(known + 1, newest + 1)
            if id_ in view.series and (only is None or id_ in only)
        ]
        if not new:
            return [], newest
        return [self.wire.bytes_of(frames.of_series(new, view.texts, view.owner))], newest
