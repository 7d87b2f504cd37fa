import re

from realtime.collect.host import Host
from realtime.collect.lineup import default_collectors
from realtime.collect.own import Server
from realtime.collect.process import Processes
from realtime.collect.round import clocks
from realtime.core.naming import check_name

UNITS = {
    "": "",
    "ratio": "_ratio",
    "bytes": "_bytes",
    "seconds": "_seconds",
    "celsius": "_celsius",
    "hertz": "_hertz",
    "cores": "_cores",
    "rpm": "_rpm",
    "per_second": "_per_second",
    "bytes_per_second": "_bytes_per_second",
}


def test_every_metric_is_described():
    """Each has a unit its name agrees with, a sentence of help, and one owner."""
    owners: dict[str, object] = {}
    tables = [(c, c.descriptors) for c in default_collectors()]
    for collector, descriptors in [*tables, (Server, Server.descriptors)]:
        for name, descriptor in descriptors.items():
            assert check_name(name) and re.match("(system|container|playhead)_", name)
            assert name.endswith(UNITS[descriptor.unit]), name
            assert descriptor.help.endswith(".") and len(descriptor.help) <= 100, name
            assert descriptor.kind == "gauge"
            assert owners.setdefault(name, collector) is collector, name
    assert len(owners) > 40


def test_every_collector_has_a_name_of_its_own():
    """Failures are told by name."""
    names = [collector.name for collector in default_collectors()]
    assert len(set(names)) == len(names)


def test_others_join_them():
    """What needs something handed to it is made elsewhere and comes first."""
    other = Host()
    assert default_collectors(others=[other])[0] is other


def test_a_slow_recorder_has_rates_too():
    """At a beat of minutes the interval is still an interval."""
    for collector in default_collectors(interval_s=120.0):
        rates = getattr(collector, "_rates", None)
        assert rates is None or rates._longest_s >= 360


def test_the_look_at_processes_has_dials_of_its_own():
    """Its pace and how many lead are given; none may lead, and its rates allow for its pace."""
    (processes,) = [
        c
        for c in default_collectors(processes_interval_s=3600.0, top_processes=0)
        if isinstance(c, Processes)
    ]
    assert processes.pace_s == 3600
    assert processes._rates._longest_s >= 3 * 3600
    names = {reading.key.name for reading in processes.collect(clocks())}
    assert names == {"system_processes", "system_threads"}
