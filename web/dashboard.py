"""Everything the first paint needs, in one answer, as fresh as the last commit."""

import asyncio
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET

from realtime.answers import Bodies, Body
from realtime.core.dashboard import NOTIFICATIONS, dashboard
from realtime.core.views import View
from storage.events import Event, Notification
from web.handler import Handler, enveloped
from web.problem import Problem, shown
from web.schemas import DashboardQuery
from web.services import Services

ROWS = 600
"""Rows of a chart: about a point for every two pixels of a wide screen."""
HOUR_US = 3_600_000_000
NAMED = 20
"""Sources that a refusal names."""
EVERYONE = "dashboard"
"""The room that everybody is in."""


class DashboardLive(Handler):
    async def get(self) -> None:
        query = self.asked(DashboardQuery)
        source = self.services.source if query.source is UNSET else query.source
        check_source(self.services, self.services.spine.view, source)
        bodies, cached = await dashboard_bodies(self.services, query.hours, query.room, source)
        await self.send_body(bodies.warm if cached else bodies.fresh)


def check_source(services: Services, view: View, source: str) -> None:
    """Problem 404 names the sources that there are, or some of them. The host's own needs no reading yet."""
    known = view.sources
    if source in known or source == services.source:
        return
    named = ", ".join(sorted(known)[:NAMED]) or "none yet"
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    detail = f"nothing has come from {shown(source)}; the sources are: {named}{more}"
    raise Problem(404, "there is no such source", [("source", detail)])


async def dashboard_bodies(
    services: Services, hours: float, room: str, source: str
) -> tuple[Bodies, bool]:
    """The answer, and whether it came off the shelf: all of it, or for a long range its charts.

    A tick outdates the answer; the charts of a range that reaches beyond the recent window move on
    a step at a time, so they stay while the figures beside them are as fresh as ever.
    """
    spine, history = services.spine, services.history
    now = spine.now()
    start, end = history.aligned(now - int(hours * HOUR_US), now, ROWS)
    stepped = end != now
    drawn_before = False

    async def draw() -> Body:
        charts = await history.charts(source, start, end, ROWS)
        return Body(await _encode(charts))

    async def make() -> Bodies:
        nonlocal drawn_before
        if stepped:
            charts, drawn_before = await services.shelf.get(
                ("charts", source, start, end), history.chart_tags(source, end), draw
            )
            data = _standing(services, spine.view, hours, room, source)
        else:
            # The figures and the window are read in one tick of the loop: a stream resumed from
            # this cursor goes on exactly where the charts end (law no-gap-no-double).
            data = _standing(services, spine.view, hours, room, source)
            charts = await draw()
        return await services.encoder.bodies(
            {**data, "charts": msgspec.Raw(charts.json)}, enveloped
        )

    bodies, found = await services.shelf.get(
        ("dashboard/live", source, hours, room), tags_of(source), make
    )
    return bodies, found or drawn_before


async def past_bodies(
    services: Services, at: int, hours: float, room: str, source: str
) -> tuple[Bodies, bool]:
    """What `dashboard_bodies` gave at a moment (µs), from what had come by then."""
    past = services.past
    place = await past.place(at)

    async def make() -> Bodies:
        standing = await past.standing(place, at)
        history, view = standing.history, standing.view
        check_source(services, view, source)
        start, end = history.aligned(at - int(hours * HOUR_US), at, ROWS)
        charts = await history.charts(source, start, end, ROWS)
        data = _standing(services, view, hours, room, source)
        raw = msgspec.Raw(await _encode(charts))
        return await services.encoder.bodies({**data, "charts": raw}, enveloped)

    if place.settled:  # what had come by a moment that is over never changes
        key: tuple[object, ...] = ("state", at, hours, room, source)
        return await services.shelf.get(key, (), make, lasting=True)
    # Near now more may come yet: then it is another answer, of another event.
    key = ("state", at, place.seq, hours, room, source)
    return await services.shelf.get(key, tags_of(source), make)


def tags_of(source: str) -> tuple[str, ...]:
    """What outdates the figures of a dashboard."""
    return ("sources", f"metrics:{source}", "alerts", "notifications", "annotations")


def _standing(
    services: Services, view: View, hours: float, room: str, source: str
) -> dict[str, Any]:
    """All but the charts, as the view stands."""
    data = dashboard(
        view,
        source,
        epoch=services.spine.epoch,
        hours=hours,
        interval_s=services.interval_s,
        version=services.version,
        rules=services.rules,
    )
    heard = _heard(view, {room, EVERYONE})
    return {**data, "notifications": [services.tell(event) for event in heard]}


def _heard(view: View, rooms: set[str]) -> list[Event]:
    """The newest notifications to any of the rooms, newest first."""
    told = (
        event
        for event in reversed(view.notifications)
        if isinstance(event.data, Notification) and event.data.room in rooms
    )
    return list(islice(told, NOTIFICATIONS))


async def _encode(charts: object) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, msgspec.json.encode, charts)
