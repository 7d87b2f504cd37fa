"""What a client may ask of its session, word for word."""

from itertools import combinations, product
from typing import Any

import msgspec
import pytest

from realtime.core import goodbyes
from realtime.core.session import (
    BURST,
    MISTAKES,
    ROOM_LENGTH,
    ROOMS,
    SELECTORS,
    Form,
    GoLive,
    Hand,
    Join,
    Matched,
    MetricsAnswer,
    Pause,
    Play,
    Reply,
    Resume,
    Seek,
    Session,
    SetSpeed,
    Step,
    Taste,
    Watch,
    topics_of,
)
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
)

NOW = 1_795_403_506_000_000
S = 1_000_000

TICK = Event(1, NOW, "web-1", Metrics([1], [2]))
NOTE = Event(2, NOW, "", Notification("n", "info", "hello", "", "dashboard"))
STARTED = Event(3, NOW, "web-1", System("started"))
NAMES = Event(4, NOW, "web-1", Declared([Series(1, "up", {})]))
MARK = Event(5, NOW, "", Annotation("m", "noted", "deploy", NOW))
BOARD = Event(6, NOW, "", Layout("b", "saved", "Board", []))


def alert(severity="critical"):
    return Event(5, NOW, "web-1", Alert("a", "cpu", "firing", severity, 1, 9, 8, NOW, "hot"))


def note(room):
    return Event(6, NOW, "", Notification("n", "info", "hello", "", room))


def session(*rooms, **more):
    return Session(frozenset(rooms), **more)


def say(client, event, data=None, id_=None, now=NOW, binary=False):
    """Sends a well-formed message; gives the one effect, having checked the id."""
    message = {"event": event}
    message |= {} if data is None else {"data": data}
    message |= {} if id_ is None else {"id": id_}
    encode = msgspec.msgpack.encode if binary else msgspec.json.encode
    answer = client.receive(encode(message), binary, now)
    assert answer.id == id_
    (effect,) = answer.effects
    return effect


def error(client, event, data, code="bad_data"):
    """Sends a message that is refused; gives the words of the refusal."""
    effect = say(client, event, data)
    assert isinstance(effect, Reply)
    assert effect.event == "error"
    assert effect.data["code"] == code
    return effect.data["detail"]


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize("id_", [None, "a", 7, 2.5, -(2**53)])
def test_ids_are_given_back(id_, binary):
    """An answer carries the id of its question, and none where none came."""
    assert say(session(), "ping", id_=id_, binary=binary).event == "pong"


def test_an_error_carries_the_id_as_well():
    """A client that waits for an answer gets its error."""
    client = session()
    assert say(client, "dance", id_="x").data["code"] == "unknown_event"
    assert say(client, "join_room", {}, id_="y").data["code"] == "bad_data"


def test_ping_tells_the_time():
    """The server's time comes with a pong, to the microsecond."""
    assert say(session(), "ping") == Reply("pong", {"server_time": "2026-11-23T03:11:46.000000Z"})


def test_joining_and_leaving_a_room():
    """Who is in a room hears its notifications; who has left does not."""
    client = session()
    assert client.taste.wants(note("kitchen")) is None
    assert say(client, "join_room", {"room": "kitchen"}) == Reply(
        "joined_room", {"room": "kitchen"}
    )
    assert client.taste.wants(note("kitchen")) is not None
    assert client.taste.wants(note("cellar")) is None
    assert say(client, "leave_room", {"room": "kitchen"}) == Reply("left_room", {"room": "kitchen"})
    assert client.taste.wants(note("kitchen")) is None


def test_joining_twice_is_joining_once():
    """A room is left after one leave, however often it was joined; leaving nothing is no error."""
    client = session()
    for _ in range(3):
        say(client, "join_room", {"room": "kitchen"})
    for _ in range(2):
        assert say(client, "leave_room", {"room": "kitchen"}).event == "left_room"
    assert client.taste.wants(note("kitchen")) is None


@pytest.mark.parametrize(
    ("rooms", "hears"),
    [
        (["dashboard"], "tick note alert system mark board"),
        (["metrics"], "tick"),
        (["metrics:web-1"], "tick"),
        (["metrics:web-2"], ""),
        (["alerts"], "alert"),
        (["notifications"], "note"),
        (["annotations"], "mark"),
        (["metrics", "alerts"], "tick alert"),
        ([], ""),
    ],
)
def test_the_rooms_of_the_house(rooms, hears):
    """`dashboard` hears everything of a dashboard, the others their part of it."""
    client = session(*rooms)
    told = {"tick": TICK, "note": NOTE, "alert": alert(), "system": STARTED, "names": NAMES}
    told |= {"mark": MARK, "board": BOARD}
    heard = [name for name, event in told.items() if client.taste.wants(event) is not None]
    assert heard == hears.split()


def test_a_room_of_an_application_is_its_members_alone():
    """What is posted to a room is not heard in `dashboard` or `notifications`."""
    assert session("dashboard", "notifications").taste.wants(note("kitchen")) is None


def test_rooms_are_bounded():
    """A client cannot make the server remember names without end; leaving makes place."""
    client = session()
    for n in range(ROOMS):
        assert say(client, "join_room", {"room": f"r{n}"}).event == "joined_room"
    assert f"in {ROOMS} rooms" in error(client, "join_room", {"room": "one more"})
    assert say(client, "join_room", {"room": "r0"}).event == "joined_room"
    say(client, "leave_room", {"room": "r0"})
    assert say(client, "join_room", {"room": "one more"}).event == "joined_room"


@pytest.mark.parametrize(
    "room", ["", " ", "a ", "a\nb", "a\0", "x" * (ROOM_LENGTH + 1)], ids=lambda room: repr(room[:5])
)
@pytest.mark.parametrize("event", ["join_room", "leave_room"])
def test_a_room_needs_a_name(room, event):
    """Empty, long and unprintable names are refused with what would do."""
    assert "printable characters would do" in error(session(), event, {"room": room})


@pytest.mark.parametrize("data", [{}, {"room": 7}, {"room": None}, {"room": ["a"]}])
def test_bad_data_names_the_field(data):
    """The words of an error say which field it is about."""
    assert "room" in error(session(), "join_room", data)


def test_subscribing_to_all_metrics():
    """Without a match every series is told, whatever rooms the client is in."""
    client = session()
    assert client.taste.wants(TICK) is None
    assert say(client, "subscribe_to_metrics") == Reply(
        "subscribed_to_metrics", {"match": [], "max_hz": None, "compact": False}
    )
    assert client.taste.wants(TICK) == Form()
    assert client.interval_us == 0
    assert client.taste.match == ()


def test_subscribing_to_some_metrics():
    """Selectors pick series by name, label and source; a new series is judged when it appears."""
    client = session("dashboard")
    asked: dict[str, Any] = {
        "match": ['cpu{mode="user"}', '{source="web-2"}'],
        "max_hz": 2,
        "compact": True,
    }
    assert say(client, "subscribe_to_metrics", asked).data == asked
    assert client.interval_us == 500_000
    assert client.taste.wants(TICK) == Form(True, tuple(asked["match"]))
    series = {
        1: Series(1, "cpu", {"mode": "user"}),
        2: Series(2, "cpu", {"mode": "idle"}),
        3: Series(3, "load", {}),
    }
    owner = {1: "web-1", 2: "web-1", 3: "web-2"}
    matched = Matched(client.taste.match)
    assert matched.ids(series, owner, 3) == {1, 3}
    del series[2], owner[2]  # a name the log has lost
    assert Matched(client.taste.match).ids(series, owner, 3) == {1, 3}
    series[4], owner[4] = Series(4, "cpu", {"mode": "user", "cpu": "0"}), "web-9"
    assert matched.ids(series, owner, 4) == {1, 3, 4}


def test_a_new_subscription_replaces_the_old():
    """Nothing of an earlier match, pace or form stays."""
    client = session()
    say(client, "subscribe_to_metrics", {"match": ["a"], "max_hz": 1, "compact": True})
    say(client, "subscribe_to_metrics", {"match": ["b"]})
    series = {1: Series(1, "a", {}), 2: Series(2, "b", {})}
    assert Matched(client.taste.match).ids(series, {1: "x", 2: "x"}, 2) == {2}
    assert client.interval_us == 0
    assert client.taste.wants(TICK) == Form(False, ("b",))


def test_a_failed_subscription_changes_nothing():
    """A mistake in one selector leaves what was heard before as it was."""
    client = session()
    say(client, "subscribe_to_metrics", {"match": ["a"]})
    error(client, "subscribe_to_metrics", {"match": ["b", "{"], "compact": True})
    assert client.taste.wants(TICK) == Form(False, ("a",))


def test_names_are_owed_anew_for_what_was_not_heard():
    """Who widens a match has to be told the names that the narrow one left out."""
    client = session(known=3)
    say(client, "subscribe_to_metrics", {"match": ["a"], "compact": True})
    client.known = 10  # delivery has told it what matched, up to the tenth
    say(client, "subscribe_to_metrics", {"match": ["b"], "compact": True})
    assert client.known == 3
    say(client, "subscribe_to_metrics", {"compact": True})
    client.known = 12  # all, this time
    say(client, "subscribe_to_metrics", {"match": ["a"], "compact": True})
    assert client.known == 12


def test_forgetting():
    """A client that starts anew knows no names: they may have been of another log."""
    client = session(known=9)
    client.forget()
    assert client.known == 0
    say(client, "subscribe_to_metrics", {"match": ["a"]})
    say(client, "subscribe_to_metrics", {"match": ["b"]})
    assert client.known == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"match": ["x"] * (SELECTORS + 1)}, f"at most {SELECTORS}"),
        ({"match": ["ok", "{"]}, "match[1]"),
        ({"match": "cpu"}, "match"),
        ({"match": ["x" * 2000]}, "match[0]"),
        ({"max_hz": 0}, "0.01 to 1000"),
        ({"max_hz": -1}, "0.01 to 1000"),
        ({"max_hz": 1e9}, "0.01 to 1000"),
        ({"max_hz": "fast"}, "max_hz"),
        ({"compact": "yes"}, "compact"),
    ],
)
def test_a_subscription_is_checked(data, words):
    """Bounds and types are kept, and the words say which."""
    assert words in error(session(), "subscribe_to_metrics", data)


def test_max_hz_that_is_no_number():
    """msgpack can say NaN, and it is refused like any other nonsense."""
    effect = say(session(), "subscribe_to_metrics", {"max_hz": float("nan")}, binary=True)
    assert effect.data["code"] == "bad_data"


@pytest.mark.parametrize(
    ("asked", "hears"),
    [
        ({}, ["critical", "warning"]),
        ({"severity": []}, ["critical", "warning"]),
        ({"severity": ["warning"]}, ["warning"]),
        ({"severity": ["critical", "critical"]}, ["critical"]),
    ],
)
def test_subscribing_to_alerts(asked, hears):
    """Alerts of the severities asked for, whatever the rooms."""
    client = session("dashboard")
    assert say(client, "subscribe_to_alerts", asked).data == {"severity": hears}
    heard = [one for one in ("critical", "warning") if client.taste.wants(alert(one)) is not None]
    assert heard == hears


def test_a_severity_that_does_not_exist():
    """The words name it, and what would do."""
    words = error(session(), "subscribe_to_alerts", {"severity": ["warning", "panic"]})
    assert "'panic'" in words
    assert "critical" in words


def test_metrics_on_request():
    """`request_metrics` asks for the latest of everything, with or without data."""
    assert say(session(), "request_metrics") == MetricsAnswer()
    assert say(session(), "request_metrics", {"anything": 1}) == MetricsAnswer()


def test_resume():
    """The cursor goes to delivery as it came; it is judged there, against the log."""
    assert say(session(), "resume", {"cursor": "ab:7"}) == Resume("ab:7")
    assert "cursor" in error(session(), "resume", {})


DEEP = b"[" * 30_000


@pytest.mark.parametrize(
    ("message", "binary"),
    [
        (b"", False),
        (b"hello", False),
        (b"[]", False),
        (b"{}", False),
        (b'{"event":7}', False),
        (b'{"event":"ping","data":7}', False),
        (b'{"event":"ping","id":[1]}', False),
        (b'{"event":"ping","id":true}', False),
        (b'{"event":"ping","id":1e999}', False),
        (b'{"event":"ping","id":1180591620717411303424}', False),
        (b'{"event":"\\ud800"}', False),
        (b'{"event":"ping","data":{"x":' + DEEP, False),
        (b"\xff\xfe", False),
        (b"", True),
        (b"\xc1", True),
        (b"\x81\xa5event\xa1", True),
        (b"\x82\xa5event\xa4ping\xa4data\x81\xa1x" + b"\x91" * 30_000, True),
        (b"\x81\xa5event\xa3\xed\xa0\x80", True),
    ],
    ids=repr,
)
def test_malformed_messages(message, binary):
    """Whatever comes, the answer is an error and not an exception: the connection stays open."""
    (effect,) = session().receive(message, binary, NOW).effects
    assert effect.event == "error"
    assert effect.data["code"] == "malformed"


def test_unknown_event():
    """The words name what came, cut short, and everything that would do."""
    words = error(session(), "dance" * 100, {}, "unknown_event")
    for known in ("join_room", "leave_room", "ping", "resume", "request_metrics"):
        assert known in words
    assert len(words) < 300


def test_selectors_count_as_messages():
    """Each is judged against every series, so that nobody changes their mind at full pace."""
    client = session()
    for _ in range(3):
        ask = {"event": "subscribe_to_metrics", "data": {"match": ["up"] * SELECTORS}}
        answer = client.receive(msgspec.json.encode(ask), False, NOW)
        assert answer.effects[0].event == "subscribed_to_metrics"
    (effect,) = client.receive(b'{"event":"ping"}', False, NOW).effects
    assert effect.event == "pong"
    (effect,) = client.receive(b'{"event":"ping"}', False, NOW).effects
    assert effect.data["code"] == "too_fast"
    (effect,) = client.receive(b'{"event":"ping"}', False, NOW + S).effects
    assert effect.event == "pong"


def test_a_flood_is_answered_with_too_fast():
    """A burst is fine, more is not, and a second later it is fine again."""
    client = session()
    for _ in range(BURST):
        assert say(client, "ping").event == "pong"
    flooded = client.receive(b'{"event":"ping","id":1}', False, NOW)
    assert flooded.effects[0].data["code"] == "too_fast"
    assert say(client, "ping", now=NOW + S).event == "pong"


def test_a_clock_set_back_makes_nobody_a_flooder():
    """Time may jump; a client that speaks now and then is heard all the same."""
    client = session()
    for now in (NOW, NOW - 3600 * S, NOW - 3600 * S + 1, NOW, NOW - 86_400 * S):
        assert say(client, "ping", now=now).event == "pong"


def test_abuse_ends_in_a_goodbye():
    """So many mistakes in a row and no more; the last one is still answered."""
    client = session()
    for n in range(1, MISTAKES):
        assert len(client.receive(b"?", False, NOW + n * S).effects) == 1
    effects = client.receive(b"?", False, NOW + 99 * S).effects
    assert effects[0].event == "error"
    assert effects[1] is goodbyes.ABUSE


def test_a_good_message_forgives():
    """Mistakes count in a row: a client that is mending its ways is not thrown out."""
    client = session()
    for n in range(3 * MISTAKES):
        message = b"?" if n % (MISTAKES - 1) else b'{"event":"ping"}'
        assert goodbyes.ABUSE not in client.receive(message, False, NOW + n * S).effects


def test_who_speaks_under_a_clock_that_stands_still_is_no_flooder():
    """What passes counts, where the moment is always the same."""
    client = session()
    for n in range(5 * BURST):
        answer = client.receive(b'{"event":"ping"}', False, NOW, n * S)
        assert [effect.event for effect in answer.effects] == ["pong"]


def test_nobody_who_wants_an_event_is_missed_by_its_topics():
    """The hub finds listeners by topic and asks their taste afterwards: a taste that wants an event is
    found under one of the event's topics, whatever it is made of."""
    rooms = [
        "dashboard",
        "metrics",
        "metrics:web-1",
        "alerts",
        "notifications",
        "annotations",
        "kitchen",
    ]
    events = [TICK, NOTE, STARTED, NAMES, MARK, BOARD, alert(), alert("warning"), note("kitchen")]
    severities = [None, frozenset(["critical"]), frozenset(["warning", "critical"])]
    wanted = 0
    for size in range(3):
        for mine in combinations(rooms, size):
            for subscribed, severity in product((False, True), severities):
                taste = Taste(frozenset(mine), False, subscribed, (), severity)
                for event in events:
                    if taste.wants(event) is not None:
                        wanted += 1
                        assert taste.topics() & set(topics_of(event))
    assert wanted > 200
    assert not topics_of(NAMES)


@pytest.mark.parametrize(
    ("event", "data", "effect"),
    [
        ("replay", {"from": "-10s"}, Watch(NOW - 10_000_000)),
        (
            "replay",
            {"from": "-10s", "to": "-5s", "speed": "max", "rooms": ["alerts"], "loop": True},
            Watch(NOW - 10_000_000, NOW - 5_000_000, "max", frozenset({"alerts"}), loop=True),
        ),
        (
            "replay",
            {"from": "-10s", "paused": True, "skip_idle_s": 2.5},
            Watch(NOW - 10_000_000, paused=True, skip_us=2_500_000),
        ),
        ("replay", {"join": "abc"}, Join("abc")),
        ("replay_seek", {"at": "-1m"}, Seek(NOW - 60_000_000)),
        ("replay_speed", {"speed": 0.5}, SetSpeed(0.5)),
        ("replay_pause", {}, Pause()),
        ("replay_play", {}, Play()),
        ("replay_step", {}, Step("tick", False)),
        ("replay_step", {"by": "alert", "direction": "backward"}, Step("alert", True)),
        ("replay_hand", {"to": "xyz"}, Hand("xyz")),
        ("replay_hand", {}, Hand(None)),
        ("live", {}, GoLive()),
    ],
)
def test_what_is_asked_of_a_replay_is_handed_on(event, data, effect):
    """With moments counted from now, and defaults filled in."""
    message = msgspec.json.encode({"event": event, "data": data, "id": 7})
    answer = Session(frozenset()).receive(message, False, NOW)
    assert answer.effects == [effect] and answer.id == 7
    assert type(answer.effects[0]) is type(effect)


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("replay", {}, "from"),
        ("replay", {"join": 3}, "join"),
        ("replay_seek", {}, "at"),
        ("replay_seek", {"at": "2199-01-01T00:00:00Z"}, "at"),
        ("replay_speed", {"speed": 1001}, "speed"),
        ("replay_step", {"by": "hour"}, "hour"),
        ("replay_step", {"direction": "up"}, "up"),
        ("replay_hand", {"to": 3}, "to"),
    ],
)
def test_what_no_replay_can_do_is_refused(event, data, field):
    """As bad data, with the field or what came in it."""
    message = msgspec.json.encode({"event": event, "data": data})
    [effect] = Session(frozenset()).receive(message, False, NOW).effects
    assert isinstance(effect, Reply) and effect.event == "error"
    assert effect.data["code"] == "bad_data"
    assert field in effect.data["detail"]
