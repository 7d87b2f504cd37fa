import math

import pytest

from realtime.collect.sensors import PACE_S, PACE_WITHOUT_S, Sensors


@pytest.fixture(autouse=True)
def bare(record):
    """A machine whose psutil knows of no sensors at all."""
    for function in ("sensors_temperatures", "sensors_fans", "sensors_battery"):
        record(function, None)


def test_a_machine_without_sensors(told):
    """Nothing is told, nothing is raised, and it is asked less often until there are some."""
    sensors = Sensors()
    assert told(sensors, 0) == {}
    assert sensors.pace_s == PACE_WITHOUT_S


def test_temperatures_and_fans(record, told, tuple_of):
    """Each is told by sensor and label; of two disks of one name the second is numbered."""
    record(
        "sensors_temperatures",
        {
            "nvme": [tuple_of(label="Composite", current=n) for n in (41.5, 38.0)],
            "acpitz": [tuple_of(label="", current=27.8)],
        },
    )
    record("sensors_fans", {"dell": [tuple_of(label="cpu", current=2400)]})
    sensors = Sensors()
    assert told(sensors, 0) == {
        'system_temperature_celsius{label="1",sensor="acpitz"}': 27.8,
        'system_temperature_celsius{label="Composite",sensor="nvme"}': 41.5,
        'system_temperature_celsius{label="Composite 2",sensor="nvme"}': 38.0,
        'system_fan_speed_rpm{label="cpu",sensor="dell"}': 2400,
    }
    assert sensors.pace_s == PACE_S


@pytest.mark.parametrize("current", [None, math.nan, -273.2, 65261.8])
def test_broken_probes_are_left_out(record, told, tuple_of, current):
    """What no machine survives was not measured."""
    record("sensors_temperatures", {"x": [tuple_of(label="", current=current)]})
    record("sensors_fans", {"x": [tuple_of(label="", current=None)]})
    assert told(Sensors(), 0) == {}


def test_battery(record, told, tuple_of):
    """Charge as a ratio; whether it charges only where that is known."""
    record("sensors_battery", tuple_of(percent=104.0, power_plugged=True))
    assert told(Sensors(), 0) == {"system_battery_ratio": 1, "system_battery_charging": 1}
    record("sensors_battery", tuple_of(percent=50, power_plugged=None))
    assert told(Sensors(), 0) == {"system_battery_ratio": 0.5}
    record("sensors_battery", tuple_of(percent=None, power_plugged=None))
    assert told(Sensors(), 0) == {}


def test_this_machine(monkeypatch, told):
    """Whatever sensors the real machine has can be read."""
    monkeypatch.undo()
    told(Sensors(), 0)
