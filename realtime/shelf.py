"""The shelf: views that were folded or asked for lately, ready to be given again.

An entry leaves when an event touches one of its tags, when it is the least lately used of too many
or of too many bytes, or when it is too old; one that is `lasting` does not age. What is asked for by
many at once is made once.
Nothing here is history (law views-are-disposable): clear it and only time is lost.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from cachetools import TLRUCache

ENTRIES = 1_000
MAX_BYTES = 64 * 1024 * 1024
TTL_S = 300.0

V = TypeVar("V")


class ShelfStats(msgspec.Struct, frozen=True):
    """Counts since the start. `joined` of the misses waited for a computation already on its way.

    `hit_rate` is a ratio, None before the first question. `oversize` were answered and not kept.
    """

    hits: int
    misses: int
    joined: int
    hit_rate: float | None
    entries: int
    bytes: int
    evictions: int
    expirations: int
    invalidations: int
    oversize: int
    in_flight: int
    max_entries: int
    max_bytes: int
    ttl_s: float


class _Entry(NamedTuple):
    value: Any
    size: int
    tags: frozenset[str]
    lasting: bool


class _Flight(Generic[V]):
    """One computation and those who wait for it."""

    def __init__(self, task: asyncio.Task[V], tags: frozenset[str]) -> None:
        self.task = task
        self.tags = tags
        self.waiting = 0
        self.stale = False


class _Bounded(TLRUCache[Hashable, _Entry]):
    """Tells its owner what it let go of by itself: by age, or for want of room."""

    def __init__(
        self,
        max_bytes: int,
        ttl_s: float,
        clock: Callable[[], float],
        on_expired: Callable[[Hashable, _Entry], None],
        on_evicted: Callable[[Hashable, _Entry], None],
    ) -> None:
        super().__init__(
            max_bytes,
            lambda _key, entry, now: math.inf if entry.lasting else now + ttl_s,
            clock,
            lambda entry: entry.size,
        )
        self._on_expired = on_expired
        self._on_evicted = on_evicted

    def expire(self, time: float | None = None) -> list[tuple[Hashable, _Entry]]:
        gone = super().expire(time)
        for key, entry in gone:
            self._on_expired(key, entry)
        return gone

    def popitem(self) -> tuple[Hashable, _Entry]:
        key, entry = super().popitem()
        self._on_evicted(key, entry)
        return key, entry


class Shelf(Generic[V]):
    """`clock` gives monotonic seconds, `size` the bytes a value holds. Lives on one loop."""

    def __init__(
        self,
        clock: Callable[[], float],
        size: Callable[[V], int],
        max_entries: int = ENTRIES,
        max_bytes: int = MAX_BYTES,
        ttl_s: float = TTL_S,
    ) -> None:
        self._size = size
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._kept = _Bounded(max_bytes, ttl_s, clock, self._expired, self._evicted)
        self._tagged: dict[str, set[Hashable]] = {}
        self._flights: dict[Hashable, _Flight[V]] = {}
        self._airborne: set[_Flight[V]] = set()
        self._hits = self._misses = self._joined = 0
        self._evictions = self._expirations = self._invalidations = self._oversize = 0

    def look(self, key: Hashable) -> V | None:
        """The value, if it stands there; else the miss is counted when it is asked for."""
        self._kept.expire()
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._hits += 1
        value: V = entry.value
        return value

    async def get(
        self,
        key: Hashable,
        tags: Iterable[str],
        make: Callable[[], Awaitable[V]],
        *,
        lasting: bool = False,
    ) -> tuple[V, bool]:
        """The value, and whether it stood on the shelf. `lasting`: only events and want of room end it.

        Concurrent misses of a key share one `make`; if it fails, all of them get its error and
        nothing is kept. It is cancelled only when the last of them has gone.
        """
        self._kept.expire()
        entry = self._kept.get(key)
        if entry is not None:
            self._hits += 1
            return entry.value, True
        self._misses += 1
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, frozenset(tags), make, lasting)
        else:
            self._joined += 1
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), False
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._leave(key, flight)
                flight.stale = True
                flight.task.cancel()

    def invalidate(self, tags: Iterable[str]) -> int:
        """Drop what carries any of `tags`; what is being made from older state will not be kept."""
        self._kept.expire()
        touched = frozenset(tags)
        gone = {key for tag in touched for key in self._tagged.get(tag, ())}
        for key in gone:
            self._drop(key)
        self._invalidations += len(gone)
        self._outdate(lambda flight: not touched.isdisjoint(flight.tags))
        return len(gone)

    def clear(self) -> int:
        """Drop everything, and keep nothing that is being made now. How many entries went."""
        self._kept.expire()
        gone = len(self._kept)
        self._kept.clear()
        self._tagged.clear()
        self._outdate(lambda flight: True)
        return gone

    async def close(self) -> None:
        """Cancel what is being made, and wait until it has stopped."""
        tasks = [flight.task for flight in self._airborne]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stats(self) -> ShelfStats:
        self._kept.expire()
        asked = self._hits + self._misses
        return ShelfStats(
            hits=self._hits,
            misses=self._misses,
            joined=self._joined,
            hit_rate=self._hits / asked if asked else None,
            entries=len(self._kept),
            bytes=int(self._kept.currsize),
            evictions=self._evictions,
            expirations=self._expirations,
            invalidations=self._invalidations,
            oversize=self._oversize,
            in_flight=len(self._airborne),
            max_entries=self._max_entries,
            max_bytes=self._max_bytes,
            ttl_s=self._ttl_s,
        )

    def _start(
        self,
        key: Hashable,
        tags: frozenset[str],
        make: Callable[[], Awaitable[V]],
        lasting: bool,
    ) -> _Flight[V]:
        async def fly() -> V:
            value = await make()
            # An invalidation since the start outdates the value: it may be given, not kept.
            if not flight.stale:
                self._keep(key, value, tags, lasting)
            return value

        flight = _Flight(asyncio.get_running_loop().create_task(fly()), tags)
        self._flights[key] = flight
        self._airborne.add(flight)
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return flight

    def _landed(self, key: Hashable, flight: _Flight[V]) -> None:
        self._airborne.discard(flight)
        self._leave(key, flight)
        if not flight.task.cancelled():
            flight.task.exception()  # seen, should nobody be left to be told

    def _leave(self, key: Hashable, flight: _Flight[V]) -> None:
        """Nobody joins this flight any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _outdate(self, touched: Callable[[_Flight[V]], bool]) -> None:
        """Who asks from now on must not be given what was begun before."""
        for key, flight in list(self._flights.items()):
            if touched(flight):
                flight.stale = True
                del self._flights[key]

    def _keep(self, key: Hashable, value: V, tags: frozenset[str], lasting: bool) -> None:
        size = self._size(value)
        if size > self._max_bytes or not self._max_entries:
            self._oversize += 1
            return
        self._drop(key)
        while len(self._kept) >= self._max_entries:
            self._kept.popitem()
        self._kept[key] = _Entry(value, size, tags, lasting)
        for tag in tags:
            self._tagged.setdefault(tag, set()).add(key)

    def _drop(self, key: Hashable) -> None:
        entry = self._kept.pop(key, None)
        if entry is not None:
            self._forget(key, entry)

    def _expired(self, key: Hashable, entry: _Entry) -> None:
        self._expirations += 1
        self._forget(key, entry)

    def _evicted(self, key: Hashable, entry: _Entry) -> None:
        self._evictions += 1
        self._forget(key, entry)

    def _forget(self, key: Hashable, entry: _Entry) -> None:
        for tag in entry.tags:
            keys = self._tagged.get(tag, set())
            keys.discard(key)
            if not keys:
                self._tagged.pop(tag, None)
