"""A moment that is over plays again: the same frames, paced, by whoever holds the remote."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from realtime import reel
from realtime.clock import Clock
from realtime.core.batch import Batch, Columns, Key
from realtime.core.session import ROOMS
from realtime.core.times import parse_time, rfc3339
from realtime.errors import StorageError
from realtime.reel import CELLS, PAGE, Reel, Shown
from realtime.replay import LAP_S
from storage.events import Number
from storage.retention import Keep
from tests.app import PATIENCE_S, house
from tests.clients import MSGPACK, Socket, Told, events, eventually, sockets
from tests.hands import Hands

BEGIN = 1_795_403_506_000_000
S = 1_000_000
CPU = Key("system_cpu_utilization_ratio", (), "system_cpu_utilization_ratio")
LOGGED = ("metrics", "alert", "notification", "system", "annotation", "layout")


class Stopped(Clock):
    """Nothing goes by but what a test lets go by; then it has, however long a loaded machine took."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed


@contextlib.asynccontextmanager
async def recorded(directory: Path, seconds: int = 60, **dials: Any) -> AsyncIterator[Any]:
    """A house whose tape holds a tick a second, an alert on the way, and a notification every ten seconds."""
    clock = Hands(BEGIN)
    async with house(directory, clock, alert_cpu_hold_s=0, **dials) as it:
        await record(it, 0, seconds)
        yield it


async def tick(it: Any, n: float) -> None:
    moment = BEGIN + round(n * S)
    it.clock.at = max(it.clock.at, moment)
    value = 0.99 if n % 40 in range(20, 30) else (n % 10) / 100
    load = Key("load", (("of", "a"),), 'load{of="a"}')
    columns = Columns("here", [moment], [CPU, load], [[value], [n / 7]])
    await it.spine.ingest(Batch([columns]), own=True)
    if n % 10 == 0:
        await it.spine.notify("info", f"at {n}")


async def record(it: Any, begin: int, end: int) -> None:
    for n in range(begin, end):
        await tick(it, n)


def at(n: float) -> str:
    return rfc3339(BEGIN + round(n * S))


def logged(heard: list[Told]) -> list[Told]:
    return [told for told in heard if told.event in LOGGED]


def digest(heard: list[Told]) -> str:
    made = hashlib.sha256()
    for told in logged(heard):
        made.update(msgspec.json.encode([told.event, told.data]))
    return made.hexdigest()


async def begun(socket: Socket, **ask: Any) -> Told:
    """Asks for a replay; its answer, behind which the picture came."""
    answer = await socket.ask("replay", ask)
    assert answer.event == "replaying", answer
    assert (await socket.next()).event == "snapshot"
    return answer


@pytest.mark.parametrize("protocol", ["", MSGPACK])
@pytest.mark.gen_test(timeout=30)
async def test_it_tells_the_state_and_then_the_same_frames_until_it_is_live(
    tmp_path: Path, protocol: str
) -> None:
    """Laws same-frames and no-gap-no-double: what a live reader heard is what a replay tells, and what comes after
    it is told once."""
    async with recorded(tmp_path, 5) as it, sockets(it.url, protocol) as live:
        await live.until("snapshot")
        first = it.spine.edge + 1
        async with sockets(it.url, protocol) as socket:
            await socket.until("snapshot")
            await record(it, 5, 60)
            await live.until("metrics", seq=it.spine.edge)
            socket.heard.clear()
            answer = await begun(socket, **{"from": at(4.5), "speed": "max"})
            assert answer.data["state"] == "playing" and answer.data["speed"] == "max"
            assert answer.data["after"] == first - 1
            told = await socket.until("playhead", state="live")
            await record(it, 60, 70)
            for one in (live, socket):
                await one.until("metrics", seq=it.spine.edge)
            assert told.data["after"] < it.spine.edge
        wanted = [one for one in logged(live.heard) if one.data["seq"] >= first]
        got = [one for one in logged(socket.heard[socket.heard.index(answer) :])]
        assert got == wanted
        assert digest(got) == digest(wanted)
        assert {one.event for one in got} == {"metrics", "alert", "notification"}
        assert it.replays.count == 0


@pytest.mark.gen_test(timeout=30)
async def test_the_picture_is_that_of_the_moment(tmp_path: Path) -> None:
    """The snapshot is the one that a client got who came then."""
    async with recorded(tmp_path, 25) as it:
        async with sockets(it.url) as then:
            wanted = await then.until("snapshot")
        await record(it, 25, 60)
        async with sockets(it.url) as socket:
            await socket.until("snapshot")
            await socket.ask("replay", {"from": at(24.5), "paused": True})
            assert await socket.until("snapshot") == wanted
            assert wanted.data["alerts"]
            await asyncio.sleep(0.4)
            assert not logged(socket.heard)


@pytest.mark.gen_test(timeout=30)
async def test_it_keeps_time(tmp_path: Path) -> None:
    """At 20 times a second takes 50 ms, to some milliseconds, and no error adds up."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(0.5), "speed": 20})
        loop = asyncio.get_running_loop()
        start, late = loop.time(), []
        for n in range(1, 50):
            await socket.until("metrics", at=at(n))
            late.append(loop.time() - start - (n - 0.5) / 20)
        late.sort()
        assert late[len(late) // 2] < 0.03
        told = [one.data["at"] for one in socket.heard if one.event == "playhead"]
        assert told == sorted(told) and len(told) >= 5


@pytest.mark.gen_test(timeout=30)
async def test_pause_reads_nothing_and_play_goes_on(tmp_path: Path) -> None:
    """From where it stood; and another speed changes nothing that was told."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(0.5), "speed": 20})
        await socket.until("metrics", at=at(10))
        paused = await socket.ask("replay_pause")
        assert paused.data["state"] == "paused"
        (replay,) = it.replays._open.values()
        place, told = replay._reel.place, len(logged(socket.heard))
        await asyncio.sleep(0.5)
        assert (await socket.ask("ping")).event == "pong"
        assert replay._reel.place == place and len(logged(socket.heard)) == told
        assert (await socket.ask("replay_speed", {"speed": "max"})).data["state"] == "paused"
        assert (await socket.ask("replay_play")).data["state"] == "playing"
        await socket.until("playhead", state="live")
        assert socket.seqs == list(range(socket.seqs[0], it.spine.edge + 1))


@pytest.mark.parametrize("speed", [1, 20, 100])
@pytest.mark.gen_test(timeout=30)
async def test_a_pause_stands_where_all_of_its_moment_has_been_told(
    tmp_path: Path, speed: int
) -> None:
    """What was due when it was asked for has come, and the moment it names is before what has not."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        clock = it.replays.clock = Stopped()
        await begun(socket, **{"from": at(9.5), "speed": speed})
        await eventually(lambda: it.replays._open and _held(it) > 30)
        clock.passed += 8.2 / speed
        paused = (await socket.ask("replay_pause")).data
        place = await it.past.place(parse_time(paused["at"], 0))
        assert paused["after"] == place.seq == socket.seqs[-1]
        assert at(17.69) < paused["at"] < at(17.71)


@pytest.mark.gen_test(timeout=60)
async def test_a_pause_tells_what_came_late_at_its_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little of it had been read: where it stands, `state?at=` is of the same event. So it is after a step by a
    tick, on or back."""
    monkeypatch.setattr(reel, "PAGE", 3)
    async with recorded(tmp_path, 1) as it, sockets(it.url) as socket:
        for n in range(1, 40):
            await tick(it, n)
            for late in range(5):
                columns = Columns("there", [BEGIN + (n - 3 * late) * S], [CPU], [[0.1]])
                await it.spine.ingest(Batch([columns]))
        await socket.until("snapshot")
        await begun(socket, **{"from": at(0.5), "speed": "max", "to": at(38.5), "paused": True})

        async def stands(command: str, **data: Any) -> None:
            told = (await socket.ask(command, data)).data
            assert told["state"] == "paused", told
            place = await it.past.place(parse_time(told["at"], 0))
            assert told["after"] == place.seq, told["at"]

        for _ in range(12):
            await socket.say("replay_play")
            await stands("replay_pause")
            await stands("replay_seek", at=at(10))
            await stands("replay_step", by="tick")
            await stands("replay_step", by="tick", direction="backward")
            assert socket.seqs[-1] == (await it.past.place(BEGIN + 10 * S)).seq + 6


def _held(it: Any) -> int:
    (replay,) = it.replays._open.values()
    return len(replay._shown)


@pytest.mark.gen_test(timeout=30)
async def test_seeking_shows_the_picture_there_and_the_last_of_many_counts(tmp_path: Path) -> None:
    """Whoever drags the playhead is answered for each, and shown the last."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(0.5), "paused": True})
        for n in range(40):
            await socket.say("replay_seek", {"at": at(n + 0.5)}, n)
        answered: set[int] = set()
        while len(answered) < 40:
            told = await socket.next()
            if told.event == "replaying":
                answered.add(told.id)
        last = [one for one in socket.heard if one.event == "snapshot"][-1]
        picture = last if last.data["at"] == at(39) else await socket.until("snapshot", at=at(39))
        assert picture.data["kpis"]["cpu_percent"] == 9
        await socket.ask("replay_speed", {"speed": "max"})
        await socket.ask("replay_play")
        assert (await socket.until("metrics")).data["at"] == at(40)


@pytest.mark.gen_test(timeout=30)
async def test_it_steps_by_tick_by_event_and_to_alerts(tmp_path: Path) -> None:
    """On and back; on tells the frames between, back shows the picture."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(9.5), "paused": True})
        await socket.say("replay_step", {"by": "tick"})
        assert (await socket.until("metrics")).data["at"] == at(10)
        await socket.say("replay_step", {"by": "event"})
        assert (await socket.until("notification")).data["message"] == "at 10"
        await socket.say("replay_step", {"by": "alert"})
        assert (await socket.until("snapshot")).data["alerts"] == []
        assert (await socket.until("alert")).data["state"] == "firing"
        await socket.say("replay_step", {"by": "alert"})
        assert len((await socket.until("snapshot")).data["alerts"]) == 1
        assert (await socket.until("alert")).data["state"] == "resolved"
        none = await socket.ask("replay_step", {"by": "alert", "direction": "forward"})
        while none.event == "replaying":
            none = await socket.ask("replay_step", {"by": "alert"})
        assert none.data["code"] == "bad_data" and "no alert after" in none.data["detail"]
        await socket.ask("replay_seek", {"at": at(12.5)})
        assert (await socket.until("snapshot")).data["at"] == at(12)
        await socket.ask("replay_step", {"by": "tick", "direction": "backward"})
        assert (await socket.until("snapshot")).data["at"] == at(11)
        before = await socket.ask("replay_step", {"by": "event", "direction": "backward"})
        assert (await socket.until("snapshot")).data["at"] == at(10)
        assert before.data["state"] == "paused"


@pytest.mark.gen_test(timeout=30)
async def test_it_ends_where_it_was_told_to_or_begins_anew(tmp_path: Path) -> None:
    """`to` ends it, `loop` shows the beginning again; played on from the end it begins anew."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(5.5), "to": at(8.5), "speed": "max"})
        ended = await socket.until("playhead", state="ended")
        assert ended.data["at"] == at(8.5)
        assert [one.data["at"] for one in logged(socket.heard)] == [at(n) for n in (6, 7, 8)]
        assert (await socket.ask("replay_play")).data["state"] == "playing"
        assert (await socket.until("metrics")).data["at"] == at(6)
        await begun(socket, **{"from": at(5.5), "to": at(8.5), "speed": 100, "loop": True})
        for _ in range(3):
            for n in (6, 7, 8):
                assert (await socket.until("metrics")).data["at"] == at(n)
            assert (await socket.until("snapshot")).data["at"] == at(5)


@pytest.mark.gen_test(timeout=30)
async def test_a_silence_is_skipped_if_one_likes_and_that_is_said(tmp_path: Path) -> None:
    """An hour in which nothing was recorded passes at once."""
    async with recorded(tmp_path, 5) as it, sockets(it.url) as socket:
        await record(it, 3600, 3605)
        await socket.until("snapshot")
        await begun(socket, **{"from": at(3.5), "speed": 10, "skip_idle_s": 5})
        assert (await socket.until("metrics")).data["at"] == at(4)
        told = [one async for one in until(socket, at(3600))]
        (skipped,) = (one.data["skipped"] for one in told if "skipped" in one.data)
        assert skipped["to"] == at(3600)


async def until(socket: Socket, moment: str) -> AsyncIterator[Told]:
    while True:
        told = await socket.next()
        yield told
        if told.event == "metrics" and told.data["at"] == moment:
            return


@pytest.mark.gen_test(timeout=30)
async def test_ticks_are_merged_only_for_who_asked_and_facts_never(tmp_path: Path) -> None:
    """`max_hz` holds at every speed."""
    async with recorded(tmp_path, 300) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await socket.ask("subscribe_to_metrics", {"max_hz": 5})
        socket.heard.clear()
        await begun(socket, **{"from": at(0.5), "to": at(298.5), "speed": 300})
        await socket.until("playhead", state="ended")
        await socket.until("metrics", at=at(298))  # the last is held for its time, too
        ticks = [one for one in logged(socket.heard) if one.event == "metrics"]
        notes = [one for one in logged(socket.heard) if one.event == "notification"]
        # A fact goes at once, and the tick that was held goes before it.
        assert len(ticks) <= 10 + len(logged(socket.heard)) - len(ticks)
        assert sum(one.data.get("conflated", 1) for one in ticks) == 298
        assert [one.data["message"] for one in notes] == [f"at {n}" for n in range(10, 299, 10)]


@pytest.mark.gen_test(timeout=30)
async def test_several_watch_one_playhead_and_one_holds_the_remote(tmp_path: Path) -> None:
    """Who joins sees where it stands and hears what comes; the remote is handed over, or taken when it lies there."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as one, sockets(it.url) as two:
        ids = [(await socket.until("hello")).data["client_id"] for socket in (one, two)]
        replay = await begun(one, **{"from": at(9.5), "paused": True})
        refused = await two.ask("replay", {"join": "nothing"})
        assert refused.data["code"] == "bad_data" and "nothing" in refused.data["detail"]
        joined = await two.ask("replay", {"join": replay.data["id"]})
        assert joined.data["holder"] == ids[0] and joined.data["watchers"] == ids
        assert (await two.until("snapshot")).data["at"] == at(9)
        assert (await one.until("playhead")).data["watchers"] == ids
        assert it.hub.present(joined.data["room"]) == 2
        assert (await two.ask("replay_pause")).data["code"] == "not_holder"
        await one.ask("replay_step", {"by": "tick"})
        for socket in (one, two):
            assert [t.data["at"] for t in logged(socket.heard)][-1:] == [at(10)] or (
                await socket.until("metrics")
            ).data["at"] == at(10)
        await one.ask("replay_hand", {"to": ids[1]})
        assert (await two.ask("replay_seek", {"at": at(20.5)})).data["holder"] == ids[1]
        for socket in (one, two):
            assert (await socket.until("snapshot", at=at(20))).data["at"] == at(20)
        assert (await two.ask("live")).data["state"] == "live"
        assert (await two.until("snapshot")).data["at"] == at(59)
        assert (await one.ask("replay_pause")).data["detail"].startswith("nobody holds")
        assert (await one.ask("replay_hand", {})).data["holder"] == ids[0]
        assert (await one.ask("live")).data["state"] == "live"
        await eventually(lambda: it.replays.count == 0)
        assert it.hub.present(joined.data["room"]) == 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({}, "from"),
        ({"from": "yesterday"}, "from: 'yesterday'"),
        ({"from": "2199-01-01T00:00:00Z"}, "not over yet"),
        ({"from": "-50s", "to": "-55s"}, "swap them"),
        ({"from": "-50s", "speed": 0.1}, "0.25 to 1000"),
        ({"from": "-50s", "loop": True}, "needs a to"),
        ({"from": "-50s", "skip_idle_s": -1}, "skip_idle_s"),
        ({"from": "-50s", "rooms": [""]}, "room"),
        ({"from": "-50s", "sped": 1}, "sped"),
    ],
)
@pytest.mark.gen_test
async def test_what_makes_no_sense_is_refused_and_nothing_changes(
    tmp_path: Path, ask: dict[str, Any], words: str
) -> None:
    """With the field, what came and what would do."""
    async with recorded(tmp_path, 3) as it, sockets(it.url) as socket:
        answer = await socket.ask("replay", ask)
        assert (answer.event, answer.data["code"]) == ("error", "bad_data")
        assert words in answer.data["detail"]
        assert (await socket.ask("replay_seek", {"at": at(1)})).data["code"] == "bad_data"
        assert it.replays.count == 0


@pytest.mark.gen_test
async def test_there_are_no_more_replays_than_the_dial_allows(tmp_path: Path) -> None:
    """The one too many is refused and stays live; when one ends there is room again."""
    async with recorded(tmp_path, 5, max_replays=1) as it, sockets(it.url) as one:
        async with sockets(it.url) as two:
            await begun_behind(one)
            refused = await two.ask("replay", {"from": at(1)})
            assert refused.data["code"] == "crowded" and "max_replays: 1" in refused.data["detail"]
        await one.ask("live")
        async with sockets(it.url) as two:
            await begun_behind(two)


async def begun_behind(socket: Socket) -> None:
    await socket.until("snapshot")
    await begun(socket, **{"from": at(1), "paused": True})


@pytest.mark.gen_test
async def test_it_hears_the_rooms_it_asked_for_and_goes_back_to_its_own(tmp_path: Path) -> None:
    """Only alerts of the past, and everything of now."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(0.5), "speed": "max", "rooms": ["alerts"]})
        await socket.until("playhead", state="live")
        assert {one.event for one in logged(socket.heard)} == {"alert"}
        await record(it, 60, 62)
        assert (await socket.until("metrics")).data["at"] == at(60)


@pytest.mark.gen_test(timeout=30)
async def test_rooms_joined_or_left_while_watching_stay_so(tmp_path: Path) -> None:
    """Its own rooms are those it had, with what it joined since and without what it left; never more than may be."""
    async with recorded(tmp_path, 30) as it, sockets(it.url, rooms="kitchen,hall,alerts") as socket:
        await socket.until("snapshot")
        await begun(socket, **{"from": at(9.5), "rooms": ["alerts", "metrics"], "paused": True})
        await socket.ask("join_room", {"room": "cellar"})
        await socket.ask("leave_room", {"room": "alerts"})
        await socket.ask("live")
        await socket.until("snapshot")
        (connection,) = it.hub._connections
        assert connection.session.taste.rooms == {"kitchen", "hall", "cellar"}
        assert [it.hub.present(room) for room in ("cellar", "kitchen", "alerts")] == [1, 1, 0]
        await begun(socket, **{"from": at(9.5), "rooms": [], "paused": True})
        for n in range(ROOMS - 1):
            answer = await socket.ask("join_room", {"room": f"room {n}"})
            assert answer.event == "joined_room", answer
            await asyncio.sleep(0.01)
        await socket.ask("live")
        await socket.until("snapshot")
        rooms = connection.session.taste.rooms
        assert len(rooms) == ROOMS and {"kitchen", "hall", "cellar"} < rooms


@pytest.mark.parametrize("has_left", [False, True])
@pytest.mark.gen_test(timeout=30)
async def test_when_the_server_closes_nothing_of_a_replay_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_left: bool
) -> None:
    """Its clock and its reading are over, and not merely told to be, before the log is closed under them; also when
    its watchers were sent away a moment before."""
    reading = asyncio.Event()

    async def read(_: Reel) -> list[Shown]:
        reading.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.05)  # as a thread that has its answer to bring

    monkeypatch.setattr(Reel, "read", read)
    async with recorded(tmp_path, 300) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        answer = await begun(socket, **{"from": at(0.5), "speed": 1000})
        replay = it.replays._open[answer.data["id"]]
        await asyncio.wait_for(reading.wait(), PATIENCE_S)
        tasks = [replay._task, replay._ahead]
        if has_left:
            assert replay.holder is not None
            replay.holder.gone()
        await it.replays.close()
        assert all(task.done() for task in tasks) and it.replays.count == 0


@pytest.mark.gen_test(timeout=30)
async def test_over_sse_it_is_asked_for_in_the_address(tmp_path: Path) -> None:
    """`hello`, `replaying`, the picture and the frames, and then now; nothing of now before."""
    ask: dict[str, Any] = {"from": at(9.5), "speed": "max"}
    async with recorded(tmp_path, 30) as it, events(it.url, **ask) as stream:
        await stream.until("playhead", state="live")
        names = [told.event for told in stream.heard if told.event != "playhead"]
        assert names[:3] == ["hello", "replaying", "snapshot"]
        assert stream.seqs == list(range(stream.seqs[0], it.spine.edge + 1))
        await record(it, 30, 31)
        assert (await stream.until("metrics")).data["at"] == at(30)


@pytest.mark.parametrize("way", ["header", "address"])
@pytest.mark.gen_test(timeout=30)
async def test_a_stream_that_comes_back_goes_on_where_it_was(tmp_path: Path, way: str) -> None:
    """Law prove-or-reset: a browser repeats the address and says in a header what it heard last, others say it in the
    address; the rest is told and no `reset`."""
    async with recorded(tmp_path, 30) as it:
        ask: dict[str, Any] = {"from": at(9.5), "to": at(20.5), "speed": 50}
        async with events(it.url, **ask) as stream:
            told = await stream.until("metrics", at=at(14))
        ask["speed"] = "max"
        header = {"Last-Event-ID": told.id} if way == "header" else {}
        ask |= {"cursor": told.id} if way == "address" else {}
        async with events(it.url, header, **ask) as stream:
            hello = await stream.until("hello")
            assert hello.data["resumed"] and hello.data["cursor"] == told.id
            assert (await stream.until("metrics")).data["at"] == at(15)
            await stream.until("playhead", state="ended")
            assert "reset" not in {one.event for one in stream.heard}


@pytest.mark.parametrize(
    ("id_", "reason"), [("other:7", "epoch"), ("x", "malformed"), ("{epoch}:99999", "future")]
)
@pytest.mark.gen_test(timeout=30)
async def test_a_stream_that_comes_back_from_elsewhere_is_told_so(
    tmp_path: Path, id_: str, reason: str
) -> None:
    """Law prove-or-reset: what cannot be proved to be of this log is said before the replay begins anew."""
    async with recorded(tmp_path, 30) as it:
        ask: dict[str, Any] = {"from": at(9.5), "to": at(12.5), "speed": "max"}
        header = {"Last-Event-ID": id_.format(epoch=it.log.epoch)}
        async with events(it.url, header, **ask) as stream:
            await stream.until("playhead", state="ended")
        names = [told.event for told in stream.heard if told.event != "playhead"]
        assert names[:4] == ["hello", "reset", "replaying", "snapshot"]
        hello, reset, _, picture = stream.heard[:4]
        assert reset.data["reason"] == reason and not hello.data["resumed"]
        # From whichever of them it would come back, nothing is skipped.
        assert hello.data["cursor"] == reset.data["cursor"] == picture.data["cursor"]
        assert [one.data["at"] for one in stream.heard if one.event == "metrics"] == [
            at(n) for n in (10, 11, 12)
        ]


@pytest.mark.gen_test(timeout=30)
async def test_a_stream_that_comes_back_from_outside_its_span_stays_in_it(tmp_path: Path) -> None:
    """A place before its beginning is its beginning, and one behind its end is its end."""
    async with recorded(tmp_path, 30) as it:
        ask: dict[str, Any] = {"from": at(9.5), "to": at(12.5), "speed": "max"}
        for seq, wanted in ((2, [10, 11, 12]), (it.spine.edge, [])):
            header = {"Last-Event-ID": f"{it.log.epoch}:{seq}"}
            async with events(it.url, header, **ask) as stream:
                await stream.until("playhead", state="ended")
            (picture,) = [one for one in stream.heard if one.event == "snapshot"]
            assert picture.data["at"] == at(wanted[0] - 1 if wanted else 12)
            hello = stream.heard[0].data
            assert hello["resumed"] and hello["cursor"] == picture.data["cursor"]
            told = [one.data["at"] for one in stream.heard if one.event == "metrics"]
            assert told == [at(n) for n in wanted]


@pytest.mark.gen_test(timeout=60)
async def test_past_the_samples_it_plays_rollups_and_says_so(tmp_path: Path) -> None:
    """Ticks are buckets then, without a place in the log; where samples begin it goes on with these, to now."""
    async with recorded(tmp_path, 2) as it:
        for n in range(10, 3_600, 5):
            await tick(it, n)
        await it.log.seal(it.log.head, all_of_it=True)
        await it.log.forget(Keep(0.02, 60, 400, 3650, 0), BEGIN + 3_600 * S)
        horizon = it.log.since(0)
        assert horizon > BEGIN + 600 * S
        async with sockets(it.url) as socket:
            await socket.until("snapshot")
            await socket.ask("replay", {"from": at(300.5), "speed": "max"})
            picture = await socket.until("snapshot")
            assert BEGIN + 280 * S < parse_time(picture.data["at"], 0) <= BEGIN + 300 * S
            assert (await socket.until("playhead", tier="10s")).data["tier"] == "10s"
            await socket.until("playhead", tier="raw")
            await socket.until("playhead", state="live")
            ticks = [one.data for one in socket.heard if one.event == "metrics"]
            rolled = [one for one in ticks if "seq" not in one]
            assert len(rolled) == (horizon - BEGIN) // S // 10 - 30
            assert all("cursor" not in one for one in rolled)
            seqs = [one.data.get("seq", 0) for one in logged(socket.heard)]
            raw = [seq for seq in seqs if seq >= it.log.floor]
            assert raw == list(range(it.log.floor, it.spine.edge + 1))
            assert rolled == ticks[: len(rolled)]


@pytest.mark.parametrize("road", ["socket", "stream"])
@pytest.mark.gen_test(timeout=30)
async def test_one_whose_first_picture_cannot_be_made_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: Any, road: str
) -> None:
    """Who waits for it is told, and it takes no place among those that may play."""

    async def broken(*_: Any) -> None:
        raise StorageError("the disk is gone")

    async with recorded(tmp_path, 30) as it:
        monkeypatch.setattr(it.past, "standing", broken)
        ask: dict[str, Any] = {"from": at(5.5)}
        if road == "socket":
            async with sockets(it.url) as socket:
                await socket.until("snapshot")
                told = await socket.ask("replay", ask)
        else:
            async with events(it.url, **ask) as stream:
                told = await stream.until("error")
                assert (await stream.next()).data["reason"] == "failed"
        assert (told.event, told.data["code"]) == ("error", "failed")
        assert it.replays.count == 0
    logs.expect("a replay could not be read")


@pytest.mark.gen_test(timeout=30)
async def test_a_loop_takes_its_time(tmp_path: Path) -> None:
    """A lap without an event in it, at the speed of reading, is half a second and not a storm of pictures."""
    async with recorded(tmp_path, 30) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        ask = {"from": at(10.1), "to": at(10.2), "loop": True, "speed": "max"}
        await begun(socket, **ask)
        start = asyncio.get_running_loop().time()
        for _ in range(3):
            await socket.until("snapshot")
        assert asyncio.get_running_loop().time() - start >= 3 * LAP_S - 0.1


@pytest.mark.gen_test(timeout=30)
async def test_one_that_ends_before_the_tape_begins_is_refused(tmp_path: Path) -> None:
    """On either road, with the field and what would do."""
    async with recorded(tmp_path, 5) as it:
        ask: dict[str, Any] = {"from": at(-60), "to": at(-50)}
        async with sockets(it.url) as socket:
            told = await socket.ask("replay", ask)
            assert told.event == "error" and told.data["detail"].startswith("to: the tape begins")
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            async with events(it.url, **ask):
                pass
        assert it.replays.count == 0


@pytest.mark.gen_test(timeout=60)
async def test_in_the_rollups_it_ends_though_facts_without_end_follow(tmp_path: Path) -> None:
    """A page of facts from after its end is not waited for over and over."""
    async with recorded(tmp_path, 2) as it:
        for n in range(10, 3_600, 5):
            await tick(it, n)
        await it.log.seal(it.log.head, all_of_it=True)
        await it.log.forget(Keep(0.02, 60, 400, 3650, 0), BEGIN + 3_600 * S)
        assert it.log.since(0) > BEGIN + 600 * S
        async with sockets(it.url) as socket:
            await socket.until("snapshot")
            ask = {"from": at(300.5), "to": at(600.5), "speed": "max"}
            await socket.ask("replay", ask)
            await socket.until("playhead", state="ended")


@pytest.mark.gen_test(timeout=60)
async def test_what_max_hz_held_back_is_told_before_it_is_live(tmp_path: Path) -> None:
    """Laws no-gap-no-double, slow-costs-itself: every tick stands in one that was told, the last ones too."""
    async with recorded(tmp_path, 60) as it, sockets(it.url) as socket:
        await socket.until("snapshot")
        await socket.ask("subscribe_to_metrics", {"max_hz": 0.2})
        await begun(socket, **{"from": at(20.5), "speed": "max"})
        await socket.until("playhead", state="live")
        ticks = [one.data for one in socket.heard if one.event == "metrics"]
        assert sum(one.get("conflated", 1) for one in ticks) == 39
        assert ticks[-1]["at"] == at(59)


@pytest.mark.gen_test(timeout=60)
async def test_a_step_over_much_that_others_sent_holds_little(tmp_path: Path) -> None:
    """Law slow-costs-itself: what lies between two ticks is read no quicker than it is taken, and all of it told."""
    async with recorded(tmp_path, 20) as it:
        key = Key("x", (), "x")
        for n in range(1_500):
            moment = BEGIN + 20 * S + n * 1000
            await it.spine.ingest(Batch([Columns("there", [moment], [key], [[n]])]))
        first, last = it.spine.edge - 1_499, it.spine.edge
        await record(it, 30, 40)
        async with sockets(it.url) as socket:
            await socket.until("snapshot")
            answer = await begun(socket, **{"from": at(19.5), "paused": True})
            replay = it.replays._open[answer.data["id"]]
            most = 0

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, len(replay._shown))
                    await asyncio.sleep(0)

            watching = asyncio.create_task(watch())
            await socket.ask("replay_step", {})
            watching.cancel()
            await socket.ask("ping")
            assert 0 < most <= 5 * PAGE
            heard = [one.data["seq"] for one in logged(socket.heard)]
            assert [seq for seq in heard if first <= seq <= last] == [*range(first, last + 1)]


@pytest.mark.gen_test(timeout=60)
async def test_wide_ticks_are_read_ahead_by_their_weight(tmp_path: Path) -> None:
    """Law slow-costs-itself: a hundred ticks of three thousand series are not a page."""
    keys = [Key(f"m{n}", (), f"m{n}") for n in range(3_000)]
    async with recorded(tmp_path, 1) as it:
        for n in range(1, 150):
            it.clock.at = moment = BEGIN + n * S
            values: list[list[Number | None]] = [[n + place] for place in range(len(keys))]
            await it.spine.ingest(Batch([Columns("here", [moment], keys, values)]), own=True)
        async with sockets(it.url) as socket:
            await socket.until("snapshot")
            answer = await begun(socket, **{"from": at(1.5), "speed": 0.25})
            replay = it.replays._open[answer.data["id"]]
            await asyncio.sleep(2)
            samples = [len(shown.entry.event.data.ids) for shown in replay._shown]
            assert CELLS / 2 <= sum(samples) <= 3 * CELLS
