"""Times in queries."""

import pytest
from msgspec import UNSET

from web.moments import moment, span
from web.problem import Problem

NOW = 1_795_403_506_000_000


def test_a_moment_in_any_spelling():
    """RFC 3339, epoch seconds, relative; nothing for a parameter left out."""
    assert moment("from", "-15m", NOW) == NOW - 900_000_000
    assert moment("from", "2026-11-23T03:11:46Z", NOW) == NOW
    assert moment("from", "1795403506", NOW) == NOW
    assert moment("from", UNSET, NOW) is None


def test_a_bad_moment_names_its_field():
    """The caller reads which parameter was wrong."""
    with pytest.raises(Problem) as caught:
        moment("to", "tomorrow", NOW)
    assert [one.field for one in caught.value.errors] == ["to"]


def test_a_span_goes_forward():
    """An empty or backward range is a mistake worth telling."""
    assert span("-1s", "now", NOW) == (NOW - 1_000_000, NOW)
    with pytest.raises(Problem):
        span("now", "now", NOW)
