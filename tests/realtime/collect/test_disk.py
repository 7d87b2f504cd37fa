from collections import namedtuple

import psutil
import pytest

from realtime.collect.disk import DEVICES_MAX, Disks

Counts = namedtuple(
    "Counts", "read_count write_count read_bytes write_bytes read_time write_time busy_time"
)
Few = namedtuple("Few", "read_count write_count read_bytes write_bytes read_time write_time")
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def disks(tmp_path):
    for name in ("vda", "loop0", "cciss!c0d0"):
        (tmp_path / name).mkdir()
    return Disks(block_devices=str(tmp_path))


def test_bytes_operations_latency_and_busy_time(disks, record, told):
    """All that a disk did in two seconds, per second and per operation."""
    record("disk_io_counters", {"vda": Counts(100, 100, 10_000, 10_000, 50, 50, 100)})
    assert told(disks, 0) == {}
    record("disk_io_counters", {"vda": Counts(104, 100, 30_000, 10_000, 58, 50, 1100)})
    assert told(disks, 2) == {
        'system_disk_io_bytes_per_second{device="vda",direction="read"}': 10_000,
        'system_disk_io_bytes_per_second{device="vda",direction="write"}': 0,
        'system_disk_operations_per_second{device="vda",direction="read"}': 2,
        'system_disk_operations_per_second{device="vda",direction="write"}': 0,
        'system_disk_operation_time_seconds{device="vda",direction="read"}': 0.002,
        'system_disk_io_time_ratio{device="vda"}': 0.5,
    }


def test_busy_is_at_most_all_the_time(disks, record, told):
    """Kernel and beat do not measure the same second; a disk is never busier than always."""
    record("disk_io_counters", {"vda": Counts(1, 1, 1, 1, 1, 1, 0)})
    told(disks, 0)
    record("disk_io_counters", {"vda": Counts(1, 1, 1, 1, 1, 1, 1040)})
    assert told(disks, 1)['system_disk_io_time_ratio{device="vda"}'] == 1


def test_partitions_are_not_disks(disks, record, told):
    """What is written to a partition is written to its disk, and counted once."""
    record("disk_io_counters", {"vda1": Counts(*[1] * 7), "cciss/c0d0": Counts(*[1] * 7)})
    told(disks, 0)
    assert {text.split('"')[1] for text in told(disks, 1)} == {"cciss/c0d0"}


def test_a_disk_waits_until_it_does_something(disks, record, told):
    """A loop device no one uses is left out; its first second of work is told whole."""
    record("disk_io_counters", {"loop0": NOTHING})
    told(disks, 0)
    assert told(disks, 1) == {}
    record("disk_io_counters", {"loop0": Counts(1, 0, 4096, 0, 1, 0, 1)})
    name = 'system_disk_io_bytes_per_second{device="loop0",direction="read"}'
    assert told(disks, 2)[name] == 4096


def test_a_reset_costs_one_rate(disks, record, told):
    """A disk that was unplugged and came back counts anew; no rate is made of that."""
    name = 'system_disk_io_bytes_per_second{device="vda",direction="read"}'
    values = []
    for second, size in enumerate([10_000, 11_000, 500, 1_500]):
        record("disk_io_counters", {"vda": Counts(1, 1, size, 0, 1, 1, 1)})
        values.append(told(disks, second).get(name))
    assert values == [None, 1_000, None, 1_000]


def test_systems_that_know_less(record, told, tmp_path):
    """No list of disks, no busy time, no disks at all: what there is is told."""
    disks = Disks(block_devices=str(tmp_path / "absent"))
    record("disk_io_counters", {"disk0": Few(*[5] * 6)})
    told(disks, 0)
    assert 'system_disk_io_bytes_per_second{device="disk0",direction="read"}' in told(disks, 1)
    assert not [text for text in told(disks, 2) if "io_time_ratio" in text]
    record("disk_io_counters", {})
    assert told(disks, 3) == {}


def test_disks_are_bounded(record, told, tmp_path):
    """A machine with a thousand disks does not make thousands of series."""
    disks = Disks(block_devices=str(tmp_path / "absent"))
    record("disk_io_counters", {f"d{n:04}": Counts(*[1] * 7) for n in range(1000)})
    told(disks, 0)
    assert len({text.split('"')[1] for text in told(disks, 1)}) == DEVICES_MAX


def test_this_machine(told):
    """The real counters are read, if the machine has any disk."""
    disks = Disks()
    told(disks, 0)
    found = told(disks, 1)
    assert bool(found) == any(
        any(counts) for counts in psutil.disk_io_counters(perdisk=True).values()
    )
