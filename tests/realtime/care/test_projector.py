"""A replay in a terminal: what happened in lines, each frame as JSON, off a directory that nobody uses."""

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from realtime.care.projector import NotOnTape, Projector, Tape, told
from realtime.core.session import Watch
from realtime.errors import AlreadyRunning, PlayheadError
from storage.events import Alert, Declared, Draft, Metrics, Notification, Series, System
from storage.lock import Lock
from storage.log import Log
from storage.look import FILE
from storage.migrate import migrate

S = 1_000_000
BEGIN = 1_795_403_506 * S


async def taped(directory: Path, drafts: list[Draft]) -> Path:
    migrate(directory / FILE)
    log = Log(directory / FILE)
    await log.open(BEGIN)
    await log.append(drafts)
    await log.close()
    return directory


def night() -> list[Draft]:
    """Sixty seconds: two series, an alert that ends, a message."""
    drafts = [
        Draft(BEGIN, "web", System("started", {"facts": {}})),
        Draft(BEGIN, "web", Declared([Series(1, "load", {}), Series(2, "heat", {})])),
    ]
    for n in range(60):
        at = BEGIN + n * S
        drafts.append(Draft(at, "web", Metrics((1, 2), (n, 0.5))))
        if n in (20, 30):
            state: Any = "firing" if n == 20 else "resolved"
            drafts.append(
                Draft(at, "web", Alert("a", "hot", state, "critical", 2, 1, 0, at, "It is hot"))
            )
        if n == 40:
            drafts.append(Draft(at, "web", Notification("n", "info", "Cooling", "Ops")))
    return drafts


async def played(directory: Path, ask: Watch, match: tuple[str, ...] = (), as_json=False) -> str:
    out = io.StringIO()
    screen = Projector(out, as_json, bool(match))
    async with Tape(directory, BEGIN + 100 * S) as tape:
        await tape.play(ask, match, lambda frame: screen.show(frame.event, frame.data))
    return out.getvalue()


@pytest.mark.gen_test
async def test_it_prints_what_happened_and_the_series_that_were_asked_for(tmp_path: Path) -> None:
    """A line each, with its moment; without a selector no tick."""
    await taped(tmp_path, night())
    lines = (await played(tmp_path, Watch(BEGIN, speed="max"))).splitlines()
    assert lines == [
        "2026-11-23 03:12:06.000  alert         critical firing: It is hot",
        "2026-11-23 03:12:16.000  alert         critical resolved: It is hot",
        "2026-11-23 03:12:26.000  notification  info: Ops: Cooling",
        "2026-11-23 03:12:45.000  playhead      ended",
    ]
    span = Watch(BEGIN + 10 * S, BEGIN + 12 * S, "max")
    lines = (await played(tmp_path, span, ("load",))).splitlines()
    assert lines == [
        "2026-11-23 03:11:57.000  metrics       web: load 11",
        "2026-11-23 03:11:58.000  metrics       web: load 12",
        "2026-11-23 03:11:58.000  playhead      ended",
    ]


@pytest.mark.gen_test
async def test_as_json_it_is_the_frames(tmp_path: Path) -> None:
    """The very ones of the wire, one a line."""
    await taped(tmp_path, night())
    text = await played(tmp_path, Watch(BEGIN + 39 * S, speed="max"), as_json=True)
    frames = [json.loads(line) for line in text.splitlines()]
    assert [one["event"] for one in frames[:3]] == ["metrics", "notification", "metrics"]
    assert frames[0]["data"]["values"] == {"load": 40, "heat": 0.5}
    assert frames[1]["data"]["cursor"].endswith(f":{frames[1]['data']['seq']}")
    assert frames[-1] == {
        "event": "playhead",
        "data": {"at": "2026-11-23T03:12:45.000000Z", "state": "ended"},
    }


@pytest.mark.gen_test
async def test_it_keeps_time(tmp_path: Path) -> None:
    """Twenty seconds at a hundred times their speed take two tenths of one, and a silence can be skipped."""
    await taped(tmp_path, [*night(), Draft(BEGIN + 4_000 * S, "web", Metrics((1,), (7,)))])
    begun = time.monotonic()
    await played(tmp_path, Watch(BEGIN + S // 2, BEGIN + 20 * S, 100.0))
    assert 0.19 < time.monotonic() - begun < 2
    begun = time.monotonic()
    text = await played(tmp_path, Watch(BEGIN + 50 * S, speed=100.0, skip_us=5 * S), ("load",))
    assert "load 7" in text and time.monotonic() - begun < 5


@pytest.mark.gen_test
async def test_what_cannot_be_played_is_said(tmp_path: Path) -> None:
    """No log, a server that uses it, an empty tape."""
    with pytest.raises(PlayheadError):
        await played(tmp_path, Watch(BEGIN))
    await taped(tmp_path, [])
    with pytest.raises(NotOnTape):
        await played(tmp_path, Watch(BEGIN))
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(AlreadyRunning) as refused:
        await played(tmp_path, Watch(BEGIN))
    assert "--url" in refused.value.hint
    lock.release()


def test_a_frame_in_words() -> None:
    """Those that tell a reader something."""
    assert told("heartbeat", {"head": 3}, True) == ""
    assert told("playhead", {"state": "playing"}, True) == ""
    gap = {"first": 3, "last": 5, "detail": "a bit is wrong"}
    assert told("playhead", {"gap": gap}, True) == "events 3 to 5 cannot be read: a bit is wrong"
    note = {"state": "noted", "text": "deploy", "tags": ["shop", "2.4"]}
    assert told("annotation", note, True) == "noted: deploy [shop, 2.4]"
    assert told("layout", {"state": "saved", "title": "Shop"}, True) == "saved: Shop"
