"""Processors: what they spent the interval on, load, and the clock they run at."""

from typing import Any, ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

MODES = ("user", "nice", "system", "irq", "softirq", "steal", "iowait", "idle")
"""Without `guest` and `guest_nice`: Linux has counted them as user and nice already."""
RESTING = ("iowait", "idle")

Spent = dict[str, float]


class Cpu:
    """Shares of the whole interval between two beats, from the kernel's own time accounts."""

    name = "cpu"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_cpu_utilization_ratio": Descriptor(
            "ratio", help="Share of all CPU time that was busy: not idle and not waiting for I/O."
        ),
        "system_cpu_mode_ratio": Descriptor(
            "ratio", help="Share of all CPU time spent in this mode; all modes together are 1."
        ),
        "system_cpu_core_utilization_ratio": Descriptor(
            "ratio", help="Share of this logical processor's time that was busy."
        ),
        "system_load": Descriptor(
            help="Tasks running or waiting, averaged over the period by the operating system."
        ),
        "system_context_switches_per_second": Descriptor(
            "per_second", help="Switches from one task to another, on all processors."
        ),
        "system_interrupts_per_second": Descriptor(
            "per_second", help="Hardware interrupts served, on all processors."
        ),
    }

    def __init__(self, longest_s: float = 30.0) -> None:
        self._rates = Rates(longest_s)
        self._cores: dict[int, Spent] = {}

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        return [*self._usage(), *self._load(), *self._switches()]

    def _usage(self) -> list[Reading]:
        before = self._cores
        self._cores = {n: spent(times) for n, times in enumerate(psutil.cpu_times(percpu=True))}
        if self._rates.elapsed_s is None:
            return []
        found: list[Reading] = []
        whole: Spent = {}
        for number, after in self._cores.items():
            if number not in before:
                continue
            grown = growth(before[number], after)
            for mode, seconds in grown.items():
                whole[mode] = whole.get(mode, 0.0) + seconds
            if (busy := busy_share(grown)) is not None:
                name = "system_cpu_core_utilization_ratio"
                found.append(reading(name, busy, cpu=str(number)))
        busy = busy_share(whole)
        if busy is None:
            return []
        total = sum(whole.values())
        return [
            reading("system_cpu_utilization_ratio", busy),
            *(reading("system_cpu_mode_ratio", s / total, mode=m) for m, s in whole.items()),
            *found,
        ]

    def _load(self) -> list[Reading]:
        return [
            reading("system_load", load, period=period)
            for period, load in zip(("1m", "5m", "15m"), psutil.getloadavg(), strict=True)
        ]

    def _switches(self) -> list[Reading]:
        stats = psutil.cpu_stats()
        rates = {
            "system_context_switches_per_second": self._rates.rate("switches", stats.ctx_switches),
            "system_interrupts_per_second": self._rates.rate("interrupts", stats.interrupts),
        }
        return [reading(name, rate) for name, rate in rates.items() if rate is not None]


class CpuFrequency:
    """Apart, and seldom: some drivers wake every core to answer."""

    name = "cpu_frequency"
    pace_s = 10.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_cpu_frequency_hertz": Descriptor(
            "hertz", help="Current clock of the processors, averaged over them."
        ),
    }

    def collect(self, moment: Moment) -> list[Reading]:
        # Absent where psutil does not support it; None, or 0 in some machines that are virtual.
        ask = getattr(psutil, "cpu_freq", None)
        frequency = ask() if ask else None
        if frequency is None or not frequency.current:
            return []
        return [reading("system_cpu_frequency_hertz", frequency.current * 1e6)]


def spent(times: Any) -> Spent:
    """Seconds by mode since the start, of the modes this system tells apart."""
    return {mode: getattr(times, mode) for mode in MODES if hasattr(times, mode)}


def growth(before: Spent, after: Spent) -> Spent:
    """Never negative: Linux may take back idle and iowait it has already counted (proc(5))."""
    return {mode: max(0.0, seconds - before[mode]) for mode, seconds in after.items()}


def busy_share(grown: Spent) -> float | None:
    """None if no time was counted: the processor was offline."""
    total = sum(grown.values())
    if total <= 0:
        return None
    return 1 - sum(grown.get(mode, 0.0) for mode in RESTING) / total
