import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.times import EARLIEST, LATEST, SECOND, parse_time, rfc3339, seconds

NOW = 1_795_403_506_123_456  # 2026-11-23T03:11:46.123456Z
MOMENTS = st.integers(EARLIEST, LATEST)


@given(MOMENTS)
def test_text_round_trip(at):
    """Every moment we can hold comes back exactly from its RFC 3339 text."""
    text = rfc3339(at)
    assert len(text) == 27 and text.endswith("Z")
    assert parse_time(text, NOW) == at


@given(MOMENTS)
def test_seconds_round_trip(at):
    """Every moment comes back exactly from epoch seconds, as a number and as the text of it."""
    assert parse_time(seconds(at), NOW) == at
    assert parse_time(repr(seconds(at)), NOW) == at


@given(MOMENTS)
def test_agrees_with_datetime(at):
    """Our text is the one the standard library would write."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    assert datetime.fromisoformat(rfc3339(at)) == moment


@given(MOMENTS, st.integers(-23 * 60, 23 * 60))
def test_any_offset(at, minutes):
    """The same moment written with any offset is the same moment."""
    zone = timezone(timedelta(minutes=minutes))
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
    assert parse_time(moment.isoformat(), NOW) == at


@given(st.text(max_size=80) | st.integers() | st.floats() | st.booleans())
def test_garbage(given_):
    """Whatever comes, there is a moment in bounds or a ValueError with a sentence, nothing else."""
    try:
        at = parse_time(given_, NOW)
    except ValueError as error:
        assert len(str(error)) > 20
        assert str(error).isascii()
    else:
        assert EARLIEST <= at <= LATEST


@given(st.from_regex(r"(now)?[+-][0-9]{1,12}(\.[0-9]{1,8})?[smhdw]", fullmatch=True))
def test_relative_garbage(text):
    """An offset is either in bounds or refused with its own text in the sentence."""
    try:
        assert EARLIEST <= parse_time(text, NOW) <= LATEST
    except ValueError as error:
        assert text[:40] in str(error)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("-15m", NOW - 900 * SECOND),
        ("now-15m", NOW - 900 * SECOND),
        ("-90s", NOW - 90 * SECOND),
        ("-1.5h", NOW - 5400 * SECOND),
        ("-2d", NOW - 172_800 * SECOND),
        ("-1w", NOW - 604_800 * SECOND),
        ("+30s", NOW + 30 * SECOND),
        (" now ", NOW),
        (0, 0),
        (1795403506, 1_795_403_506_000_000),
        ("1795403506.123456", NOW),
        ("1.795403506e9", 1_795_403_506_000_000),
        ("2026-11-23T03:11:46.123456Z", NOW),
        ("2026-11-23t03:11:46.123456z", NOW),
        ("2026-11-23 04:11:46.123456+01:00", NOW),
        ("2026-11-23T03:11:46.123456999Z", NOW),
        ("2026-11-23T03:11:46.1Z", 1_795_403_506_100_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("1970-01-01T00:00:00-00:00", 0),
    ],
)
def test_accepted(text, at):
    """Every documented way to write a time is read as the moment it means."""
    assert parse_time(text, NOW) == at


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (-1, "-1 is outside the years 1970 to 2200"),
        (1795403506000, "not milliseconds"),
        ("1795403506000", "outside the years"),
        (float("nan"), "outside the years"),
        (float("inf"), "outside the years"),
        (1e300, "outside the years"),
        pytest.param(10**6000, "thousands of digits", id="thousands of digits"),
        (True, "True is not a time"),
        (None, "NoneType is not a time"),
        ([1], "list is not a time"),
        ("", "is not a time"),
        ("yesterday", "'yesterday' is not a time"),
        ("-15", "outside the years"),
        ("-15y", "units s, m, h, d, w"),
        ("-9" + "9" * 40 + "w", "outside the years"),
        ("2026-11-23", "no offset from UTC"),
        ("2026-11-23T03:11:46", "no offset from UTC"),
        ("2026-13-01T00:00:00Z", "month must be in 1..12"),
        ("2026-11-23T24:11:46Z", "is not a real time"),
        ("2026-11-23T03:11:46+24:00", "is not a real time"),
        ("2201-01-01T00:00:00Z", "outside the years"),
        ("1969-12-31T23:59:59Z", "outside the years"),
        ("0001-01-01T00:00:00+23:59", "outside the years"),
        ("١٧٩٥", "is not a time"),
        ("9" * 65, "65 characters is too long"),
    ],
)
def test_refused(text, words):
    """A refusal says what came and what would do."""
    with pytest.raises(ValueError) as caught:
        parse_time(text, NOW)
    assert words in str(caught.value)


@pytest.mark.parametrize("at", [-1, LATEST + 1, sys.maxsize])
def test_text_out_of_bounds(at):
    """A moment we cannot hold is not written as if we could."""
    with pytest.raises(ValueError, match="outside the years"):
        rfc3339(at)
