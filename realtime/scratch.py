"""Where what is asked for is made before it is sent: beside the log, for a directory for temporary files may be
memory. One thing at a time; what a server left that ended without a word goes when the next one starts.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from storage.errors import translated

log_ = structlog.get_logger(__name__)


class Scratch:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._taken = asyncio.Lock()

    @property
    def is_taken(self) -> bool:
        return self._taken.locked()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Path]:
        """An empty directory, which goes with all that is in it. In threads: to remove much takes long.

        Raises:
            StorageError: it cannot be made.
        """
        loop = asyncio.get_running_loop()
        async with self._taken:
            await loop.run_in_executor(None, self._make)
            try:
                yield self._directory
            finally:
                await loop.run_in_executor(None, self.clear)

    def clear(self) -> None:
        try:
            if self._directory.exists():
                shutil.rmtree(self._directory)
        except OSError as error:  # tried again before the next one, and at the next start
            log_.warning(
                "what was being made cannot be removed",
                directory=str(self._directory),
                reason=error.strerror or str(error),
            )

    def _make(self) -> None:
        self.clear()
        with translated(self._directory.parent):
            self._directory.mkdir(exist_ok=True)
