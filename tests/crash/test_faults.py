"""The disk refuses: the server stops rather than lie, or waits for room; what it acknowledged is there."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from storage.look import FILE
from tests.app import PATIENCE_S
from tests.clients import API, eventually
from tests.crash.ledger import Ledger
from tests.crash.nursery import Nursery
from tests.crash.test_kills import sound, web
from tests.crash.test_power import tracing_or_skip

pytestmark = [pytest.mark.crash, pytest.mark.slow]

FSYNC = "fsync,fdatasync"


@contextlib.asynccontextmanager
async def failing(server: Nursery, file: str, calls: str, error: str) -> AsyncIterator[Path]:
    """While inside, these calls of the server on that file of its directory fail. Gives the list of them."""
    trace = server.directory.parent / "faults"
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-p", str(server.pid), "-P", str(server.directory / file)),
        *("-e", f"trace={calls}", "-e", f"inject={calls}:error={error}", "-o", str(trace)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert strace.stderr
    line = await asyncio.wait_for(strace.stderr.readline(), PATIENCE_S)
    assert b"attached" in line, line
    try:
        yield trace
    finally:
        with contextlib.suppress(ProcessLookupError):
            # It lets the server go, if that is still there. Popen's own way would first reap one that has
            # just ended, under the hands of asyncio.
            os.kill(strace.pid, signal.SIGINT)
        await asyncio.wait_for(strace.communicate(), PATIENCE_S)


@contextlib.asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Nursery, Ledger]]:
    """A server that has taken some batches."""
    tracing_or_skip(directory)
    server, ledger = Nursery(directory / "data", {"interval_s": 60}), Ledger(1)
    try:
        await server.start()
        over = asyncio.Event()
        async with web() as client:
            load = asyncio.create_task(ledger.load(client, server.url, over))
            await asyncio.sleep(0.3)
            over.set()
            await load
            await ledger.audit(client, server.url)
        yield server, ledger
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("file", "calls", "error"),
    [
        (f"{FILE}-wal", FSYNC, "EIO:when=4"),
        (f"{FILE}-wal", FSYNC, "EIO:when=20+"),
        (f"{FILE}-wal", "pwrite64", "EIO:when=30"),
        (FILE, FSYNC, "EIO:when=1+"),
    ],
    ids=["one commit", "commits from then on", "one write", "checkpoints"],
)
@pytest.mark.gen_test(timeout=120)
async def test_an_error_of_the_disk_ends_the_server(tmp_path, file, calls, error):
    """When fsync or a write fails, even once, the server ends with exit code 1 and says why. No batch
    whose sync failed was acknowledged, and all that was is there after the next start."""
    async with serving(tmp_path) as (server, ledger):
        before = ledger.acknowledged
        async with failing(server, file, calls, error) as trace:
            async with web() as client:
                await ledger.load(client, server.url)
            assert await server.ended() == 1
        assert "EIO" in trace.read_text()
        assert "rather than lie" in server.log.read_text()
        assert ledger.acknowledged > before, "it failed before there was anything to lose"
        sound(server)
        await server.start()
        async with web() as client:
            await ledger.audit(client, server.url)


@pytest.mark.parametrize("file", [f"{FILE}-wal", FILE], ids=["commits", "checkpoints"])
@pytest.mark.gen_test(timeout=120)
async def test_no_room_is_waited_for(tmp_path, file):
    """When writes find no room, batches are answered 503 and kept nowhere while reading goes on; with room
    again recording goes on in the same process. A checkpoint without room holds nobody up."""
    async with serving(tmp_path) as (server, ledger), web() as client:
        over = asyncio.Event()
        load = asyncio.create_task(ledger.load(client, server.url, over))
        before = ledger.acknowledged
        async with failing(server, file, "pwrite64", "ENOSPC") as trace:
            if file == FILE:
                await eventually(lambda: ledger.acknowledged > before + 100)
                await eventually(lambda: "ENOSPC" in trace.read_text())
            else:
                await eventually(lambda: ledger.refused > 20)
                held = ledger.acknowledged
                assert await status(client, f"{server.url}/readyz") == 503
                assert await status(client, f"{server.url}{API}/events?limit=1000") == 200
                assert ledger.acknowledged == held
        before = ledger.acknowledged
        await eventually(lambda: ledger.acknowledged > before + 50)
        over.set()
        await load
        assert await status(client, f"{server.url}/readyz") == 200
        await ledger.audit(client, server.url)
        await ledger.audit_all(client, server.url)
        assert await server.stop(signal.SIGTERM) == 0
        sound(server)


async def status(client: httpx.AsyncClient, url: str) -> int:
    return (await client.get(url)).status_code
