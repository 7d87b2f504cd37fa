"""What the web needs of the rest of the house; `run.py` makes one and hands it through the routes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from realtime.answers import Encoder
from realtime.charts import Charts
from realtime.core.frames import Data, of_event
from realtime.core.requests import RequestStats
from realtime.delivery import Hub
from realtime.intake import Intake
from realtime.past import Past
from realtime.provisions import Fault
from realtime.replay import Replays
from realtime.scratch import Scratch
from realtime.shelf import Shelf
from realtime.spine import Spine
from realtime.timeline import Timeline
from storage.events import Event
from web.budget import Budget
from web.guard import Guard

if TYPE_CHECKING:
    from web.assets import Assets
    from web.doorway import Doorway
    from web.schemas import SummaryShape


class LogStats(Protocol):
    """What is told of the log. Commit times are over the last commits; None before the first sample."""

    @property
    def epoch(self) -> str: ...
    @property
    def head(self) -> int: ...
    @property
    def floor(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def wal_bytes(self) -> int: ...
    @property
    def over_bytes(self) -> int: ...
    @property
    def bytes_per_sample(self) -> float | None: ...
    @property
    def commits(self) -> int: ...
    @property
    def commit_p50_s(self) -> float: ...
    @property
    def commit_p99_s(self) -> float: ...
    @property
    def damaged(self) -> int: ...
    @property
    def sqlite_version(self) -> str: ...


class Log(Protocol):
    """The log as its readers see it."""

    @property
    def path(self) -> Path: ...

    async def read(
        self,
        after: int,
        limit: int = ...,
        *,
        until: int | None = None,
        start: int | None = None,
        end: int | None = None,
        types: Iterable[str] | None = None,
        source: str | None = None,
    ) -> list[Event]: ...

    async def facts(
        self,
        types: Collection[str],
        before: int,
        limit: int,
        *,
        start: int | None = None,
        end: int | None = None,
        source: str | None = None,
    ) -> list[Event]: ...

    async def stats(self) -> LogStats: ...

    def damaged(self, start: int, end: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """`unready` says why no reading can be taken now, `faults` which files of dashboards cannot be used. Incidents
    are made in `scratch`.

    `source` is this host's own name, `interval_s` the pace of its collectors, `rules` what
    `dashboard/live` tells of the alert rules.
    """

    spine: Spine
    hub: Hub
    log: Log
    intake: Intake
    shelf: Shelf[Any]
    """Of values that know their own `size` in bytes."""
    history: Charts
    past: Past
    replays: Replays
    timeline: Timeline
    encoder: Encoder
    requests: RequestStats
    guard: Guard
    assets: "Assets"
    loop_lag_s: Callable[[], float]
    unready: Callable[[], Sequence[str]]
    uptime_s: Callable[[], float]
    faults: Callable[[], Sequence[Fault]]
    scratch: Scratch
    rules: Sequence[Mapping[str, Any]]
    version: str
    sqlite_version: str
    source: str
    interval_s: float
    max_body_bytes: int
    budget: Budget
    query_points: int
    poll_s: float
    incident: Mapping[str, Any] | None = None
    """What is shown, where it is an incident that was opened: then nothing is written."""
    summary: "SummaryShape | None" = None
    """What happened in it."""
    socketio: "Doorway | None" = None
    """For clients of Socket.IO, where the extra is installed and the dial allows."""

    def tell(self, event: Event) -> Data:
        """An event's data as its frame has it (law same-frames); for events that have one."""
        frame = of_event(event, self.spine.epoch, self.spine.view.texts)
        assert frame is not None
        return frame.data
