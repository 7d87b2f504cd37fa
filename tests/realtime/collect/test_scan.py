import os

import psutil
import pytest

from realtime.collect.scan import (
    COMMAND_MAX,
    Seen,
    best_scan,
    read_stat,
    scan_proc,
    scan_psutil,
)

STAT = (
    b"%d (%s) %s %d 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 1234 9999 30 "
    b"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_a_line_of_proc():
    """CPU time in seconds, memory in bytes, the state in a word."""
    assert read_stat(STAT % (42, b"nginx", b"S", 1), 0.01, 4096) == Seen(
        42, 1234, "nginx", "sleeping", 3.0, 30 * 4096, 7
    )


@pytest.mark.parametrize("command", [b"a b", b"(sd-pam)", b"x) R 1 (y", b"\xff\xfe"])
def test_commands_may_hold_anything(command):
    """A command with parentheses, spaces or bytes that are no text does not shift the fields."""
    seen = read_stat(STAT % (42, command, b"Z", 1), 0.01, 4096)
    assert seen.command == command.decode(errors="replace")
    assert (seen.state, seen.threads) == ("zombie", 7)


def test_threads_of_the_kernel_go_by_their_kind():
    """Every kworker is one command; a program's own name is left alone."""
    assert read_stat(STAT % (9, b"kworker/3:1-ev", b"I", 2), 0.01, 1).command == "kworker"
    assert read_stat(STAT % (2, b"kthreadd", b"S", 0), 0.01, 1).command == "kthreadd"
    assert read_stat(STAT % (9, b"a/b", b"?", 1), 0.01, 1)[2:4] == ("a/b", "other")


def test_one_that_ends_meanwhile_is_left_out(tmp_path):
    """Between the list and the look a process may be gone."""
    (tmp_path / "41").mkdir()
    (tmp_path / "42").mkdir()
    (tmp_path / "self").mkdir()
    (tmp_path / "42" / "stat").write_bytes(STAT % (42, b"x" * 99, b"R", 1))
    (seen,) = scan_proc(str(tmp_path))
    assert (seen.pid, seen.command) == (42, "x" * COMMAND_MAX)


def test_what_may_not_be_seen_counts_as_nought(monkeypatch, tuple_of):
    """psutil gives None for what this user may not know of a process."""
    info = dict.fromkeys(["name", "cpu_times", "memory_info", "create_time", "num_threads"])
    hidden = tuple_of(info={**info, "pid": 4, "status": "waking"})
    monkeypatch.setattr(psutil, "process_iter", lambda _: [hidden])
    assert list(scan_psutil()) == [Seen(4, 0.0, "", "other", 0.0, 0, 0)]


@pytest.mark.parametrize("scan", [best_scan(), scan_psutil])
def test_this_machine(scan):
    """Either way of looking finds this very process, as it is."""
    (me,) = [seen for seen in scan() if seen.pid == os.getpid()]
    assert me.state == "running"
    assert me.cpu_s == pytest.approx(sum(psutil.Process().cpu_times()[:2]), abs=0.5)
    assert me.resident_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
