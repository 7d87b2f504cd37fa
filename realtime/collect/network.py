"""What goes over the network interfaces."""

import re
from typing import Any, ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

DEVICES_MAX = 128
"""As many interfaces as are told apart at once."""

EPHEMERAL = re.compile(r"veth[0-9a-z]{5,}|cali[0-9a-f]{8,}|lxc[0-9a-f]{8,}|br-[0-9a-f]{12}")
"""Named at random for one container's life: each would be a new series, never seen again."""

COUNTS = {
    "system_network_io_bytes_per_second": ("bytes_recv", "bytes_sent"),
    "system_network_packets_per_second": ("packets_recv", "packets_sent"),
    "system_network_errors_per_second": ("errin", "errout"),
    "system_network_dropped_per_second": ("dropin", "dropout"),
}


class Network:
    """An interface that never saw a packet waits until it does."""

    name = "network"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_network_io_bytes_per_second": Descriptor(
            "bytes_per_second", help="Bytes received and transmitted by the interface."
        ),
        "system_network_packets_per_second": Descriptor(
            "per_second", help="Packets received and transmitted by the interface."
        ),
        "system_network_errors_per_second": Descriptor(
            "per_second", help="Packets that could not be received or transmitted whole."
        ),
        "system_network_dropped_per_second": Descriptor(
            "per_second", help="Whole packets thrown away, mostly for want of room."
        ),
    }

    def __init__(self, longest_s: float = 30.0) -> None:
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        # nowrap=False: psutil would turn every reset into a jump; `Rates` knows resets from wraps.
        devices: dict[str, Any] = psutil.net_io_counters(pernic=True, nowrap=False) or {}
        found: list[Reading] = []
        known = 0
        for device, counts in sorted(devices.items()):
            if EPHEMERAL.fullmatch(device):
                continue
            readings = self._device(device, counts)
            if any(counts) and known < DEVICES_MAX:
                known += 1
                found += readings
        return found

    def _device(self, device: str, counts: Any) -> list[Reading]:
        found = []
        for name, fields in COUNTS.items():
            for direction, field in zip(("receive", "transmit"), fields, strict=True):
                rate = self._rates.rate((device, field), getattr(counts, field))
                if rate is not None:
                    found.append(reading(name, rate, device=device, direction=direction))
        return found
