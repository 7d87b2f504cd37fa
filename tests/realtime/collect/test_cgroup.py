import psutil
import pytest

from realtime.collect.cgroup import LOOK_EVERY_S, Container, own_groups

GB = 2**30


@pytest.fixture(autouse=True)
def host(record, tuple_of):
    """Eight processors and 16 GiB."""
    record("cpu_count", 8)
    record("virtual_memory", tuple_of(total=16 * GB))


@pytest.fixture
def group(tmp_path):
    """/app.slice/web.service in a tree of cgroup v2; write("cpu.max", text, up=1) one above."""
    root = tmp_path / "cgroup"
    own = root / "app.slice" / "web.service"
    own.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "membership").write_text("0::/app.slice/web.service\n")

    def write(file, text, up=0):
        ([own, *own.parents][up] / file).write_text(text)

    return write


@pytest.fixture
def limits(tmp_path):
    return Container(root=tmp_path / "cgroup", membership=tmp_path / "membership")


def test_cpu_of_the_limit(group, limits, told):
    """Use and throttling are told as shares of what the container may use."""
    group("cpu.max", "200000 100000\n")
    group("cpu.stat", "usage_usec 1000000\nnr_periods 100\nnr_throttled 10\n")
    assert told(limits, 0) == {"container_cpu_limit_cores": 2}
    group("cpu.stat", "usage_usec 2000000\nnr_periods 110\nnr_throttled 15\n")
    assert told(limits, 1) == {
        "container_cpu_limit_cores": 2,
        "container_cpu_utilization_ratio": 0.5,
        "container_cpu_throttled_ratio": 0.5,
    }
    assert told(limits, 2)["container_cpu_throttled_ratio"] == 0


def test_memory_of_the_limit(group, limits, told):
    """Cache the kernel would give back is no pressure."""
    group("memory.max", f"{4 * GB}\n")
    group("memory.current", f"{3 * GB}\n")
    group("memory.stat", f"anon {GB}\ninactive_file {GB}\n")
    assert told(limits, 0) == {
        "container_memory_limit_bytes": 4 * GB,
        "container_memory_usage_bytes": 3 * GB,
        "container_memory_utilization_ratio": 0.5,
    }


def test_the_tightest_limit_above_us_counts(group, limits, told):
    """A limit on the slice binds the service in it, and it is the slice's use that counts."""
    group("memory.max", f"{8 * GB}\n")
    group("memory.current", f"{GB}\n")
    group("memory.max", f"{2 * GB}\n", up=1)
    group("memory.current", f"{GB + GB // 2}\n", up=1)
    found = told(limits, 0)
    assert found["container_memory_limit_bytes"] == 2 * GB
    assert found["container_memory_utilization_ratio"] == 0.75


@pytest.mark.parametrize("cpu", ["max 100000\n", "800000 100000\n", ""])
@pytest.mark.parametrize("memory", ["max\n", f"{64 * GB}\n"])
def test_limits_no_tighter_than_the_host_are_none(group, limits, told, cpu, memory):
    """Where the container may use all there is, the host's own numbers say it all."""
    group("cpu.max", cpu)
    group("memory.max", memory)
    assert told(limits, 0) == {}


def test_limits_may_change_under_way(group, limits, told):
    """A limit set on a running container is seen after a while."""
    assert told(limits, 0) == {}
    group("memory.max", f"{GB}\n")
    assert told(limits, 1) == {}
    assert told(limits, LOOK_EVERY_S) == {"container_memory_limit_bytes": GB}


def test_where_groups_are_found(tmp_path):
    """In mixed set-ups v2 is one deeper; without it, or without /proc, there are none."""
    membership = tmp_path / "membership"
    assert own_groups(tmp_path, membership) == []
    membership.write_text("9:name=systemd:/\n4:memory:/x\n0::/../a\n")
    assert own_groups(tmp_path, membership) == []
    unified = tmp_path / "unified"
    unified.mkdir()
    (unified / "cgroup.controllers").touch()
    assert own_groups(tmp_path, membership) == [unified / "a", unified]
    membership.write_text("4:memory:/x\n")
    assert own_groups(tmp_path, membership) == []


def test_this_machine(monkeypatch, told):
    """Whatever limits there really are, a share of a limit is told only with the limit."""
    monkeypatch.undo()
    assert psutil.cpu_count()
    container = Container()
    told(container, 0)
    found = told(container, 1)
    assert ("container_cpu_utilization_ratio" in found) == ("container_cpu_limit_cores" in found)
