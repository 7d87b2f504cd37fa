import psutil
import pytest

from realtime.collect.mounts import Mount, mounts, read_mountinfo, unescaped

HOST = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
28 27 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=4k
29 27 0:26 / /tmp rw,nosuid - tmpfs tmpfs rw
30 27 7:1 / /snap/core/123 ro - squashfs /dev/loop1 ro
31 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
32 27 254:0 /home/a /srv/a rw - ext4 /dev/vda1 rw
33 27 0:40 /@home /home rw - btrfs /dev/vdb rw
34 27 0:40 /@ /mnt/pool rw - btrfs /dev/vdb rw
35 27 0:50 / /mnt/my\040share rw - nfs4 server:/export rw
36 27 0:51 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
37 27 0:52 / /tank/a rw - zfs tank/a rw
38 27 0:53 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
39 27 0:54 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
broken line
"""


def test_real_file_systems_each_once():
    """Pseudo, sealed, bound and doubled mounts are left out; what is behind a network is marked."""
    assert read_mountinfo(HOST) == [
        Mount("/dev/vda1", "/", "ext4"),
        Mount("/dev/vdb", "/home", "btrfs"),
        Mount("server:/export", "/mnt/my share", "nfs4", remote=True),
        Mount("tank/a", "/tank/a", "zfs"),
        Mount("tmpfs", "/tmp", "tmpfs"),
    ]


def test_a_container_sees_its_root_and_its_volumes(tmp_path):
    """An overlay counts as the root; a bound directory is a disk, a bound file is not."""
    volume, file = tmp_path / "data", tmp_path / "hosts"
    volume.mkdir()
    file.touch()
    text = f"""
1 0 0:60 / / rw - overlay overlay rw
2 1 8:1 /docker/hosts {file} rw - ext4 /dev/sda1 rw
3 1 8:1 /volumes/data {volume} rw - ext4 /dev/sda1 rw
"""
    assert read_mountinfo(text) == [
        Mount("overlay", "/", "overlay"),
        Mount("/dev/sda1", str(volume), "ext4"),
    ]


def test_what_is_mounted_over_is_hidden():
    """The later mount on a place is the one that is seen, even if it is not a real one."""
    text = """
1 0 0:2 / / rw - rootfs rootfs rw
2 1 8:1 / / rw - xfs /dev/sda1 rw
3 2 8:2 / /mnt rw - ext4 /dev/sda2 rw
4 3 0:9 / /mnt rw - tmpfs tmpfs rw
"""
    assert read_mountinfo(text) == [Mount("/dev/sda1", "/", "xfs")]


def test_escapes_of_the_kernel_are_undone():
    """Spaces, tabs, newlines and backslashes in paths come as octal codes."""
    assert unescaped(r"a\040b\011c\012d\134e") == "a b\tc\nd\\e"


def test_systems_without_mountinfo(monkeypatch, tuple_of, tmp_path):
    """Elsewhere psutil names the partitions."""
    parts = [
        tuple_of(device="/dev/disk1", mountpoint="/", fstype="apfs"),
        tuple_of(device="devfs", mountpoint="/dev", fstype="devfs"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)
    assert mounts(str(tmp_path / "absent")) == [Mount("/dev/disk1", "/", "apfs")]


@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc")
def test_this_machine():
    """The real machine has a root, and no mountpoint comes twice."""
    found = [mount.mountpoint for mount in mounts()]
    assert "/" in found
    assert len(found) == len(set(found))
