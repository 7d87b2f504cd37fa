"""How full the file systems are."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

import psutil

from realtime.collect.collector import Moment
from realtime.collect.mounts import Mount, mounts
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

FILESYSTEMS_MAX = 128
LIST_EVERY_S = 10.0
"""How often mounts are listed anew and remote ones are asked; local ones are asked every beat."""

WAIT_S = 0.05
"""How long a beat waits for a remote file system; later answers are taken the next time."""


class Space(NamedTuple):
    """Bytes and inodes. `free` includes what is reserved for root, `available` does not."""

    used: int
    free: int
    available: int
    inodes: int = 0
    inodes_free: int = 0


def space(mountpoint: str) -> Space:
    """Raises OSError. May hang for ever on a file system whose other end is gone."""
    if not hasattr(os, "statvfs"):  # Windows
        usage = psutil.disk_usage(mountpoint)
        return Space(usage.used, usage.free, usage.free)
    stat = os.statvfs(mountpoint)
    unit = stat.f_frsize
    return Space(
        used=(stat.f_blocks - stat.f_bfree) * unit,
        free=stat.f_bfree * unit,
        available=stat.f_bavail * unit,
        inodes=stat.f_files,
        inodes_free=stat.f_ffree,
    )


class Probe:
    """Asks one remote file system, in a thread that may hang; never a second while one does."""

    def __init__(self, mountpoint: str, ask: Callable[[str], Space]) -> None:
        self._mountpoint = mountpoint
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._answer: Space | None = None

    def space(self) -> Space | None:
        """What came within WAIT_S, or since the last time; None when nothing did."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"probe {self._mountpoint}", daemon=True
            )
            self._thread.start()
            self._thread.join(WAIT_S)
        if self._thread.is_alive():
            return None
        self._thread = None
        answer, self._answer = self._answer, None
        return answer

    def _run(self) -> None:
        try:
            self._answer = self._ask(self._mountpoint)
        except OSError:  # stale, or not ours to see: as good as no answer
            self._answer = None


class Filesystems:
    """Space and inodes of every real file system, once each however often it is mounted."""

    name = "filesystem"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_filesystem_bytes": Descriptor(
            "bytes",
            help="Space of the file system by state; reserved is free for the superuser alone.",
        ),
        "system_filesystem_utilization_ratio": Descriptor(
            "ratio", help="Share of the space open to ordinary users that is used, as in df."
        ),
        "system_filesystem_inodes_utilization_ratio": Descriptor(
            "ratio", help="Share of the inodes that are used; without one no file can be made."
        ),
    }

    def __init__(
        self,
        listed: Callable[[], list[Mount]] = mounts,
        ask: Callable[[str], Space] = space,
    ) -> None:
        self._listed = listed
        self._ask = ask
        self._mounts: list[Mount] = []
        self._probes: dict[str, Probe] = {}
        self._list_at_s = float("-inf")

    def collect(self, moment: Moment) -> list[Reading]:
        asked = [mount for mount in self._mounts if not mount.remote]
        if moment.steady_s >= self._list_at_s:
            self._list_at_s = moment.steady_s + LIST_EVERY_S
            asked = self._mounts = self._listed()[:FILESYSTEMS_MAX]
            remote = {mount.mountpoint for mount in asked if mount.remote}
            self._probes = {p: self._probes.get(p) or Probe(p, self._ask) for p in remote}
        return [r for mount in asked for r in self._filesystem(mount)]

    def _filesystem(self, mount: Mount) -> Iterable[Reading]:
        found = self._space(mount)
        if found is None or not found.used + found.free:
            return
        about = {"mountpoint": mount.mountpoint, "device": mount.device, "fstype": mount.fstype}
        states = {
            "used": found.used,
            "available": found.available,
            "reserved": max(0, found.free - found.available),
        }
        for state, size in states.items():
            yield reading("system_filesystem_bytes", size, state=state, **about)
        open_to_all = found.used + found.available
        share = found.used / open_to_all if open_to_all > 0 else 1.0
        yield reading("system_filesystem_utilization_ratio", share, mountpoint=mount.mountpoint)
        if found.inodes:  # btrfs and the like make them as they need them
            share = 1 - found.inodes_free / found.inodes
            yield reading(
                "system_filesystem_inodes_utilization_ratio", share, mountpoint=mount.mountpoint
            )

    def _space(self, mount: Mount) -> Space | None:
        if mount.remote:
            return self._probes[mount.mountpoint].space()
        try:
            return self._ask(mount.mountpoint)
        except OSError:  # unmounted since it was listed, or not ours to see
            return None
