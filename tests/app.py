"""Servers for tests: the real program in a process of its own, or the same parts on the test's loop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from realtime.clock import Clock
from realtime.collect.collector import Collector
from realtime.settings import RULES, load
from run import House

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", "30"))


CALM = {f"alert_{rule}_hold_s": 86_400 for rule in RULES}
"""The machine that tests is as busy as it is: its own load fires no alert within a test that did not ask for it."""


class Server:
    """`run.py serve` on `directory`. The port stays the same over a restart."""

    def __init__(self, directory: Path, dials: dict[str, Any]) -> None:
        self.directory = directory
        self.url = ""
        """Without a slash at its end."""
        self.port = 0
        self.log = directory.parent / f"{directory.name}.log"
        self._dials = {**CALM, **dials}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        flags = [
            f"--{name.replace('_', '-')}={value}"
            for name, value in {**self._dials, "port": self.port, "data": self.directory}.items()
        ]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(ROOT / "run.py"),
                "serve",
                *flags,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        if b" http://" not in line:
            raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
        self.url = line.decode().split()[-1].rstrip("/")
        self.port = int(self.url.rpartition(":")[2])

    async def stop(self, how: int = signal.SIGTERM) -> int:
        """Ends the server and gives its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    async def restart(self, how: int = signal.SIGTERM) -> None:
        await self.stop(how)
        await self.start()


@contextlib.asynccontextmanager
async def running(directory: Path, **dials: Any) -> AsyncIterator[Server]:
    """The real program; `directory` is its data directory, made if need be."""
    server = Server(directory / "data", dials)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def house(
    directory: Path,
    clock: Clock | None = None,
    collectors: Sequence[Collector] = (),
    **dials: Any,
) -> AsyncIterator[House]:
    """The whole server on this loop, without collectors unless some are given."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in dials.items()]
    settings = load(["serve", "--port=0", f"--data={directory}", "--source=here", *flags], {})
    it = House(settings, clock, collectors)
    await it.open()
    try:
        yield it
    finally:
        await it.close()
