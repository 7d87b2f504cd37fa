"""The headline numbers are right, or null, and never yesterday's."""

import pytest

from realtime.core.columns import SECOND
from realtime.core.kpis import STALE_US, kpis
from realtime.core.naming import parse_series
from realtime.core.views import SourceState, View, declare
from storage.events import Series

NOW = 1_764_000_000 * SECOND
NETWORK = 'system_network_io_bytes_per_second{device="%s",direction="%s"}'
DISK = 'system_disk_io_bytes_per_second{device="%s",direction="%s"}'
FILESYSTEM = 'system_filesystem_utilization_ratio{mountpoint="%s"}'


def host(values: dict[str, float], source: str = "host", view: View | None = None) -> View:
    view = view or View()
    for text, value in values.items():
        name, labels = parse_series(text)
        id_ = view.next_id
        declare(view, source, Series(id_, name, dict(labels)))
        view.windows.add(id_, NOW, value)
    view.sources[source] = SourceState(source, "live", NOW, NOW)
    return view


def test_everything_is_null_before_the_first_reading() -> None:
    """The names are always there; what is unknown is None, not zero."""
    known = kpis(View(), "host")
    assert len(known) == 12
    assert set(known.values()) == {None}


def test_ratios_become_percent_and_seconds_milliseconds() -> None:
    """Units are those the names say, without the noise of binary fractions."""
    known = kpis(
        host(
            {
                "system_cpu_utilization_ratio": 0.07,
                "system_memory_utilization_ratio": 0.5,
                "system_swap_utilization_ratio": 0,
                'system_load{period="1m"}': 1.25,
                'system_load{period="15m"}': 9,
                "playhead_http_requests_per_second": 12.5,
                "playhead_http_response_time_seconds": 0.0123,
                "playhead_http_error_ratio": 0.05,
            }
        ),
        "host",
    )
    assert known["cpu_percent"] == 7
    assert known["memory_percent"] == 50
    assert known["swap_percent"] == 0
    assert known["load_1m"] == 1.25
    assert known["requests_per_second"] == 12.5
    assert known["response_time_ms"] == 12.3
    assert known["error_rate"] == 5
    assert isinstance(known["cpu_percent"], int)


def test_the_disk_is_the_fullest_filesystem() -> None:
    """One full filesystem is not hidden behind an empty one."""
    view = host({FILESYSTEM % "/": 0.2, FILESYSTEM % "/var": 0.91, FILESYSTEM % "/srv": 0.5})
    assert kpis(view, "host")["disk_percent"] == 91


def test_a_filesystem_that_is_gone_is_not_the_fullest_for_ever() -> None:
    """A sample much older than the source's newest says nothing of now."""
    view = host({FILESYSTEM % "/": 0.2, FILESYSTEM % "/mnt": 0.99})
    late = NOW + STALE_US + 1
    view.windows.add(1, late, 0.3)
    view.sources["host"].at = late
    assert kpis(view, "host")["disk_percent"] == 30


def test_a_lost_source_keeps_its_last_picture() -> None:
    """The numbers of a lost source stand as it was last heard of."""
    view = host({"system_cpu_utilization_ratio": 0.4})
    view.sources["host"].state = "lost"
    assert kpis(view, "host")["cpu_percent"] == 40


@pytest.mark.parametrize(
    ("moved", "total"),
    [
        ({"eth0": 10, "wlan0": 5, "lo": 99, "docker0": 7, "veth1a2b": 7, "br-77": 7}, 15),
        ({"lo": 99}, 99),
        ({"enp3s0": 1, "bond0": 1}, 1),
    ],
)
def test_each_byte_on_the_network_is_counted_once(moved: dict[str, float], total: float) -> None:
    """Bridges and tunnels carry what a real interface carried; alone, they are counted."""
    view = host(
        {
            NETWORK % (device, direction): value * factor
            for device, value in moved.items()
            for direction, factor in (("receive", 1), ("transmit", 2))
        }
    )
    assert kpis(view, "host")["network_receive_bytes_per_second"] == total
    assert kpis(view, "host")["network_transmit_bytes_per_second"] == 2 * total


@pytest.mark.parametrize(
    ("moved", "total"),
    [
        ({"sda": 10, "sda1": 4, "sda2": 6, "dm-0": 10, "md0": 10}, 10),
        ({"nvme0n1": 7, "nvme0n1p1": 7, "mmcblk0": 1, "mmcblk0p2": 1}, 8),
        ({"sda1": 4, "sdb1": 6}, 10),
        ({"dm-0": 3}, 3),
        ({"vda": 1, "vdb": 2}, 3),
    ],
)
def test_each_byte_on_a_disk_is_counted_once(moved: dict[str, float], total: float) -> None:
    """Partitions and mapped devices move what their disk moved; where it is not seen, they count."""
    view = host({DISK % (device, "read"): value for device, value in moved.items()})
    assert kpis(view, "host")["disk_read_bytes_per_second"] == total
    assert kpis(view, "host")["disk_write_bytes_per_second"] is None


def test_sources_do_not_mix() -> None:
    """The KPIs of one source are made of its own samples."""
    view = host({"system_cpu_utilization_ratio": 0.1}, "a")
    host({"system_cpu_utilization_ratio": 0.9}, "b", view)
    assert (kpis(view, "a")["cpu_percent"], kpis(view, "b")["cpu_percent"]) == (10, 90)
