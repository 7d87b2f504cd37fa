import platform
import time

import psutil

from realtime.collect.collector import Moment
from realtime.collect.host import (
    BOOT_EVERY_S,
    Host,
    container,
    facts,
    machine,
    processor,
    system,
    zone,
)


def test_uptime_follows_the_boot_time(record, told, moment, tmp_path):
    """Both are told; the boot time is asked anew only now and then."""
    host = Host(tmp_path / "absent")
    booted = moment(0).wall_s - 100
    record("boot_time", booted)
    assert told(host, 0) == {
        "system_uptime_seconds": 100,
        "system_boot_timestamp_seconds": booted,
    }
    record("boot_time", booted - 50)
    assert told(host, 5)["system_uptime_seconds"] == 105
    assert told(host, BOOT_EVERY_S)["system_uptime_seconds"] == 150 + BOOT_EVERY_S


def test_open_files(told, tmp_path):
    """Used and most; a maximum that means none is left out."""
    files = tmp_path / "file-nr"
    files.write_text("520\t0\t2466170\n")
    found = told(Host(files), 0)
    assert found['system_file_descriptors{state="used"}'] == 520
    assert found['system_file_descriptors{state="max"}'] == 2466170
    files.write_text(f"520\t0\t{2**63 - 1}\n")
    assert 'system_file_descriptors{state="max"}' not in told(Host(files), 0)


def test_facts_of_this_machine():
    """What it is, in plain words and numbers, quickly and without what is unknown."""
    began = time.monotonic()
    known = facts()
    assert time.monotonic() - began < 1
    assert known["kernel"] == platform.release()
    assert known["memory_bytes"] == psutil.virtual_memory().total
    assert known["logical_cores"] == psutil.cpu_count()
    assert str(known["boot_time"]).endswith("Z")
    assert known["hostname"] and all(known.values())


def test_a_system_without_os_release(monkeypatch):
    """macOS and others are named by what they say of themselves."""

    def absent():
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", absent)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    assert system() == "macOS 15.1"


def test_the_processor_by_name(tmp_path):
    """The model is read where the kernel tells it."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: fpu hypervisor lm\n")
    assert processor(cpuinfo) == "AMD EPYC"
    assert processor(tmp_path / "absent") is None


def test_the_machine_by_its_firmware(tmp_path):
    """Vendor and model; without them a guest is known by its hypervisor's flag."""
    cpuinfo, dmi = tmp_path / "cpuinfo", tmp_path / "dmi"
    assert machine(cpuinfo, dmi) == ""
    cpuinfo.write_text("flags\t: fpu hypervisor lm\n")
    assert machine(cpuinfo, dmi) == "virtual machine"
    dmi.mkdir()
    (dmi / "sys_vendor").write_text("QEMU\n")
    (dmi / "product_name").write_text("Standard PC\n")
    assert machine(cpuinfo, dmi) == "QEMU Standard PC"


def test_the_container_by_its_marks(tmp_path):
    """Engines leave a mark in what they run."""
    assert container(tmp_path) == ""
    (tmp_path / "run" / "systemd").mkdir(parents=True)
    (tmp_path / "run" / ".containerenv").touch()
    assert container(tmp_path) == "podman"
    (tmp_path / ".dockerenv").touch()
    assert container(tmp_path) == "docker"
    (tmp_path / "run" / "systemd" / "container").write_text("lxc\n")
    assert container(tmp_path) == "lxc"


def test_this_machine(told):
    """The real host has been up for some time."""
    now = Moment(time.time(), time.monotonic())
    readings = {r.key.text: r.value for r in Host().collect(now)}
    assert 0 < readings["system_uptime_seconds"] < 10 * 365 * 86400


def test_the_time_zone_by_its_name(monkeypatch, tmp_path):
    """As the environment says it, or else the link that every system sets; nothing where neither has a name."""
    link = tmp_path / "localtime"
    monkeypatch.delenv("TZ", raising=False)
    assert zone(link) == ""
    link.symlink_to("/usr/share/zoneinfo/America/Argentina/Ushuaia")
    assert zone(link) == "America/Argentina/Ushuaia"
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert zone(link) == "Europe/Berlin"
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    assert zone(link) == ""
