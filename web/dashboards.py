"""Dashboards that people arrange: listed, given, saved over the version that was meant, removed; and their past."""

import msgspec

from realtime.core.frames import Data
from realtime.core.layouts import Arrangement, faults, stored
from realtime.errors import NotFound
from storage.events import Event, Layout
from web.handler import IDEMPOTENCY_KEY, Handler, Receiver, unusable
from web.problem import Problem, shown
from web.route import JSON
from web.schemas import LayoutAsked, LayoutHistoryQuery, LayoutsQuery

IF_MATCH = "If-Match"
PAGE = 100
LOOKED = 1_000
"""Savings of all dashboards that one look at the past of one goes through."""


class Dashboards(Receiver):
    async def get(self) -> None:
        """All of them with the places of their panels; one of them, as it is or was, whole."""
        services, query = self.services, self.asked(LayoutsQuery)
        spine = services.spine
        if query.id is msgspec.UNSET:
            if query.version is not msgspec.UNSET:
                raise Problem(400, "whose version is not said", [("id", "is missing")])
            saved = sorted(spine.view.layouts.values(), key=_title)
            told = [_outlined(services.tell(event)) for event in saved]
        else:
            event = await self._one(query.id, query.version)
            self.set_header("Etag", f'"{event.seq}"')
            told = [services.tell(event)]
        await self.reply(
            {"cursor": spine.cursor(), "dashboards": told, "problems": list(services.faults())}
        )

    async def _one(self, id_: str, version: int | msgspec.UnsetType) -> Event:
        services = self.services
        event = services.spine.view.layouts.get(id_)
        if version is not msgspec.UNSET and (event is None or event.seq != version):
            edge = services.spine.edge
            read = await services.log.read(version - 1, 1, until=min(version, edge))
            event = next((one for one in read if _is(one, id_)), None)
        if event is None:
            at = "" if version is msgspec.UNSET else f" at version {version}"
            raise NotFound(f"there is no dashboard {shown(id_)}{at}")
        return event

    async def post(self) -> None:
        """A new one."""
        key = self.word(IDEMPOTENCY_KEY)
        body, _ = self.body(JSON)
        sent = self._sound()
        await self._saved(await self.services.spine.arrange(_layout(sent), 0, "", key, body))

    async def put(self) -> None:
        """Over the one that is there, or as a new one. With `If-Match` only over that version."""
        id_, sent = self.asked(LayoutAsked).id, self._sound()
        if sent.id not in (None, id_):
            raise Problem(
                422, "one dashboard is asked for and another sent", [("id", f"is not {id_}")]
            )
        layout = msgspec.structs.replace(_layout(sent), id=id_)
        await self._saved(await self.services.spine.arrange(layout, self._version()))

    async def delete(self) -> None:
        event = await self.services.spine.dismiss(self.asked(LayoutAsked).id, self._version())
        await self.reply(self.services.tell(event), "removed")

    async def _saved(self, event: Event) -> None:
        self.set_header("Etag", f'"{event.seq}"')
        await self.reply(self.services.tell(event), "saved")

    def _sound(self) -> Arrangement:
        sent = self.received(Arrangement)
        if wrong := faults(sent):
            raise Problem(422, "the dashboard is not one that can be shown", wrong)
        return sent

    def _version(self) -> int | None:
        given = self.request.headers.get(IF_MATCH)
        if given is None or given.strip() == "*":
            return None
        number = given.strip().removeprefix("W/").strip('"')
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 2**53):
            raise unusable(
                IF_MATCH, f'got {shown(given)}; give the version in quotes, such as "17"'
            )
        return int(number)


class DashboardsHistory(Handler):
    async def get(self) -> None:
        """Every saving of one, newest first."""
        services, query = self.services, self.asked(LayoutHistoryQuery)
        before = services.spine.edge + 1
        if query.before is not msgspec.UNSET:
            before = min(before, query.before)
        found: list[Event] = []
        looked = 0
        while len(found) < query.limit and looked < LOOKED:
            page = await services.log.facts(("layout",), before, PAGE)
            for event in page:
                before = event.seq
                if _is(event, query.id):
                    found.append(event)
                if len(found) == query.limit:
                    break
            else:
                if len(page) < PAGE:
                    before = 0
                    break
            looked += len(page)
        await self.reply(
            {
                "cursor": services.spine.cursor(),
                "next": before or None,
                "versions": [_brief(services.tell(event)) for event in found],
            }
        )


def _layout(sent: Arrangement) -> Layout:
    return Layout(sent.id or "", "saved", sent.title, stored(sent.panels), sent.tags, sent.author)


def _is(event: Event, id_: str) -> bool:
    return isinstance(event.data, Layout) and event.data.id == id_


def _title(event: Event) -> tuple[str, str]:
    assert isinstance(event.data, Layout)
    return event.data.title.casefold(), event.data.id


def _outlined(told: Data) -> Data:
    """What stands where, for a picture from afar; what it shows is asked for one by one."""
    sides = ("kind", "x", "y", "w", "h")
    places = [{side: panel[side] for side in sides} for panel in told["panels"]]
    return {**_brief(told), "places": places}


def _brief(told: Data) -> Data:
    return {name: value for name, value in told.items() if name != "panels"}
