"""The program as an operator meets it: its line, its exit codes, its words, its end."""

import asyncio
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

import run
from storage.migrate import migrate
from tests.app import PATIENCE_S, ROOT, running
from tests.clients import sockets
from tests.disk import small_disk

RUN = [sys.executable, str(ROOT / "run.py")]


def ended(*flags, cwd=None):
    """The program's exit code, output and error output, once it has ended."""
    done = subprocess.run([*RUN, *flags], capture_output=True, text=True, timeout=60, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def refused(code, *flags):
    """What it said on stderr when it did not start."""
    exit_code, out, err = ended("serve", *flags)
    assert (exit_code, out) == (code, ""), err
    assert "Traceback" not in err
    assert 1 <= len(err.splitlines()) <= 3, err
    return err


@pytest.mark.gen_test(timeout=90)
async def test_the_ready_line_comes_when_it_accepts(tmp_path):
    """One line on stdout, with the address; whoever reads it may connect at once."""
    process = await asyncio.create_subprocess_exec(
        *RUN,
        "serve",
        "--port=0",
        f"--data={tmp_path / 'data'}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
    found = re.fullmatch(r"Playhead is ready at (http://127\.0\.0\.1:\d+/)\n", line)
    assert found
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{found[1]}healthz")).status_code == 200
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0
    assert out == b""
    assert b"Traceback" not in err


def test_a_bad_dial_is_bad_usage():
    """Exit code 2; the dial, the value and what would do are named."""
    err = refused(2, "--interval-s=never")
    assert "interval" in err and "never" in err and "0.1" in err
    assert "fly" in refused(2, "fly")


def test_a_port_in_use_is_named(tmp_path):
    """Exit code 1, the port, and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        err = refused(1, f"--port={port}", f"--data={tmp_path}")
    assert str(port) in err and "--port" in err


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A file where the directory should be, and a file system that takes nothing."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", "/proc/playhead"):
        err = refused(1, "--port=0", f"--data={place}")
        assert str(place) in err and "--data" in err


def test_a_newer_database_is_named(tmp_path):
    """What wrote it, what to do, and not a byte of it changed."""
    path = tmp_path / "playhead.db"
    migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    err = refused(1, "--port=0", f"--data={tmp_path}")
    assert "newer" in err and "9999" in err


def test_a_damaged_log_is_not_served(tmp_path):
    """It says so and ends: nothing hangs because something was half open."""
    path = tmp_path / "playhead.db"
    migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO log VALUES (1, 'epoch', 7, 1, 1, 1, NULL)")
    connection.commit()
    connection.close()
    err = refused(1, "--port=0", f"--data={tmp_path}")
    assert "newest" in err and "backup" in err


def test_a_file_that_is_no_database_is_named(tmp_path):
    """Not a traceback for somebody's text file."""
    (tmp_path / "playhead.db").write_text("Dear diary, " * 1000)
    assert "log" in refused(1, "--port=0", f"--data={tmp_path}")


def test_a_disk_without_room_is_named(tmp_path):
    """Even the first start says what is missing."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk.path / "data").mkdir()
        disk.fill(8192)
        assert "space" in refused(1, "--port=0", f"--data={disk.path / 'data'}")


@pytest.mark.gen_test(timeout=90)
async def test_a_second_server_on_the_same_directory_is_refused(tmp_path):
    """It names the first one, which goes on undisturbed; a directory of its own will do."""
    async with running(tmp_path, interval_s=60) as server:
        loop = asyncio.get_running_loop()
        data = f"--data={server.directory}"
        err = await loop.run_in_executor(None, refused, 1, "--port=0", data)
        assert str(server.pid) in err and str(server.directory) in err and "--data" in err
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{server.url}/readyz")).status_code == 200


@pytest.mark.gen_test(timeout=90)
async def test_sigterm_loses_nothing_acknowledged(tmp_path):
    """Stopped within ten seconds while ten clients write and one listens: every sample that was
    answered with 200 is there after the restart, once; seqs go on; start and stop are on record."""
    async with running(tmp_path, interval_s=60) as server:
        answered = []

        async def write(client, n):
            count = 0
            while True:
                count += 1
                body = {"name": "load", "labels": {"client": str(n)}, "value": count}
                try:
                    answer = await client.post(f"{server.url}/api/realtime/metrics", json=body)
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    answered.append((f'load{{client="{n}"}}', count))
                else:
                    assert answer.status_code == 503
                    await asyncio.sleep(0.01)

        async with httpx.AsyncClient(timeout=20) as client:
            stream = asyncio.create_task(client.get(f"{server.url}/api/realtime/dashboard/stream"))
            writers = [asyncio.create_task(write(client, n)) for n in range(10)]
            while len(answered) < 100:  # under way, however slow the machine
                await asyncio.sleep(0.05)
            begun = asyncio.get_running_loop().time()
            assert await server.stop() == 0
            assert asyncio.get_running_loop().time() - begun < 10
            await asyncio.gather(*writers)
            told = (await stream).text
        assert "event: goodbye" in told
        before = len(answered)
        assert before >= 100
        await server.start()
        events, after = [], 0
        async with httpx.AsyncClient() as client:
            while True:
                asked = {"limit": 1000, "after": after}
                page = (await client.get(f"{server.url}/api/realtime/events", params=asked)).json()
                events += page["data"]["events"]
                if page["data"]["next"] is None:
                    break
                after = page["data"]["next"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        kept = [
            pair
            for event in events
            if event["type"] == "metrics"
            for pair in event["data"]["values"].items()
            if pair[0].startswith("load")
        ]
        assert len(set(kept)) == len(kept)
        assert set(answered) <= set(kept)
        whats = [event["data"]["what"] for event in events if event["type"] == "system"]
        assert [what for what in whats if what in ("started", "stopped")] == [
            "started",
            "stopped",
            "started",
        ]
    assert "Traceback" not in server.log.read_text()


@pytest.mark.gen_test(timeout=90)
async def test_the_selftest_passes(tmp_path):
    """It starts with an empty directory, asks itself, stops, and leaves nothing behind."""
    loop = asyncio.get_running_loop()
    code, out, err = await loop.run_in_executor(
        None, lambda: ended("serve", "--selftest", cwd=tmp_path)
    )
    assert code == 0, err
    assert out.splitlines()[-1] == "The self-test passed."
    assert list(tmp_path.iterdir()) == []


def test_commands_that_only_tell(tmp_path):
    """Version, help and the interface's document need no data directory."""
    assert ended("--version") == (0, f"playhead {run.VERSION}\n", "")
    code, out, _ = ended("--help")
    assert code == 0 and "--interval-s" in out
    code, out, _ = ended("openapi")
    assert code == 0 and '"openapi": "3.1' in out


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.gen_test(timeout=90)
async def test_nothing_goes_out(tmp_path):
    """From the start to the end no connection is made but to itself: not for a name, not for news."""
    trace = tmp_path / "trace"
    process = await asyncio.create_subprocess_exec(
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=connect,sendto,sendmsg",
        "-e",
        "signal=none",
        "-o",
        str(trace),
        *RUN,
        "serve",
        "--selftest",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 80)
    if process.returncode and b"ptrace" in out.lower():
        pytest.skip("this system does not allow tracing")
    assert process.returncode == 0, out
    calls = [line for line in trace.read_text().splitlines() if "sa_family" in line]
    assert any("127.0.0.1" in call for call in calls), "the self-test's own connection is seen"
    strange = [
        call
        for call in calls
        if re.search(r"AF_INET6?\b", call) and '"127.0.0.1"' not in call and '"::1"' not in call
    ]
    assert strange == []


@pytest.mark.gen_test(timeout=90)
async def test_an_incident_is_opened_and_read(tmp_path):
    """What one server exported another shows: the same events, a present that is its end, nothing written, and
    no trace of it afterwards. A page may speak to it for as long as it likes."""
    file = tmp_path / "night.playhead"
    async with (
        running(tmp_path, interval_s=0.2) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        await asyncio.sleep(1)
        mark = {"text": "here", "at": "now"}
        noted = (await client.post("/api/realtime/annotations", json=mark)).json()["data"]
        answer = await client.get(
            "/api/realtime/incident", params={"from": "-1h", "title": "Night"}
        )
        file.write_bytes(answer.content)
        path = "/api/realtime/events?limit=1000&type=metrics,series,annotation,system"
        truth = (await client.get(path)).json()["data"]["events"]
    before = set(Path(tempfile.gettempdir()).glob("playhead-open-*"))
    process = await asyncio.create_subprocess_exec(
        *RUN, "open", str(file), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert (await process.stdout.readline()).startswith(b"Night, 20")
        url = (await process.stdout.readline()).decode().split()[-1].rstrip("/")
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            data = (await client.get("/api/realtime/dashboard/live?hours=1")).json()["data"]
            assert data["annotations"][0]["id"] == noted["id"]
            assert data["kpis"]["cpu_percent"] is not None
            assert any(chart["at"] for chart in data["charts"])
            told = (await client.get(path)).json()["data"]["events"]
            assert told == [one for one in truth if one["seq"] <= told[-1]["seq"]]
            assert len(told) >= 5
            now = [
                (await client.get("/api/realtime/metrics/live")).json()["data"]["at"] for _ in "ab"
            ]
            assert now[0] == now[1] == data["at"]
            refusal = await client.post("/api/realtime/metrics", json={"name": "x", "value": 1})
            assert refusal.status_code == 403
            ready = await client.get("/readyz")
            assert ready.status_code == 503 and "incident" in ready.json()["data"]["reasons"][0]
            summary = (await client.get("/api/realtime/incident/summary")).json()["data"]
            assert [one["text"] for one in summary["annotations"]] == ["here"]
            page = (await client.get("/analytics")).text
            assert " data-incident=" in page and "Night" in page and "{{" not in page
        async with sockets(url) as one:
            hello = await one.until("hello")
            assert hello.data["incident"]["title"] == "Night"
            await one.until("snapshot")
            for _ in range(150):
                await one.ask("ping")
                await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert set(Path(tempfile.gettempdir()).glob("playhead-open-*")) <= before


def test_what_is_no_incident_is_not_opened(tmp_path):
    """A sentence and exit code 1."""
    (tmp_path / "x").write_text("hello")
    for name in ("x", "none"):
        code, out, err = ended("open", str(tmp_path / name))
        assert (code, out) == (1, "")
        assert name in err and "Traceback" not in err


UNNEEDED = {
    "alembic",
    "arro3",
    "engineio",
    "mako",
    "prometheus_client",
    "realtime.care.commands",
    "realtime.incident",
    "socketio",
    "sqlalchemy.dialects.postgresql",
    "storage.export",
    "storage.package",
    "storage.salvage",
    "storage.schema",
    "web.families",
    "web.selftest",
    "web.socketio",
}


def test_a_start_loads_no_more_than_it_needs(tmp_path):
    """Most of the second that a start takes goes into imports: what migrates, exports and repairs is loaded when
    that is asked for."""
    migrate(tmp_path / "playhead.db")
    told = subprocess.run(
        [sys.executable, "-c", READY, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    loaded = set(told.stdout.split())
    assert "web.app" in loaded and "storage.log" in loaded
    assert not UNNEEDED & loaded


READY = """
import asyncio, sys
import run
from realtime.settings import load

async def ready():
    house = run.House(load(["serve", "--port=0", f"--data={sys.argv[1]}"], {}))
    await house.open()
    print(*sys.modules)
    await house.close()

asyncio.run(ready())
"""
