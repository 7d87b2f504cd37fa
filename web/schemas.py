"""Shapes of every request and answer: they validate what comes in and document what goes out."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from realtime.core.downsample import LEAST
from realtime.core.layouts import END, TAG_LENGTH, TAGS, LayoutId, Panel, Tags
from realtime.core.requests import EndpointStats, Recent
from realtime.core.session import ROOM_LENGTH
from realtime.core.steps import Fn
from realtime.provisions import Fault
from realtime.shelf import ShelfStats

LEAST_HOURS = 0.01
MOST_HOURS = 8_784
"""A leap year: the longest span the dashboard folds at once."""
MEMORY_HOURS = 0.25
"""What the recent window holds."""
MOST_SOURCES = 500
MOST_LISTED = 10_000
"""Series in one list; a client pages with `after`."""
MOST_EVENTS = 1_000
"""Events in one answer; a client pages with `after`. Keeps an answer's cost within bounds."""
MOST_NOTIFICATIONS = 500
MOST_ANNOTATIONS = 1_000
MOST_SERIES_ASKED = 50
"""Series in one `query`; each costs a scan of its history."""
MOST_POINTS = 10_000
MOST_CHARTS = 60
MOST_CHARTED = 400
"""Charts in one answer, and series on all of them: what a page shows at once, and then some."""
MOST_ROWS = 2_000
"""Rows of one chart: more than a screen has pixels for."""
LEAST_ROWS = 20
LONGEST_CHART = 500
"""Characters of one in a query string: what an address holds, percent-encoded, for all of `MOST_CHARTS`."""
CHART = rf"^(stack|line|mirror):([0-9]{{1,9}}(?:,[0-9]{{1,9}})*){END}"
LONGEST_SELECTOR = 1_000
LONGEST_MESSAGE = 4_000
LONGEST_TITLE = 200
LONGEST_NAME = 100

_MOMENT = "RFC 3339 with offset, epoch seconds, `now`, or relative as `-15m` (s, m, h, d, w)"

Moment = Annotated[
    str,
    Meta(
        max_length=64,
        description=f"A moment: {_MOMENT}.",
        examples=["-15m", "2026-11-23T03:11:46Z", "1795403506.5"],
        extra={"wanted": f"a moment: {_MOMENT.replace('`', '')}"},
    ),
]
Number = int | float
Room = Annotated[str, Meta(min_length=1, max_length=ROOM_LENGTH)]
SelectorText = Annotated[
    str,
    Meta(
        max_length=LONGEST_SELECTOR,
        description='A series or selector: `name`, `name{label="value",other=~"a|b"}`.',
        examples=["system_cpu_utilization_ratio"],
    ),
]


AS_OF = "What had come by this moment, and nothing that came later, whatever time it bears."


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query string: a parameter that is not named here is an error."""


class Received(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request body: a member that is not named here is an error."""


OneSource = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]

# --- dashboard ---------------------------------------------------------------------------------


class DashboardQuery(Asked, frozen=True):
    hours: Annotated[
        float, Meta(ge=LEAST_HOURS, le=MOST_HOURS, description="How far back the charts reach.")
    ] = 0.25
    room: Annotated[Room, Meta(description="Whose notifications are included.")] = "dashboard"
    source: (
        Annotated[
            OneSource,
            Meta(description="Whose figures, series and charts; left out, this host's own."),
        ]
        | UnsetType
    ) = UNSET


class StateQuery(DashboardQuery, frozen=True, kw_only=True):
    at: Moment


class Kpis(msgspec.Struct):
    """The named figures; null while unknown."""

    cpu_percent: Number | None = None
    memory_percent: Number | None = None
    disk_percent: Annotated[Number | None, Meta(description="The fullest filesystem.")] = None
    swap_percent: Number | None = None
    load_1m: Number | None = None
    network_receive_bytes_per_second: Number | None = None
    network_transmit_bytes_per_second: Number | None = None
    disk_read_bytes_per_second: Number | None = None
    disk_write_bytes_per_second: Number | None = None
    requests_per_second: Number | None = None
    response_time_ms: Annotated[
        Number | None, Meta(description="95th percentile over the last 60 s.")
    ] = None
    error_rate: Annotated[
        Number | None, Meta(description="Percent of answers that are 5xx, over the last 60 s.")
    ] = None


class Latest(msgspec.Struct):
    """The last sample of a series."""

    id: int
    value: Number
    unit: str
    at: str


class SourceShape(msgspec.Struct):
    source: str
    state: Literal["live", "lost"]
    first_seen: str | None
    last_seen: str | None
    series: int
    facts: dict[str, Any]


class SeriesShape(msgspec.Struct):
    id: int
    series: str
    name: str
    labels: dict[str, str]
    source: str
    unit: str
    kind: str
    help: str


class RuleShape(msgspec.Struct):
    rule: str
    kpi: str
    title: str
    above: Number
    clear: Number
    hold_s: Number
    severity: Literal["warning", "critical"]
    unit: str


class ChartLine(msgspec.Struct):
    """`side` is where a mirror draws it; a gap in the record is null."""

    id: int
    series: str
    label: str
    values: list[Number | None]
    side: Literal["up", "down"] | UnsetType = UNSET


class Chart(msgspec.Struct):
    """Columns: every line shares `at` (epoch seconds). Peaks, first and last are kept.

    `tier` is what it is drawn from: `raw` readings, or buckets of so many seconds. Of buckets a line has its
    lowest and its highest in two rows; a stack the part that rose most at its highest with the others at their
    lowest, and then the last that was read.
    """

    chart: str
    title: str
    unit: str
    kind: Literal["stack", "line", "mirror"]
    tier: str
    at: list[float]
    series: list[ChartLine]
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()


class AlertShape(msgspec.Struct):
    id: str
    rule: str
    state: Literal["firing", "resolved"]
    severity: Literal["warning", "critical"]
    series: str
    value: Number
    threshold: Number
    since: str
    message: str
    unit: str
    source: str
    at: str
    seq: int
    cursor: str


class NotificationShape(msgspec.Struct):
    id: str
    type: Literal["info", "success", "warning", "error"]
    title: str
    message: str
    room: str
    source: str
    at: str
    seq: int
    cursor: str


class AnnotationShape(msgspec.Struct):
    """`since` and `until` (null: a moment) are what was marked, `at` is when it was said."""

    id: str
    state: Literal["noted", "changed", "removed"]
    text: str
    tags: list[str]
    since: str
    until: str | None
    author: str
    source: str
    at: str
    seq: int
    cursor: str


class Dashboard(msgspec.Struct):
    """Everything the first paint needs."""

    cursor: str
    at: str
    source: str
    hours: float
    interval_s: float
    cached: bool
    version: str
    kpis: Kpis
    metrics: dict[str, Latest]
    sources: list[SourceShape]
    series: list[SeriesShape]
    rules: list[RuleShape]
    charts: list[Chart]
    alerts: list[AlertShape]
    notifications: list[NotificationShape]
    annotations: list[AnnotationShape]


class OverviewQuery(Asked, frozen=True):
    hours: Annotated[
        float,
        Meta(
            ge=LEAST_HOURS,
            le=MEMORY_HOURS,
            description="How far back the sparks reach: no further than memory does.",
        ),
    ] = MEMORY_HOURS
    limit: Annotated[int, Meta(ge=1, le=MOST_SOURCES)] = MOST_SOURCES


class SparkShape(msgspec.Struct):
    """`value[i]` is of the step that begins at `at[i]` of the answer, null where nothing was read: the highest,
    or of a counter (`rate`) its growth a second. It is made of the series `ids`: the `first`, the `highest` or the
    `sum` of them at each moment, times `scale`."""

    unit: str
    fn: Literal["max", "rate"]
    ids: list[int]
    way: Literal["first", "highest", "sum"]
    scale: Number
    value: list[Number | None]


class Firing(msgspec.Struct):
    """The worst of the alerts that fire on a source, and how many do."""

    severity: Literal["critical", "warning"] | None
    count: int


class Glance(SourceShape):
    """`unusual` is by how many deviations the newest value of the spark `unusual_in` is away from what was usual."""

    kpis: Kpis
    alerts: Firing
    unusual: Number
    unusual_in: str | None
    sparks: dict[str, SparkShape]


class OverviewShape(msgspec.Struct):
    """Sources with alerts first, then the lost, then the most unusual; there are `more` than these.

    A spark is called by its figure; those of an application, which has none, by series.
    """

    cursor: str
    at: list[float]
    sources: list[Glance]
    more: int


# --- metrics -----------------------------------------------------------------------------------


class LiveSeries(msgspec.Struct):
    id: int
    source: str
    value: Number
    unit: str
    at: str
    age_s: float


class MetricsLive(msgspec.Struct):
    cursor: str
    at: str
    source: str
    kpis: Kpis
    series: dict[str, LiveSeries]
    cached: bool


# The shapes of readings are documented here and checked by realtime.intake, which sifts a body item by
# item where these would refuse it whole.

SeriesName = Annotated[str, Meta(min_length=1, max_length=200)]
SourceName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]


class Reading(msgspec.Struct, frozen=True):
    """One sample. `at` defaults to now, `source` to this server's own name."""

    name: SeriesName
    value: Number
    labels: dict[str, str] | None = None
    source: SourceName | None = None
    at: str | float | int | None = None
    unit: str | None = None


class Columns(msgspec.Struct, frozen=True):
    """Many samples of one source: `series[name][i]` was measured at `at[i]`; null is no sample."""

    series: dict[str, list[Number | None]]
    at: list[str | float | int] | str | float | int | None = None
    source: SourceName | None = None
    units: dict[str, str] | None = None


class Rejected(msgspec.Struct):
    """What was not taken. `index` is its place in a list of readings, null elsewhere."""

    index: int | None
    field: str
    detail: str


class Accepted(msgspec.Struct):
    """What is on disk. `repeated` says that the same batch had been answered before."""

    accepted: int
    rejected: list[Rejected]
    cursor: str
    repeated: bool


# --- notifications and alerts ------------------------------------------------------------------


class NotificationBody(Received, frozen=True):
    message: Annotated[str, Meta(min_length=1, max_length=LONGEST_MESSAGE)]
    type: Literal["info", "success", "warning", "error"] = "info"
    title: Annotated[str, Meta(max_length=LONGEST_TITLE)] = ""
    room: Room = "dashboard"


class NotificationsQuery(Asked, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=MOST_NOTIFICATIONS)] = 50


class Notifications(msgspec.Struct):
    cursor: str
    notifications: list[NotificationShape]


class AnnotationBody(Received, frozen=True):
    """`at` defaults to now; `until` makes a span of it, null a moment again. With an `id` the annotation that
    has it is changed, and what is left out stays."""

    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_MESSAGE)] | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    at: Annotated[str, Meta(max_length=64)] | float | int | UnsetType = UNSET
    until: Annotated[str, Meta(max_length=64)] | float | int | UnsetType | None = UNSET
    author: Annotated[str, Meta(max_length=LONGEST_NAME)] | UnsetType = UNSET
    source: Annotated[str, Meta(max_length=LONGEST_NAME)] | UnsetType = UNSET
    id: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET


class AnnotationsQuery(Asked, frozen=True):
    from_: Moment | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Moment | UnsetType = UNSET
    tag: Annotated[
        list[Annotated[str, Meta(max_length=TAG_LENGTH)]],
        Meta(
            max_length=TAGS,
            description="Only those that bear each of these.",
            extra={"comma": True},
        ),
    ] = []
    text: Annotated[
        str, Meta(max_length=LONGEST_TITLE, description="Only those whose text has this in it.")
    ] = ""
    source: Annotated[str, Meta(max_length=LONGEST_NAME)] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_ANNOTATIONS)] = 100


class AnnotationGone(Asked, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=64)]


class Annotations(msgspec.Struct):
    """The latest first; `more` were found beyond the limit."""

    cursor: str
    annotations: list[AnnotationShape]
    more: int


class AlertsQuery(Asked, frozen=True):
    state: Annotated[
        list[Literal["firing", "resolved"]],
        Meta(max_length=10, description="Only these states.", extra={"comma": True}),
    ] = []


class Alerts(msgspec.Struct):
    cursor: str
    alerts: list[AlertShape]
    rules: list[RuleShape]


class AlertTestQuery(Asked, frozen=True):
    seconds: Annotated[
        float, Meta(ge=0, le=30, description="For how long the test alert is on.")
    ] = 5.0


class AlertTest(msgspec.Struct):
    """`fired` is null when a test was on already: then this one has ended it. `resolved` is null when another
    did, or the host's clock was set back meanwhile."""

    cursor: str
    fired: AlertShape | None
    resolved: AlertShape | None


# --- dashboards of people's own ----------------------------------------------------------------

Version = Annotated[
    int, Meta(ge=1, le=2**53, description="A seq, as `seq` of each saving tells it.")
]


class Place(msgspec.Struct):
    """Where a panel of some kind stands on the grid."""

    kind: Literal["chart", "tile", "text", "alerts"]
    x: int
    y: int
    w: int
    h: int


class LayoutShape(msgspec.Struct):
    """`seq` is the version. `provisioned` is the file it comes from, empty for one saved by hand. Lists leave
    `panels` out; that of all dashboards has their `places`. Of one that was removed they are empty."""

    id: str
    state: Literal["saved", "removed"]
    title: str
    tags: list[str]
    author: str
    provisioned: str
    source: str
    at: str
    seq: int
    cursor: str
    panels: list[Panel] | UnsetType = UNSET
    places: list[Place] | UnsetType = UNSET


class LayoutsQuery(Asked, frozen=True):
    id: LayoutId | UnsetType = UNSET
    version: Version | UnsetType = UNSET


class LayoutAsked(Asked, frozen=True):
    id: LayoutId


class LayoutHistoryQuery(Asked, frozen=True):
    id: LayoutId
    before: Version | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Layouts(msgspec.Struct):
    """By title; the one that was asked for, whole. `problems` are files of the directory that cannot be used."""

    cursor: str
    dashboards: list[LayoutShape]
    problems: list[Fault]


class LayoutVersions(msgspec.Struct):
    """Newest first. `next` is the `before` of the following page, null at the end; a page may be short."""

    cursor: str
    next: int | None
    versions: list[LayoutShape]


# --- the tape from afar ------------------------------------------------------------------------


class TimelineQuery(Asked, frozen=True):
    from_: Moment = msgspec.field(name="from", default="-1d")
    to: Moment = "now"
    buckets: Annotated[
        int, Meta(ge=10, le=2_000, description="About so many; their length is a round one.")
    ] = 300
    source: (
        Annotated[
            OneSource,
            Meta(
                description="Whose activity, silences and alerts; left out, this host's own and the alerts of all."
            ),
        ]
        | UnsetType
    ) = UNSET


class Tape(msgspec.Struct):
    """`edge` is the newest moment on tape. `raw_since`: from then on every reading is held. `horizons`: from when
    on each tier is whole, null for one that always was."""

    begins: str | None
    edge: str | None
    raw_since: str | None
    horizons: dict[str, str | None]


class FiringShape(msgspec.Struct):
    """An alert from the moment its value first crossed; `to` is null while it is open."""

    id: str
    rule: str
    severity: Literal["warning", "critical"]
    series: str
    source: str
    message: str
    from_: str = msgspec.field(name="from")
    to: str | None = msgspec.field()


class GapShape(msgspec.Struct):
    """Nothing was recorded. `stopped`: the server was told to; `crashed`: it ended without a word; `silent`: it
    ran and its collectors gave nothing; `unknown`."""

    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    cause: Literal["stopped", "crashed", "silent", "unknown"] = msgspec.field()


class MoreShape(msgspec.Struct):
    alerts: int
    annotations: int
    gaps: int
    starts: int


class TimelineShape(msgspec.Struct):
    """`activity[i]` (0 to 1, null where nothing was read) is of the `step` seconds from `at[i]` (epoch seconds) on.
    `what` it is: `cpu`, the highest share of CPU time of the host; without that `readings`, how many came beside
    the fullest step; or `nothing`. `more` were found than are listed: the most severe and latest alerts are, and
    the latest of the rest."""

    cursor: str
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    step: float = msgspec.field()
    what: Literal["cpu", "readings", "nothing"] = msgspec.field()
    tape: Tape = msgspec.field()
    at: list[float] = msgspec.field()
    activity: list[Number | None] = msgspec.field()
    alerts: list[FiringShape] = msgspec.field()
    annotations: list[AnnotationShape] = msgspec.field()
    gaps: list[GapShape] = msgspec.field()
    starts: list[str] = msgspec.field()
    more: MoreShape = msgspec.field()


class IncidentQuery(Asked, frozen=True):
    from_: Moment = msgspec.field(name="from")
    to: Moment = "now"
    title: Annotated[str, Meta(max_length=LONGEST_TITLE)] = ""


class ChangeShape(msgspec.Struct):
    """`line` has the means of sixty bins before the span and of sixty in it; `at` is where it lay furthest off, by
    `score` usual deviations."""

    series: str
    source: str
    unit: str
    help: str
    score: float
    at: str
    before: Number
    during: Number
    peak: Number
    line: list[Number | None]


class NoteShape(AnnotationShape):
    later: Annotated[bool, Meta(description="It was said after the span.")]


class DamageShape(msgspec.Struct):
    table: str
    key: str
    what: str


class SummaryShape(msgspec.Struct):
    """What happened in an incident: what fired, what changed most, who noted what, when the recorder started."""

    title: str
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    source: str = msgspec.field()
    created_at: str = msgspec.field()
    playhead: str = msgspec.field()
    events: int = msgspec.field()
    samples: int = msgspec.field()
    series: int = msgspec.field()
    sources: list[str] = msgspec.field()
    alerts: list[FiringShape] = msgspec.field()
    annotations: list[NoteShape] = msgspec.field()
    changed: list[ChangeShape] = msgspec.field()
    starts: list[str] = msgspec.field()
    damaged: list[DamageShape] = msgspec.field()


# --- performance and cache ---------------------------------------------------------------------


class Requests(msgspec.Struct):
    """`recent` is the last 60 s, the rest is since the start."""

    recent: Recent
    total: EndpointStats
    endpoints: list[EndpointStats]


class LogShape(msgspec.Struct):
    """Commit times are over the last commits; `queue_events` wait for theirs. `over_bytes` is by how much
    the bound on the log's size is not kept; `damaged` parts of the history were met since the start and
    cannot be read: `verify` names them all."""

    epoch: str
    head: int
    floor: int
    events: int
    samples: int
    bytes: int
    wal_bytes: int
    over_bytes: int
    bytes_per_sample: float | None
    commits: int
    commit_p50_s: float
    commit_p99_s: float
    damaged: int
    sqlite_version: str
    queue_events: int


class ProcessShape(msgspec.Struct):
    """`cpu_ratio` is the share of one processor used lately, null until it was measured."""

    cpu_ratio: Number | None
    cpu_s: float
    resident_bytes: int
    threads: int
    uptime_s: float


class Delivery(msgspec.Struct):
    """`rooms` counts the streams in the fullest rooms; `waiting_bytes` is what clients have yet to take,
    bytes that several wait for counted once; `log_reads` counts pages that memory did not hold."""

    rooms: dict[str, int]
    rooms_total: int
    audiences: int
    waiting: int
    waiting_bytes: int
    log_reads: int
    goodbyes: dict[str, int]


class Performance(msgspec.Struct):
    cache: ShelfStats
    requests: Requests
    connections: dict[str, int]
    delivery: Delivery
    loop_lag_s: float
    log: LogShape
    process: ProcessShape


class Cleared(msgspec.Struct):
    cleared: int


class Preloaded(msgspec.Struct):
    preloaded: int
    hours: list[float]
    entries: int


# --- history -----------------------------------------------------------------------------------


class SeriesQuery(Asked, frozen=True):
    match: Annotated[
        list[SelectorText],
        Meta(max_length=MOST_SERIES_ASKED, description="Selectors; any may match. None: all."),
    ] = []
    after: Annotated[int, Meta(ge=0, le=2**53, description="Only series of a larger id.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = MOST_LISTED
    as_of: Annotated[Moment, Meta(description=AS_OF)] | UnsetType = UNSET


class KnownSeries(SeriesShape):
    first_seen: str | None
    last_seen: str | None
    last_value: Number | None


class SeriesFound(msgspec.Struct):
    """By id. `next` is the `after` of the following page, null at the end of what there is."""

    cursor: str
    next: int | None
    series: list[KnownSeries]


class HistoryQuery(Asked, frozen=True):
    series: Annotated[
        list[SelectorText],
        Meta(
            max_length=MOST_SERIES_ASKED, description="Series or selectors; any may mean a series."
        ),
    ] = []
    match: Annotated[
        list[SelectorText],
        Meta(max_length=MOST_SERIES_ASKED, description="More selectors, as in `series` elsewhere."),
    ] = []
    from_: Moment = msgspec.field(name="from", default="-15m")
    to: Moment = "now"
    points: (
        Annotated[int, Meta(ge=LEAST, le=MOST_POINTS, description="At most so many a series.")]
        | UnsetType
    ) = UNSET
    step: (
        Annotated[
            str,
            Meta(
                max_length=32,
                description="Seconds, or a number with a unit (ms, s, m, h, d, w). One number for "
                "each step of the clock, null where nothing was read; the range grows to whole steps. "
                "Left out beside `fn`: as `points` says.",
                examples=["60", "5m"],
                extra={
                    "wanted": "seconds such as 60, or a number with a unit such as 15s, 5m or 1h"
                },
            ),
        ]
        | UnsetType
    ) = UNSET
    fn: (
        Annotated[
            Fn,
            Meta(
                description="What to say of each step; `last` beside a `step` alone. `rate` (a second) "
                "and `increase` are of counters: resets are handled, nothing is extrapolated. Without "
                "`fn` and `step`: readings, thinned so that peaks stay."
            ),
        ]
        | UnsetType
    ) = UNSET


class Column(SeriesShape):
    """One series: `value[i]` at `at[i]` (epoch seconds). With a step, `at` is where each step begins."""

    at: list[float]
    value: list[Number | None]


class History(msgspec.Struct, kw_only=True):
    """`tier` is what it was read from: `raw` are the readings themselves, `60s` buckets of a minute.

    `step` (seconds) and `fn` are there when it was asked by the step.
    """

    cursor: str
    tier: Literal["raw", "10s", "60s", "3600s"]
    from_: str = msgspec.field(name="from")
    to: str
    step: float | UnsetType = UNSET
    fn: Fn | UnsetType = UNSET
    series: list[Column]
    cached: bool


ChartText = Annotated[
    str,
    Meta(
        pattern=CHART,
        max_length=LONGEST_CHART,
        description="`stack`, `line` or `mirror`, a colon, and the ids of its series, by commas.",
        examples=["stack:3,4,5"],
        extra={
            "wanted": "stack, line or mirror, a colon, and ids of series such as stack:3,4, in at most "
            f"{LONGEST_CHART} characters; POST takes more"
        },
    ),
]
Rows = Annotated[int, Meta(ge=LEAST_ROWS, le=MOST_ROWS, description="About so many rows a chart.")]
Counters = Annotated[
    Literal["rate", "value"],
    Meta(description="Whether counters are drawn as their growth a second, or as they are."),
]


class ChartsQuery(Asked, frozen=True):
    chart: Annotated[
        list[ChartText],
        Meta(min_length=1, max_length=MOST_CHARTS, description="A chart; may be repeated."),
    ]
    from_: Moment = msgspec.field(name="from", default="-15m")
    to: Moment = "now"
    points: Rows = 600
    counters: Counters = "rate"
    as_of: Annotated[Moment, Meta(description=AS_OF)] | UnsetType = UNSET


class ChartAsked(Received, frozen=True):
    kind: Literal["stack", "line", "mirror"]
    ids: Annotated[list[int], Meta(min_length=1, max_length=MOST_CHARTED)]


class ChartsBody(Received, frozen=True):
    """The parameters of GET, for more charts than an address has room for."""

    charts: Annotated[list[ChartAsked], Meta(min_length=1, max_length=MOST_CHARTS)]
    from_: Moment | float = msgspec.field(name="from", default="-15m")
    to: Moment | float = "now"
    points: Rows = 600
    counters: Counters = "rate"
    as_of: Moment | float | UnsetType = UNSET
    """What had come by this moment, and nothing that came later, whatever time it bears."""


class ChartRows(msgspec.Struct):
    """`values[n][i]` is of the nth series asked for, at `at[i]` (epoch seconds); null is a gap.

    Drawn from `tier` as the charts of the dashboard are; of a long range the newest rows are readings.
    """

    kind: Literal["stack", "line", "mirror"]
    tier: Literal["raw", "10s", "60s", "3600s"]
    at: list[float]
    values: list[list[Number | None]]
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()


class ChartsDrawn(msgspec.Struct):
    """Charts in the order asked for. A stream resumed at `cursor` goes on where the rows end."""

    cursor: str
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    charts: list[ChartRows]


class EventsQuery(Asked, frozen=True):
    after: Annotated[int, Meta(ge=0, le=2**53, description="Only events after this seq.")] = 0
    from_: Moment | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Moment | UnsetType = UNSET
    type: Annotated[
        list[
            Literal["series", "metrics", "alert", "notification", "annotation", "layout", "system"]
        ],
        Meta(max_length=10, description="Only these types.", extra={"comma": True}),
    ] = []
    source: OneSource | UnsetType = UNSET
    order: Annotated[
        Literal["oldest", "newest"],
        Meta(description="Which come first; `newest` tells facts alone, no ticks."),
    ] = "oldest"
    before: (
        Annotated[int, Meta(ge=1, le=2**53, description="With `newest`: only before this seq.")]
        | UnsetType
    ) = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 100


class EventShape(msgspec.Struct):
    """A fact of the log. A `metrics` event's data is `{"values": {series: number}}`. `damaged` stands for the
    events `first` to `last` of its data, which are not as they were written and cannot be told; `detail` says
    why, and what is left of a sealed tick is in `values`. Their time is null and their source empty when those
    are not known."""

    seq: int
    at: str | None
    type: Literal[
        "series", "metrics", "alert", "notification", "annotation", "layout", "system", "damaged"
    ]
    source: str
    data: dict[str, Any]


class EventsFound(msgspec.Struct):
    """`next` is the `after` of the following page, or its `before` where the newest come first; null at the end
    of what there is."""

    cursor: str
    next: int | None
    events: list[EventShape]


class CloudEvent(msgspec.Struct):
    """CloudEvents 1.0, structured JSON; `id` is `epoch:seq`."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str
    data: dict[str, Any]


# --- health ------------------------------------------------------------------------------------


class Health(msgspec.Struct):
    status: Literal["ok"]
    version: str
    sqlite_version: str
    loop_lag_s: float
    uptime_s: float


class Ready(msgspec.Struct):
    """`reasons` is empty exactly when ready."""

    ready: bool
    reasons: list[str]
    cursor: str
