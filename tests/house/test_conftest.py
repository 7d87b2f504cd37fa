"""The ground the tests stand on, tested by running small tests on it in a process of their own."""

import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from tornado.ioloop import IOLoop

ROOT = Path(__file__).resolve().parents[2]

SILENT_AND_LOUD = """
import asyncio, contextlib, logging, warnings
import pytest, structlog

def test_fine(): logging.getLogger("a").info("hello")
def test_loud_logging(): logging.getLogger("a").warning("boom")
def test_loud_structlog(): structlog.get_logger().error("boom", code=7)
def test_expected(logs):
    structlog.get_logger().warning("boom", code=7)
    assert logs.expect("boom code=7").text == "boom code=7"
def test_expected_once(logs):
    for _ in range(2): logging.getLogger("a").warning("boom")
    logs.expect("boom")
def test_expected_in_vain(logs): logs.expect("boom")
def test_python_warning(): warnings.warn("old")

@pytest.mark.gen_test
async def test_left_running(): asyncio.create_task(asyncio.sleep(3600))

@pytest.mark.gen_test
async def test_left_failing():
    async def sore():
        try: await asyncio.sleep(3600)
        finally: raise LookupError("sore")
    asyncio.create_task(sore())
    await asyncio.sleep(0)

@pytest.mark.gen_test
async def test_failed_unheard():
    async def fail(): raise LookupError("unheard")
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)

@pytest.mark.gen_test
async def test_never_awaited():
    asyncio.sleep(0)
"""


def outcomes(tmp_path: Path, text: str, *arguments: str) -> tuple[dict[str, str], str]:
    """Test name → worst outcome, and all that pytest said."""
    (tmp_path / "test_inside.py").write_text(text)
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-c", "setup.cfg", "-p", "no:cacheprovider"]
    command += ["-rA", "-q", *arguments, str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    found: dict[str, str] = {}
    for line in said.splitlines():
        outcome, _, rest = line.partition(" ")
        if outcome in {"PASSED", "FAILED", "ERROR"} and "::" in rest:
            name = rest.partition("::")[2].partition(" ")[0]
            if found.get(name, "PASSED") == "PASSED":
                found[name] = outcome
    return found, said


def test_warnings_and_unexpected_lines_fail(tmp_path):
    """A test passes only if all it said at WARNING or above was expected, line by line."""
    found, said = outcomes(tmp_path, SILENT_AND_LOUD)
    passed = {name for name, outcome in found.items() if outcome == "PASSED"}
    assert passed == {"test_fine", "test_expected", "test_left_running"}, said
    assert len(found) == SILENT_AND_LOUD.count("def test_"), said


ASYNC_FIXTURES = """
import asyncio
import pytest
from tornado.ioloop import IOLoop

told = []

@pytest.fixture
async def outer():
    told.append("open")
    loop = asyncio.get_running_loop()
    yield loop
    assert asyncio.get_running_loop() is loop
    told.append("closed")

@pytest.fixture
async def inner(outer, tmp_path):
    told.append("in")
    yield outer
    await asyncio.sleep(0)
    told.append("out")

class TestIn:
    @pytest.mark.gen_test
    async def test_first(self, inner):
        assert asyncio.get_running_loop() is inner
        assert told == ["open", "in"]

def test_second(): assert told == ["open", "in", "out", "closed"]

def test_sync_test_async_fixture(outer, io_loop):
    assert io_loop.asyncio_loop is outer

@pytest.fixture
async def twice():
    yield 1
    yield 2

def test_twice(twice): pass
"""


def test_async_fixtures_share_the_loop(tmp_path):
    """Both halves of an async generator fixture run on the test's loop, in fixture order."""
    found, said = outcomes(tmp_path, ASYNC_FIXTURES)
    assert found.pop("test_twice") == "ERROR", said
    assert found == dict.fromkeys(
        ["TestIn::test_first", "test_second", "test_sync_test_async_fixture"], "PASSED"
    ), said


def test_loop_is_current_in_sync_code(io_loop):
    """Fixtures that are not coroutines, the plugin's HTTP client among them, find the same loop."""
    assert IOLoop.current() is io_loop


@pytest.mark.gen_test
async def test_debug_mode_watches_the_loop(io_loop):
    """Ordinary async tests run under asyncio's debug mode."""
    assert io_loop.asyncio_loop.get_debug()


@pytest.mark.slow
@pytest.mark.gen_test
async def test_measuring_tests_are_not_slowed(io_loop):
    """Tests that measure or load are spared it."""
    assert not io_loop.asyncio_loop.get_debug()


def test_exceptions_are_part_of_the_line(logs):
    """A logged exception is in the line, so that an expectation can name it."""
    try:
        raise LookupError("the reason")
    except LookupError:
        structlog.get_logger().exception("it broke")
    assert "the reason" in logs.expect("it broke").text


GROUPED = """
import pytest

@pytest.mark.crash
@pytest.mark.parametrize("n", range(6))
def test_crash(n, worker_id): print("crash on", worker_id)

@pytest.mark.parametrize("n", range(6))
def test_other(n): pass
"""


def test_chromium_and_crashes_do_not_crowd_each_other(tmp_path):
    """Spread over workers as `make test` does it, the tests of one such marker share a worker."""
    found, said = outcomes(tmp_path, GROUPED, "-n", "2", "--dist", "loadgroup")
    assert set(found.values()) == {"PASSED"}, said
    assert len(found) == 12
    workers = {line for line in said.splitlines() if line.startswith("crash on")}
    assert len(workers) == 1, said
