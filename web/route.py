"""A route as data: one table makes both the application and its OpenAPI document."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tornado.web import RequestHandler

from web.params import Nothing

JSON = "application/json"

Schema = Any
"""Anything msgspec can describe; None where there is no schema to give (text, a stream, a page)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `bodies` are the shapes a body may have. `data` is what the envelope carries; `others` are
    answers given bare, by media type.
    `refusals` are the statuses beyond those every route can answer, each with when it happens.
    `writes`: it is a fact afterwards, so a tape that is only shown refuses it.
    `good` is the status of success, `also` others that carry the same data. `headers` are request
    headers that matter, each with why.
    """

    summary: str
    query: type[msgspec.Struct] = Nothing
    bodies: tuple[Schema, ...] = ()
    body_media: tuple[str, ...] = (JSON,)
    data: Schema = None
    others: Mapping[str, Schema] = field(default_factory=dict)
    refusals: Mapping[int, str] = field(default_factory=dict)
    good: int = 200
    also: Mapping[int, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is exact, or a pattern with groups when `hidden` (such routes are not in the document).

    `page`: a document a link may lead to, so a cross-site navigation passes. `timed`: the time it
    takes is a response time (a stream's is not).
    """

    path: str
    handler: type[RequestHandler]
    operations: Mapping[str, Operation] = field(default_factory=dict)
    page: bool = False
    timed: bool = True
    hidden: bool = False
    tag: str = "realtime"

    @property
    def told(self) -> str:
        """The path as people write it: `/assets/{build}/{path}`."""
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", self.path)

    @property
    def allow(self) -> str:
        """The `Allow` header: HEAD goes with GET (RFC 9110 section 9.3.2)."""
        methods = sorted(self.operations)
        if "GET" in self.operations and self.handler.head is not RequestHandler.head:
            methods.append("HEAD")
        return ", ".join(methods)
