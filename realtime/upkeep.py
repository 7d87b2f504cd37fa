"""The log's housekeeping while the server runs: checkpoints, sealing, retention, space given back.

One task, one piece of work at a time, and none of it in the way of a commit for long: each takes its turn
at the writer in short transactions.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from realtime import trust
from realtime.clock import Clock
from realtime.errors import StorageBroken, StorageError
from realtime.trust import Known, Now, Trust
from storage.log import Log
from storage.retention import Keep

LOOK_S = 5.0
FORGET_S = 60.0

log_ = structlog.get_logger(__name__)


class Paces(msgspec.Struct, frozen=True):
    """`settle_s`: a tick is sealed no sooner than so long after its commit, so that what comes a little
    late still lands beside it."""

    checkpoint_s: float
    settle_s: float


class Upkeep:
    """Cancel `run`, then await `finish`: a transaction that is cut in two leaves the writer unusable.

    `bytes` is the size of the log on disk as of the last look."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        paces: Paces,
        keep: Keep,
        checkpoint: Callable[[], Awaitable[None]],
        forgot: Callable[[], None],
        note: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.bytes = 0
        self.segments = 0
        """Segments sealed since start."""
        self._under_way: asyncio.Future[None] | None = None
        self._log = log
        self._clock = clock
        self._paces = paces
        self._keep = keep
        self._checkpoint = checkpoint
        self._forgot = forgot
        self._note = note
        self._trust: Trust | None = None
        self._heads: deque[tuple[float, int]] = deque()
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Until cancelled. What fails is said once, and tried again at the next look."""
        saved = forgot = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            await self._try("size", self._size)
            await self._try("seal", self._seal)
            if now - forgot >= FORGET_S:
                forgot = now
                await self._try("forget", self._forget)
            if now - saved >= self._paces.checkpoint_s:
                saved = now
                await self._try("checkpoint", self._checkpoint)
            await asyncio.sleep(LOOK_S)

    async def finish(self) -> None:
        """Let the work end that was under way when `run` was cancelled; it begins nothing new."""
        self._log.halt()
        if self._under_way is not None:
            await asyncio.wait({self._under_way})

    async def _try(self, work: str, do: Callable[[], Awaitable[None]]) -> None:
        self._under_way = asyncio.ensure_future(do())
        try:
            await asyncio.shield(self._under_way)
        except StorageBroken:
            raise
        except StorageError as error:
            if work not in self._failing:
                log_.warning("upkeep failed", work=work, reason=error.detail, hint=error.hint)
            self._failing.add(work)
        else:
            self._failing.discard(work)

    async def _size(self) -> None:
        self.bytes = (await self._log.stats()).bytes

    async def _seal(self) -> None:
        now = self._clock.monotonic()
        self._heads.append((now, self._log.head))
        settled = 0
        while self._heads and now - self._heads[0][0] >= self._paces.settle_s:
            settled = self._heads.popleft()[1]
        if settled:
            self.segments += await self._log.seal(settled)

    async def _forget(self) -> None:
        gone = await self._log.forget(self._keep, *await self._now())
        if gone.segments:
            self._forgot()
            log_.info("forgot", segments=gone.segments, samples=gone.samples, floor=gone.floor)

    async def _now(self) -> Now:
        """What time it is for forgetting, which is on record before anything goes by it."""
        monotonic = self._clock.monotonic()
        if self._trust is None:
            self._trust = Trust(await self._known(), monotonic)
        now = self._trust.look(self._clock.now(), monotonic)
        await self._note(trust.save(self._trust.known))
        return now

    async def _known(self) -> Known:
        """As it was saved. Without that nothing is known, for what the tape says was dated by the clock that is
        in doubt; one that was begun now cannot lose."""
        saved = await self._log.checkpoint(trust.CHECKPOINT, trust.VERSION)
        if saved is not None:
            try:
                return trust.load(saved[1])
            except msgspec.DecodeError as error:
                log_.warning("the time on record cannot be read", reason=str(error))
        return Known(self._clock.now()) if self._log.begun else trust.UNKNOWN
