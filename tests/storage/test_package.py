"""A stretch of a log, as a log of its own."""

import asyncio
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import storage.package
from storage.errors import Absent, StorageFull, TooMuch
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Draft,
    Event,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
)
from storage.log import Log
from storage.look import look, still
from storage.migrate import migrate
from storage.package import cut
from storage.verify import verify
from tests.disk import small_disk
from tests.storage.conftest import NOW
from tests.storage.filled import SECOND, change, dump, fill

BEGIN = NOW // (600 * SECOND) * 600 * SECOND


def packed(path, target, start, end):
    """What was cut, what verify says of it, and its events by seq."""
    with look(path) as connection:
        done = cut(connection, target, start, end, NOW)
    with still(target) as connection:
        report = verify(connection)
    return done, report, asyncio.run(events(target))


async def events(path):
    log = Log(path)
    await log.open(NOW)
    found = {event.seq: event for event in await log.read(0, 100_000)}
    await log.close()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "playhead.db"
    fill(path, forget=False)
    return path, asyncio.run(events(path))


@settings(max_examples=15, deadline=None)
@given(st.integers(-100, 3000), st.integers(10, 2000))
def test_the_events_are_the_very_same(whole, tmp_path_factory, start_s, length_s):
    """Law views-are-disposable: whatever the span cuts through, from its first moment until its end was
    reached every event is there at its seq, sealed or not, and the whole is sound."""
    path, truth = whole
    start = BEGIN + start_s * SECOND
    end = start + length_s * SECOND
    target = tmp_path_factory.mktemp("cut") / "cut.db"
    first = min((seq for seq, event in truth.items() if event.at >= start), default=None)
    last = min((seq for seq, event in truth.items() if event.at >= end), default=len(truth) + 1) - 1
    if first is None or last < first:
        with look(path) as connection, pytest.raises(Absent, match="nothing"):
            cut(connection, target, start, end, NOW)
        return
    done, report, found = packed(path, target, start, end)
    assert (done.first, done.last, done.later) == (first, last, 0)
    assert report.damages == [] and done.damages == []
    wanted = {seq: event for seq, event in truth.items() if first <= seq <= last}
    assert {seq: event for seq, event in found.items() if seq >= first} == wanted
    assert repr(sorted(found.items())[-1]) == repr(sorted(wanted.items())[-1])
    assert done.events == len(wanted)
    assert done.samples == sum(
        len(event.data.ids) for event in wanted.values() if isinstance(event.data, Metrics)
    )
    assert (report.samples, report.floor, report.head) == (done.samples, first, done.head)


def test_what_is_sealed_is_taken_as_it_is(whole, tmp_path):
    """A whole segment's head and columns are the same bytes, under a hash of their own chain."""
    path, _ = whole
    done, _, _ = packed(path, tmp_path / "cut.db", BEGIN + 500 * SECOND, BEGIN + 1900 * SECOND)
    both = []
    for file in (path, tmp_path / "cut.db"):
        with sqlite3.connect(file) as connection:
            both.append(
                set(connection.execute("SELECT first_seq, last_seq, head, directory FROM segments"))
            )
        connection.close()
    assert len(both[0] & both[1]) == 2
    assert done.epoch != done.of_epoch


def test_what_held_before_it_is_there_and_nothing_else(tmp_path):
    """Names, open alerts, dashboards and annotations that reach into it; what had ended by then is not. What was
    said of it afterwards stands behind it, and what it does not concern does not."""
    path = tmp_path / "playhead.db"

    def alert(id_, state):
        return Alert(id_, "cpu", state, "critical", 1, 90, 80, NOW, "m")

    def mark(id_, state, since, until=None, text="x"):
        return Annotation(id_, state, text, NOW + since * SECOND, until and NOW + until * SECOND)

    before = [
        Declared([Series(1, "x", {})]),
        System("started"),
        alert("over", "firing"),
        alert("open", "firing"),
        alert("over", "resolved"),
        mark("past", "noted", 0),
        mark("long", "noted", 0, 500),
        mark("gone", "noted", 0, 500),
        mark("gone", "removed", 0, 500),
        Layout("a", "saved", "old", []),
        Layout("a", "saved", "new", []),
        Layout("b", "saved", "b", []),
        Layout("b", "removed", "b", []),
        Notification("n", "info", "hello"),
        Metrics([1], [1]),
    ]
    inside = [Metrics([1], [2]), mark("mine", "noted", 100), mark("taken", "noted", 100)]
    after = [
        Metrics([1], [3]),
        mark("late", "noted", 101, text="why"),
        mark("late", "changed", 101, text="because"),
        mark("long", "changed", 0, 600, text="longer"),
        mark("taken", "removed", 100),
        mark("elsewhere", "noted", 900),
    ]

    async def record():
        migrate(path)
        log = Log(path)
        await log.open(NOW)
        for second, facts in ((0, before), (100, inside), (200, after)):
            await log.append([Draft(NOW + second * SECOND, "a", fact) for fact in facts])
        await log.close()

    asyncio.run(record())
    done, report, found = packed(path, tmp_path / "cut.db", NOW + 100 * SECOND, NOW + 200 * SECOND)
    assert report.damages == []
    assert (done.first, done.last) == (16, 18)
    told = [(event.seq, event.data) for event in found.values()]
    kept = [data for seq, data in told if seq < 16]
    assert kept == [before[n] for n in (0, 1, 3, 6, 10, 13)]
    later = [
        (seq, data.id, data.state, data.text)
        for seq, data in told
        if seq > 18 and isinstance(data, Annotation)
    ]
    assert later == [
        (19, "late", "noted", "because"),
        (20, "long", "changed", "longer"),
        (21, "taken", "removed", "x"),
    ]
    assert (done.head, done.later) == (21, 3)


def test_what_is_not_held_any_more_is_said(tmp_path):
    """A span whose samples are forgotten is refused, one that reaches into them begins where they begin."""
    path = tmp_path / "playhead.db"
    log = fill(path)
    with look(path) as connection, pytest.raises(Absent, match="held any more"):
        cut(connection, tmp_path / "a.db", BEGIN + 10 * SECOND, BEGIN + 60 * SECOND, NOW)
    done, report, _ = packed(path, tmp_path / "b.db", BEGIN, BEGIN + 1200 * SECOND)
    assert done.first == log.floor
    assert report.damages == []
    with look(path) as connection, pytest.raises(Absent, match="span or later"):
        cut(connection, tmp_path / "c.db", NOW * 2, NOW * 2 + 1, NOW)


def test_damage_is_named_and_the_rest_is_there(tmp_path):
    """A column that cannot be read costs its series in that segment."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    assert change(path, "UPDATE strips SET body = zeroblob(length(body)) WHERE place = 2 << 32")
    done, _, found = packed(path, tmp_path / "cut.db", BEGIN, BEGIN + 2400 * SECOND)
    assert any("segment 2" in damage.key for damage in done.damages)
    assert len([event for event in found.values() if isinstance(event, Event)]) == done.events


def test_rollups_are_the_same_however_many_are_held(tmp_path, monkeypatch):
    """A stretch at a time or all at once: the same rows, and what a recount of the samples gives."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    rows = []
    for together in (1, 100):
        monkeypatch.setattr(storage.package, "TOGETHER", together)
        target = tmp_path / f"{together}.db"
        _, report, _ = packed(path, target, 0, BEGIN + 86_400 * SECOND)
        assert report.damages == [] and report.floor == 1, (
            "from the first event on nothing is excused"
        )
        rows.append(dump(target)["rollups"])
    assert rows[0] == rows[1] == dump(path)["rollups"]


def test_it_is_bounded(tmp_path, monkeypatch):
    """More than a package holds is refused before it is written."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    monkeypatch.setattr(storage.package, "MOST_BYTES", 100)
    with look(path) as connection, pytest.raises(TooMuch, match="100 is the most"):
        cut(connection, tmp_path / "a.db", BEGIN, BEGIN + 900 * SECOND, NOW)


def test_it_leaves_room_on_the_disk(tmp_path):
    """What may not fit beside what is to be left is refused, with figures, before the disk is full of it."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    with small_disk(tmp_path / "disk", "4m") as disk, look(path) as connection:
        target = disk.path / "a.db"
        span = (BEGIN, BEGIN + 900 * SECOND, NOW)
        with pytest.raises(StorageFull, match="there is room for 0"):
            cut(connection, target, *span, spare=disk.free)
        target.unlink()
        cut(connection, target, *span)
