"""Housekeeping goes on whatever fails, and says each failure once."""

import asyncio
import contextlib
import os

import pytest

from realtime.clock import Clock
from realtime.errors import StorageBroken, StorageError
from realtime.trust import PATIENCE_S, Known, save
from realtime.upkeep import FORGET_S, LOOK_S, Paces, Upkeep
from storage.events import Draft, System
from storage.log import Log
from storage.migrate import migrate
from storage.retention import Gone, Keep

KEEP = Keep(14, 60, 400, 3650, 0)


BEGIN = 1_795_403_506_000_000
YEARS = 10**14


class Quick(Clock):
    """Time that a look takes LOOK_S of."""

    def __init__(self):
        self.passed = 0.0
        self.ahead = 0

    def now(self):
        return BEGIN + self.ahead + int(self.passed * 1_000_000)

    def monotonic(self):
        return self.passed


class Book:
    """What upkeep asks of a log."""

    def __init__(self):
        self.head = 0
        self.sealed = []
        self.forgot = 0
        self.forgotten_by = []
        self.gone = Gone(0, 0, 0)
        self.begun = False
        self.told = 0
        self.known = None
        self.wrong = {}

    def halt(self):
        self.head = -1

    async def stats(self):
        return type("Stats", (), {"bytes": 7})

    async def seal(self, settled):
        if error := self.wrong.get("seal"):
            raise error
        self.sealed.append(settled)
        return 2

    async def checkpoint(self, name, version):
        assert (name, version) == ("forgetting", 1)
        return self.known and (1, self.known)

    async def note(self, body):
        self.known = body

    async def forget(self, keep, now, latest):
        self.forgotten_by.append((now, latest))
        if error := self.wrong.get("forget"):
            raise error
        assert keep is KEEP
        self.forgot += 1
        return self.gone


@contextlib.asynccontextmanager
async def kept(monkeypatch, book, paces=None, looks=30, ahead=0):
    """Runs so many looks."""
    clock = Quick()
    clock.ahead = ahead
    saved = []

    async def save():
        if error := book.wrong.get("checkpoint"):
            raise error
        saved.append(clock.passed)

    def forgot():
        book.told = book.forgot

    upkeep = Upkeep(book, clock, paces or Paces(20.0, 12.0), KEEP, save, forgot, book.note)

    async def sleep(seconds):
        assert seconds == LOOK_S
        clock.passed += seconds
        book.head += 10
        if clock.passed >= looks * LOOK_S:
            raise asyncio.CancelledError

    monkeypatch.setattr("realtime.upkeep.asyncio.sleep", sleep)
    with contextlib.suppress(asyncio.CancelledError):
        await upkeep.run()
    yield upkeep, saved


@pytest.mark.gen_test
async def test_each_work_has_its_pace(monkeypatch):
    """Checkpoints, sealing of what is settled, and forgetting."""
    book = Book()
    async with kept(monkeypatch, book) as (upkeep, saved):
        assert saved == [20, 40, 60, 80, 100, 120, 140]
        assert book.sealed[:3] == [10, 20, 30], "the head of three looks ago"
        assert book.forgot == int(29 * LOOK_S // FORGET_S)
        assert upkeep.bytes == 7
        assert upkeep.segments == 2 * len(book.sealed)


@pytest.mark.parametrize("work", ["seal", "forget", "checkpoint"])
@pytest.mark.gen_test
async def test_what_fails_is_said_once_and_tried_again(monkeypatch, logs, work):
    """The others go on."""
    book = Book()
    book.wrong[work] = StorageError("the disk is full")
    async with kept(monkeypatch, book) as (_, saved):
        logs.expect(f"upkeep failed.*{work}.*full")
        assert not logs.lines
        assert len(saved) == (0 if work == "checkpoint" else 7)
        assert bool(book.sealed) == (work != "seal")
        assert bool(book.forgot) == (work != "forget")


@pytest.mark.gen_test
async def test_two_that_fail_are_each_said_once(monkeypatch, logs):
    """They do not make each other forget that they have been said."""
    book = Book()
    book.wrong = {work: StorageError(work) for work in ("seal", "forget", "checkpoint")}
    async with kept(monkeypatch, book):
        for work in book.wrong:
            logs.expect(f"upkeep failed.*{work}")
        assert not logs.lines


@pytest.mark.gen_test
async def test_a_clock_that_starts_years_ahead_forgets_nothing_by_it(monkeypatch, logs):
    """What counts is what is on record of the time. Without that, or when it cannot be read, nothing is too old
    for a day of running: the newest of the tape was dated by the clock that is in doubt."""
    book = Book()
    for book.known in (None, b"rubbish"):
        before = len(book.forgotten_by)
        async with kept(monkeypatch, book, ahead=YEARS):
            asked = book.forgotten_by[before:]
            assert asked and all(least < 1000 * 1_000_000 for least, _ in asked)
            assert all(most >= BEGIN + YEARS for _, most in asked)
    logs.expect("time on record cannot be read")
    book.known = save(Known(0, PATIENCE_S - 60))
    async with kept(monkeypatch, book, ahead=YEARS):
        least, most = book.forgotten_by[-1]
        assert least == most > BEGIN + YEARS, "a day later it is believed"
    async with kept(monkeypatch, book):
        assert book.forgotten_by[-1][0] < BEGIN + YEARS, (
            "and what is on record is, at the next start"
        )


@pytest.mark.gen_test
async def test_a_tape_that_begins_here_has_nothing_to_lose(monkeypatch):
    """Its first clock is believed."""
    book = Book()
    book.begun = True
    async with kept(monkeypatch, book):
        assert book.forgotten_by[0] == (BEGIN + 60_000_000,) * 2


@pytest.mark.gen_test
async def test_the_view_is_told_what_is_gone(monkeypatch):
    """And only then."""
    book = Book()
    async with kept(monkeypatch, book):
        assert book.told == 0
    book.gone = Gone(1, 10, 7)
    async with kept(monkeypatch, book):
        assert book.told == book.forgot > 0


@pytest.mark.gen_test
async def test_a_broken_log_ends_the_server(monkeypatch):
    """Better no server than one that lies."""
    book = Book()
    book.wrong["seal"] = StorageBroken("not what was sealed")
    with pytest.raises(StorageBroken):
        async with kept(monkeypatch, book):
            pass


@pytest.mark.gen_test
async def test_a_stop_in_the_middle_of_work_leaves_the_writer_whole(tmp_path):
    """Wherever `run` is cancelled, what was under way ends, and the log can be written after it."""
    path = tmp_path / "a.db"
    migrate(path)
    log = Log(path)
    await log.open(1)
    body = os.urandom(300_000)
    try:
        for n in range(40):

            async def save(n=n):
                await log.save_checkpoint("view", n, log.head, body)

            upkeep = Upkeep(log, Clock(), Paces(0, 60), KEEP, save, lambda: None, save)
            work = asyncio.create_task(upkeep.run())
            await asyncio.sleep(n * 0.0005)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await upkeep.finish()
            await log.append([Draft(n, "a", System("started"))])
        assert log.head == 40
    finally:
        await log.close()
