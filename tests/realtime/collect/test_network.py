from collections import namedtuple

import pytest

from realtime.collect.network import DEVICES_MAX, Network

Counts = namedtuple(
    "Counts", "bytes_sent bytes_recv packets_sent packets_recv errin errout dropin dropout"
)
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0, 0)


def test_every_counter_becomes_a_rate_each_way(record, told):
    """Bytes, packets, errors and drops, received and transmitted, per second."""
    network = Network()
    record("net_io_counters", {"eth0": Counts(*[100] * 8)})
    assert told(network, 0) == {}
    record("net_io_counters", {"eth0": Counts(300, 500, 104, 108, 100, 102, 112, 100)})
    found = told(network, 2)
    assert len(found) == 8
    assert found['system_network_io_bytes_per_second{device="eth0",direction="receive"}'] == 200
    assert found['system_network_io_bytes_per_second{device="eth0",direction="transmit"}'] == 100
    assert found['system_network_packets_per_second{device="eth0",direction="receive"}'] == 4
    assert found['system_network_errors_per_second{device="eth0",direction="transmit"}'] == 1
    assert found['system_network_dropped_per_second{device="eth0",direction="receive"}'] == 6


def test_an_interface_waits_until_it_does_something(record, told):
    """A loopback that never carried anything is left out until it does."""
    network = Network()
    record("net_io_counters", {"lo": NOTHING})
    told(network, 0)
    assert told(network, 1) == {}
    record("net_io_counters", {"lo": NOTHING._replace(bytes_recv=70, bytes_sent=70)})
    found = told(network, 2)
    assert found['system_network_io_bytes_per_second{device="lo",direction="receive"}'] == 70


def test_a_counter_of_32_bits_goes_on_after_its_wrap(record, told):
    """A driver's 32-bit counter that ran over is no gap and no negative rate."""
    network = Network()
    record("net_io_counters", {"eth0": NOTHING._replace(bytes_recv=2**32 - 1000)})
    told(network, 0)
    record("net_io_counters", {"eth0": NOTHING._replace(bytes_recv=500)})
    found = told(network, 1)
    assert found['system_network_io_bytes_per_second{device="eth0",direction="receive"}'] == 1500


@pytest.mark.parametrize("device", ["veth9a3b2c1", "cali0123456789a", "br-0123456789ab"])
def test_interfaces_of_one_containers_life_are_left_out(record, told, device):
    """Names made up at random would each be a series for ever."""
    network = Network()
    record("net_io_counters", {device: Counts(*[1] * 8)})
    told(network, 0)
    assert told(network, 1) == {}


def test_interfaces_are_bounded_and_may_be_none(record, told):
    """A thousand tunnels do not make thousands of series; no interface makes none."""
    network = Network()
    record("net_io_counters", {f"tun{n:04}": Counts(*[1] * 8) for n in range(1000)})
    told(network, 0)
    assert len(told(network, 1)) == DEVICES_MAX * 8
    record("net_io_counters", {})
    assert told(network, 2) == {}


def test_this_machine(told):
    """The real interfaces are read without a negative rate."""
    network = Network()
    told(network, 0)
    assert all(value >= 0 for value in told(network, 1).values())
