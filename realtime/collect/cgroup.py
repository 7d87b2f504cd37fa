"""The limits of the container or unit we run in (cgroup v2), where they are tighter than the host."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
LOOK_EVERY_S = 10.0
"""How often limits are read anew: they may be changed under a running container."""


LimitOf = Callable[[Path], float | None]


class Limit(NamedTuple):
    """The tightest of those above us, and the group that has it: its use is what counts."""

    amount: float
    group: Path


class Container:
    name = "container"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "container_cpu_limit_cores": Descriptor("cores", help="Processors the container may use."),
        "container_cpu_utilization_ratio": Descriptor(
            "ratio", help="CPU time used, as a share of the container's limit."
        ),
        "container_cpu_throttled_ratio": Descriptor(
            "ratio", help="Share of the scheduling periods in which the limit held it back."
        ),
        "container_memory_limit_bytes": Descriptor("bytes", help="Memory the container may use."),
        "container_memory_usage_bytes": Descriptor(
            "bytes", help="Memory charged to the container, file cache included."
        ),
        "container_memory_utilization_ratio": Descriptor(
            "ratio", help="Memory in use without idle file cache, as a share of the limit."
        ),
    }

    def __init__(
        self, longest_s: float = 30.0, root: Path = ROOT, membership: Path = MEMBERSHIP
    ) -> None:
        self._root = root
        self._membership = membership
        self._rates = Rates(longest_s)
        self._cpu: Limit | None = None
        self._memory: Limit | None = None
        self._look_at_s = -math.inf

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        if moment.steady_s >= self._look_at_s:
            self._look_at_s = moment.steady_s + LOOK_EVERY_S
            self._look()
        return [*self._cpu_readings(), *self._memory_readings()]

    def _look(self) -> None:
        groups = own_groups(self._root, self._membership)
        self._cpu = tightest(groups, cpu_limit, psutil.cpu_count() or math.inf)
        self._memory = tightest(groups, memory_limit, psutil.virtual_memory().total)

    def _cpu_readings(self) -> list[Reading]:
        if self._cpu is None:
            return []
        stat = numbers(self._cpu.group / "cpu.stat")
        found = [reading("container_cpu_limit_cores", self._cpu.amount)]
        used_us = self._rates.rate("usage", stat.get("usage_usec", 0))
        if used_us is not None:
            share = used_us / 1e6 / self._cpu.amount
            found.append(reading("container_cpu_utilization_ratio", share))
        periods = self._rates.growth("periods", stat.get("nr_periods", 0))
        throttled = self._rates.growth("throttled", stat.get("nr_throttled", 0))
        if periods is not None and throttled is not None:
            # No period passed: it did not run, so nothing held it back.
            share = min(throttled / periods, 1.0) if periods else 0.0
            found.append(reading("container_cpu_throttled_ratio", share))
        return found

    def _memory_readings(self) -> list[Reading]:
        if self._memory is None:
            return []
        used = number(self._memory.group / "memory.current")
        found = [reading("container_memory_limit_bytes", int(self._memory.amount))]
        if used is not None:
            # The kernel gives idle cache back before it kills: counting it would cry wolf.
            cache = numbers(self._memory.group / "memory.stat").get("inactive_file", 0)
            share = max(0, used - cache) / self._memory.amount
            found.append(reading("container_memory_usage_bytes", used))
            found.append(reading("container_memory_utilization_ratio", share))
        return found


def own_groups(root: Path, membership: Path) -> list[Path]:
    """Our group and those above it up to the root; none on a system without cgroup v2."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    # The line of v2 begins with 0::, cgroups(7). In mixed set-ups v2 is mounted one deeper.
    paths = [line.removeprefix("0::") for line in lines if line.startswith("0::")]
    for base in (root, root / "unified"):
        if paths and (base / "cgroup.controllers").is_file():
            parts = [part for part in paths[0].split("/") if part not in ("", "..")]
            return [base.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return []


def tightest(groups: list[Path], limit_of: LimitOf, host: float) -> Limit | None:
    """None where nothing is tighter than the host itself."""
    limits = [Limit(amount, group) for group in groups if (amount := limit_of(group)) is not None]
    tight = min(limits, key=lambda limit: limit.amount, default=None)
    return tight if tight is not None and 0 < tight.amount < host else None


def cpu_limit(group: Path) -> float | None:
    """Cores, from "QUOTA PERIOD" in µs; None for "max PERIOD"."""
    fields = text_of(group / "cpu.max").split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return int(fields[0]) / int(fields[1])


def memory_limit(group: Path) -> float | None:
    return number(group / "memory.max")


def number(path: Path) -> int | None:
    """None where there is no such file, or it says "max"."""
    text = text_of(path).strip()
    return int(text) if text.isdigit() else None


def numbers(path: Path) -> dict[str, int]:
    """Of lines with a name and a number each."""
    pairs = (line.split() for line in text_of(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def text_of(path: Path) -> str:
    """Empty where the controller is not enabled for the group."""
    try:
        return path.read_text()
    except OSError:
        return ""
