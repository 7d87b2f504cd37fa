"""An incident in one file, there and back."""

import asyncio
import shutil
import sqlite3
import zipfile

import msgspec
import numpy as np
import pytest

from realtime import incident
from realtime.errors import BadInput, StorageBroken, StorageError
from realtime.incident import Incident, pack, unpack
from storage.events import Declared, Draft, Metrics, Series
from storage.log import Log
from storage.look import still
from storage.migrate import migrate
from storage.verify import verify
from tests.storage.conftest import NOW
from tests.storage.filled import SECOND, fill
from tests.storage.test_package import events

BEGIN = NOW // (600 * SECOND) * 600 * SECOND


def asked(start=600, end=1800, **more):
    given = {"title": "The night", "source": "one", "now": NOW * 2, "version": "1.2.3", **more}
    return Incident(BEGIN + start * SECOND, BEGIN + end * SECOND, **given)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("log")
    path = directory / "playhead.db"
    fill(path, forget=False)
    file = directory / "night.playhead"
    return path, file, pack(path, file, asked())


def test_there_and_back(made, tmp_path):
    """What comes out is the log that went in, sound, with the events of the span to the last bit."""
    path, file, manifest = made
    assert unpack(file, tmp_path) == manifest
    with zipfile.ZipFile(file) as archive:
        assert (tmp_path / "summary.json").read_bytes() == archive.read("summary.json")
    with still(tmp_path / "playhead.db") as connection:
        assert verify(connection).damages == []
    truth = asyncio.run(events(path))
    found = asyncio.run(events(tmp_path / "playhead.db"))
    span = range(manifest.first, manifest.last + 1)
    assert {seq: repr(found[seq]) for seq in span} == {seq: repr(truth[seq]) for seq in span}
    assert (manifest.events, manifest.title, manifest.source) == (len(span), "The night", "one")
    assert manifest.from_ == BEGIN + 600 * SECOND and manifest.epoch != manifest.of_epoch


def test_anybody_can_look_into_it(made):
    """A ZIP with a manifest first, a summary as JSON, and the same as a page."""
    _, file, manifest = made
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [
            "manifest.json",
            "playhead.db",
            "summary.json",
            "summary.html",
        ]
        summary = msgspec.json.decode(archive.read("summary.json"))
        page = archive.read("summary.html").decode()
        assert archive.testzip() is None
    assert (summary["title"], summary["samples"]) == ("The night", manifest.samples)
    assert summary["sources"] == ["one", "two"]
    assert "The night" in page and "<script" not in page
    assert {path.name for path in file.parent.iterdir()} >= {file.name}
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".night")]


def test_what_changed_is_told(made):
    """The counter of the other source grows on as before; random numbers are no news."""
    _, file, _ = made
    with zipfile.ZipFile(file) as archive:
        changed = msgspec.json.decode(archive.read("summary.json"))["changed"]
    assert "z" not in [one["series"] for one in changed]
    assert all(one["score"] < 10 for one in changed)


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Two days at a minute in ten seconds, the last quarter of an hour unsealed: a gauge that spikes at noon of the
    second, one that never does, one that stands still, and a counter that begins again and then races."""
    path = tmp_path_factory.mktemp("days") / "playhead.db"
    migrate(path)
    count = 2 * 8_640
    dice = np.random.default_rng(3)
    gauges = dice.normal(10, 1, (2, count))
    gauges[0, count * 3 // 4 : count * 3 // 4 + 200] += 90
    grown = np.cumsum(np.where(np.arange(count) > count * 7 // 8, 9.0, 1.0))
    grown[1_000:] -= grown[1_000]
    columns = [*gauges.round(3), np.full(count, 5.0), grown]

    async def write():
        log = Log(path)
        await log.open(NOW)
        series = [Series(n, f"s{n}", {}) for n in (1, 2, 3)]
        series.append(Series(4, "s4", {}, kind="counter"))
        await log.append([Draft(BEGIN, "one", Declared(series))])
        for first in range(0, count, 1_000):
            await log.append(
                [
                    Draft(
                        BEGIN + n * 10 * SECOND,
                        "one",
                        Metrics((1, 2, 3, 4), tuple(float(one[n]) for one in columns)),
                    )
                    for n in range(first, min(first + 1_000, count))
                ]
            )
        await log.seal(log.head - 90, all_of_it=True)
        await log.close()

    asyncio.run(write())
    return path


def told_of(path, file):
    day = 86_400
    pack(path, file, asked(day, 2 * day))
    with zipfile.ZipFile(file) as archive:
        return msgspec.json.decode(archive.read("summary.json"))


@pytest.mark.parametrize(
    ("change", "named"),
    [("UPDATE rollups SET body = x'00'", ["rollups"]), ("DELETE FROM tiers", [])],
    ids=["damaged", "behind"],
)
def test_of_a_long_span_minutes_say_what_the_samples_say(
    days, tmp_path, monkeypatch, change, named
):
    """What changed, how much and when; no sample is unpacked for it. Where the minutes cannot be read, or have not
    come to the end, the samples speak; damage is named."""

    def never(*_):
        raise AssertionError("samples were read")

    with monkeypatch.context() as patch:
        patch.setattr(incident, "_of_samples", never)
        quick = told_of(days, tmp_path / "quick.playhead")
    other = tmp_path / "other.db"
    shutil.copy(days, other)
    with sqlite3.connect(other) as connection:
        connection.execute(change)
    connection.close()
    slow = told_of(other, tmp_path / "slow.playhead")
    assert [[one["table"] for one in told["damaged"]] for told in (quick, slow)] == [[], named]
    series = [one["series"] for one in quick["changed"]]
    assert series == [one["series"] for one in slow["changed"]]
    assert set(series[:2]) == {"s1", "s4"} and "s3" not in series
    for one, exact in zip(quick["changed"], slow["changed"], strict=True):
        assert one["at"] == exact["at"]
        for name in ("before", "during", "peak"):
            assert one[name] == pytest.approx(exact[name], rel=0.1)


def damaged(file, to, name, change):
    """The same file with one member changed."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.namelist():
            body = old.read(one)
            body = change(body) if one == name else body
            if body is not None:
                new.writestr(one, body)
    return to


def flipped(body):
    return body[:500] + bytes([body[500] ^ 1]) + body[501:]


def stating(**other):
    return lambda body: msgspec.json.encode({**msgspec.json.decode(body), **other})


@pytest.mark.parametrize(
    ("name", "change", "kind", "words"),
    [
        ("playhead.db", flipped, StorageBroken, "playhead.db"),
        ("playhead.db", lambda body: body + b"x", StorageBroken, "playhead.db"),
        ("summary.html", flipped, StorageBroken, "summary.html"),
        ("summary.json", lambda body: None, StorageBroken, "damaged"),
        ("playhead.db", lambda body: None, StorageError, "no incident"),
        ("manifest.json", lambda body: None, StorageError, "no incident"),
        ("manifest.json", lambda body: body[:-5], StorageBroken, "manifest"),
        ("manifest.json", lambda body: b"[]", StorageBroken, "manifest"),
        (
            "manifest.json",
            lambda body: body.replace(b'"format": 1', b'"format": 2'),
            StorageError,
            "newer",
        ),
        ("manifest.json", stating(to=1 << 62), StorageBroken, "manifest"),
        ("manifest.json", stating(from_=-1), StorageBroken, "manifest"),
        ("manifest.json", stating(source="a\n"), StorageBroken, "manifest"),
        (
            "manifest.json",
            lambda body: body.replace(b'"playhead.db": {', b'"other.db": {'),
            StorageBroken,
            "does not vouch",
        ),
        (
            "manifest.json",
            lambda body: body.replace(b'"summary.json": {', b'"other.json": {'),
            StorageBroken,
            "does not vouch",
        ),
    ],
)
def test_what_is_damaged_is_not_opened(made, tmp_path, name, change, kind, words):
    """Every member is vouched for, and the sentence says which is not as it was written."""
    file = damaged(made[1], tmp_path / "bad.playhead", name, change)
    with pytest.raises(kind, match=words) as told:
        unpack(file, tmp_path)
    assert told.value.hint


def test_a_flipped_byte_anywhere_is_told(made, tmp_path):
    """Where the flip is in compressed bytes it is no hash that differs: they cannot be unpacked at all."""
    whole = made[1].read_bytes()
    file, outcomes = tmp_path / "bad.playhead", set()
    for number, place in enumerate(range(0, len(whole), max(1, len(whole) // 150))):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        directory = tmp_path / str(number)
        directory.mkdir()
        try:
            unpack(file, directory)
        except StorageError as told:
            outcomes.add("-3" if "Error -3" in told.detail else "told")
        else:
            outcomes.add("of no weight")
    assert {"-3", "told"} <= outcomes


@pytest.mark.parametrize("what", ["cut", "text", "none", "zip"])
def test_what_is_none_is_said_to_be_none(made, tmp_path, what):
    """Half a file, some text, no file at all, somebody else's ZIP."""
    file = tmp_path / "x.playhead"
    if what == "cut":
        file.write_bytes(made[1].read_bytes()[:4000])
    elif what == "text":
        file.write_text("hello")
    elif what == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", "b")
    with pytest.raises(StorageError) as told:
        unpack(file, tmp_path)
    assert str(file) in told.value.detail and told.value.hint


def test_bombs_are_not_unpacked(made, tmp_path, monkeypatch):
    """What unpacks to more than a package may hold was not made here."""
    sizes = [member.bytes for member in made[2].files.values()]
    monkeypatch.setattr(incident, "OPENED", max(sizes))  # each alone would pass
    with pytest.raises(StorageBroken, match="bytes"):
        unpack(made[1], tmp_path)


def test_a_span_is_bounded(made, tmp_path):
    """Empty and endless ones are refused by their field; nothing is left behind."""
    path = made[0]
    for start, end in ((10, 10), (0, 40 * 86_400)):
        with pytest.raises(BadInput) as told:
            pack(path, tmp_path / "a.playhead", asked(start, end))
        assert told.value.errors[0].field == "from"
    with pytest.raises(StorageError):
        pack(path, tmp_path / "a.playhead", asked(-5000, -4000))
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_written_meanwhile_is_cut_all_the_same(made, tmp_path):
    """The writer holds its file open, and is not in the way."""
    path = tmp_path / "playhead.db"
    shutil.copy(made[0], path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE log SET created_at = created_at")
    assert pack(path, tmp_path / "a.playhead", asked()).events == made[2].events
    writer.execute("ROLLBACK")
    writer.close()
