"""Starts the built binary as a stranger would: `python tools/selftest.py dist/playhead`.

First in an empty directory with `serve --selftest`; then as a server on a fresh data directory,
which is asked for the page and the dashboard, stopped, started again, and must remember. Standard
library alone, so that nothing of the house stands in for what the binary forgot to bring.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY = re.compile(r"Playhead is ready at (http://\S+/)")
START_S = 60.0
STOP_S = 15.0
ANSWER_S = 20.0


class Failed(Exception):
    """The binary did not do what it must; the words say what was expected."""


def quiet_environment() -> dict[str, str]:
    """Ours without what could help the binary find our sources or dials."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PLAYHEAD_", "VIRTUAL_ENV"))
    }


@contextmanager
def serving(binary: Path, directory: Path) -> Iterator[str]:
    """The server's address while it runs; at the end a SIGTERM must stop it, with 0 and in time."""
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--data", directory / "data"],
            cwd=directory,
            env=quiet_environment(),
            stdout=subprocess.PIPE,
            stderr=words,
        )
        try:
            yield ready_address(process)
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOP_S)
            if code:
                raise Failed(f"SIGTERM should end it with 0, it ended with {code}")
        except BaseException:
            words.seek(0)
            sys.stderr.write(words.read())
            raise
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def ready_address(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout
    said = ""
    until = time.monotonic() + START_S
    while select.select([process.stdout], [], [], max(0, until - time.monotonic()))[0]:
        words = os.read(process.stdout.fileno(), 4096)
        if not words:
            raise Failed(f"it ended with {process.wait()} before it was ready")
        said += words.decode()
        if found := READY.search(said):
            return found[1]
    raise Failed(f"no ready line within {START_S:.0f} s, only: {said!r}")


def get(address: str, path: str) -> bytes:
    with urllib.request.urlopen(address.rstrip("/") + path, timeout=ANSWER_S) as answer:
        body: bytes = answer.read()
        return body


def dashboard(address: str) -> dict[str, Any]:
    """The dashboard's data once this host is on it; the first second may still be empty."""
    until = time.monotonic() + ANSWER_S
    while time.monotonic() < until:
        answer = json.loads(get(address, "/api/realtime/dashboard/live"))
        data: dict[str, Any] = answer["data"]
        if answer["status"] == "success" and data["metrics"]:
            return data
        time.sleep(0.2)
    raise Failed(f"no metric of this host on the dashboard within {ANSWER_S:.0f} s")


def place(cursor: str) -> tuple[str, int]:
    epoch, _, seq = cursor.rpartition(":")
    return epoch, int(seq)


def page_and_its_files(address: str) -> int:
    """How many files the page asks for by itself; each must be there."""
    page = get(address, "/analytics").decode()
    paths = re.findall(r'(?:src|href)="(/?[^":#]+\.(?:js|css|svg|png|webmanifest))"', page)
    if not any(path.endswith(".js") for path in paths):
        raise Failed("the page names no script")
    for path in paths:
        if not get(address, path if path.startswith("/") else f"/{path}"):
            raise Failed(f"{path} is empty")
    return len(paths)


def by_itself(binary: Path) -> None:
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [binary, "serve", "--selftest"],
            cwd=empty,
            env=quiet_environment(),
            capture_output=True,
            text=True,
            timeout=START_S + STOP_S,
        )
        if done.returncode:
            raise Failed(f"serve --selftest ended with {done.returncode}:\n{done.stderr}")


def twice_on_one_directory(binary: Path) -> str:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with serving(binary, directory) as address:
            files = page_and_its_files(address)
            before = dashboard(address)
        with serving(binary, directory) as address:
            after = dashboard(address)
    (epoch, seq), (later_epoch, later_seq) = place(before["cursor"]), place(after["cursor"])
    if epoch != later_epoch or later_seq <= seq:
        raise Failed(f"the tape should go on after {before['cursor']}, it is at {after['cursor']}")
    return f"{len(after['metrics'])} series, {files} files of the page, seq {seq} then {later_seq}"


def main() -> int:
    binary = Path(sys.argv[1]).resolve()
    started = time.monotonic()
    try:
        by_itself(binary)
        seen = twice_on_one_directory(binary)
    except (Failed, OSError, subprocess.TimeoutExpired) as failure:
        print(f"selftest of {binary.name} failed: {failure}", file=sys.stderr)
        return 1
    size = binary.stat().st_size / 1e6
    took = time.monotonic() - started
    print(f"selftest of {binary.name} ({size:.1f} MB) passed in {took:.1f} s: {seen}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
