"""What crosses the wire, to the byte."""

import json
from typing import Any

import msgspec
import pytest
from httpx_sse import ServerSentEvent
from httpx_sse._decoders import SSEDecoder

from realtime.core import frames
from realtime.core.frames import (
    Encoding,
    Frame,
    Road,
    Wire,
    about,
    encode,
    encode_answer,
    of_event,
    of_series,
)
from realtime.core.views import View, evolve
from storage.events import (
    KINDS,
    Alert,
    Annotation,
    Declared,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
)

AT = 1_795_403_506_123_456
PLACE = {"seq": 7, "cursor": "e:7", "at": "2026-11-23T03:11:46.123456Z", "source": "web-1"}
TEXTS = {1: "up", 2: 'cpu{mode="user"}'}


def event(fact):
    return Event(7, AT, "web-1", fact)


def told(*args, **more) -> Any:
    """The frame, where there has to be one."""
    frame = of_event(*args, **more)
    assert frame is not None
    return frame


ALERT = Alert(
    "a1", "cpu", "firing", "critical", 2, 0.93, 0.8, AT - 10_000_000, "CPU is at 93 %", "ratio"
)
NOTE = Notification("n1", "warning", "line one\nline two\r\ndata: x\n\n", "a\rb", "dashboard")
STARTED = System("started", {"version": "1"})
TICK = Metrics([1, 2], [1, 0.1])
MARK = Annotation("m1", "noted", "deploy", AT - 60_000_000, AT, ["prod"], "ci")
BOARD = Layout("shop", "saved", "Shop", [{"kind": "text", "text": "hi"}], ["a"], "eva", "shop.json")

FRAMES: dict[str, Any] = {
    "metrics": (TICK, {"values": {"up": 1, 'cpu{mode="user"}': 0.1}}),
    "alert": (
        ALERT,
        {
            "id": "a1",
            "rule": "cpu",
            "state": "firing",
            "severity": "critical",
            "series": 'cpu{mode="user"}',
            "value": 0.93,
            "threshold": 0.8,
            "unit": "ratio",
            "since": "2026-11-23T03:11:36.123456Z",
            "message": "CPU is at 93 %",
        },
    ),
    "notification": (
        NOTE,
        {
            "id": "n1",
            "type": "warning",
            "title": "a\rb",
            "message": "line one\nline two\r\ndata: x\n\n",
            "room": "dashboard",
        },
    ),
    "annotation": (
        MARK,
        {
            "id": "m1",
            "state": "noted",
            "text": "deploy",
            "tags": ["prod"],
            "since": "2026-11-23T03:10:46.123456Z",
            "until": "2026-11-23T03:11:46.123456Z",
            "author": "ci",
        },
    ),
    "layout": (
        BOARD,
        {
            "id": "shop",
            "state": "saved",
            "title": "Shop",
            "tags": ["a"],
            "panels": [{"kind": "text", "text": "hi"}],
            "author": "eva",
            "provisioned": "shop.json",
        },
    ),
    "system": (STARTED, {"what": "started", "detail": {"version": "1"}}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_frame_of_each_event(name):
    """Every log frame says its place, its time and its source, and then what happened."""
    fact, data = FRAMES[name]
    assert told(event(fact), "e", TEXTS) == Frame(name, PLACE | data)


def test_every_kind_of_fact_is_told():
    """But for declarations, which are no frame of their own."""
    assert {kind.type for kind in KINDS} == {*FRAMES, "series"}


def test_a_moment_has_no_end():
    """An annotation of a moment says null, so that nobody takes it for a span."""
    moment = Annotation("m1", "noted", "deploy", AT)
    assert told(event(moment), "e", TEXTS).data["until"] is None


def test_names_are_no_frame_of_their_own():
    """A declaration is in the log, and on the wire only as `series`, where it is needed."""
    assert of_event(event(Declared([Series(1, "up", {})])), "e", TEXTS) is None


def test_compact():
    """Ids and values side by side."""
    data = told(event(TICK), "e", TEXTS, compact=True).data
    assert data == PLACE | {"ids": [1, 2], "values": [1, 0.1]}


def test_only_some_series():
    """The samples asked for, in either form; no frame when none is among them."""
    assert told(event(TICK), "e", TEXTS, only={2}).data["values"] == {TEXTS[2]: 0.1}
    data = told(event(TICK), "e", TEXTS, only={2}, compact=True).data
    assert (list(data["ids"]), list(data["values"])) == ([2], [0.1])
    assert of_event(event(TICK), "e", TEXTS, only={3}) is None
    assert of_event(event(TICK), "e", TEXTS, only=set()) is None


def test_conflation_is_said():
    """A frame that stands for several ticks says how many; one for itself says nothing."""
    assert told(event(TICK), "e", TEXTS, conflated=3).data["conflated"] == 3
    assert "conflated" not in told(event(TICK), "e", TEXTS, conflated=1).data


def test_series():
    """What an id means: everything that is known of it."""
    series = Series(2, "cpu", {"mode": "user"}, "ratio", "gauge", "Share of CPU time.")
    told = {
        "id": 2,
        "series": 'cpu{mode="user"}',
        "name": "cpu",
        "labels": {"mode": "user"},
        "source": "web-1",
        "unit": "ratio",
        "kind": "gauge",
        "help": "Share of CPU time.",
    }
    assert about(series, TEXTS[2], "web-1") == told
    assert of_series([series], TEXTS, {2: "web-1"}) == Frame("series", {"series": [told]})


def parsed(block):
    """What a browser makes of the bytes of one block: exactly one event."""
    decoder, events = SSEDecoder(), []
    for line in block.decode().split("\n")[:-1]:
        found = decoder.decode(line)
        if found is not None:
            events.append(found)
    (one,) = events
    assert isinstance(one, ServerSentEvent)
    return one


@pytest.mark.parametrize("name", FRAMES)
def test_the_same_data_on_all_roads(name):
    """Law same-frames: WebSocket, SSE, poll and Socket.IO, JSON and msgpack, tell equal data."""
    frame = told(event(FRAMES[name][0]), "e", TEXTS)
    socket = encode(frame, "websocket")
    assert encode(frame, "poll") == socket
    assert json.loads(socket) == {"event": name, "data": frame.data}
    assert msgspec.msgpack.decode(encode(frame, "websocket", "msgpack")) == json.loads(socket)
    one = parsed(encode(frame, "sse"))
    assert one.event == name
    assert one.id == "e:7"
    assert one.json() == frame.data
    event_of_socketio = encode(frame, "socketio")
    assert event_of_socketio[:1] == b"2"  # Socket.IO protocol 5: an event, its name, its argument
    assert json.loads(event_of_socketio[1:]) == [name, frame.data]
    assert one.data.encode() in event_of_socketio
    # The very bytes of the data are the same, not only their meaning.
    assert one.data.encode() in socket


def test_line_breaks_cannot_break_a_stream():
    """CR, LF and what looks like a field inside a message stay inside it (WHATWG HTML, 9.2.6)."""
    block = encode(told(event(NOTE), "e", TEXTS), "sse")
    assert block.count(b"\n") == 4
    assert b"\r" not in block
    assert block.endswith(b"\n\n")
    assert parsed(block).json()["message"] == NOTE.message


@pytest.mark.parametrize("word", ["\u2028\u2029", "\x00\x1f", "😀", '"\\', "é"])
def test_any_text_comes_through(word):
    """Control characters, separators and emoji arrive as they were sent, on each road."""
    frame = told(event(Notification("n", "info", word)), "e", TEXTS)
    assert json.loads(encode(frame, "poll"))["data"]["message"] == word
    assert parsed(encode(frame, "sse")).json()["message"] == word


@pytest.mark.parametrize("name", ["heartbeat", "snapshot"])
def test_places_without_a_seq(name):
    """A heartbeat and a snapshot say where to resume, so that a quiet stream's cursor moves too."""
    assert parsed(encode(Frame(name, {"cursor": "e:9"}), "sse")).id == "e:9"


@pytest.mark.parametrize("name", ["hello", "reset", "goodbye", "series", "pong"])
def test_frames_that_are_no_place(name):
    """Nothing but a place carries an id: a browser would resume from it."""
    assert parsed(encode(Frame(name, {"cursor": "e:9"}), "sse")).id == ""


@pytest.mark.parametrize(
    "value", [0.1, 1e-300, -0.0, 2**53, 1.7976931348623157e308, 5e-324, 0.1 + 0.2]
)
def test_numbers_are_exact(value):
    """The shortest text that reads back as the same double."""
    frame = told(event(Metrics([1], [value])), "e", TEXTS)
    socket = json.loads(encode(frame, "websocket"))["data"]
    for data in (socket, parsed(encode(frame, "sse")).json()):
        assert float(data["values"]["up"]).hex() == float(value).hex()


@pytest.mark.parametrize("id_", [1, "a", 2.5])
def test_an_answer_has_its_id(id_):
    """The client's own id stands beside the event, in both encodings; without one there is none."""
    pong = Frame("pong", {"server_time": "now"})
    wanted = {"event": "pong", "data": pong.data, "id": id_}
    assert json.loads(encode_answer(pong, id_, "websocket", "json")) == wanted
    assert msgspec.msgpack.decode(encode_answer(pong, id_, "websocket", "msgpack")) == wanted
    wire = Wire("websocket", "json", lambda data: b"<" + data + b">")
    assert json.loads(wire.answer(pong, id_)[1:-1]) == wanted
    assert "id" not in json.loads(wire.answer(pong, None)[1:-1])
    assert wire.bytes_of(pong) == wire.answer(pong, None)


def test_an_answer_to_socketio_is_an_acknowledgement():
    """Of the packet that asked for one: by its number, with the WebSocket's message as the argument."""
    pong = Frame("pong", {"server_time": "now"})
    wire = Wire("socketio", "json", lambda data: b"4" + data)
    assert wire.answer(pong, None) == b'42["pong",{"server_time":"now"}]'
    told = wire.answer(pong, 12)
    assert told[:4] == b"4312"
    assert json.loads(told[4:]) == [{"event": "pong", "data": pong.data, "id": 12}]


def test_frames_come_of_the_event_alone():
    """Later events change nothing about a frame: live, resumed and replayed are equal to the byte."""
    view = View()
    for seq, fact in enumerate[Any](
        [Declared([Series(1, "up", {}), Series(2, "cpu", {"mode": "user"})]), TICK], 1
    ):
        evolve(view, Event(seq, AT, "web-1", fact))
    before = encode(told(Event(2, AT, "web-1", TICK), "e", view.texts), "websocket")
    evolve(view, Event(3, AT + 1, "web-1", Metrics([1, 2], [5, 6])))
    evolve(view, Event(4, AT + 1, "web-1", Declared([Series(3, "load", {})])))
    assert encode(told(Event(2, AT, "web-1", TICK), "e", view.texts), "websocket") == before


SOCKETS: list[tuple[Road, Encoding]] = [
    ("websocket", "json"),
    ("websocket", "msgpack"),
    ("socketio", "json"),
]


def test_a_frame_made_elsewhere_is_the_same_frame(monkeypatch):
    """Its data encoded before, and a long object piece by piece: the client reads what it always read."""
    monkeypatch.setattr(frames, "PIECE", 3)
    for size in (0, 1, 3, 8):
        frame = Frame(
            "metrics_response", {"at": "x", "series": {f"s{n}": {"n": n} for n in range(size)}}
        )
        for road, encoding in SOCKETS:
            wire = Wire(road, encoding, bytes)
            packed = frames.packed(frame, encoding)
            for id_ in (None, 5):
                assert wire.answer(packed, id_) == wire.answer(frame, id_)
