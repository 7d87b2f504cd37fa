"""One server a data directory, whatever became of the one before."""

import os
import subprocess
import sys

import pytest

from storage.errors import AlreadyRunning, NotWritable
from storage.lock import Lock

HOLD = (
    "import sys; from pathlib import Path; from storage.lock import Lock;"
    "lock = Lock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
)


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path):
    """The message names the process and the directory; the hint says what to do."""
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}\).*{tmp_path}") as refused:
        Lock(tmp_path).acquire()
    assert "--data" in refused.value.hint
    lock.release()
    again = Lock(tmp_path)
    again.acquire()
    again.release()


def test_the_lock_dies_with_its_process(tmp_path):
    """After kill -9 nobody has to remove a file by hand."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin and holder.stdout
    assert holder.stdout.readline() == b"held\n"
    lock = Lock(tmp_path)
    with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"):
        lock.acquire()
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    lock.acquire()
    assert lock.path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_directories_are_made_and_release_may_come_twice(tmp_path):
    """The first start on a fresh machine needs no preparation."""
    lock = Lock(tmp_path / "not" / "yet")
    lock.acquire()
    lock.release()
    lock.release()
    assert lock.path.exists()


def test_directories_it_makes_are_on_disk(tmp_path, monkeypatch):
    """Each name is synced in the directory that holds it, the outer one first: a log that is synced in a
    directory whose own name is lost with the power is lost with it."""
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    lock = Lock(tmp_path / "not" / "yet")
    lock.acquire()
    lock.release()
    assert synced == [str(tmp_path), str(tmp_path / "not")]
    lock.acquire()
    lock.release()
    assert len(synced) == 2, "what is there is left alone"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A file where the directory should be, and a file system that takes nothing, even from root."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", "/proc/playhead"):
        with pytest.raises(NotWritable, match=str(place)) as refused:
            Lock(type(tmp_path)(place)).acquire()
        assert "--data" in refused.value.hint
