"""The log itself, as JSON, as lines, or as CloudEvents."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlencode

import msgspec

from realtime.core.frames import Data, about, plain
from realtime.core.times import rfc3339
from storage.events import Declared, Event, Metrics, Unreadable
from web.accept import chosen
from web.handler import Handler
from web.moments import moment
from web.problem import Problem
from web.route import JSON
from web.schemas import EventsQuery

NDJSON = "application/x-ndjson"
CLOUDEVENTS = "application/cloudevents-batch+json"

PAGE = 50
"""Events read at once: a tick can hold ten thousand samples, and a thousand ticks do not fit memory."""
ROOM = 100_000
"""Samples read at once, at most: they are decoded on the loop, in some 10 ms."""
SLICE = 5_000
"""Samples encoded before the loop gets its turn (law loop-never-blocks)."""
MOST_BYTES = 16 * 1024 * 1024
"""Where a page ends before its limit; `next` goes on from there."""


class Events(Handler):
    async def get(self) -> None:
        query = self.asked(EventsQuery)
        services = self.services
        spine = services.spine
        now = spine.now()
        start = moment("from", query.from_, now)
        end = moment("to", query.to, now)
        if start is not None and end is not None and start > end:
            raise Problem(400, "the range is empty", [("from", "is later than to; swap them")])
        if query.order == "newest" and "metrics" in query.type:
            raise Problem(
                400,
                "ticks are told oldest first",
                [("type", "metrics cannot be had newest first; leave it out, or order=newest")],
            )
        if query.order == "oldest" and query.before is not msgspec.UNSET:
            raise Problem(
                400,
                "that is a place for another order",
                [("before", "goes with order=newest; oldest first goes on from `after`")],
            )
        media = chosen(self.request.headers.get("Accept", ""), (JSON, NDJSON, CLOUDEVENTS))
        shape = self._cloud if media == CLOUDEVENTS else self._told
        encoded, following = await self._page(query, start, end, shape)
        if following is not None:
            self.set_header("Link", f'<{self._address(following)}>; rel="next"')
        if media == NDJSON:
            await self.send_parts([part for line in encoded for part in (line, b"\n")], NDJSON)
        elif media == CLOUDEVENTS:
            await self.send_parts([b"[", *_listed(encoded), b"]"], CLOUDEVENTS)
        else:
            await self.send_parts(_enveloped(encoded, following, spine.cursor()))

    async def _page(
        self,
        query: EventsQuery,
        start: int | None,
        end: int | None,
        shape: Callable[[Event], Data],
    ) -> tuple[list[bytes], int | None]:
        """Events as bytes, and the `after` of the next page if there may be one."""
        encoded: list[bytes] = []
        size = samples = 0
        newest = query.order == "newest"
        # Up to the edge and not to the head: only what has been applied has its series named.
        edge = self.services.spine.edge
        place = min(edge + 1, query.before or edge + 1) if newest else query.after
        read = self._backwards if newest else self._forwards
        # A tick names series of its source alone.
        widest = max(map(len, self.services.spine.view.of_source.values()), default=0)
        page = min(PAGE, max(1, ROOM // max(1, widest)))
        while len(encoded) < query.limit:
            wanted = min(page, query.limit - len(encoded))
            events = await read(query, place, wanted, edge, start, end)
            for event in events:
                encoded.append(_ENCODER.encode(shape(event)))
                place = event.seq
                size += len(encoded[-1])
                if size > MOST_BYTES:
                    return encoded, place
                samples += len(event.data.ids) if isinstance(event.data, Metrics) else 1
                if samples > SLICE:
                    samples = 0
                    await asyncio.sleep(0)
            if len(events) < wanted:
                return encoded, None
        return encoded, place

    async def _forwards(
        self,
        query: EventsQuery,
        after: int,
        limit: int,
        edge: int,
        start: int | None,
        end: int | None,
    ) -> list[Event]:
        return await self.services.log.read(
            after,
            limit,
            until=edge,
            start=start,
            end=end,
            types=query.type or None,
            source=query.source or None,
        )

    async def _backwards(
        self,
        query: EventsQuery,
        before: int,
        limit: int,
        edge: int,
        start: int | None,
        end: int | None,
    ) -> list[Event]:
        events = await self.services.log.facts(
            query.type, before, limit, start=start, end=end, source=query.source or None
        )
        # `after` bounds it from below.
        return [event for event in events if event.seq > query.after]

    def _told(self, event: Event) -> Data:
        return {
            "seq": event.seq,
            "at": rfc3339(event.at) if event.at else None,
            "type": event.type,
            "source": event.source,
            "data": self._data(event),
        }

    def _cloud(self, event: Event) -> Data:
        """CloudEvents 1.0 sections 3.1 and 3.3; `source` and `id` together are unique, as it asks."""
        # What is not known is left out: `time` is optional there.
        known: Data = {"time": rfc3339(event.at)} if event.at else {}
        return {
            "specversion": "1.0",
            "id": f"{self.services.spine.epoch}:{event.seq}",
            "source": f"/playhead/{quote(event.source, safe='')}",
            "type": f"playhead.{event.type}",
            **known,
            "datacontenttype": JSON,
            "data": self._data(event),
        }

    def _data(self, event: Event) -> Data:
        view = self.services.spine.view
        return data_of(event, view.texts)

    def _address(self, after: int) -> str:
        """This very question, from another place in the log on."""
        query = self.asked(EventsQuery)
        place = "before" if query.order == "newest" else "after"
        pairs: list[tuple[str, object]] = [
            (name, value)
            for name, value in msgspec.to_builtins(query).items()
            if name not in (place, "type") and (name, value) != ("order", "oldest")
        ]
        if query.type:
            pairs.append(("type", ",".join(query.type)))
        return f"{self.route.path}?{urlencode([*pairs, (place, after)])}"


def data_of(event: Event, texts: Mapping[int, str]) -> Data:
    """A fact in full. The numbers of a tick are the very ones on disk: what is written here reads back
    the same (shortest round-trip)."""
    fact = event.data
    if isinstance(fact, Metrics):
        return {"values": _values(fact, texts)}
    if isinstance(fact, Unreadable):
        told: Data = {"first": fact.first, "last": fact.last, "detail": fact.detail}
        return told | {"values": _values(fact, texts)} if fact.ids else told
    if isinstance(fact, Declared):
        return {"series": [about(one, texts[one.id], event.source) for one in fact.series]}
    return plain(fact, texts)


def _values(fact: Metrics | Unreadable, texts: Mapping[int, str]) -> Data:
    return {texts[id_]: value for id_, value in zip(fact.ids, fact.values, strict=True)}


def _enveloped(events: Sequence[bytes], following: int | None, cursor: str) -> list[bytes]:
    """The envelope around what is encoded already."""
    begin = b'{"status":"success","message":"","data":{"cursor":%s,"next":%s,"events":[' % (
        _ENCODER.encode(cursor),
        _ENCODER.encode(following),
    )
    return [begin, *_listed(events), b"]}}"]


def _listed(encoded: Sequence[bytes]) -> list[bytes]:
    """With commas between."""
    return [part for one in encoded for part in (b",", one)][1:]


_ENCODER = msgspec.json.Encoder()
