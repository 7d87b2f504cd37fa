"""Log lines: structured, to one stream, human on a terminal and JSON otherwise.

Our own lines come through structlog, those of Tornado, Alembic and SQLAlchemy through the standard
library; both take the same pipe. A message body or a secret is never written: what is called like
one is replaced, and the loggers that would print the parameters of statements stay quiet.
"""

import logging
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "human", "json"]

SECRETS = frozenset(
    {"authorization", "body", "cookie", "headers", "password", "secret", "set-cookie", "token"}
)
REDACTED = "[not logged]"

TEXT_LIMIT = 2_000

CHATTY = ("aiosqlite", "alembic", "sqlalchemy")
"""At info or debug they write every statement with its parameters, which are what people sent."""


def configure(level: Level, format: Format, stream: TextIO) -> None:
    """Sends everything at `level` and above to `stream`. Calling it again replaces the pipe."""
    human = format == "human" or (format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _discreet,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _discreet],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(human, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _rendering(human: bool, colours: bool) -> list[Processor]:
    if human:
        return [
            structlog.dev.ConsoleRenderer(
                colors=colours,
                timestamp_key="at",
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _discreet(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key.lower() in SECRETS:
            event[key] = REDACTED
        elif isinstance(value, str) and len(value) > TEXT_LIMIT:
            event[key] = f"{value[:TEXT_LIMIT]}... ({len(value)} characters)"
    return event
