"""Temperatures, fans and battery, where the machine has them."""

from collections.abc import Iterable
from typing import Any, ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor

PACE_S = 5.0
PACE_WITHOUT_S = 60.0
"""A machine without sensors may be given some (a driver is loaded), but not often."""

COLDEST_C, HOTTEST_C = -60.0, 250.0
"""Beyond lies what broken or absent probes report, such as -273 or 65,261."""


class Sensors:
    """Seldom: a bus of sensors can take many milliseconds to answer."""

    name = "sensors"
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "system_temperature_celsius": Descriptor("celsius", help="What the sensor measures."),
        "system_fan_speed_rpm": Descriptor("rpm", help="Turns of the fan a minute."),
        "system_battery_ratio": Descriptor("ratio", help="Charge left in the battery."),
        "system_battery_charging": Descriptor(help="1 while on mains power, 0 on battery."),
    }

    def __init__(self) -> None:
        self.pace_s = PACE_S

    def collect(self, moment: Moment) -> list[Reading]:
        found = [*temperatures(), *fans(), *battery()]
        self.pace_s = PACE_S if found else PACE_WITHOUT_S
        return found


def temperatures() -> Iterable[Reading]:
    for sensor, label, entry in entries("sensors_temperatures"):
        current = entry.current
        if current is not None and COLDEST_C <= current <= HOTTEST_C:
            yield reading("system_temperature_celsius", current, sensor=sensor, label=label)


def fans() -> Iterable[Reading]:
    for sensor, label, entry in entries("sensors_fans"):
        if entry.current is not None:
            yield reading("system_fan_speed_rpm", entry.current, sensor=sensor, label=label)


def entries(source: str) -> Iterable[tuple[str, str, Any]]:
    """(sensor, label, entry) of a function psutil has on some systems only; each pair once."""
    ask = getattr(psutil, source, None)
    if ask is None:
        return
    for sensor, found in sorted(ask().items()):
        labels: dict[str, int] = {}
        for number, entry in enumerate(found, 1):
            label = entry.label or str(number)
            labels[label] = labels.get(label, 0) + 1
            # Two disks are two entries of one name: the second is "Composite 2".
            again = labels[label]
            yield sensor, label if again == 1 else f"{label} {again}", entry


def battery() -> Iterable[Reading]:
    ask = getattr(psutil, "sensors_battery", None)
    state = ask() if ask else None
    if state is None or state.percent is None:
        return
    yield reading("system_battery_ratio", min(max(state.percent / 100, 0.0), 1.0))
    if state.power_plugged is not None:
        yield reading("system_battery_charging", int(state.power_plugged))
