"""Memory and swap."""

from typing import ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

MORE_STATES = ("active", "inactive", "shared", "slab", "wired")
"""Told where the system knows them; they overlap the others."""


class Memory:
    name = "memory"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_memory_bytes": Descriptor(
            "bytes",
            help="Memory by state; used, cached, buffers and free add up to the total on Linux.",
        ),
        "system_memory_total_bytes": Descriptor("bytes", help="Memory the system can use."),
        "system_memory_utilization_ratio": Descriptor(
            "ratio", help="Share of memory that is not available to programs without swapping."
        ),
        "system_swap_bytes": Descriptor("bytes", help="Swap space by state."),
        "system_swap_utilization_ratio": Descriptor("ratio", help="Share of swap space in use."),
        "system_paging_bytes_per_second": Descriptor(
            "bytes_per_second", help="Memory read back from swap (in) and written to it (out)."
        ),
    }

    def __init__(self, longest_s: float = 30.0) -> None:
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        return [*self._memory(), *self._swap()]

    def _memory(self) -> list[Reading]:
        memory = psutil.virtual_memory()
        states = {"available": memory.available, "free": memory.free}
        if hasattr(memory, "cached") and hasattr(memory, "buffers"):
            states |= {"cached": memory.cached, "buffers": memory.buffers}
            # psutil's own `used` overlaps the cache, and a stack of the four would not add up.
            states["used"] = max(0, memory.total - memory.free - memory.cached - memory.buffers)
        else:
            states["used"] = memory.used
        for state in MORE_STATES:
            if hasattr(memory, state):
                states[state] = getattr(memory, state)
        found = [reading("system_memory_bytes", n, state=s) for s, n in states.items()]
        found.append(reading("system_memory_total_bytes", memory.total))
        if memory.total:
            busy = max(0.0, 1 - memory.available / memory.total)
            found.append(reading("system_memory_utilization_ratio", busy))
        return found

    def _swap(self) -> list[Reading]:
        swap = psutil.swap_memory()
        found = [
            reading("system_swap_bytes", swap.used, state="used"),
            reading("system_swap_bytes", swap.free, state="free"),
        ]
        # Without swap there is no share of it: not known is not nought.
        if swap.total:
            found.append(reading("system_swap_utilization_ratio", swap.used / swap.total))
        for direction, count in (("in", swap.sin), ("out", swap.sout)):
            rate = self._rates.rate(direction, count)
            if rate is not None:
                found.append(reading("system_paging_bytes_per_second", rate, direction=direction))
        return found
