import io
import json
import logging
import re

import pytest
import structlog

from realtime.logs import CHATTY, REDACTED, configure


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def restored():
    """Logging belongs to the process: what a test sets up is taken down again."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    pipe = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.configure(**pipe)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_by_default_off_a_terminal():
    """A pipe gets one JSON object a line, with an RFC 3339 UTC time, whoever speaks."""
    stream = io.StringIO()
    configure("info", "auto", stream)
    structlog.get_logger("playhead.spine").info("committed", events=3)
    logging.getLogger("tornado.general").warning("odd %s", "request", extra={"path": "/x"})
    ours, theirs = lines(stream)
    assert (ours["event"], ours["events"], ours["level"]) == ("committed", 3, "info")
    assert ours["logger"] == "playhead.spine"
    assert (theirs["event"], theirs["path"], theirs["level"]) == ("odd request", "/x", "warning")
    for line in (ours, theirs):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["at"])


def test_human_on_a_terminal():
    """A terminal gets colours and no JSON; `human` on a pipe gets neither."""
    terminal, pipe = Terminal(), io.StringIO()
    configure("info", "auto", terminal)
    structlog.get_logger().info("hello", n=1)
    assert "hello" in terminal.getvalue() and "\x1b[" in terminal.getvalue()
    configure("info", "human", pipe)
    structlog.get_logger().info("hello", n=1)
    assert (
        "hello" in pipe.getvalue() and "n=1" in pipe.getvalue() and "\x1b[" not in pipe.getvalue()
    )
    assert terminal.getvalue().count("hello") == 1


def test_json_on_a_terminal():
    """The format can be forced."""
    terminal = Terminal()
    configure("info", "json", terminal)
    structlog.get_logger().info("hello")
    assert lines(terminal)[0]["event"] == "hello"


def test_level():
    """Less important lines are not written, by whichever road they come."""
    stream = io.StringIO()
    configure("warning", "json", stream)
    structlog.get_logger().info("no")
    logging.getLogger("alembic").info("no")
    structlog.get_logger().warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_statements_are_never_written():
    """What people send is in the parameters of statements: those loggers stay quiet at debug too."""
    stream = io.StringIO()
    configure("debug", "json", stream)
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT … [parameters: secret]")
    logging.getLogger("aiosqlite").debug("executing secret")
    logging.getLogger("tornado.general").debug("shown")
    assert [line["event"] for line in lines(stream)] == ["shown"]


@pytest.mark.parametrize("key", ["token", "password", "Authorization", "Cookie", "body"])
@pytest.mark.parametrize("format", ["human", "json"])
def test_secrets_are_not_written(key, format):
    """What is called like a secret is replaced on both roads and in both shapes."""
    stream = io.StringIO()
    configure("info", format, stream)
    structlog.get_logger().info("hello", **{key: "hunter2"})
    logging.getLogger("x").warning("hello", extra={key: "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(REDACTED) == 2


def test_long_values_are_cut():
    """One line cannot fill the disk."""
    stream = io.StringIO()
    configure("info", "json", stream)
    structlog.get_logger().info("hello", path="x" * 100_000)
    assert lines(stream)[0]["path"].endswith("... (100000 characters)")
    assert len(stream.getvalue()) < 3_000


@pytest.mark.parametrize("format", ["human", "json"])
def test_exceptions(format):
    """A stack trace reaches the log, on both roads; in JSON it stays on its line."""
    stream = io.StringIO()
    configure("info", format, stream)
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        try:
            raise RuntimeError("out of tape")
        except RuntimeError:
            log.exception("failed")
    assert stream.getvalue().count("RuntimeError: out of tape") == 2
    if format == "json":
        assert all("Traceback" in line["exception"] for line in lines(stream))
