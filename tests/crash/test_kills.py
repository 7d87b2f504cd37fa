"""kill -9 two hundred times, whatever the server is at: what was acknowledged is there, once, whole and in order."""

import asyncio
import random

import httpx
import pytest

from storage.look import FILE, look
from storage.verify import verify
from tests.crash.ledger import Ledger
from tests.crash.nursery import Nursery

KILLS = 200
TRULY = 20
"""Each so many starts one is of `run.py` itself; the others are forked, which spares them the imports alone."""
DEEP = 20
"""After so many kills all of the log is read again, and verified."""
HELD = 3_000
BITE = 100_000
"""Bytes to be forgotten in every other life, once so many events are held: what goes has long been audited."""


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.gen_test(timeout=900)
async def test_two_hundred_kills(tmp_path):
    """Under readings, columns and msgpack, named by key, by number or not at all, while spans are sealed,
    forgotten and checkpointed many times a second; also in the middle of a start, the first of all among them.
    Nothing acknowledged is missing or there twice, no batch is there by half, seq has no hole, a repeated
    batch gets its first answer, and the log that is left is sound."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ledger = Ledger(seed)
    server = Nursery(tmp_path / "data", {"interval_s": 60})
    early = segments = 0
    try:
        for kill in range(1, KILLS + 1):
            enough = kill % 2 and ledger.head - ledger.floor > HELD
            server.dials["retain_bytes"] = max(0, used(server) - BITE) if enough else 0
            if kill % TRULY == 0:
                await server.start_truly()
            elif chance.random() < 0.15 or kill == 1:
                await server.begin()
                await asyncio.sleep(chance.uniform(0, 0.2))
                await server.stop()
                early += 1
                continue
            else:
                await server.start()
            async with web() as client:
                await ledger.audit(client, server.url)
                if kill % DEEP == 0:
                    await ledger.audit_all(client, server.url)
                loading = asyncio.create_task(ledger.load(client, server.url))
                long = chance.random() < 0.3
                await asyncio.sleep(chance.uniform(0.2, 0.8) if long else chance.uniform(0, 0.2))
                await server.stop()
                await loading
            if kill % DEEP == 0:
                segments = max(segments, sound(server))
        await server.start()
        async with web() as client:
            await ledger.audit(client, server.url)
            await ledger.audit_all(client, server.url)
            await ledger.counts(client, server.url)
        assert await server.stop(15) == 0
        segments = max(segments, sound(server))
    finally:
        print(f"{early} killed while they started; at most {segments} segments held; {ledger}")
        await server.close()
    # What was to be killed had begun.
    assert early > 10
    assert segments > 3
    assert ledger.floor > 1
    assert sum(client.answered_again for client in ledger.clients) > 0


def web() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=20, trust_env=False, verify=False)


def used(server: Nursery) -> int:
    """Bytes of pages that hold something."""
    with look(server.directory / FILE) as connection:
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def sound(server: Nursery) -> int:
    """The log as it lies there passes `verify`; how many segments it has."""
    with look(server.directory / FILE) as connection:
        report = verify(connection)
    assert report.sound, report.damages
    return report.segments
