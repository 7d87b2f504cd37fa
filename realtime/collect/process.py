"""Which programs use the processors and the memory."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import ClassVar

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.collect.scan import STATES, Scan, Seen, best_scan
from realtime.core.batch import Descriptor

TOP = 10
COMMANDS_MAX = 500
"""Commands that get series of their own in one run: series are for ever. The rest share one."""
OTHER = "(other)"

PACE_S = 5.0
COST_SHARE = 0.005
"""A scan may cost this share of one core: with thousands of processes it comes less often."""
SLOWEST_S = 60.0

LEAST_CPU_RATIO = 0.001


class Processes:
    """Summed by command, never by process: a process is a new series each time it starts."""

    name = "process"
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_processes": Descriptor(help="Processes by state."),
        "system_threads": Descriptor(help="Threads of all processes."),
        "system_process_cpu_ratio": Descriptor(
            "ratio",
            help="CPU time of all processes of this command, 1 being one processor; the top few.",
        ),
        "system_process_memory_bytes": Descriptor(
            "bytes",
            help="Resident memory of all processes of this command, shared pages counted in each;"
            " the top few.",
        ),
    }

    def __init__(
        self,
        longest_s: float = 120.0,
        pace_s: float = PACE_S,
        top: int = TOP,
        scan: Scan | None = None,
    ) -> None:
        self._scan = scan or best_scan()
        self._top = top
        self._pace_s = pace_s
        self._cost_s = 0.0
        self._rates = Rates(longest_s)
        self._youngest = 0.0
        self._commands: set[str] = set()
        self._shown: dict[str, set[str]] = {}

    @property
    def pace_s(self) -> float:
        return max(self._pace_s, min(self._cost_s / COST_SHARE, SLOWEST_S))

    def collect(self, moment: Moment) -> list[Reading]:
        begun = time.thread_time()
        found = self._collect(moment)
        self._cost_s = time.thread_time() - begun
        return found

    def _collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        states: Counter[str] = Counter(dict.fromkeys(STATES.values(), 0))
        threads = 0
        cpu_s: defaultdict[str, float] = defaultdict(float)
        resident: defaultdict[str, int] = defaultdict(int)
        youngest = self._youngest
        for seen in self._scan():
            states[seen.state] += 1
            threads += seen.threads
            resident[seen.command] += seen.resident_bytes
            cpu_s[seen.command] += self._spent(seen)
            youngest = max(youngest, seen.started)
        self._youngest = youngest
        found = [reading("system_processes", n, state=state) for state, n in states.items()]
        found.append(reading("system_threads", threads))
        if self._rates.elapsed_s is not None:
            ratios = {c: s / self._rates.elapsed_s for c, s in cpu_s.items()}
            found += self._leaders("system_process_cpu_ratio", ratios, LEAST_CPU_RATIO)
        return found + self._leaders("system_process_memory_bytes", resident, 1)

    def _spent(self, seen: Seen) -> float:
        """CPU seconds since the last scan."""
        grown = self._rates.growth((seen.pid, seen.started), seen.cpu_s)
        if grown is not None:
            return grown
        # One that was started since then has spent all it has since then.
        return seen.cpu_s if seen.started > self._youngest > 0 else 0.0

    def _leaders(self, name: str, amounts: Mapping[str, float], least: float) -> list[Reading]:
        """The first few, and once more those who were: their last value must not stand."""
        leading = sorted(
            (command for command, amount in amounts.items() if amount >= least),
            key=lambda command: (-amounts[command], command),
        )[: self._top]
        shown = self._shown.get(name, set())
        self._shown[name] = set(leading)
        totals: defaultdict[str, float] = defaultdict(float)
        for command in sorted({*leading, *shown}):
            totals[self._admitted(command)] += amounts.get(command, 0)
        return [reading(name, amount, command=command) for command, amount in totals.items()]

    def _admitted(self, command: str) -> str:
        if command not in self._commands:
            if len(self._commands) >= COMMANDS_MAX:
                return OTHER
            self._commands.add(command)
        return command
