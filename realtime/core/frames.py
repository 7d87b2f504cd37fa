"""What crosses the wire: a frame is a name and its data, the same on every road (law same-frames).

The data of an event is made from the event and the names of its series alone, so live, resumed and
replayed frames are equal to the byte. The browser's `wire.js` is the other side.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from realtime.core.cursor import cursor
from realtime.core.times import rfc3339
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
    Unreadable,
)

Encoding = Literal["json", "msgpack"]
Road = Literal["websocket", "sse", "poll", "socketio"]
Data = dict[str, Any]

PLACED = ("heartbeat", "snapshot")
"""Frames that are not of the log, and yet tell the reader a place to resume from: their cursor is an SSE id."""


PIECE = 1_000
"""Members of an object encoded at once."""


class Frame(NamedTuple):
    event: str
    data: Data


class Packed(NamedTuple):
    """A frame for sockets whose data is bytes already: made off the loop, and sent as often as one likes."""

    event: str
    data: msgspec.Raw


class Wire(NamedTuple):
    """How frames travel to a kind of client. Clients with an equal wire share the bytes, so `wrap`, which
    adds what the transport wants around them, is one function for all of them."""

    road: Road
    encoding: Encoding
    wrap: Callable[[bytes], bytes]

    def bytes_of(self, frame: Frame | Packed) -> bytes:
        return self.wrap(encode(frame, self.road, self.encoding))

    def answer(self, frame: Frame | Packed, id_: Any) -> bytes:
        """A frame that answers a message, with the client's own id for it where it gave one."""
        if id_ is None:
            return self.bytes_of(frame)
        return self.wrap(encode_answer(frame, id_, self.road, self.encoding))


def of_event(
    event: Event,
    epoch: str,
    texts: Mapping[int, str],
    *,
    only: Collection[int] | None = None,
    compact: bool = False,
    conflated: int = 1,
) -> Frame | None:
    """The frame of a log event. `only` keeps the samples of those series; None when nothing is left,
    or when the event is not told on the wire."""
    fact = event.data
    data: Data = {}
    if event.seq:  # what is not of the log has no place in it
        data = {"seq": event.seq, "cursor": cursor(epoch, event.seq)}
    data |= {"at": rfc3339(event.at), "source": event.source}
    if isinstance(fact, Metrics):
        ids, values = fact.ids, fact.values
        if only is not None:
            kept = [(id_, value) for id_, value in zip(ids, values, strict=True) if id_ in only]
            if not kept:
                return None
            ids, values = zip(*kept, strict=True)
        if compact:
            data["ids"], data["values"] = ids, values
        else:
            data["values"] = {texts[id_]: value for id_, value in zip(ids, values, strict=True)}
        if conflated > 1:
            data["conflated"] = conflated
    elif isinstance(fact, Declared | Unreadable):
        return None
    else:
        data.update(plain(fact, texts))
    return Frame(event.type, data)


def plain(
    fact: Alert | Notification | Annotation | Layout | System, texts: Mapping[int, str]
) -> Data:
    """A fact's own fields in the words of the public interface."""
    if isinstance(fact, Alert):
        return {
            "id": fact.id,
            "rule": fact.rule,
            "state": fact.state,
            "severity": fact.severity,
            "series": texts[fact.series],
            "value": fact.value,
            "threshold": fact.threshold,
            "unit": fact.unit,
            "since": rfc3339(fact.since),
            "message": fact.message,
        }
    if isinstance(fact, Notification):
        return {
            "id": fact.id,
            "type": fact.kind,
            "title": fact.title,
            "message": fact.message,
            "room": fact.room,
        }
    if isinstance(fact, Annotation):
        return {
            "id": fact.id,
            "state": fact.state,
            "text": fact.text,
            "tags": fact.tags,
            "since": rfc3339(fact.since),
            "until": None if fact.until is None else rfc3339(fact.until),
            "author": fact.author,
        }
    if isinstance(fact, Layout):
        return {
            "id": fact.id,
            "state": fact.state,
            "title": fact.title,
            "tags": fact.tags,
            "panels": fact.panels,
            "author": fact.author,
            "provisioned": fact.provisioned,
        }
    return {"what": fact.what, "detail": fact.detail}


def of_series(
    series: Iterable[Series], texts: Mapping[int, str], owner: Mapping[int, str]
) -> Frame:
    """The names behind ids: sent before the first compact frame that uses them."""
    return Frame("series", {"series": [about(one, texts[one.id], owner[one.id]) for one in series]})


def about(series: Series, text: str, source: str) -> Data:
    return {
        "id": series.id,
        "series": text,
        "name": series.name,
        "labels": series.labels,
        "source": source,
        "unit": series.unit,
        "kind": series.kind,
        "help": series.help,
    }


def encode(frame: Frame | Packed, road: Road, encoding: Encoding = "json") -> bytes:
    """The bytes of a frame for a road: a WebSocket message (or poll item), a Socket.IO event, an SSE block."""
    if encoding == "msgpack":
        return _msgpack.encode({"event": frame.event, "data": frame.data})
    data = _json.encode(frame.data)
    if road == "socketio":
        return b'2["%s",%s]' % (frame.event.encode(), data)
    if road != "sse":
        return b'{"event":"%s","data":%s}' % (frame.event.encode(), data)
    assert isinstance(frame, Frame), "answers go to sockets"
    # JSON has no raw line break, so one `data:` line holds it (WHATWG HTML, 9.2.6).
    if "seq" in frame.data or frame.event in PLACED:
        place = str(frame.data["cursor"]).encode()
        return b"event: %s\nid: %s\ndata: %s\n\n" % (frame.event.encode(), place, data)
    return b"event: %s\ndata: %s\n\n" % (frame.event.encode(), data)


def packed(frame: Frame, encoding: Encoding) -> Packed:
    if encoding == "msgpack":
        return Packed(frame.event, msgspec.Raw(_msgpack.encode(frame.data)))
    parts = {
        name: piecewise(part) if isinstance(part, dict) else part
        for name, part in frame.data.items()
    }
    return Packed(frame.event, msgspec.Raw(_json.encode(parts)))


def piecewise(members: Data) -> msgspec.Raw:
    """A long JSON object, a piece at a time: an encoder at work on all of it lets no other thread run
    meanwhile (law loop-never-blocks)."""
    names = list(members)
    pieces = [
        _json.encode({name: members[name] for name in names[begin : begin + PIECE]})[1:-1]
        for begin in range(0, len(names), PIECE)
    ]
    return msgspec.Raw(b"{" + b",".join(pieces) + b"}")


def encode_answer(frame: Frame | Packed, id_: Any, road: Road, encoding: Encoding) -> bytes:
    """A WebSocket message that answers one of the client's, with the client's own id on it; for Socket.IO
    the same message in the acknowledgement that the id asks for."""
    answer = {"event": frame.event, "data": frame.data, "id": id_}
    if road == "socketio":
        return b"3%d[%s]" % (id_, _json.encode(answer))
    return _msgpack.encode(answer) if encoding == "msgpack" else _json.encode(answer)


_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
