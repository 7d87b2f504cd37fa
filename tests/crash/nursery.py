"""The real program in a hurry: what it does in minutes it does in tenths of a second, so that a kill finds it at that.

`python tests/crash/nursery.py serve …` is `run.py serve …` with these paces. Without words it is a nursery: for
each line of flags it forks a server, which has nothing left to import, and tells its process id and its exit code.
"""

# ruff: noqa: E402  as in run.py
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import asyncio
import json
import os
import signal
import traceback
from functools import partial
from typing import Any

import run
from realtime import upkeep
from storage import engine, log
from tests.app import PATIENCE_S, Server

SPAN_US = 1_000_000
WAL_BYTES = 256 * 1024


def hasten() -> None:
    """Spans of a second, sealed a moment after they are closed; forgetting and checkpoints many times a second."""
    upkeep.LOOK_S, upkeep.FORGET_S = 0.05, 0.05
    quick: Any = log
    quick.WAL_BYTES = WAL_BYTES
    quick = run
    quick.Log = partial(log.Log, span_us=SPAN_US)
    quick.Paces = lambda _checkpoint_s, _settle_s: upkeep.Paces(0.1, 0.1)
    if weak := os.environ.get(
        "WEAK_SYNC"
    ):  # for the test of the tests: fsync when SQLite thinks it must
        pragmas = tuple(
            f"PRAGMA synchronous={weak}" if "synchronous" in pragma else pragma
            for pragma in engine.WRITER_PRAGMAS
        )
        quick = engine
        quick.WRITER_PRAGMAS = pragmas


def nurse() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            serve(asked["flags"], asked["log"])
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def serve(flags: list[str], log_file: str) -> None:
    """The child's whole life: it never comes back to what its parent was doing."""
    code = 70
    try:
        os.dup2(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        code = run.main(flags)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


class Nursery:
    """Servers on `directory`, one after the other, on one port."""

    def __init__(self, directory: Path, dials: dict[str, Any]) -> None:
        self.directory = directory
        self.log = directory.parent / f"{directory.name}.log"
        self.url = ""
        self.port = 0
        self.pid = 0
        self.dials = dials
        self._process: asyncio.subprocess.Process | None = None
        self._true: Server | None = None

    async def _line(self) -> bytes:
        assert self._process and self._process.stdout
        return await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)

    async def begin(self) -> None:
        """A server is on its way, and may be killed from now on."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, __file__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        assert self._process.stdin
        asked = {"flags": self._flags(), "log": str(self.log)}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.pid = json.loads(await self._line())["pid"]

    async def ready(self) -> None:
        line = await self._line()
        if b" http://" not in line:
            raise AssertionError(f"the server did not start ({line!r}):\n{self.log.read_text()}")
        self._at(line.decode().split()[-1].rstrip("/"))

    async def start(self) -> None:
        await self.begin()
        await self.ready()

    async def start_truly(self) -> None:
        """`run.py` itself, from its first import on, at its own pace."""
        self._true = Server(self.directory, self.dials)
        self._true.port, self._true.log = self.port, self.log
        await self._true.start()
        self.pid = self._true.pid
        self._at(self._true.url)

    async def stop(self, how: int = signal.SIGKILL) -> int:
        """Its exit code."""
        if self._true is not None:
            true, self._true, self.pid = self._true, None, 0
            return await true.stop(how)
        os.kill(self.pid, how)
        return await self.ended()

    async def ended(self) -> int:
        """The exit code of one that ends by itself."""
        while not (line := await self._line()).startswith(b'{"code"'):
            assert line, self.log.read_text()  # the word that it is ready may have come just before
        self.pid = 0
        return int(json.loads(line)["code"])

    async def close(self) -> None:
        if self.pid:
            await self.stop()
        if self._process is not None:
            assert self._process.stdin
            self._process.stdin.close()
            await self._process.wait()

    def _at(self, url: str) -> None:
        self.url, self.port = url, int(url.rpartition(":")[2])

    def _flags(self) -> list[str]:
        dials = {**self.dials, "port": self.port, "data": self.directory}
        return ["serve", *(f"--{name.replace('_', '-')}={value}" for name, value in dials.items())]


if __name__ == "__main__":
    hasten()
    if sys.argv[1:]:
        sys.exit(run.main())
    nurse()
