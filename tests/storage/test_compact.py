"""Compact seals the tail and gives the space back, and loses nothing."""

import asyncio
import contextlib
import shutil
import sqlite3

import pytest

from storage.compact import compact
from storage.errors import AlreadyRunning, StorageError
from storage.lock import Lock
from storage.log import Log
from storage.look import look
from storage.migrate import migrate
from storage.verify import verify
from tests.disk import small_disk
from tests.storage.conftest import NOW, tick
from tests.storage.filled import change, dump, fill


async def events(path):
    log = Log(path)
    await log.open(NOW)
    found = await log.read(0, 100_000)
    await log.close()
    return found


def test_all_is_sealed_and_the_file_is_short(tmp_path):
    """No tick stays a row, no page stays free, and the log reads as before."""
    path = tmp_path / "playhead.db"
    fill(path)
    before = asyncio.run(events(path))
    done = asyncio.run(compact(path, NOW))
    assert done.segments == 1 and done.after < done.before
    assert done.after == path.stat().st_size
    assert asyncio.run(events(path)) == before
    assert not [row for row in dump(path)["events"] if row[3] == "metrics"]
    with look(path) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert verify(connection).damages == []


def test_no_page_is_half_empty_for_nothing(tmp_path):
    """Rollups were written anew with each segment: afterwards they take no more pages than VACUUM would give."""
    path, copy = tmp_path / "playhead.db", tmp_path / "copy.db"
    asyncio.run(recorded(path))
    asyncio.run(compact(path, NOW))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    assert path.stat().st_size <= copy.stat().st_size


async def recorded(path):
    """Two hours of many series that all move, sealed every ten minutes."""
    migrate(path)
    log = Log(path)
    await log.open(NOW)
    for first in range(0, 7200, 600):
        await log.append(
            [
                tick(
                    NOW + at * 1_000_000, "a", **{f"s{id_}": at * id_ % 997 for id_ in range(1, 99)}
                )
                for at in range(first, first + 600, 10)
            ]
        )
        await log.seal(log.head, all_of_it=True)
    await log.close()


SPARE = 1_000_000


def with_room_inside(path):
    """As retention leaves it: that many bytes of the file are of no use to anybody."""
    asyncio.run(recorded(path))
    change(path, "CREATE TABLE gone (body BLOB)")
    change(path, "INSERT INTO gone VALUES (zeroblob(?))", SPARE)
    change(path, "DROP TABLE gone")


def test_a_full_disk_gets_its_room_back(tmp_path):
    """Free pages go before anything is asked of the disk, and what needs room has it then."""
    with small_disk(tmp_path / "disk", "4m") as disk:
        path = disk.path / "playhead.db"
        with_room_inside(path)
        rollups = dump(path)["rollups"]
        disk.fill(65_536)  # the index of a WAL and a few pages
        done = asyncio.run(compact(path, NOW))
        assert done.left is None and done.after < done.before - SPARE
        assert dump(path)["rollups"] == rollups


def test_without_room_rollups_lie_as_they_lay(tmp_path, monkeypatch):
    """That is told with figures, and everything else is done."""
    path = tmp_path / "playhead.db"
    with_room_inside(path)
    rollups = dump(path)["rollups"]
    size = sum(len(body) for _, body in rollups)
    free = shutil.disk_usage(tmp_path)._replace(free=2 * size - 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: free)
        done = asyncio.run(compact(path, NOW))
    assert done.left == f"that takes {2 * size:,} bytes of room, and {2 * size - 1:,} are free"
    assert done.after < done.before - SPARE and dump(path)["rollups"] == rollups
    assert asyncio.run(compact(path, NOW)).left is None


def test_a_page_that_cannot_be_read_keeps_nothing_back(tmp_path):
    """Rollups on a damaged page stay, in the file and for verify to name; the free pages go."""
    path = tmp_path / "playhead.db"
    with_room_inside(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rollups'")
        [(size,)] = connection.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    done = asyncio.run(compact(path, NOW))
    assert done.left and "SQLITE_CORRUPT" in done.left
    assert done.after < done.before - SPARE


def test_again_there_is_nothing_to_do(tmp_path):
    """A second time changes nothing."""
    path = tmp_path / "playhead.db"
    fill(path)
    asyncio.run(compact(path, NOW))
    truth = dump(path)
    done = asyncio.run(compact(path, NOW))
    assert done.segments == 0 and done.before == done.after
    assert dump(path) == truth


@pytest.mark.gen_test
async def test_not_under_a_running_server(tmp_path, opened):
    """There is one writer."""
    async with opened() as log:
        await log.append([tick()])
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(AlreadyRunning):
        await compact(tmp_path / "playhead.db", NOW)
    lock.release()


def test_no_log_is_made_by_it(tmp_path):
    """A mistyped directory stays what it was."""
    with pytest.raises(StorageError, match="no log"):
        asyncio.run(compact(tmp_path / "playhead.db", NOW))
    assert not list(tmp_path.iterdir())
