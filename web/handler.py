"""What every answer has in common: guard, envelope, problems, headers, timing."""

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, cast

import msgspec
import structlog
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from realtime.answers import CODINGS, SMALL, Body, squeeze
from realtime.errors import Busy, Closing, FieldError, PlayheadError
from web.accept import coding
from web.params import read_query
from web.problem import MEDIA, Problem, problem_of, shown
from web.route import JSON, Operation, Route
from web.services import Services

logger = structlog.get_logger("web")

B = TypeVar("B")
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

OFF_LOOP = 256 * 1024
"""Bytes of body from which encoding, decoding and compressing go to a thread (law loop-never-blocks)."""
RUN = 64 * 1024
"""Bytes that are written together: half a megabyte in one piece takes memory that the kernel has to clear first."""
DRAINED = 4
"""A body up to so many times the bound is read to its end before the refusal: a client that is still
writing when the connection closes often never sees the answer."""

IDEMPOTENCY_KEY = "Idempotency-Key"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_WORD = re.compile(r"[\x21-\x7e]{1,200}")
_ENCODER = msgspec.json.Encoder()

HEADERS = {
    "Server": "Playhead",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
"""A worker is judged by the policy of its own answer, not by that of the page that starts it."""


class Border(RequestHandler):
    """The border every request crosses, streams and sockets too: who asks, and how a no is said."""

    services: Services
    route: Route
    operation: Operation
    _asked: msgspec.Struct
    _request_id = ""

    def initialize(self, services: Services, route: Route) -> None:
        self.services = services
        self.route = route

    def on_socket(self, more: int) -> None:
        """As `web.protocol.Ear`."""
        self.services.hub.sockets += more

    @property
    def request_id(self) -> str:
        """The caller's own X-Request-Id where it is a plain token, one of ours otherwise."""
        if not self._request_id:
            given = self.request.headers.get("X-Request-Id", "")
            self._request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        return self._request_id

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("X-Request-Id", self.request_id)

    def prepare(self) -> None:
        """Judge the headers, the method and the query; Problem 421, 403, 405 or 400."""
        self.judge()
        method = "GET" if self.request.method == "HEAD" else self.request.method
        operation = self.route.operations.get(method or "")
        if operation is None:
            raise HTTPError(405)
        self.operation = operation
        if operation.writes and self.services.incident:
            title = self.services.incident["title"]
            raise Problem(
                403,
                f"the incident {shown(title)} is open to be read; nothing can be written into it",
            )
        # What a page's own script reads from its address is nothing to the server, nor are the marks
        # that mail and chat put behind links.
        self._asked = read_query(operation.query, "" if self.route.page else self.request.query)

    def judge(self) -> None:
        headers = self.request.headers
        refusal = self.services.guard.check(
            headers.get("Host"),
            headers.get("Origin"),
            headers.get("Sec-Fetch-Site"),
            page=self.route.page,
        )
        if refusal is not None:
            raise Problem(refusal.status, refusal.detail, [(refusal.header, refusal.detail)])

    def asked(self, kind: type[S]) -> S:
        """The query string, as the route table says it is."""
        assert isinstance(self._asked, kind)
        return self._asked

    def compute_etag(self) -> str | None:
        """None: an answer is only good now. What can be kept (assets, pages) brings its own."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        info = kwargs.get("exc_info")
        error = info[1] if info else None
        if self._is_late(error):
            error = Closing()
        if isinstance(error, PlayheadError):
            error = problem_of(error)
        problem = error if isinstance(error, Problem) else self._plain(status_code, error)
        # 422 speaks of a body; what comes without one was wrong in its query string.
        if problem.status == 422 and self.request.method in ("GET", "HEAD"):
            problem.status = 400
        self.set_status(problem.status)
        for name, value in problem.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", MEDIA)
        self.finish(problem.body(self.request_id))

    def _plain(self, status: int, error: object) -> Problem:
        if status == 404:
            return Problem(404, f"there is nothing at {shown(self.request.path)}")
        if status == 405:
            allow = self.route.allow
            return Problem(
                405,
                f"{shown(self.request.method)} does nothing here; this address takes {allow}",
                headers={"Allow": allow},
            )
        if status == 500:
            return Problem(
                500, f"the server failed at this; its log tells more under {self.request_id}"
            )
        told = error.log_message if isinstance(error, HTTPError) else None
        return Problem(status, told or "the request cannot be understood")

    def _is_late(self, error: object) -> bool:
        """Whether it found the threads gone that would have worked for it: the server is stopping."""
        gone = isinstance(error, RuntimeError) and "after shutdown" in str(error)
        return gone and self.services.hub.closing

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Refusals are answers, not incidents; only what we did not foresee is logged."""
        if isinstance(value, (Problem, PlayheadError, HTTPError, StreamClosedError)):
            return
        if self._is_late(value):
            return
        logger.error(
            "request failed",
            method=self.request.method,
            path=self.request.path,
            request_id=self.request_id,
            exc_info=value,
        )


class Handler(Border):
    """An answer in one piece."""

    async def head(self) -> None:
        """As GET; Tornado leaves the body out."""
        await cast("Callable[[], Any]", self.get)()

    async def reply(self, data: object, message: str = "") -> None:
        """Send `data` in the envelope."""
        await self.send(_ENCODER.encode(enveloped(data, message)))

    async def send(self, body: bytes, media: str = JSON) -> None:
        """Send bytes as they are, or compressed where that pays and the client takes it."""
        way = self.coding(CODINGS) if len(body) > SMALL else ""
        if way:
            body = await off_loop(partial(squeeze, coding=way), body, len(body))
        await self._finish(body, media, way)

    async def send_parts(self, parts: Sequence[bytes], media: str = JSON) -> None:
        """As `send`, of what may be too long to be put together here (law loop-never-blocks)."""
        length = sum(map(len, parts))
        if length < OFF_LOOP or self.coding(CODINGS):
            await self.send(await off_loop(b"".join, parts, length), media)
            return
        self.set_header("Content-Type", media)
        self.set_header("Vary", "Accept, Accept-Encoding")
        self.set_header("Content-Length", str(length))
        await self.write_parts(parts)
        await self.finish()

    async def write_parts(self, parts: Iterable[bytes]) -> None:
        """Write a run of them at a time, and no more than the socket takes."""
        waiting = 0
        for part in parts:
            self.write(part)
            waiting += len(part)
            if waiting >= RUN:
                await self.flush()
                waiting = 0

    async def send_body(self, body: Body) -> None:
        """Send what was encoded and compressed before."""
        way = self.coding(body.packed)
        await self._finish(body.packed[way] if way else body.json, JSON, way)

    def coding(self, offers: Iterable[str]) -> str:
        """Of these the one the client would rather have; "" for none."""
        return coding(self.request.headers.get("Accept-Encoding", ""), offers)

    async def _finish(self, body: bytes, media: str, coding: str = "") -> None:
        self.set_header("Content-Type", media)
        self.set_header("Vary", "Accept, Accept-Encoding")
        if coding:
            self.set_header("Content-Encoding", coding)
        await self.finish(body)


def enveloped(data: object, message: str = "") -> dict[str, object]:
    """The envelope of the contract."""
    return {"status": "success", "message": message, "data": data}


async def off_loop(work: Callable[[B], T], what: B, size: int) -> T:
    """Do `work`, in a thread when there is enough of it to hold the loop up."""
    if size < OFF_LOOP:
        return work(what)
    return await asyncio.get_running_loop().run_in_executor(None, work, what)


@stream_request_body
class Receiver(Handler):
    """An answer to a body. The body is read under our own bound, so that too much gets its 413."""

    _bound = 0
    _came = 0
    _held = 0
    """Bytes taken from the budget of all bodies."""
    _crowded = False
    _reading = False
    """Whether the body is read, or will be, to its end."""
    _refusal: Exception

    def prepare(self) -> None:
        try:
            super().prepare()
        except (Problem, HTTPError) as refusal:
            self._refuse(refusal)
        self._bound = self.services.max_body_bytes
        self._chunks: list[bytes] = []
        connection = cast("HTTP1Connection", self.request.connection)
        # The bound is ours to keep, in data_received; Tornado's own answer would be a bare 400.
        connection.set_max_body_size(2**62)
        length = self.request.headers.get("Content-Length", "")
        announced = int(length) if length.isascii() and length.isdigit() else 0
        hesitant = "Expect" in self.request.headers
        if announced > self._bound and (hesitant or announced > DRAINED * self._bound):
            raise self._too_long()
        # Only what came takes room: who announces much and sends nothing shuts nobody out.
        if hesitant and not self.services.budget.fits(announced):
            raise self._later()
        self._reading = True

    def _refuse(self, refusal: Exception) -> None:
        """Say no when the body has been read. An answer before that ends the connection, in which a client
        that keeps it may be writing its next request by then; one that asked first is answered at once."""
        method = (self.request.method or "").lower()
        if "Expect" in self.request.headers or not hasattr(self, method):
            raise refusal
        self._refusal = refusal
        self._crowded = True
        setattr(self, method, self._say_no)

    def _say_no(self, *_: object, **__: object) -> None:
        raise self._refusal

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        # Tornado hangs up on what it has not read to the end; RFC 9112, 9.6: say so.
        if not self._reading:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    def _hold(self, size: int) -> None:
        """Of a body that finds no room nothing is kept; it is read to its end, so that its sender sees why."""
        if size > self._held and not self._crowded and not self._finished:
            if self.services.budget.take(size - self._held):
                self._held = size
            else:
                self._crowded = True
                self._chunks.clear()

    def _later(self) -> Busy:
        return Busy(detail="The bodies of other requests take all the room there is for them.")

    def _let_go(self) -> None:
        self.services.budget.give(self._held)
        self._held = 0
        self._chunks = []

    def on_finish(self) -> None:
        self._let_go()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._let_go()

    def data_received(self, chunk: bytes) -> None:
        self._came += len(chunk)
        if self._came <= self._bound:
            self._hold(self._came)
            if not self._crowded:
                self._chunks.append(chunk)
            return
        self._chunks.clear()
        if self._came > DRAINED * self._bound and not self._finished:
            self._reading = False
            self.write_error(413, exc_info=(Problem, self._too_long(), None))

    def _too_long(self) -> Problem:
        return Problem(
            413,
            f"the body is longer than {self._bound:,} bytes; send it in smaller pieces",
        )

    def body(self, *media: str) -> tuple[bytes, str]:
        """The body and its media type, which must be among `media`; Problem 413 or 415."""
        if self._came > self._bound:
            raise self._too_long()
        if self._crowded:
            raise self._later()
        coding = self.request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding != "identity":
            raise Problem(
                415,
                f"the body comes in coding {shown(coding)}; send it as it is",
                headers={"Accept-Encoding": "identity"},
            )
        came = self.request.headers.get("Content-Type", "")
        kind = came.partition(";")[0].strip().lower()
        if kind not in media:
            raise Problem(
                415,
                f"the body comes as {shown(came) if came else 'no Content-Type at all'}; "
                f"send {' or '.join(media)}",
                headers={"Accept-Post": ", ".join(media)},
            )
        return b"".join(self._chunks), kind

    def word(self, header: str) -> str | None:
        """A header that names something which is kept for a day: Problem 400 if it is not one short word."""
        given = self.request.headers.get(header)
        if given is not None and not _WORD.fullmatch(given):
            raise unusable(header, f"got {shown(given)}; give 1 to 200 visible ASCII characters")
        return given

    def received(self, kind: type[S]) -> S:
        """A JSON body as a `kind`; Problem 400 when it is no JSON, 422 when it is not that."""
        body, _ = self.body(JSON)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            blamed = FieldError.of(error)
            raise Problem(
                422, "the body is not what this address takes", [(blamed.field, blamed.detail)]
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, f"the body is not JSON: {error}") from None


def unusable(header: str, detail: str) -> Problem:
    return Problem(400, f"the header {header} cannot be used", [(header, detail)])


class Nowhere(Receiver):
    """Every path that is none of ours, and every method that a path does not take. However long the body is that was
    sent there by mistake, it is read, and its sender hears of the mistake."""

    def judge(self) -> None:
        super().judge()
        if not self.route.operations:
            raise HTTPError(404)
