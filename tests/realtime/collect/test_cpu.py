import time

import psutil
import pytest

from realtime.collect.cpu import Cpu, CpuFrequency, busy_share


def times(tuple_of, **seconds):
    modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"]
    return tuple_of(**{**dict.fromkeys([*modes, "guest", "guest_nice"], 0.0), **seconds})


@pytest.fixture
def cpu(record, tuple_of):
    record("cpu_stats", tuple_of(ctx_switches=0, interrupts=0))
    record("getloadavg", (0.5, 0.25, 0.125))
    return Cpu()


class TestUsage:
    def test_is_of_the_whole_interval(self, cpu, record, told, tuple_of):
        """Shares are those of the time between two beats, per core, in all, and by mode."""
        record("cpu_times", [times(tuple_of, idle=100.0), times(tuple_of, idle=100.0)])
        assert "system_cpu_utilization_ratio" not in told(cpu, 0)
        record(
            "cpu_times",
            [
                times(tuple_of, idle=100.2, user=0.5, system=0.3),
                times(tuple_of, idle=100.5, iowait=0.5),
            ],
        )
        found = told(cpu, 1)
        assert found["system_cpu_utilization_ratio"] == 0.4
        assert found['system_cpu_core_utilization_ratio{cpu="0"}'] == 0.8
        assert found['system_cpu_core_utilization_ratio{cpu="1"}'] == 0.0
        modes = {t: v for t, v in found.items() if t.startswith("system_cpu_mode_ratio")}
        assert modes['system_cpu_mode_ratio{mode="iowait"}'] == 0.25
        assert sum(modes.values()) == pytest.approx(1)

    def test_guests_are_not_counted_twice(self, cpu, record, told, tuple_of):
        """Linux counts a guest's time as user already: a host of one guest is busy once."""
        record("cpu_times", [times(tuple_of)])
        told(cpu, 0)
        record("cpu_times", [times(tuple_of, user=0.5, guest=0.5, idle=0.5)])
        assert told(cpu, 1)["system_cpu_utilization_ratio"] == 0.5

    def test_time_taken_back_is_no_time(self, cpu, record, told, tuple_of):
        """Linux lets iowait and idle decrease; no share is negative or above one for it."""
        record("cpu_times", [times(tuple_of, user=1.0, iowait=9.0, idle=50.0)])
        told(cpu, 0)
        record("cpu_times", [times(tuple_of, user=1.5, iowait=8.0, idle=50.5)])
        found = told(cpu, 1)
        assert found["system_cpu_utilization_ratio"] == 0.5
        assert found['system_cpu_mode_ratio{mode="iowait"}'] == 0

    def test_after_a_suspend_there_is_no_share(self, cpu, record, told, tuple_of):
        """The second after waking does not tell of the hours before."""
        record("cpu_times", [times(tuple_of, idle=1.0)])
        told(cpu, 0)
        record("cpu_times", [times(tuple_of, idle=2.0, user=5.0)])
        found = told(cpu, 1, slept_s=7200)
        assert set(found) == {f'system_load{{period="{p}"}}' for p in ("1m", "5m", "15m")}
        record("cpu_times", [times(tuple_of, idle=3.0, user=5.0)])
        assert told(cpu, 2, slept_s=7200)["system_cpu_utilization_ratio"] == 0

    def test_a_core_may_come_and_go(self, cpu, record, told, tuple_of):
        """A core first seen is not counted yet; one that stood still has no share."""
        record("cpu_times", [times(tuple_of, idle=1.0)])
        told(cpu, 0)
        record("cpu_times", [times(tuple_of, idle=1.0, user=1.0), times(tuple_of, user=900.0)])
        assert told(cpu, 1)["system_cpu_utilization_ratio"] == 1
        found = told(cpu, 2)
        assert "system_cpu_utilization_ratio" not in found
        assert busy_share({"idle": 0.0}) is None


def test_switches_are_rates(cpu, record, told, tuple_of):
    """Context switches and interrupts are told per second."""
    record("cpu_times", [times(tuple_of)])
    told(cpu, 0)
    record("cpu_stats", tuple_of(ctx_switches=500, interrupts=300))
    found = told(cpu, 2)
    assert found["system_context_switches_per_second"] == 250
    assert found["system_interrupts_per_second"] == 150


def test_this_machine(told):
    """A busy core of the real machine is seen."""
    cpu = Cpu()
    started = time.monotonic()
    told(cpu, 0)
    while time.monotonic() - started < 0.5:
        pass
    found = told(cpu, 0.5)
    cores = [v for t, v in found.items() if t.startswith("system_cpu_core")]
    assert len(cores) == psutil.cpu_count()
    assert found["system_cpu_utilization_ratio"] >= 0.5 / len(cores)
    assert max(cores) <= 1
    assert found["system_context_switches_per_second"] > 0


class TestFrequency:
    def test_is_in_hertz(self, record, told, tuple_of):
        """psutil speaks in MHz, we in base units."""
        record("cpu_freq", tuple_of(current=2596.5, min=0.0, max=0.0))
        assert told(CpuFrequency(), 0) == {"system_cpu_frequency_hertz": 2_596_500_000}

    @pytest.mark.parametrize("answer", [None, 0.0])
    def test_is_left_out_where_unknown(self, record, told, tuple_of, answer):
        """No function, or a virtual machine's 0 MHz: nothing is told."""
        record("cpu_freq", None if answer is None else tuple_of(current=answer))
        assert told(CpuFrequency(), 0) == {}
