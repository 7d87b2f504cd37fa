"""What the pages promise of the whole, and no single module can keep."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

EAVESDROPPER = """
import runpy, sys
def hear(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        to = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments
        if isinstance(to, tuple) and to[0] not in ("127.0.0.1", "::1", "localhost"):
            print("went out:", event, to, file=sys.stderr, flush=True)
sys.addaudithook(hear)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program and hears of every address it names to the system, by Python's own audit events."""


async def _overheard(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        EAVESDROPPER,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    _, heard = await process.communicate()
    return process.returncode, heard.decode()


@pytest.mark.gen_test
async def test_calls_nobody():
    """A server that starts, records and answers opens no connection but to this very machine."""
    code, heard = await _overheard("run.py", "serve", "--selftest")
    assert code == 0, heard
    assert "went out" not in heard


@pytest.mark.gen_test
async def test_the_eavesdropper_hears(tmp_path):
    """Or else the test above could not fail."""
    program = tmp_path / "talks.py"
    program.write_text(
        "import socket\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "one.connect(('192.0.2.1', 9))\n"  # RFC 5737: nobody's address; a datagram socket sends nothing yet
    )
    _, heard = await _overheard(str(program))
    assert "went out: socket.connect ('192.0.2.1', 9)" in heard


@pytest.mark.slow
@pytest.mark.gen_test(timeout=120)
async def test_the_bench_gives_its_table():
    """Every part measures, beside a reference, and what is printed can be read by a program."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench",
        "--short",
        "--json",
        "--only=commits",
        "--only=latency",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        told, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complaints.decode()
    table = json.loads(told)
    assert table["machine"]["cores"] and table["machine"]["date"]
    assert len(table["rows"]) == 10
    for row in table["rows"]:
        assert row["ours"] > 0
        assert row["ratio"] == pytest.approx(row["ours"] / row["theirs"])
