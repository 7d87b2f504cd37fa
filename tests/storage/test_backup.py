"""A backup is the log as of a moment; a restored one goes on under a name of its own."""

import asyncio
import time

import pytest

from storage.backup import backup, restore
from storage.errors import AlreadyRunning, StorageBroken, StorageError
from storage.lock import Lock
from storage.log import Log
from storage.look import look
from storage.verify import verify
from tests.storage.conftest import NOW, tick
from tests.storage.filled import dump, fill


def test_a_backup_has_every_row(tmp_path):
    """The copy is one sound file with nothing beside it."""
    path, target = tmp_path / "playhead.db", tmp_path / "copies" / "today.db"
    target.parent.mkdir()
    log = fill(path)
    done = backup(path, target)
    assert dump(target) == dump(path)
    assert (done.epoch, done.head, done.samples) == (log.epoch, log.head, log.samples)
    assert done.bytes == target.stat().st_size
    assert [one.name for one in target.parent.iterdir()] == ["today.db"]


def test_no_file_is_overwritten_unasked(tmp_path):
    """What is there stays there, unless --force is said."""
    path, target = tmp_path / "playhead.db", tmp_path / "today.db"
    fill(path)
    target.write_text("precious")
    with pytest.raises(StorageError, match="there already"):
        backup(path, target)
    assert target.read_text() == "precious"
    backup(path, target, force=True)
    assert dump(target) == dump(path)


@pytest.mark.gen_test
async def test_the_writer_goes_on_during_a_backup(tmp_path, opened):
    """Commits go on meanwhile; the copy is of the moment it began, and whole."""
    target = tmp_path / "today.db"
    async with opened() as log:
        for _ in range(20):
            await log.append([tick(s1=n) for n in range(500)])
        before = log.head
        longest = 0.0
        copying = asyncio.get_running_loop().run_in_executor(None, backup, log.path, target)
        while not copying.done():
            begun = time.perf_counter()
            await log.append([tick()])
            longest = max(longest, time.perf_counter() - begun)
        done = await copying
        assert before <= done.head <= log.head
    with look(target) as copy:
        assert copy.execute("SELECT count(*), max(seq) FROM events").fetchone() == (
            done.head,
            done.head,
        )
    assert longest < 1.0


def test_a_damaged_log_makes_no_backup(tmp_path):
    """A copy that cannot be trusted is worse than none: there is none, and it says why."""
    path, target = tmp_path / "playhead.db", tmp_path / "today.db"
    fill(path)
    content = bytearray(path.read_bytes())
    page = content.index(b"the view") // 1024 * 1024
    content[page : page + 8] = bytes(range(8))
    path.write_bytes(content)
    with pytest.raises(StorageBroken) as refused:
        backup(path, target)
    assert "salvage" in refused.value.hint or "directory" in refused.value.hint
    assert not target.exists() and not list(tmp_path.glob(".*.part"))


@pytest.mark.gen_test
async def test_a_restored_log_is_another_one(tmp_path):
    """Everything is there under a new epoch, and a log opens on it and goes on."""
    path, file, there = tmp_path / "playhead.db", tmp_path / "today.db", tmp_path / "new"
    log = await asyncio.to_thread(fill, path)
    backup(path, file)
    done = restore(file, there)
    assert done.epoch_of_backup == log.epoch != done.epoch and done.aside == ""
    with look(there / "playhead.db") as copy:
        assert verify(copy).damages == []
    before, after = dump(file), dump(there / "playhead.db")
    assert {**before, "log": []} == {**after, "log": []}
    again = Log(there / "playhead.db")
    await again.open(NOW)
    assert (again.epoch, again.head) == (done.epoch, log.head)
    await again.append([tick(s1=1)])
    await again.close()


def test_a_log_is_put_aside_and_not_deleted(tmp_path):
    """Without --force nothing happens to the log that is there; with it, it stays readable beside."""
    path, file = tmp_path / "playhead.db", tmp_path / "today.db"
    fill(path)
    backup(path, file)
    truth = dump(path)
    with pytest.raises(StorageError, match="already"):
        restore(file, tmp_path)
    assert dump(path) == truth
    done = restore(file, tmp_path, force=True)
    aside = tmp_path / done.aside
    assert dump(aside) == truth
    assert dump(path)["log"] != truth["log"]


def test_not_under_a_running_server(tmp_path):
    """The server's own file is not exchanged under it."""
    path, file = tmp_path / "playhead.db", tmp_path / "today.db"
    fill(path)
    backup(path, file)
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(AlreadyRunning):
        restore(file, tmp_path, force=True)
    lock.release()


def test_what_is_no_backup_is_not_restored(tmp_path):
    """Any other file, or none."""
    file = tmp_path / "notes.txt"
    with pytest.raises(StorageError, match="no file"):
        restore(file, tmp_path / "new")
    file.write_text("Dear diary, " * 100)
    with pytest.raises(StorageError):
        restore(file, tmp_path / "new")
    assert not (tmp_path / "new" / "playhead.db").exists()
