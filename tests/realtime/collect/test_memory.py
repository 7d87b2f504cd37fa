import psutil
import pytest

from realtime.collect.memory import Memory


@pytest.fixture
def linux(record, tuple_of):
    record(
        "virtual_memory",
        tuple_of(total=1000, available=600, free=200, used=400, cached=350, buffers=50, slab=90),
    )
    record("swap_memory", tuple_of(total=400, used=100, free=300, sin=0, sout=0))


def test_the_stack_adds_up(linux, told):
    """used, cached, buffers and free are the total; utilization is what is not available."""
    found = told(Memory(), 0)
    stack = [
        found[f'system_memory_bytes{{state="{s}"}}'] for s in ("used", "cached", "buffers", "free")
    ]
    assert sum(stack) == found["system_memory_total_bytes"] == 1000
    assert found["system_memory_utilization_ratio"] == 0.4
    assert found['system_memory_bytes{state="slab"}'] == 90
    assert found["system_swap_utilization_ratio"] == 0.25


def test_paging_is_a_rate(linux, record, told, tuple_of):
    """What went to swap and came back is told per second, after the first beat."""
    memory = Memory()
    assert not [t for t in told(memory, 0) if "paging" in t]
    record("swap_memory", tuple_of(total=400, used=100, free=300, sin=8192, sout=4096))
    found = told(memory, 2)
    assert found['system_paging_bytes_per_second{direction="in"}'] == 4096
    assert found['system_paging_bytes_per_second{direction="out"}'] == 2048


def test_without_swap_there_is_no_share_of_it(linux, record, told, tuple_of):
    """A share of nothing is unknown, not nought."""
    record("swap_memory", tuple_of(total=0, used=0, free=0, sin=0, sout=0))
    found = told(Memory(), 0)
    assert "system_swap_utilization_ratio" not in found
    assert found['system_swap_bytes{state="used"}'] == 0


def test_other_systems_know_other_states(linux, record, told, tuple_of):
    """Without cached and buffers the system's own `used` is told."""
    record("virtual_memory", tuple_of(total=0, available=0, free=3, used=5, wired=2))
    found = told(Memory(), 0)
    assert found['system_memory_bytes{state="used"}'] == 5
    assert found['system_memory_bytes{state="wired"}'] == 2
    assert "system_memory_utilization_ratio" not in found


def test_this_machine(told):
    """The real machine has memory, and some of it is in use."""
    found = told(Memory(), 0)
    assert found["system_memory_total_bytes"] == psutil.virtual_memory().total
    assert 0 < found["system_memory_utilization_ratio"] < 1
