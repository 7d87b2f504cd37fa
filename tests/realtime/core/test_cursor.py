"""A cursor resumes exactly, or says why not (law prove-or-reset)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.cursor import Reset, cursor, resolve

EPOCH = "0123456789abcdef"


@given(
    floor=st.integers(1, 50),
    held=st.integers(0, 50),
    seq=st.integers(0, 120),
    most=st.integers(0, 99),
)
def test_a_cursor_resumes_exactly_when_every_event_after_it_can_be_told(floor, held, seq, most):
    """The gap is filled in whole, or it is a reset with the one true reason; never anything between."""
    edge = floor + held - 1
    found = resolve(cursor(EPOCH, seq), EPOCH, floor, edge, most)
    wanted = range(seq + 1, edge + 1)
    if seq > edge:
        assert isinstance(found, Reset) and found.reason == "future"
    elif any(one < floor for one in wanted):
        assert isinstance(found, Reset) and found.reason == "truncated"
    elif len(wanted) > most:
        assert isinstance(found, Reset) and found.reason == "too_far"
    else:
        assert found == seq


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        (":", "malformed"),
        ("5", "malformed"),
        (f"{EPOCH}:", "malformed"),
        (f"{EPOCH}:-1", "malformed"),
        (f"{EPOCH}:5 ", "malformed"),
        (f"{EPOCH}:\N{ARABIC-INDIC DIGIT FIVE}", "malformed"),
        (f"{EPOCH}:\N{SUPERSCRIPT TWO}", "malformed"),
        (f"{EPOCH}:5:5", "malformed"),
        (f"{EPOCH}:{'9' * 19}", "malformed"),
        (f"{EPOCH}:{'9' * 100_000}", "malformed"),
        (f"{EPOCH}:1e1", "malformed"),
        ("fedcba9876543210:5", "epoch"),
        (":5", "epoch"),
        (f"{EPOCH.upper()}:5", "epoch"),
        (f"{EPOCH}:{'9' * 18}", "future"),
        (f"{EPOCH}:11", "future"),
        (f"{EPOCH}:2", "truncated"),
        (f"{EPOCH}:0", "truncated"),
    ],
)
def test_what_is_not_a_cursor_of_this_log_is_never_taken_for_caught_up(text, reason):
    """Unknown, foreign, future and truncated cursors each get a reason a person can read."""
    found = resolve(text, EPOCH, 4, 10, 1000)
    assert isinstance(found, Reset)
    assert found.reason == reason
    assert 10 < len(found.detail) < 300


@pytest.mark.parametrize("seq", [3, 4, 10])
def test_its_own_cursors_resume(seq):
    """Just before the floor, inside, and at the edge."""
    assert resolve(cursor(EPOCH, seq), EPOCH, 4, 10, 1000) == seq


def test_an_empty_log_resumes_from_its_beginning():
    """The very first client was told `epoch:0`."""
    assert resolve(cursor(EPOCH, 0), EPOCH, 1, 0, 1000) == 0
