"""What every test stands on: a loop of its own, and a guard that hears every warning.

Async tests are native coroutines under `@pytest.mark.gen_test`; async generator fixtures live on
the same loop. A log line of WARNING or above that the test did not expect fails it, just as a
Python warning does.
"""

# ruff: noqa: E402  as in run.py: two SQLite libraries in one process break each other's locks
from storage.sqlite import prefer_bundled

prefer_bundled()

import asyncio
import gc
import inspect
import logging
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
import structlog
from tornado.ioloop import IOLoop

# Two workers on two cores share them with a Chromium: a deadline would judge the neighbours.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

ALONE = ("browser", "crash")
"""Markers whose tests share one worker each: one Chromium, one massacre at a time."""

TIMED = (*ALONE, "slow")
"""Markers of tests that measure or load; they run without asyncio's debug mode."""

BLOCKED_S = 5.0
"""In debug mode a callback longer than this is a warning, hence a failure. A hundred times what law
loop-never-blocks allows, for others may hold the core; the law has a test of its own."""

WIND_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Line:
    level: int
    logger: str
    text: str

    def __str__(self) -> str:
        return f"{logging.getLevelName(self.level)} {self.logger}: {self.text}"


@dataclass(slots=True)
class Logs:
    """What logging and structlog said at WARNING or above and no test has expected yet."""

    lines: list[Line] = field(default_factory=list)

    def expect(self, pattern: str) -> Line:
        """Takes the oldest line in which the regex is found; AssertionError when there is none."""
        for line in self.lines:
            if re.search(pattern, str(line)):
                self.lines.remove(line)
                return line
        raise AssertionError(f"no log line with {pattern!r} among {[*map(str, self.lines)]}")


class _Ear(logging.Handler):
    def __init__(self, lines: list[Line]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(Line(record.levelno, record.name, self.format(record)))


def _structlog_ear(lines: list[Line]) -> Callable[..., Any]:
    def hear(_logger: object, method: str, event: dict[str, Any]) -> Any:
        level = structlog.processors.NAME_TO_LEVEL.get(method, logging.ERROR)
        if level >= logging.WARNING:
            text = str(event.pop("event", ""))
            words = [f"{name}={value!r}" for name, value in event.items() if name != "exception"]
            words += [str(event["exception"])] if "exception" in event else []
            lines.append(Line(level, "structlog", " ".join([text, *words])))
        raise structlog.DropEvent

    return hear


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """The guard. Ask for it by name to `expect` a line; what is left at the end fails the test."""
    heard = Logs()
    ear = _Ear(heard.lines)
    logging.getLogger().addHandler(ear)
    # Not cached on first use: a module's logger must find the ear of each test anew.
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _structlog_ear(heard.lines),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    yield heard
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    logging.getLogger().removeHandler(ear)
    if heard.lines:
        pytest.fail("unexpected log lines:\n  " + "\n  ".join(map(str, heard.lines)), pytrace=False)


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what the test left running; a task that answers with an error of its own is heard."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    if left:
        _, deaf = await asyncio.wait(left, timeout=WIND_UP_S)
        for task in deaf:
            loop.call_exception_handler({"message": "a task ignores cancelling", "task": task})
        for task in left - deaf:
            if not task.cancelled() and (error := task.exception()):
                context = {"message": "a task left behind failed", "exception": error, "task": task}
                loop.call_exception_handler(context)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


@pytest.fixture
def io_loop(request: pytest.FixtureRequest, logs: Logs) -> Iterator[IOLoop]:
    """One loop a test, current in sync fixtures too; without the plugin's deprecated calls."""
    io_loop = IOLoop(make_current=False)
    loop: asyncio.AbstractEventLoop = io_loop.asyncio_loop
    asyncio.set_event_loop(loop)
    loop.set_debug(not any(map(request.node.get_closest_marker, TIMED)))
    loop.slow_callback_duration = BLOCKED_S
    yield io_loop
    loop.run_until_complete(_wind_up(loop))
    asyncio.set_event_loop(None)
    io_loop.close(all_fds=True)
    # "Never retrieved" is said when a future is collected: let that be here, not in the next test.
    gc.collect(1)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Runs an `async def … yield` fixture on the test's loop. Each half is a task of its own, so
    no task group or timeout may span the yield."""
    function = fixturedef.func
    if not inspect.isasyncgenfunction(function):
        return (yield)
    io_loop: IOLoop = request.getfixturevalue("io_loop")

    def on_the_loop(*args: Any, **kwargs: Any) -> Iterator[Any]:
        halves: AsyncGenerator[Any, None] = function(*args, **kwargs)
        yield io_loop.run_sync(lambda: anext(halves))
        missing = object()
        if io_loop.run_sync(lambda: anext(halves, missing)) is not missing:
            pytest.fail(f"fixture {fixturedef.argname} yields twice", pytrace=False)

    fixturedef.func = on_the_loop  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in ALONE:
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))
                break
