"""The vocabulary of facts: what the log can hold, each kind with a version that never changes once written.

A `Draft` is a fact that is not yet in the log; an `Event` is one that is, with its place (`seq`).
Law history-is-frozen: a released struct below is never edited. A new shape is a new version and an
upcaster in `storage.codec`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

Number = int | float
"""Canonical: an int when the value is integral, within ±2**53 and not -0.0; a finite float otherwise."""

EXACT = 2**53


def canonical(value: Number) -> Number:
    """The one spelling of a double, so that a value reads back the same from rows and from columns."""
    if isinstance(value, int):
        return value
    if value.is_integer() and -EXACT <= value <= EXACT and (value or str(value)[0] != "-"):
        return int(value)
    return value


class Series(msgspec.Struct, frozen=True, array_like=True):
    """A metric name with its labels on one source. `id` is small, unique in this log, and never reused."""

    id: int
    name: str
    labels: dict[str, str]
    unit: str = ""
    kind: Literal["gauge", "counter"] = "gauge"
    help: str = ""


class Declared(msgspec.Struct, frozen=True, tag="series", tag_field="fact"):
    """Series of one source, named once; samples refer to them by id."""

    type: ClassVar[str] = "series"
    version: ClassVar[int] = 1

    series: list[Series]


class Metrics(msgspec.Struct, frozen=True, tag="metrics", tag_field="fact", gc=False):
    """One tick of one source: `values[i]` is the sample of series `ids[i]` at the event's `at`.

    Ticks are many and hold no cycle. Kept out of the collector's sight, with tuples in them, they do
    not make its walks longer than law loop-never-blocks allows.
    """

    type: ClassVar[str] = "metrics"
    version: ClassVar[int] = 1

    ids: Sequence[int]
    values: Sequence[Number]


class Alert(msgspec.Struct, frozen=True, tag="alert", tag_field="fact"):
    """A transition of one rule on one series. `since` (µs UTC) is when the value first crossed."""

    type: ClassVar[str] = "alert"
    version: ClassVar[int] = 1

    id: str
    rule: str
    state: Literal["firing", "resolved"]
    severity: Literal["warning", "critical"]
    series: int
    value: Number
    threshold: Number
    since: int
    message: str
    unit: str = ""


class Notification(msgspec.Struct, frozen=True, tag="notification", tag_field="fact"):
    """A message for people. `room` names who hears it."""

    type: ClassVar[str] = "notification"
    version: ClassVar[int] = 1

    id: str
    kind: Literal["info", "success", "warning", "error"]
    message: str
    title: str = ""
    room: str = "dashboard"


class Annotation(msgspec.Struct, frozen=True, tag="annotation", tag_field="fact"):
    """What somebody marked: a moment (`until` is None) or the span `since` to `until` (µs UTC). The event's
    own time is when it was said; what is said later under the same id takes its place."""

    type: ClassVar[str] = "annotation"
    version: ClassVar[int] = 1

    id: str
    state: Literal["noted", "changed", "removed"]
    text: str
    since: int
    until: int | None = None
    tags: list[str] = []
    author: str = ""


class Layout(msgspec.Struct, frozen=True, tag="layout", tag_field="fact"):
    """A dashboard that somebody arranged, whole, as it was saved; the event's seq is its version.
    `provisioned` is the file it was read from, "" for one saved by hand."""

    type: ClassVar[str] = "layout"
    version: ClassVar[int] = 1

    id: str
    state: Literal["saved", "removed"]
    title: str
    panels: list[dict[str, Any]]
    tags: list[str] = []
    author: str = ""
    provisioned: str = ""


class System(msgspec.Struct, frozen=True, tag="system", tag_field="fact"):
    """The recorder's own life: what changed, and what an operator needs to know of it."""

    type: ClassVar[str] = "system"
    version: ClassVar[int] = 1

    what: Literal[
        "started",
        "stopped",
        "source_seen",
        "source_lost",
        "collector_failed",
        "collector_recovered",
    ]
    detail: dict[str, Any] = {}


class Unreadable(msgspec.Struct, frozen=True, tag="damaged", tag_field="fact"):
    """Stands in what is read for the events `first` to `last`, which are not as they were written. It is
    never in the log, and is placed at `last`, so that a reader goes on behind it. Of a tick in a segment
    that has lost a column, `ids` and `values` are what is left."""

    type: ClassVar[str] = "damaged"

    first: int
    last: int
    detail: str
    ids: Sequence[int] = ()
    values: Sequence[Number] = ()


Fact = Declared | Metrics | Alert | Notification | System | Annotation | Layout
KINDS: tuple[type[Fact], ...] = (
    Declared,
    Metrics,
    Alert,
    Notification,
    System,
    Annotation,
    Layout,
)


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A fact before it has a place. `at` is µs UTC, `source` the host or application it came from."""

    at: int
    source: str
    data: Fact


class Event(msgspec.Struct, frozen=True, gc=False):
    """A fact in the log, at `seq`; or that none can be read there, and then time and source are unknown."""

    seq: int
    at: int
    source: str
    data: Fact | Unreadable

    @property
    def type(self) -> str:
        return self.data.type
