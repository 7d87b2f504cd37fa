"""What a replay reads: every event once, in order, and the moment at which it shows; rollups where samples are gone."""

from pathlib import Path
from typing import Any

import pytest

from realtime import reel
from realtime.core.views import View, evolve
from realtime.reel import Reel, Shown
from storage.events import Declared, Draft, Metrics, Notification, Series, Unreadable
from storage.log import Log
from storage.migrate import migrate
from storage.retention import Keep
from tests.storage.test_sealer import write

S = 1_000_000
DAY = 86_400
BEGIN = 1_764_028_800 * S  # where a block of buckets begins
END = BEGIN + 100 * DAY * S


async def taped(directory: Path, seconds: int, step: int = 1) -> tuple[Log, View]:
    """Two sources, one of them with two series, a note every hundred ticks."""
    path = directory / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(BEGIN)
    series = [Series(1, "x", {}), Series(2, "y", {})]
    drafts = [
        Draft(BEGIN, "a", Declared(series)),
        Draft(BEGIN, "b", Declared([Series(3, "z", {})])),
    ]
    for place, second in enumerate(range(0, seconds, step)):
        at = BEGIN + second * S
        drafts.append(Draft(at, "a", Metrics((1, 2), (second, 0.5))))
        drafts.append(Draft(at, "b", Metrics((3,), (-second,))))
        if place % 100 == 0:
            drafts.append(Draft(at, "a", Notification(str(second), "info", "hello")))
    for first in range(0, len(drafts), 1_000):
        await log.append(drafts[first : first + 1_000])
    view = View()
    for event in await log.read(0, 10):
        evolve(view, event)
    view.first = {1: BEGIN, 2: BEGIN, 3: BEGIN}
    return log, view


async def all_of(reading: Reel) -> list[Shown]:
    shown: list[Shown] = []
    for _ in range(10_000):
        if reading.is_over:
            break
        shown += await reading.read()
    assert [one.entry.place for one in shown] == list(range(1, len(shown) + 1))
    assert [one.at for one in shown] == sorted(one.at for one in shown)
    return shown


@pytest.mark.gen_test
async def test_it_reads_every_event_once_and_in_order(tmp_path: Path) -> None:
    """From any place to any other, sealed or not; and on, when more has been written."""
    log, view = await taped(tmp_path, 700)
    for sealed in (False, True):
        if sealed:
            await log.seal(log.head, all_of_it=True)
        for after, until in ((0, None), (500, None), (37, 1_201), (1_400, 1_400)):
            reading = Reel(log, view, "a", lambda: log.head, lambda: END)
            reading.until = until
            reading.wind(after, BEGIN)
            wanted = await log.read(after, 5_000, until=until)
            assert [one.entry.event for one in await all_of(reading)] == wanted
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.wind(log.head, BEGIN + 700 * S)
    assert reading.is_over
    (event,) = await log.append([Draft(BEGIN + 700 * S, "a", Metrics((1,), (7,)))])
    assert [one.entry.event for one in await all_of(reading)] == [event]
    await log.close()


@pytest.mark.gen_test
async def test_wide_ticks_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by samples and not by events."""
    monkeypatch.setattr(reel, "CELLS", 20)
    log, view = await taped(tmp_path, 300)
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.wind(0, BEGIN)
    await reading.read()
    while not reading.is_over:
        page = await reading.read()
        samples = sum(
            len(one.entry.event.data.ids)
            for one in page
            if isinstance(one.entry.event.data, Metrics)
        )
        assert samples <= 40
    await log.close()


@pytest.mark.gen_test
async def test_an_event_that_cannot_be_read_stands_in_its_place(tmp_path: Path, logs: Any) -> None:
    """It is handed out as lost, and what follows follows."""
    log, view = await taped(tmp_path, 50)
    write(log.path, "UPDATE events SET body = x'00' WHERE seq = 20")
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.wind(0, BEGIN)
    shown = await all_of(reading)
    assert isinstance(shown[19].entry.event.data, Unreadable)
    assert len(shown) == log.head
    await log.close()
    logs.expect("damaged")


@pytest.mark.gen_test(timeout=60)
async def test_where_samples_are_gone_their_rollups_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last value of each bucket, at its time, without a seq; all facts; and from where the samples are, these,
    with no gap and nothing twice."""
    monkeypatch.setattr(reel, "CELLS", 60)
    monkeypatch.setattr(reel, "PAGE", 7)
    log, view = await taped(tmp_path, 4 * 3600, step=5)
    await log.seal(log.head, all_of_it=True)
    gone = await log.forget(Keep(2 / 24, 60, 400, 3650, 0), BEGIN + 4 * 3600 * S)
    assert gone.segments and log.floor > 1 and log.since(0) > BEGIN
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.wind(0, BEGIN)
    await reading.read()
    assert reading.tier == 10
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.wind(0, BEGIN)
    events = [one.entry.event for one in await all_of(reading)]
    rolled = [event for event in events if not event.seq]
    facts = [event for event in events if event.seq and not isinstance(event.data, Metrics)]
    raw = [event for event in events if event.seq >= log.floor]
    assert raw == await log.read(log.floor - 1, 50_000)
    assert facts == [e for e in await log.facts_after(0, log.head, 5_000)]
    seconds = range(0, (log.since(0) - BEGIN) // S, 10)
    assert [event.at for event in rolled if event.source == "a"] == [
        BEGIN + second * S for second in seconds
    ]
    assert rolled[0].data == Metrics((1, 2), (5, 0.5)) and rolled[1].data == Metrics((3,), (-5,))
    assert reading.tier == 0
    reading = Reel(log, view, "a", lambda: log.head, lambda: END)
    reading.to = BEGIN + 600 * S
    reading.wind(0, BEGIN)
    assert max(one.at for one in await all_of(reading)) <= BEGIN + 600 * S
    await log.close()
