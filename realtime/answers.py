"""Answers as ready bytes: encoded once and squeezed once, off the loop, then given to all who ask."""

import asyncio
import gzip
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple

import msgspec

SMALL = 1_400
"""Bytes that fit one packet anyway: squeezing them saves nobody anything."""

EFFORT = 1
"""zlib level. On columns of doubles level 6 takes four times as long for 5 % less."""


class Body(NamedTuple):
    """`gzip` is None where it would not pay."""

    json: bytes
    gzip: bytes | None

    @property
    def size(self) -> int:
        return len(self.json) + len(self.gzip or b"")


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

    async def bodies(
        self, data: Mapping[str, Any], wrap: Callable[[Mapping[str, Any]], object]
    ) -> Bodies:
        """`wrap` puts `data`, with `cached` added, into the envelope of answers."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _both, data, wrap)


def body(answer: object) -> Body:
    json = msgspec.json.encode(answer)
    return Body(json, gzip.compress(json, EFFORT, mtime=0) if len(json) > SMALL else None)


def _both(data: Mapping[str, Any], wrap: Callable[[Mapping[str, Any]], object]) -> Bodies:
    return Bodies(body(wrap({**data, "cached": False})), body(wrap({**data, "cached": True})))
