"""How long tasks had to wait for CPU, memory or I/O (Linux pressure stall information)."""

from pathlib import Path
from typing import ClassVar

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

PRESSURE = Path("/proc/pressure")
RESOURCES = ("cpu", "memory", "io")


class Pressure:
    """Nothing where the kernel has none, or was started with `psi=0`."""

    name = "pressure"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_pressure_ratio": Descriptor(
            "ratio",
            help="Share of the interval in which some, or all (full), tasks waited for it.",
        ),
    }

    def __init__(self, longest_s: float = 30.0, root: Path = PRESSURE) -> None:
        self._root = root
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        found = []
        for resource in RESOURCES:
            for stall, waited_us in self._waited(resource).items():
                rate = self._rates.rate((resource, stall), waited_us)
                if rate is not None:
                    share = min(rate / 1e6, 1.0)
                    name = "system_pressure_ratio"
                    found.append(reading(name, share, resource=resource, stall=stall))
        return found

    def _waited(self, resource: str) -> dict[str, int]:
        try:
            text = (self._root / resource).read_text()
        except OSError:  # not this kernel, or EOPNOTSUPP where it is switched off
            return {}
        return {
            line.split(" ", 1)[0]: int(line.rpartition("total=")[2])
            for line in text.splitlines()
            if "total=" in line
        }
