"""Prometheus and VictoriaMetrics as Debian packs them, fed with our recording and asked on loopback.

Each runs as a child of the measurement, in a directory of its own; services that Debian may have started
with the packages are stopped. Where they cannot be had, the table says so.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

PACKAGES = {"prometheus": "prometheus", "victoria-metrics": "victoria-metrics"}
"""Program → Debian package."""
SERVICES = ("prometheus", "prometheus-node-exporter", "victoria-metrics")
READY_S = 30.0

Series = Mapping[str, Sequence[float]]
"""Name → its values, one for each of the times."""


class Size(NamedTuple):
    """Bytes of all files: as long as they say they are, and in whole blocks as the disk gives them."""

    length: int
    blocks: int


class Peer(NamedTuple):
    """`feed(directory, ats s, series)` gives the bytes on disk; `command(directory, port)` serves them."""

    name: str
    feed: Callable[[Path, Sequence[int], Series], Size]
    command: Callable[[Path, int], list[str]]
    ready: str


def missing() -> str:
    """Why the peers are not here, after an attempt to install them; empty when they are."""
    absent = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not absent:
        return ""
    apt = shutil.which("apt-get")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if apt is None or (rights and shutil.which("sudo") is None):
        return f"{' and '.join(absent)} not installed"
    print(f"installing {' and '.join(absent)} …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [*rights, apt, "install", "-qq", "-y", "--no-install-recommends", *absent],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if systemctl := shutil.which("systemctl"):
        for service in SERVICES:
            subprocess.run(
                [*rights, systemctl, "disable", "--now", "--quiet", service],
                stderr=subprocess.DEVNULL,
                check=False,
            )
    absent = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    return f"{' and '.join(absent)} could not be installed" if absent or done.returncode else ""


def plain(name: str) -> str:
    """A name as both peers take it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _feed_prometheus(directory: Path, ats: Sequence[int], series: Series) -> Size:
    text = directory / "samples.txt"
    with text.open("w") as out:
        for name, values in series.items():
            out.write(f"# TYPE {plain(name)} gauge\n")
            out.writelines(
                f"{plain(name)} {value!r} {at}\n" for at, value in zip(ats, values, strict=True)
            )
        out.write("# EOF\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, directory / "data"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    text.unlink()
    return size(directory / "data")


def _prometheus(directory: Path, port: int) -> list[str]:
    config = directory / "prometheus.yml"
    config.write_text("scrape_configs: []\n")
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=100d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]


def _feed_victoria(directory: Path, ats: Sequence[int], series: Series) -> Size:
    times = [at * 1000 for at in ats]
    lines = [
        json.dumps({"metric": {"__name__": plain(name)}, "values": list(v), "timestamps": times})
        for name, v in series.items()
    ]
    port = free_port()
    process = subprocess.Popen(_victoria(directory, port), stderr=subprocess.DEVNULL)
    try:
        _wait(port, "/health")
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        for method, path, body in (
            ("POST", "/api/v1/import", "\n".join(lines)),
            ("GET", "/internal/force_flush", None),
            ("GET", "/internal/force_merge", None),
        ):
            connection.request(method, path, body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, (path, answer.status)
        # The merge goes on after its answer; it is over when nothing is being merged any more.
        time.sleep(2)
        while _merging(connection):
            time.sleep(0.2)
        connection.close()
    finally:
        process.terminate()
        process.wait(30)
    return size(directory / "data")


def _merging(connection: HTTPConnection) -> bool:
    connection.request("GET", "/metrics")
    told = connection.getresponse().read().decode()
    return any(
        line.startswith("vm_active_force_merges") and not line.endswith(" 0")
        for line in told.splitlines()
    )


def _victoria(directory: Path, port: int) -> list[str]:
    return [
        "victoria-metrics",
        f"-storageDataPath={directory / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100d",
        "-search.latencyOffset=0s",
        "-loggerLevel=ERROR",
    ]


PROMETHEUS = Peer("Prometheus", _feed_prometheus, _prometheus, "/-/ready")
VICTORIA = Peer("VictoriaMetrics", _feed_victoria, _victoria, "/health")


@contextlib.asynccontextmanager
async def serving(peer: Peer, directory: Path) -> AsyncIterator[HTTPConnection]:
    """The peer on what it was fed, and a kept connection to it."""
    port = free_port()
    process = subprocess.Popen(peer.command(directory, port), stderr=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(_wait, port, peer.ready)
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        yield connection
        connection.close()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def range_path(names: Sequence[str], start: int, end: int, step: int) -> str:
    """`query_range` of series by name, both ends (s) inside."""
    query = f'{{__name__=~"{"|".join(map(plain, names))}"}}'
    return "/api/v1/query_range?" + urlencode(
        {"query": query, "start": start, "end": end, "step": step}
    )


def size(directory: Path) -> Size:
    """What VictoriaMetrics saves of its caches is left out, for it can do without."""
    files = [
        file.stat()
        for file in directory.rglob("*")
        if file.is_file() and "cache" not in file.relative_to(directory).parts[:1]
    ]
    return Size(sum(f.st_size for f in files), sum(512 * f.st_blocks for f in files))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _wait(port: int, path: str) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > until:
            raise TimeoutError(f"nothing answers at 127.0.0.1:{port}{path}")
        time.sleep(0.05)
