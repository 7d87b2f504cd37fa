import time

import pytest

from realtime.collect.process import COMMANDS_MAX, OTHER, PACE_S, SLOWEST_S, Processes
from realtime.collect.scan import Seen


def seen(pid, command, cpu_s=0.0, resident=0, started=1.0, state="sleeping"):
    return Seen(pid, started, command, state, cpu_s, resident, 1)


@pytest.fixture
def machine():
    """What runs on it, to be changed between two looks."""
    return []


@pytest.fixture
def processes(machine):
    return Processes(scan=lambda: iter(machine), top=2)


def cpu(found):
    return {t.split('"')[1]: v for t, v in found.items() if t.startswith("system_process_cpu")}


def memory(found):
    return {t.split('"')[1]: v for t, v in found.items() if t.startswith("system_process_memory")}


def test_processes_by_state(processes, machine, told):
    """Every state is told, those without a process as nought."""
    machine += [seen(1, "init"), seen(2, "a", state="zombie"), seen(3, "b", state="odd")]
    found = told(processes, 0)
    states = {t.split('"')[1]: v for t, v in found.items() if t.startswith("system_processes")}
    assert states["sleeping"] == states["zombie"] == states["odd"] == 1
    assert states["running"] == 0
    assert found["system_threads"] == 3


def test_the_top_by_command(processes, machine, told):
    """Processes of one command are one; the greediest few are told, in cores and in bytes."""
    machine[:] = [seen(1, "web", 10, 100), seen(2, "web", 20, 100), seen(3, "db", 5, 900)]
    first = told(processes, 0)
    assert cpu(first) == {}
    assert memory(first) == {"db": 900, "web": 200}
    machine[:] = [
        seen(1, "web", 12.5, 100),
        seen(2, "web", 25, 100),
        seen(3, "db", 6, 900),
        seen(4, "idle", 0, 10),
    ]
    assert cpu(told(processes, 5)) == {"web": 1.5, "db": 0.2}


def test_one_that_drops_out_is_told_once_more(processes, machine, told):
    """Its last great value does not stand as the latest for ever."""
    machine[:] = [seen(1, "a", 0, 50), seen(2, "b", 0, 40), seen(3, "c", 0, 30)]
    assert memory(told(processes, 0)) == {"a": 50, "b": 40}
    machine[:] = [seen(2, "b", 0, 10), seen(3, "c", 0, 30), seen(4, "d", 0, 20)]
    assert memory(told(processes, 5)) == {"c": 30, "d": 20, "a": 0, "b": 10}
    assert memory(told(processes, 10)) == {"c": 30, "d": 20}


def test_a_number_used_again_is_another_process(processes, machine, told):
    """A process id that was given anew does not make a negative or a giant rate."""
    machine[:] = [seen(7, "old", 500, started=1.0)]
    told(processes, 0)
    machine[:] = [seen(7, "new", 2.5, started=9.0)]
    assert cpu(told(processes, 5)) == {"new": 0.5}


def test_one_that_was_there_but_not_seen_makes_no_rate(processes, machine, told):
    """An old process that becomes visible has not spent all its time since the last look."""
    machine[:] = [seen(1, "a", 1, started=50.0)]
    told(processes, 0)
    machine[:] = [seen(1, "a", 1, started=50.0), seen(2, "hidden", 9000, started=3.0)]
    assert cpu(told(processes, 5)) == {}


def test_commands_are_bounded(machine, told):
    """Whatever is started, no more than so many series are made in one run."""
    processes = Processes(scan=lambda: iter(machine), top=50)
    commands, found = set(), {}
    for beat in range(30):
        machine[:] = [seen(n, f"job-{beat}-{n}", 0, 1000 + n) for n in range(50)]
        found = memory(told(processes, beat * 5))
        commands |= set(found)
    assert len(commands) == COMMANDS_MAX + 1
    assert found[OTHER] == sum(1000 + n for n in range(50))


def test_a_costly_look_is_taken_less_often(monkeypatch, processes, told):
    """With thousands of processes the pace slackens, so that looking stays cheap."""
    assert processes.pace_s == PACE_S
    spent = iter([0.0, 0.1, 0.0, 100.0])
    monkeypatch.setattr(time, "thread_time", lambda: next(spent))
    told(processes, 0)
    assert processes.pace_s == pytest.approx(20.0)
    told(processes, 20)
    assert processes.pace_s == SLOWEST_S


def test_this_machine(told):
    """This very test is among those that use memory, or others use more."""
    processes = Processes()
    told(processes, 0)
    sum(range(3_000_000))
    found = told(processes, 0.5)
    assert memory(found)
    assert all(value >= 0 for value in found.values())
