"""An incident as a file to take away."""

import asyncio
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from realtime.core.times import rfc3339
from realtime.errors import Busy, Closing, StorageBroken
from web.handler import Border, Handler
from web.moments import span
from web.problem import Problem
from web.schemas import IncidentQuery, SummaryShape

CHUNK = 256 * 1024
WAIT_S = 5.0
MOST_SUMMARY = 16 << 20


class IncidentFile(Border):
    async def get(self) -> None:
        """Made in a thread, one at a time, beside the log and not in its way."""
        # Loaded here and not above: a start is for recording, and nothing but this needs it.
        from realtime.incident import SUFFIX, Incident, check_span, pack

        services, query = self.services, self.asked(IncidentQuery)
        now = services.spine.now()
        start, end = span(query.from_, query.to, now)
        check_span(start, end)
        if services.scratch.is_taken:
            raise Busy(WAIT_S, "Another incident is being written.")
        asked = Incident(start, end, query.title, services.source, now, services.version)
        async with services.scratch.taken() as directory:
            file = directory / f"incident{SUFFIX}"
            work = partial(pack, services.log.path, file, asked, self._go_on)
            await asyncio.get_running_loop().run_in_executor(None, work)
            await self._give(file, f"{_stamp(start)}--{_stamp(end)}{SUFFIX}")

    def _go_on(self, _what: str, _done: int, _total: int) -> None:
        """A server that stops waits for nobody's file."""
        if self.services.hub.closing:
            raise Closing()

    async def _give(self, file: Path, name: str) -> None:
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.set_header("Content-Length", str(file.stat().st_size))
        loop = asyncio.get_running_loop()
        with file.open("rb") as packed:
            while chunk := await loop.run_in_executor(None, packed.read, CHUNK):
                self.write(chunk)
                try:
                    async with asyncio.timeout(self.services.hub.limits.stall_s):
                        await self.flush()
                except StreamClosedError:  # whoever asked has gone
                    return
                except TimeoutError:  # or takes nothing, and others wait for their turn
                    return cast("HTTP1Connection", self.request.connection).stream.close()
        await self.finish()


class Summary(Handler):
    async def get(self) -> None:
        summary = self.services.summary
        if summary is None:
            raise Problem(404, "no incident is open here: this server records")
        await self.reply(summary)


def read_summary(file: Path) -> SummaryShape:
    """What came with an incident, whoever made it.

    Raises:
        StorageBroken: it is none.
    """
    try:
        if file.stat().st_size > MOST_SUMMARY:
            raise StorageBroken(f"the summary has {file.stat().st_size:,} bytes", _HINT)
        return msgspec.json.decode(file.read_bytes(), type=SummaryShape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageBroken(
            f"the summary of the incident cannot be read ({error})", _HINT
        ) from error


_HINT = "Ask whoever made the file for it again."


def _stamp(at: int) -> str:
    """RFC 3339 to the second, as a name of a file may be."""
    return rfc3339(at)[:19].replace("-", "").replace(":", "") + "Z"
