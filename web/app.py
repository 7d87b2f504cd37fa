"""The route table: every address, what it takes and what it answers, once.

The application and the OpenAPI document are both made from it, so neither can say what the other does not.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from tornado.httputil import HTTPServerRequest
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from realtime.bodies import MSGPACK
from realtime.core.layouts import Arrangement
from realtime.core.media import MEDIA
from web import doorway, schemas
from web.alerts import Alerts, AlertTest
from web.annotations import Annotations
from web.assets import Analytics, AssetFile, Docs, Favicon, Offline, Service, Start
from web.cache import Clear, Preload
from web.charts import Charts
from web.dashboard import DashboardLive
from web.dashboards import IF_MATCH, Dashboards, DashboardsHistory
from web.duplex import Duplex
from web.events import CLOUDEVENTS, NDJSON, Events
from web.exposition import OPENMETRICS, TEXT, Exposition
from web.handler import IDEMPOTENCY_KEY, Border, Nowhere
from web.health import Healthz, Readyz
from web.incident import IncidentFile, Summary
from web.metrics import (
    PRODUCER,
    PRODUCER_EPOCH,
    PRODUCER_SEQ,
    Metrics,
    MetricsLive,
)
from web.notifications import Notifications
from web.openapi import OpenApi, document
from web.overview import Overview
from web.performance import Performance
from web.query import Query
from web.route import JSON, Operation, Route
from web.series import SeriesList
from web.services import Services
from web.state import State
from web.stream import Place, Poll, Polled, Stream, Watched
from web.timeline import TimelineOf

API = "/api/realtime"

TOO_LONG = "The body is longer than the server reads."
NOT_TAKEN = "The body's content type or coding is not taken here; the answer names what is."
NOT_THAT = "The body can be read and is not what is wanted; `errors` names the fields."
BUSY = "More comes in than the disk takes."
CROWDED = "There are as many streams as there may be, or the server is stopping."
UPGRADE = "The request does not ask for a WebSocket."
NOT_NOW = "The disk is full or the server is stopping; nothing was kept."
UNREADABLE = "The log cannot be read now."
TAKEN = "There is one of this name, it comes from a file, or there are as many as may be."
MOVED = "It does not stand at the version that `If-Match` names; somebody has saved it since."
MEANT = "The version that is to be replaced, as `Etag` or `seq` told it; any without it."
UNKNOWN = "There is nothing of this name."
ABSENT = "This server was built without the file."

SENT: Mapping[int, str] = {413: TOO_LONG}
WRITTEN: Mapping[int, str] = {
    413: TOO_LONG,
    415: NOT_TAKEN,
    422: NOT_THAT,
    429: BUSY,
    503: NOT_NOW,
}
READ: Mapping[int, str] = {503: UNREADABLE}
SOURCED: Mapping[int, str] = {404: "Nothing has come from a source of that name.", **READ}

ROUTES: Sequence[Route] = (
    Route(
        f"{API}/dashboard/live",
        DashboardLive,
        {
            "GET": Operation(
                "Everything the first paint needs",
                query=schemas.DashboardQuery,
                data=schemas.Dashboard,
                refusals=SOURCED,
            )
        },
    ),
    Route(
        f"{API}/overview",
        Overview,
        {
            "GET": Operation(
                "Every source at a glance, what is unusual first",
                query=schemas.OverviewQuery,
                data=schemas.OverviewShape,
            )
        },
    ),
    Route(
        f"{API}/state",
        State,
        {
            "GET": Operation(
                "The dashboard as it stood at a moment",
                description="The shape of `dashboard/live`, from what had come by then; samples that came "
                "later are not mixed in, whatever time they bear.",
                query=schemas.StateQuery,
                data=schemas.Dashboard,
                refusals=SOURCED,
            )
        },
    ),
    Route(
        f"{API}/dashboard/stream",
        Stream,
        {
            "GET": Operation(
                "Live frames as server-sent events",
                description="`hello` comes first, then the frames missed since the cursor, or a "
                "`snapshot`; after that frames as they happen. `id` is the cursor to resume from. With `from`, a "
                "moment that is over plays: `replaying`, its `snapshot`, then its frames at `speed`, "
                "until `to` or until it is live.",
                query=Watched,
                others={"text/event-stream": None},
                refusals={503: CROWDED},
                headers={
                    "Last-Event-ID": "The cursor of the last event read; goes before `cursor`."
                },
            )
        },
        timed=False,
        tag="streams",
    ),
    Route(
        f"{API}/dashboard/poll",
        Poll,
        {
            "GET": Operation(
                "The frames after a cursor, at once or when there are some",
                query=Place,
                data=Polled,
                refusals={503: CROWDED},
            )
        },
        timed=False,
        tag="streams",
    ),
    Route(
        f"{API}/ws",
        Duplex,
        {
            "GET": Operation(
                "Live frames over a WebSocket, and commands back",
                description="RFC 6455, with the subprotocol `playhead.v1.msgpack` for binary frames.",
                query=Place,
                good=101,
                refusals={426: UPGRADE, 503: CROWDED},
                headers={"Upgrade": "websocket"},
            )
        },
        timed=False,
        tag="streams",
    ),
    Route(
        f"{API}/metrics/live",
        MetricsLive,
        {"GET": Operation("The latest value of every series", data=schemas.MetricsLive)},
    ),
    Route(
        f"{API}/metrics",
        Metrics,
        {
            "POST": Operation(
                "Record readings: 200 means they are on disk",
                bodies=(schemas.Reading, list[schemas.Reading], schemas.Columns),
                writes=True,
                body_media=(JSON, *MSGPACK),
                data=schemas.Accepted,
                refusals={**WRITTEN, 409: "A later batch of this producer has been taken."},
                headers={
                    IDEMPOTENCY_KEY: "Names this body; a retry with the same key and body writes "
                    "nothing and gets the first answer.",
                    PRODUCER: "Who numbers its batches; the newest sent again writes nothing and "
                    "gets its first answer. Together with the next two, instead of a key.",
                    PRODUCER_EPOCH: "Within which the numbers grow; a new one when they start again.",
                    PRODUCER_SEQ: "The number of this batch; numbers may be left out.",
                },
            )
        },
    ),
    Route(
        f"{API}/notifications",
        Notifications,
        {
            "GET": Operation(
                "Notifications, newest first",
                query=schemas.NotificationsQuery,
                data=schemas.Notifications,
            ),
            "POST": Operation(
                "Notify a room: stored, then told to everyone in it",
                bodies=(schemas.NotificationBody,),
                writes=True,
                data=schemas.NotificationShape,
                refusals=WRITTEN,
                headers={
                    IDEMPOTENCY_KEY: "Names this body; a retry with the same key and body tells "
                    "nobody and gets the first answer."
                },
            ),
        },
    ),
    Route(
        f"{API}/annotations",
        Annotations,
        {
            "GET": Operation(
                "Moments and spans that were marked, the latest first",
                query=schemas.AnnotationsQuery,
                data=schemas.Annotations,
            ),
            "POST": Operation(
                "Mark a moment or a span, or change what was marked",
                bodies=(schemas.AnnotationBody,),
                writes=True,
                data=schemas.AnnotationShape,
                refusals={**WRITTEN, 404: UNKNOWN},
                headers={
                    IDEMPOTENCY_KEY: "Names this body; a retry with the same key and body tells "
                    "nobody and gets the first answer."
                },
            ),
            "DELETE": Operation(
                "Take an annotation back",
                writes=True,
                query=schemas.AnnotationGone,
                data=schemas.AnnotationShape,
                refusals={413: TOO_LONG, 404: UNKNOWN, 429: BUSY, 503: NOT_NOW},
            ),
        },
    ),
    Route(
        f"{API}/dashboards",
        Dashboards,
        {
            "GET": Operation(
                "Dashboards that people have arranged; with `id` one of them, whole",
                query=schemas.LayoutsQuery,
                data=schemas.Layouts,
                refusals={**READ, 404: UNKNOWN},
            ),
            "POST": Operation(
                "Save a new dashboard",
                bodies=(Arrangement,),
                writes=True,
                data=schemas.LayoutShape,
                refusals={**WRITTEN, 409: TAKEN},
                headers={
                    IDEMPOTENCY_KEY: "Names this body; a retry with the same key and body saves "
                    "nothing and gets the first answer."
                },
            ),
            "PUT": Operation(
                "Save a dashboard over the one that is there, or as a new one",
                query=schemas.LayoutAsked,
                bodies=(Arrangement,),
                writes=True,
                data=schemas.LayoutShape,
                refusals={**WRITTEN, 409: TAKEN, 412: MOVED},
                headers={IF_MATCH: MEANT},
            ),
            "DELETE": Operation(
                "Remove a dashboard; its past stays",
                writes=True,
                query=schemas.LayoutAsked,
                data=schemas.LayoutShape,
                refusals={
                    413: TOO_LONG,
                    404: UNKNOWN,
                    409: TAKEN,
                    412: MOVED,
                    429: BUSY,
                    503: NOT_NOW,
                },
                headers={IF_MATCH: MEANT},
            ),
        },
    ),
    Route(
        f"{API}/dashboards/history",
        DashboardsHistory,
        {
            "GET": Operation(
                "Every saving of a dashboard, newest first",
                query=schemas.LayoutHistoryQuery,
                data=schemas.LayoutVersions,
                refusals=READ,
            )
        },
    ),
    Route(
        f"{API}/alerts",
        Alerts,
        {
            "GET": Operation(
                "Open alerts, newest first; with `state=resolved` those that lately ended",
                query=schemas.AlertsQuery,
                data=schemas.Alerts,
            )
        },
    ),
    Route(
        f"{API}/alerts/test",
        AlertTest,
        {
            "POST": Operation(
                "An alert to try the way with: it fires, and resolves after `seconds`",
                writes=True,
                query=schemas.AlertTestQuery,
                data=schemas.AlertTest,
                refusals=SENT,
            )
        },
        timed=False,
    ),
    Route(
        f"{API}/series",
        SeriesList,
        {"GET": Operation("The series known", query=schemas.SeriesQuery, data=schemas.SeriesFound)},
    ),
    Route(
        f"{API}/query",
        Query,
        {
            "GET": Operation(
                "A range in columns: readings with their peaks, or one number a step",
                description="`Accept` chooses between JSON, msgpack of the same shape, and CSV with a "
                "row a reading. The answer names the tier it was read from.",
                query=schemas.HistoryQuery,
                data=schemas.History,
                others={media: None for media in MEDIA if media != JSON},
                also={304: "The numbers are those that `If-None-Match` names."},
                refusals=READ,
                headers={"If-None-Match": "The `ETag` of an earlier answer to the same question."},
            )
        },
    ),
    Route(
        f"{API}/charts",
        Charts,
        {
            "GET": Operation(
                "Rows for charts put together from any series, all in one answer",
                query=schemas.ChartsQuery,
                data=schemas.ChartsDrawn,
                refusals=READ,
            ),
            "POST": Operation(
                "The same, for more than an address has room for",
                bodies=(schemas.ChartsBody,),
                data=schemas.ChartsDrawn,
                refusals={413: TOO_LONG, 415: NOT_TAKEN, 422: NOT_THAT, **READ},
            ),
        },
    ),
    Route(
        f"{API}/events",
        Events,
        {
            "GET": Operation(
                "The log itself, oldest first; or facts alone, newest first",
                description="`Accept` chooses between JSON, lines and CloudEvents 1.0; `Link` leads "
                "to the next page.",
                query=schemas.EventsQuery,
                data=schemas.EventsFound,
                others={
                    NDJSON: schemas.EventShape,
                    CLOUDEVENTS: list[schemas.CloudEvent],
                },
                refusals=READ,
            )
        },
    ),
    Route(
        f"{API}/timeline",
        TimelineOf,
        {
            "GET": Operation(
                "The tape from afar: activity, alerts, annotations, gaps and starts",
                query=schemas.TimelineQuery,
                data=schemas.TimelineShape,
                refusals=SOURCED,
            )
        },
    ),
    Route(
        f"{API}/incident",
        IncidentFile,
        {
            "GET": Operation(
                "A stretch of the tape in one file, with what happened in it",
                description="A ZIP: manifest, the log of the stretch, and a summary as JSON and as a page. "
                "`playhead open FILE` shows it.",
                query=schemas.IncidentQuery,
                others={"application/zip": None},
                refusals={
                    404: "Of that span nothing is held.",
                    429: "Another one is being written.",
                    **READ,
                },
            )
        },
        timed=False,
    ),
    Route(
        f"{API}/incident/summary",
        Summary,
        {
            "GET": Operation(
                "What happened in the incident that is open",
                data=schemas.SummaryShape,
                refusals={404: "This server records: no incident is open.", **READ},
            )
        },
    ),
    Route(
        f"{API}/performance/stats",
        Performance,
        {"GET": Operation("How the server itself is doing", data=schemas.Performance)},
    ),
    Route(
        f"{API}/cache/clear",
        Clear,
        {"POST": Operation("Empty the shelf", data=schemas.Cleared, refusals=SENT)},
    ),
    Route(
        f"{API}/cache/preload",
        Preload,
        {
            "POST": Operation(
                "Make the answers people ask for first: 1, 6, 24, 72 and 168 hours",
                data=schemas.Preloaded,
                refusals={**SENT, **READ},
            )
        },
    ),
    Route(
        "/metrics",
        Exposition,
        {
            "GET": Operation(
                "The server itself, for Prometheus", others={TEXT: None, OPENMETRICS: None}
            )
        },
        tag="operations",
    ),
    Route(
        "/healthz",
        Healthz,
        {"GET": Operation("Alive?", data=schemas.Health)},
        tag="operations",
    ),
    Route(
        "/livez",
        Healthz,
        {"GET": Operation("Alive? By its newer name", data=schemas.Health)},
        tag="operations",
    ),
    Route(
        "/readyz",
        Readyz,
        {
            "GET": Operation(
                "Ready to record?", data=schemas.Ready, also={503: "Not now; `reasons` says why."}
            )
        },
        tag="operations",
    ),
    Route(
        "/api/openapi.json",
        OpenApi,
        {"GET": Operation("This document", others={JSON: dict[str, Any]})},
        tag="operations",
    ),
    Route(
        "/",
        Start,
        {"GET": Operation("Leads to the dashboard", good=302)},
        page=True,
        tag="pages",
    ),
    Route(
        "/analytics",
        Analytics,
        {"GET": Operation("The dashboard", others={"text/html": None}, refusals={404: ABSENT})},
        page=True,
        tag="pages",
    ),
    Route(
        "/api/docs",
        Docs,
        {
            "GET": Operation(
                "This document, to browse", others={"text/html": None}, refusals={404: ABSENT}
            )
        },
        page=True,
        tag="pages",
    ),
    Route(
        "/offline",
        Offline,
        {"GET": Operation("What the page says when it has no server")},
        page=True,
        hidden=True,
    ),
    Route(
        "/service.js",
        Service,
        {"GET": Operation("The service worker")},
        page=True,
        hidden=True,
    ),
    Route(
        "/favicon.ico",
        Favicon,
        {"GET": Operation("The icon")},
        page=True,
        hidden=True,
    ),
    Route(
        r"/assets/(?P<build>[^/]+)/(?P<path>.+)",
        AssetFile,
        {"GET": Operation("The pages' own files")},
        page=True,
        hidden=True,
    ),
)

NOWHERE = Route("(nowhere)", Nowhere, hidden=True)

IDLE_S = 75.0
BODY_S = 30.0
HEADER_BYTES = 128 * 1024
"""A longer request is cut off without an answer, so this is more than the longest query string."""
READ_BYTES = 256 * 1024


def serve_options() -> dict[str, Any]:
    """What `run.py` gives to `HTTPServer`. Bodies that are wanted are bounded by their handlers."""
    return {
        "idle_connection_timeout": IDLE_S,
        "body_timeout": BODY_S,
        "max_header_size": HEADER_BYTES,
        "max_body_size": READ_BYTES,
        "chunk_size": READ_BYTES,
        "max_buffer_size": 4 * READ_BYTES,
        "decompress_request": False,
        "xheaders": False,
        "no_keep_alive": False,
    }


class Site(Application):
    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """A method that no operation has is for `Nowhere` to refuse: few handlers can bear a body."""
        method = "GET" if request.method == "HEAD" else request.method
        if target_kwargs and method not in target_kwargs["route"].operations:
            target_class = Nowhere
        return super().get_handler_delegate(request, target_class, target_kwargs, *args, **kwargs)


def application(services: Services, routes: Sequence[Route] = ROUTES) -> Application:
    """The whole site."""
    if services.socketio:
        routes = (*routes, doorway.ROUTE)
    return Site(
        [_spec(route, services) for route in routes],
        default_handler_class=Nowhere,
        default_handler_args={"services": services, "route": NOWHERE},
        log_function=_note,
        openapi=cache(lambda: msgspec.json.encode(document(routes, services.version))),
    )


def _spec(route: Route, services: Services) -> URLSpec:
    path = route.path if "(" in route.path else route.path.replace(".", r"\.")
    return URLSpec(path, route.handler, {"services": services, "route": route}, name=route.path)


def _note(handler: RequestHandler) -> None:
    """Every answered request counts, under its route and never under a path someone made up."""
    if isinstance(handler, Border) and handler.route.timed:
        services = handler.services
        services.requests.note(
            handler.route.told,
            handler.get_status(),
            handler.request.request_time(),
            services.spine.now(),
        )
