"""What questions about a range stand on: a log of its own, and threads that crunch numbers."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.log import Log
from storage.migrate import migrate

START = 1_764_000_000 * 1_000_000


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    path = tmp_path / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(START)
    yield log
    await log.close()
