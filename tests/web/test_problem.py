"""Errors as problem details."""

import msgspec
import pytest

from realtime import errors
from web.problem import Problem, problem_of, shown, title


def test_the_body_is_rfc_9457():
    """type, title, status, detail always; errors name their fields; instance names the request."""
    body = msgspec.json.decode(Problem(422, "no good", [("[3].value", "got NaN")]).body("abc"))
    assert body == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "no good",
        "instance": "urn:request:abc",
        "errors": [{"field": "[3].value", "detail": "got NaN"}],
    }


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (errors.BadInput("not JSON"), 400, None),
        (errors.BadInput("bad", [errors.FieldError("a", "b")]), 422, None),
        (errors.UnknownFormat("text/xml"), 415, None),
        (errors.NotFound("none"), 404, None),
        (errors.Absent("none"), 404, None),
        (errors.Conflict("there", [errors.FieldError("id", "taken")]), 409, None),
        (errors.Stale("old", [errors.FieldError("If-Match", "1")]), 412, None),
        (errors.Busy(1.2), 429, "2"),
        (errors.Busy(0), 429, "1"),
        (errors.Crowded(), 503, range(1, 11)),
        (errors.Overtaken("a later one was taken"), 409, None),
        (errors.Closing(), 503, range(2, 11)),
        (errors.TooMuch("too much"), 422, None),
        (errors.StorageFull("full"), 503, "30"),
        (errors.StorageBroken("broken"), 503, "30"),
        (errors.PlayheadError("odd"), 500, None),
    ],
)
def test_our_own_errors_have_their_status(error, status, retry):
    """Each error of the house is one status, and says when to come back where that helps."""
    problem = problem_of(error)
    assert problem.status == status
    told = problem.headers.get("Retry-After")
    # Who was refused together is asked back apart.
    assert int(told or 0) in retry if isinstance(retry, range) else told == retry


def test_the_remedy_reaches_the_caller():
    """What to do about it stands in the answer, not only in the log."""
    assert "Free some space" in problem_of(errors.StorageFull("The disk is full.")).detail


def test_titles_and_cuts():
    """An unknown status still has a title; a caller's input is cut."""
    assert title(599) == "Error"
    assert shown("x" * 1000).endswith("…'")
    assert shown(5) == "'5'"
