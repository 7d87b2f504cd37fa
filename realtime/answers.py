"""Answers as ready bytes: encoded once and squeezed once, off the loop, then given to all who ask."""

import asyncio
import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import zstandard

from realtime.core.media import CSV, Page, Table, page

SMALL = 1_400
"""Bytes that fit one packet anyway: squeezing them saves nobody anything."""

AT_ONCE = 50_000
"""Numbers and times that are written in some 2 ms: a thread that has to wake up first takes as long."""

CODINGS = ("zstd", "gzip")
"""What an answer is squeezed to, the better one first: of columns zstd makes a fifth less in half the time, but
browsers take it only from their own machine and over TLS, and scripts seldom."""

EFFORT = 1
"""Level of either. On columns of doubles level 6 of zlib takes four times as long for 15 % less."""

HARDER = 6
HARDER_TO = 256 * 1024
"""What a page opens with takes zlib 4 ms so and is up to a third less: who gets no zstd has the thinner line."""

GZIP = 16 + zlib.MAX_WBITS
"""zlib's way of asking for a gzip wrapper."""


class Body(NamedTuple):
    """`packed` is by coding; nothing where it would not pay."""

    json: bytes
    packed: Mapping[str, bytes] = MappingProxyType({})

    @property
    def size(self) -> int:
        return len(self.json) + sum(map(len, self.packed.values()))


class Bodies(NamedTuple):
    """The same answer for who had it made, and for who finds it on the shelf: `cached` tells them."""

    fresh: Body
    warm: Body

    @property
    def size(self) -> int:
        return self.fresh.size + self.warm.size


class Encoder:
    """`pool` does the work: a chart's worth of numbers would hold the loop (law loop-never-blocks)."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    async def body(self, answer: object) -> Body:
        return await asyncio.get_running_loop().run_in_executor(self._pool, body, answer)

    async def made(self, make: Callable[[], object], codings: Sequence[str] = CODINGS) -> Body:
        """As `body`, of an answer that is work to make, too."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: body(make(), codings))

    async def bodies(
        self, data: Mapping[str, Any], wrap: Callable[[Mapping[str, Any]], object]
    ) -> Bodies:
        """`wrap` puts `data`, with `cached` added, into the envelope of answers."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _both, data, wrap)

    async def page(self, table: Table, cursor: str, media: str, squeezed: bool) -> Page:
        """A range question's answer; `squeezed` where it pays."""
        if table.cells <= AT_ONCE and media != CSV and not squeezed:
            return page(table, cursor, media)
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, _page, table, cursor, media, squeezed
        )


def body(answer: object, codings: Sequence[str] = CODINGS) -> Body:
    json = msgspec.json.encode(answer)
    if len(json) <= SMALL:
        return Body(json)
    return Body(json, {coding: squeeze(json, coding) for coding in codings})


def squeeze(plain: bytes, coding: str) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdCompressor(EFFORT).compress(plain)
    return gzip.compress(plain, HARDER if len(plain) <= HARDER_TO else EFFORT, mtime=0)


def _both(data: Mapping[str, Any], wrap: Callable[[Mapping[str, Any]], object]) -> Bodies:
    return Bodies(body(wrap({**data, "cached": False})), body(wrap({**data, "cached": True})))


def _page(table: Table, cursor: str, media: str, squeezed: bool) -> Page:
    plain = page(table, cursor, media)
    return _squeezed(plain) if squeezed and plain.length > SMALL else plain


def _squeezed(plain: Page) -> Page:
    """As gzip: the long front is squeezed once for both ends."""
    packer = zlib.compressobj(EFFORT, zlib.DEFLATED, GZIP)
    parts = [packed for part in plain.parts if (packed := packer.compress(part))]
    other = packer.copy()
    fresh = packer.compress(plain.fresh) + packer.flush()
    warm = other.compress(plain.warm) + other.flush()
    return plain._replace(parts=parts, fresh=fresh, warm=warm, coding="gzip")
