"""Errors as RFC 9457 problem details: what is wrong, where, and what would do."""

import random
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec

from realtime.errors import (
    Absent,
    BadInput,
    Busy,
    Closing,
    Conflict,
    Crowded,
    FieldError,
    NotFound,
    Overtaken,
    PlayheadError,
    Stale,
    StorageError,
    TooMuch,
    UnknownFormat,
)

MEDIA = "application/problem+json"

SHOWN = 120
"""Longest piece of a caller's own input that an answer repeats back, in characters."""


class Details(msgspec.Struct, frozen=True):
    """The body of every refusal (RFC 9457). `instance` names the request, as `X-Request-Id` does."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError]


class Problem(Exception):
    """A refusal with its HTTP status. `errors` are (field, detail) pairs; `headers` go out with it."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = [FieldError(field, text) for field, text in errors]
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> bytes:
        return msgspec.json.encode(
            Details(
                type="about:blank",
                title=title(self.status),
                status=self.status,
                detail=self.detail,
                instance=f"urn:request:{request_id}",
                errors=self.errors,
            )
        )


def problem_of(error: PlayheadError) -> Problem:
    """Our own errors as HTTP sees them; each says what to do about it."""
    told = sentences(error.detail, error.hint)
    match error:
        case UnknownFormat():
            return Problem(415, told)
        case BadInput():
            fields = [(e.field, e.detail) for e in error.errors]
            return Problem(422 if fields else 400, told, fields)
        case NotFound() | Absent():
            return Problem(404, told)
        case Overtaken() | Conflict() | Stale():
            status = 412 if isinstance(error, Stale) else 409
            return Problem(status, told, [(e.field, e.detail) for e in error.errors])
        case Crowded():
            # At moments of their own, or those who were refused together come together again.
            return Problem(503, told, headers=_retry_after(random.uniform(1, 10)))
        case Busy():
            return Problem(429, told, headers=_retry_after(error.retry_after_s))
        case Closing():
            return Problem(503, told, headers=_retry_after(random.uniform(2, 10)))
        case TooMuch():
            return Problem(422, told, [("from", error.detail)])
        case StorageError():
            return Problem(503, told, headers=_retry_after(30))
        case _:
            return Problem(500, told)


def sentences(*parts: str) -> str:
    """Parts that may lack their full stop, as running text."""
    return " ".join(part if part[-1] in ".!?…" else f"{part}." for part in parts if part)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(seconds + 0.499)))}


def title(status: int) -> str:
    """The registered reason phrase; RFC 9457 asks for it where the type is about:blank."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def shown(value: object) -> str:
    """A caller's input, quoted and cut, fit to stand in an error sentence."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
