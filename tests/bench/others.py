"""The reference programs of `bare`, started and ended."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Other:
    """`url` is without a slash at its end, and empty for a program that does not listen."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self.url = ""


@contextlib.asynccontextmanager
async def other(*arguments: str) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.bare",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    it = Other(process)
    try:
        if arguments[0] == "serve":
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 20)
            it.url = line.decode().split()[-1]
        yield it
    finally:
        process.terminate()
        await process.wait()
