"""Every collector this program has, in the order they are asked: quick ones first."""

from collections.abc import Iterable

from realtime.collect.cgroup import Container
from realtime.collect.collector import Collector
from realtime.collect.cpu import Cpu, CpuFrequency
from realtime.collect.disk import Disks
from realtime.collect.filesystem import Filesystems
from realtime.collect.host import Host
from realtime.collect.memory import Memory
from realtime.collect.network import Network
from realtime.collect.own import OwnProcess
from realtime.collect.pressure import Pressure
from realtime.collect.process import Processes
from realtime.collect.sensors import Sensors

GAP_BEATS = 5
GAP_S = 30.0
"""A rate over more than so many beats, or so long, is no rate of this moment: it is left out."""


def default_collectors(
    interval_s: float = 1.0,
    others: Iterable[Collector] = (),
    *,
    processes_interval_s: float = 5.0,
    top_processes: int = 10,
) -> list[Collector]:
    """`others` are those that need something handed to them, such as `own.Server`."""
    gap_s = max(GAP_S, interval_s * GAP_BEATS)
    return [
        *others,
        Cpu(gap_s),
        Memory(gap_s),
        Network(gap_s),
        Disks(gap_s),
        Pressure(gap_s),
        Container(gap_s),
        OwnProcess(gap_s),
        Host(),
        Filesystems(),
        CpuFrequency(),
        Processes(
            max(gap_s, processes_interval_s * GAP_BEATS) * 4, processes_interval_s, top_processes
        ),
        Sensors(),
    ]
