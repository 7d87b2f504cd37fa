"""A loop without real time and without threads, so that a seed is a whole course of events.

Time passes only while everybody waits. SQLite is the real one on a real file; its calls run on the loop,
each after a delay that the dice give, in the order in which its thread would have taken them.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import aiosqlite.core

from realtime.clock import Clock

BEGAN = 1_795_403_506_000_000
DISK_S = 0.002
"""A call of SQLite takes up to so long."""


class _Nothing(selectors.SelectSelector):
    """No sockets: waiting is what makes time pass."""

    stage: "Stage"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self.stage.at += max(0.0, timeout)
        return []


class Stage(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.at = 1000.0
        self.dice = random.Random(0)
        selector = _Nothing()
        selector.stage = self
        super().__init__(selector)

    def time(self) -> float:
        return self.at

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future = self.create_future()
        self.call_soon(_finish, future, partial(func, *args))
        return future


class Hands(Clock):
    """Time of the stage. Looking at it takes some, so that turns on the loop end now and then."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def now(self) -> int:
        return BEGAN + int(self.stage.at * 1_000_000)

    def monotonic(self) -> float:
        self.stage.at += self.stage.dice.choice((0.0, 0.00001, 0.001))
        return self.stage.at


def _finish(future: "asyncio.Future[Any]", work: Callable[[], Any]) -> None:
    try:
        result = work()
    except Exception as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


class _Hand:
    """The queue of a SQLite connection's thread, and the thread: one call after the other. A caller that is
    cancelled does not take back what it has asked for."""

    def __init__(self) -> None:
        self._due = 0.0

    def put_nowait(self, asked: "tuple[asyncio.Future[Any], Callable[[], Any]]") -> None:
        stage = asyncio.get_running_loop()
        assert isinstance(stage, Stage)
        self._due = max(self._due + 1e-7, stage.at + stage.dice.random() * DISK_S)
        stage.call_at(self._due, _finish, *asked)


class _NoThread:
    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        pass


@contextmanager
def staged() -> Iterator[None]:
    """While this lasts, every SQLite connection that is opened belongs to the stage."""
    with (
        mock.patch.object(aiosqlite.core, "SimpleQueue", _Hand),
        mock.patch.object(aiosqlite.core, "Thread", _NoThread),
    ):
        yield
