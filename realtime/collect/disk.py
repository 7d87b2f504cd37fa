"""What the disks do: bytes, operations, how long they take, and how long the disk was busy."""

import os
from typing import Any, ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

DEVICES_MAX = 128
"""As many disks as are told apart; a machine with more wants totals, not charts."""

BLOCK_DEVICES = "/sys/block"


class Disks:
    """Whole disks, not their partitions. A disk that never did anything waits until it does."""

    name = "disk"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_disk_io_bytes_per_second": Descriptor(
            "bytes_per_second", help="Bytes read from and written to the disk."
        ),
        "system_disk_operations_per_second": Descriptor(
            "per_second", help="Reads and writes the disk completed."
        ),
        "system_disk_io_time_ratio": Descriptor(
            "ratio", help="Share of the interval in which the disk had work to do."
        ),
        "system_disk_operation_time_seconds": Descriptor(
            "seconds", help="Mean time a read or a write completed in the interval had taken."
        ),
    }

    def __init__(self, longest_s: float = 30.0, block_devices: str = BLOCK_DEVICES) -> None:
        self._block_devices = block_devices
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        # nowrap=False: psutil would turn every reset into a jump; `Rates` knows resets from wraps.
        disks: dict[str, Any] = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        whole = self._whole_disks()
        found: list[Reading] = []
        known = 0
        for device, counts in sorted(disks.items()):
            if whole is not None and device.replace("/", "!") not in whole:
                continue
            readings = self._disk(device, counts)
            if any(counts) and known < DEVICES_MAX:
                known += 1
                found += readings
        return found

    def _whole_disks(self) -> set[str] | None:
        """None where the system does not say what is a partition."""
        try:
            return set(os.listdir(self._block_devices))
        except OSError:
            return None

    def _disk(self, device: str, counts: Any) -> list[Reading]:
        found = []
        for direction in ("read", "write"):
            size = self._rates.rate(
                (device, direction, "bytes"), counts_of(counts, direction, "bytes")
            )
            if size is not None:
                name = "system_disk_io_bytes_per_second"
                found.append(reading(name, size, device=device, direction=direction))
            done = self._rates.growth(
                (device, direction, "count"), counts_of(counts, direction, "count")
            )
            if done is not None and self._rates.elapsed_s is not None:
                name = "system_disk_operations_per_second"
                rate = round(done / self._rates.elapsed_s, 3)
                found.append(reading(name, rate, device=device, direction=direction))
            taken_ms = self._rates.growth(
                (device, direction, "time"), counts_of(counts, direction, "time")
            )
            # A disk at rest has no latency; nought would look like the best there is.
            if done and taken_ms is not None:
                name = "system_disk_operation_time_seconds"
                found.append(
                    reading(name, taken_ms / 1000 / done, device=device, direction=direction)
                )
        if hasattr(counts, "busy_time"):
            busy_ms = self._rates.rate((device, "busy"), counts.busy_time)
            if busy_ms is not None:
                name = "system_disk_io_time_ratio"
                found.append(reading(name, min(busy_ms / 1000, 1.0), device=device))
        return found


def counts_of(counts: Any, direction: str, what: str) -> int:
    """psutil's `read_bytes`, `write_count` and so on."""
    count: int = getattr(counts, f"{direction}_{what}")
    return count
