import os
import threading
import time

import psutil
import pytest

from realtime.collect.filesystem import FILESYSTEMS_MAX, LIST_EVERY_S, Filesystems, Space, space
from realtime.collect.mounts import Mount

ROOT = Mount("/dev/vda", "/", "ext4")
SHARE = Mount("server:/export", "/mnt", "nfs4", remote=True)

USED = (
    'system_filesystem_bytes{device="server:/export",fstype="nfs4",mountpoint="/mnt",state="used"}'
)
SHARE_RATIO = 'system_filesystem_utilization_ratio{mountpoint="/mnt"}'
ROOT_RATIO = 'system_filesystem_utilization_ratio{mountpoint="/"}'


def test_space_and_inodes(told):
    """Utilization is as in df: what is reserved for root is open to no one else."""
    filesystems = Filesystems(lambda: [ROOT], lambda _: Space(600, 400, 200, 100, 25))
    about = 'device="/dev/vda",fstype="ext4",mountpoint="/"'
    assert told(filesystems, 0) == {
        f'system_filesystem_bytes{{{about},state="used"}}': 600,
        f'system_filesystem_bytes{{{about},state="available"}}': 200,
        f'system_filesystem_bytes{{{about},state="reserved"}}': 200,
        ROOT_RATIO: 0.75,
        'system_filesystem_inodes_utilization_ratio{mountpoint="/"}': 0.75,
    }


def test_full_for_all_but_root(told):
    """With nothing left but the reserve it is full."""
    filesystems = Filesystems(lambda: [ROOT], lambda _: Space(0, 5, 0))
    assert told(filesystems, 0)[ROOT_RATIO] == 1


@pytest.mark.parametrize("answer", [Space(0, 0, 0), OSError("stale"), PermissionError("no")])
def test_one_without_an_answer_costs_only_itself(told, answer):
    """An empty, stale or forbidden file system is left out, the others are told."""

    def ask(mountpoint):
        if mountpoint != "/" and isinstance(answer, OSError):
            raise answer
        return Space(1, 1, 1) if mountpoint == "/" else answer

    for remote in (False, True):
        mounts = [ROOT, SHARE._replace(remote=remote)]
        filesystems = Filesystems(mounts.copy, ask)
        found = told(filesystems, 0)
        assert ROOT_RATIO in found
        assert SHARE_RATIO not in found


def test_mounts_are_listed_anew_now_and_then(told):
    """A file system mounted meanwhile appears, without a list read every second."""
    listed = [[ROOT], [ROOT, Mount("/dev/vdb", "/mnt", "xfs")]]
    filesystems = Filesystems(lambda: listed.pop(0), lambda _: Space(1, 1, 1))
    assert SHARE_RATIO not in told(filesystems, 0)
    assert SHARE_RATIO not in told(filesystems, LIST_EVERY_S - 1)
    assert SHARE_RATIO in told(filesystems, LIST_EVERY_S)


def test_a_dead_server_does_not_hang_the_others(told):
    """A remote file system that never answers costs one thread and a moment, once."""
    back = threading.Event()
    asked = []

    def ask(mountpoint):
        if mountpoint == "/":
            return Space(1, 1, 1)
        asked.append(mountpoint)
        back.wait(30)
        return Space(30, 70, 70)

    filesystems = Filesystems(lambda: [ROOT, SHARE], ask)
    began = time.monotonic()
    for beat in range(5):
        found = told(filesystems, beat * LIST_EVERY_S)
        assert ROOT_RATIO in found
        assert SHARE_RATIO not in found
    assert time.monotonic() - began < 2
    assert len(asked) == 1, "a second thread was sent after the first"

    back.set()
    for thread in threading.enumerate():
        if thread.name == "probe /mnt":
            thread.join(5)
    assert told(filesystems, 100)[SHARE_RATIO] == 0.3
    assert told(filesystems, 100 + LIST_EVERY_S)[USED] == 30


def test_file_systems_are_bounded(told):
    """Thousands of mounts do not make thousands of series."""
    many = [Mount("/dev/x", f"/{n:04}", "ext4") for n in range(1000)]
    filesystems = Filesystems(lambda: many, lambda _: Space(1, 1, 1))
    ratios = [text for text in told(filesystems, 0) if "utilization" in text]
    assert len(ratios) == FILESYSTEMS_MAX


def test_windows_knows_no_inodes(monkeypatch, record, tuple_of):
    """Where there is no statvfs psutil tells the space."""
    monkeypatch.delattr(os, "statvfs")
    record("disk_usage", tuple_of(used=3, free=5))
    assert space("C:") == Space(3, 5, 5)


def test_this_machine(told):
    """The real root is as full as psutil says."""
    assert space("/").used == pytest.approx(psutil.disk_usage("/").used, rel=0.01)
    assert ROOT_RATIO in told(Filesystems(), 0)
