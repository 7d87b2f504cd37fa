"""Which of the mounted file systems are real, each once."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import psutil

MOUNTINFO = "/proc/self/mountinfo"

SEALED = frozenset({"squashfs", "erofs", "cramfs", "iso9660", "udf", "fuse.snapfuse", "autofs"})
"""Full by nature, or (autofs) mounted by the very asking."""

POOLED = frozenset({"zfs", "btrfs", "bcachefs", "apfs"})
"""Real, though their source need not be a device."""

REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "9p"}
    | {"virtiofs", "beegfs", "gfs2", "ocfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"}
    | {"fuse.s3fs", "fuse.rclone", "fuse.mergerfs", "fuse.goofys", "fuse.gcsfuse", "webdav"}
)
"""Behind them is another program or machine, which may never answer."""

TEMPORARY = frozenset({"/tmp", "/var/tmp"})
"""Where people store things; memory file systems elsewhere are the system's own."""


class Mount(NamedTuple):
    device: str
    mountpoint: str
    fstype: str
    remote: bool = False


class _Entry(NamedTuple):
    identity: str
    root: str
    mount: Mount


def mounts(path: str = MOUNTINFO) -> list[Mount]:
    """By mountpoint. Touches no file system, so it cannot hang on one."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        parts = psutil.disk_partitions(all=False)
        return once(
            _Entry(part.device, "/", Mount(part.device, part.mountpoint, part.fstype))
            for part in parts
            if is_real(part.device, part.mountpoint, part.fstype) or os.name == "nt"
        )
    return read_mountinfo(text)


def read_mountinfo(text: str) -> list[Mount]:
    """From the text of /proc/self/mountinfo, whose fields are in proc(5)."""
    shown: dict[str, _Entry] = {}
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, about = left.split(" "), right.split(" ")
        if not dash or len(fields) < 5 or len(about) < 2:
            continue
        identity, root, mountpoint = fields[2], unescaped(fields[3]), unescaped(fields[4])
        fstype, device = about[0], unescaped(about[1])
        # What is mounted later on the same place hides what was there, be it real or not.
        shown.pop(mountpoint, None)
        if is_real(device, mountpoint, fstype):
            mount = Mount(device, mountpoint, fstype, fstype in REMOTE)
            shown[mountpoint] = _Entry(identity, root, mount)
    return once(shown.values())


def is_real(device: str, mountpoint: str, fstype: str) -> bool:
    if fstype in SEALED:
        return False
    if mountpoint == "/":  # the overlay of a container, too
        return fstype != "rootfs"
    if fstype == "tmpfs":
        return mountpoint in TEMPORARY
    return fstype in REMOTE or fstype in POOLED or device.startswith("/dev/")


def once(entries: Iterable[_Entry]) -> list[Mount]:
    """Of several mounts of the same file system the one that shows its root, then the shortest."""
    best: dict[str, _Entry] = {}
    for entry in entries:
        if _is_single_file(entry):
            continue
        other = best.get(entry.identity)
        if other is None or _rank(entry) < _rank(other):
            best[entry.identity] = entry
    return sorted((entry.mount for entry in best.values()), key=lambda mount: mount.mountpoint)


def _rank(entry: _Entry) -> tuple[bool, int, str]:
    return entry.root != "/", len(entry.mount.mountpoint), entry.mount.mountpoint


def _is_single_file(entry: _Entry) -> bool:
    # Containers bind /etc/hosts and the like from the disk of their host.
    if entry.root == "/" or entry.mount.remote:
        return False
    return os.path.isfile(entry.mount.mountpoint)


def unescaped(text: str) -> str:
    r"""Space, tab, newline and backslash are written \040, \011, \012 and \134 there."""
    if "\\" not in text:
        return text
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
