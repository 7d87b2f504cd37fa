from pathlib import Path

import pytest

from realtime.collect.pressure import Pressure

LINES = """some avg10=0.00 avg60=0.00 avg300=0.00 total={some}
full avg10=0.00 avg60=0.00 avg300=0.00 total={full}
"""


def test_the_share_of_the_interval_that_was_waited(tmp_path, told):
    """The kernel counts microseconds; the share of each interval is told, at most 1."""
    pressure = Pressure(root=tmp_path)
    (tmp_path / "io").write_text(LINES.format(some=1_000, full=0))
    assert told(pressure, 0) == {}
    (tmp_path / "io").write_text(LINES.format(some=501_000, full=9_000_000))
    assert told(pressure, 1) == {
        'system_pressure_ratio{resource="io",stall="some"}': 0.5,
        'system_pressure_ratio{resource="io",stall="full"}': 1.0,
    }


def test_a_kernel_without_it(tmp_path, told):
    """Where there are no such files nothing is told and nothing is raised."""
    pressure = Pressure(root=tmp_path / "absent")
    assert told(pressure, 0) == told(pressure, 1) == {}


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="no pressure accounting here")
def test_this_machine(told):
    """The real files are read as recorded ones are."""
    pressure = Pressure()
    told(pressure, 0)
    assert 'system_pressure_ratio{resource="cpu",stall="some"}' in told(pressure, 1)
