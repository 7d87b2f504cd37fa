"""The log itself, oldest first: as JSON, as lines, or as CloudEvents."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlencode

import msgspec

from realtime.core.frames import Data, about, plain
from realtime.core.times import rfc3339
from storage.events import Declared, Event, Metrics
from web.accept import chosen
from web.handler import Handler
from web.moments import moment
from web.problem import Problem
from web.route import JSON
from web.schemas import EventsQuery

NDJSON = "application/x-ndjson"
CLOUDEVENTS = "application/cloudevents-batch+json"

SLICE = 20
"""Events encoded before the loop gets its turn: a tick can hold a thousand samples."""


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
        # Up to the edge and not to the head: only what has been applied has its series named.
        events = await services.log.read(
            query.after,
            query.limit,
            until=spine.edge,
            start=start,
            end=end,
            types=query.type or None,
            source=query.source or None,
        )
        following = events[-1].seq if len(events) == query.limit else None
        if following is not None:
            self.set_header("Link", f'<{self._page(following)}>; rel="next"')
        media = chosen(self.request.headers.get("Accept", ""), (JSON, NDJSON, CLOUDEVENTS))
        if media == NDJSON:
            lines = await self._encoded(self._told(event) for event in events)
            await self.send(b"".join(line + b"\n" for line in lines), NDJSON)
        elif media == CLOUDEVENTS:
            batch = await self._encoded(self._cloud(event) for event in events)
            await self.send(b"[" + b",".join(batch) + b"]", CLOUDEVENTS)
        else:
            listed = await self._encoded(self._told(event) for event in events)
            await self.send(_enveloped(listed, following, spine.cursor()))

    async def _encoded(self, facts: Iterable[Data]) -> list[bytes]:
        encoded: list[bytes] = []
        for fact in facts:
            encoded.append(_ENCODER.encode(fact))
            if len(encoded) % SLICE == 0:
                await asyncio.sleep(0)
        return encoded

    def _told(self, event: Event) -> Data:
        return {
            "seq": event.seq,
            "at": rfc3339(event.at),
            "type": event.type,
            "source": event.source,
            "data": self._data(event),
        }

    def _cloud(self, event: Event) -> Data:
        """CloudEvents 1.0 sections 3.1 and 3.3; `source` and `id` together are unique, as it asks."""
        return {
            "specversion": "1.0",
            "id": f"{self.services.spine.epoch}:{event.seq}",
            "source": f"/playhead/{quote(event.source, safe='')}",
            "type": f"playhead.{event.type}",
            "time": rfc3339(event.at),
            "datacontenttype": JSON,
            "data": self._data(event),
        }

    def _data(self, event: Event) -> Data:
        view = self.services.spine.view
        return data_of(event, view.texts)

    def _page(self, after: int) -> str:
        """This very question, from another place in the log on."""
        query = self.asked(EventsQuery)
        pairs: list[tuple[str, object]] = [
            (name, value)
            for name, value in msgspec.to_builtins(query).items()
            if name not in ("after", "type")
        ]
        if query.type:
            pairs.append(("type", ",".join(query.type)))
        return f"{self.route.path}?{urlencode([*pairs, ('after', after)])}"


def data_of(event: Event, texts: Mapping[int, str]) -> Data:
    """A fact in full. The numbers of a tick are the very ones on disk: what is written here reads back
    the same (shortest round-trip)."""
    fact = event.data
    if isinstance(fact, Metrics):
        return {"values": {texts[i]: value for i, value in zip(fact.ids, fact.values, strict=True)}}
    if isinstance(fact, Declared):
        return {"series": [about(one, texts[one.id], event.source) for one in fact.series]}
    return plain(fact, texts)


def _enveloped(events: Sequence[bytes], following: int | None, cursor: str) -> bytes:
    """The envelope around what is encoded already."""
    return b'{"status":"success","message":"","data":{"cursor":%s,"next":%s,"events":[%s]}}' % (
        _ENCODER.encode(cursor),
        _ENCODER.encode(following),
        b",".join(events),
    )


_ENCODER = msgspec.json.Encoder()
