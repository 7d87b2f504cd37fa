"""The host: how long it is up, how many files it has open, and what it is."""

import contextlib
import math
import os
import platform
import re
import socket
from pathlib import Path
from typing import ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.reading import Reading, clean, reading
from realtime.core.batch import Descriptor
from realtime.core.times import rfc3339
from storage.events import EXACT

FILE_NR = Path("/proc/sys/fs/file-nr")
BOOT_EVERY_S = 60.0
"""How often the boot time is asked anew: it moves when the clock is set."""

MICROSECONDS = 1_000_000

_ZONE = re.compile(r"UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+", re.ASCII)


class Host:
    name = "host"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_uptime_seconds": Descriptor("seconds", help="Time since the system was started."),
        "system_boot_timestamp_seconds": Descriptor(
            "seconds", help="When the system was started, in seconds since 1970."
        ),
        "system_file_descriptors": Descriptor(
            help="Open files of all processes, and the most the kernel allows."
        ),
    }

    def __init__(self, file_nr: Path = FILE_NR) -> None:
        self._file_nr = file_nr
        self._boot_s = 0.0
        self._ask_at_s = -math.inf

    def collect(self, moment: Moment) -> list[Reading]:
        if moment.steady_s >= self._ask_at_s:
            self._ask_at_s = moment.steady_s + BOOT_EVERY_S
            self._boot_s = psutil.boot_time()
        return [
            reading("system_uptime_seconds", max(0, round(moment.wall_s - self._boot_s))),
            reading("system_boot_timestamp_seconds", self._boot_s),
            *self._files(),
        ]

    def _files(self) -> list[Reading]:
        try:
            used, _, most = map(int, self._file_nr.read_text().split())
        except OSError:  # Linux alone tells
            return []
        found = [reading("system_file_descriptors", used, state="used")]
        # systemd sets the maximum to 2**63 - 1, by which it means that there is none.
        if most <= EXACT:
            found.append(reading("system_file_descriptors", most, state="max"))
        return found


def facts() -> dict[str, str | int]:
    """What does not change while the host is up; what is not known is not there. Takes no time."""
    known: dict[str, str | int | None] = {
        "hostname": clean(socket.gethostname()),
        "os": system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": processor(),
        "logical_cores": psutil.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "memory_bytes": psutil.virtual_memory().total,
        "boot_time": rfc3339(int(psutil.boot_time() * MICROSECONDS)),
        "machine": machine(),
        "container": container(),
        "time_zone": zone(),
    }
    return {name: fact for name, fact in known.items() if fact}


def zone(localtime: Path = Path("/etc/localtime")) -> str:
    """The IANA name of the host's time zone, "" where its clock is set without one."""
    told = os.environ.get("TZ", "").removeprefix(":")
    if not told:
        with contextlib.suppress(OSError):
            told = os.readlink(localtime).partition("zoneinfo/")[2]
    return told if _ZONE.fullmatch(told) else ""


def system() -> str:
    """As its makers call it: Debian GNU/Linux 12 (bookworm)."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        version = platform.mac_ver()[0] or platform.release()
        return f"{platform.system().replace('Darwin', 'macOS')} {version}".strip()


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    for line in _first(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "cpu model"):
            return clean(value.strip())
    return None


def machine(cpuinfo: Path = Path("/proc/cpuinfo"), dmi: Path = Path("/sys/class/dmi/id")) -> str:
    """Vendor and model as the firmware tells them; "virtual machine" where only that is known."""
    named = [_first(dmi / name).strip() for name in ("sys_vendor", "product_name")]
    text = " ".join(name for name in named if name)
    if text:
        return clean(text)
    # Set by every hypervisor for its guests; the flags of the first processor will do.
    return "virtual machine" if " hypervisor " in _first(cpuinfo) + " " else ""


def container(root: Path = Path("/")) -> str:
    """The engine that holds us, if one does and says so."""
    named = _first(root / "run/systemd/container").strip()
    if named:
        return clean(named)
    if (root / ".dockerenv").exists():
        return "docker"
    return "podman" if (root / "run/.containerenv").exists() else ""


def _first(path: Path) -> str:
    """The first few thousand characters, or none if it cannot be read."""
    try:
        with path.open(errors="replace") as file:
            return file.read(8192)
    except OSError:
        return ""
