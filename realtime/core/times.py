"""Moments: integer microseconds UTC inside, RFC 3339 or epoch seconds at the border.

Nothing here reads a clock (law core-has-no-clock): whoever asks for `-15m` says what now is.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

SECOND = 1_000_000
EARLIEST = 0
LATEST = 7_289_654_400 * SECOND - 1
"""The last microsecond of the year 2200. Beyond it a time is a mistake, such as milliseconds."""

NEVER = 1 << 62
"""Later than any moment there is."""

TEXT_LIMIT = 64
ACCEPTED = (
    'use RFC 3339 such as "2026-11-23T03:11:46Z", epoch seconds such as 1795403506, '
    '"now", or an offset from now such as "-15m" (units s, m, h, d, w)'
)

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

# RFC 3339 section 5.6; `datetime.fromisoformat` alone takes week dates and times without offset.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_RELATIVE = re.compile(r"(?:now)?([+-])(\d+(?:\.\d+)?)([smhdw])", re.ASCII)


def rfc3339(at: int) -> str:
    """`at` (µs UTC, within EARLIEST and LATEST) as text, always with six digits and a Z."""
    moment = _EPOCH + timedelta(microseconds=_bounded(at, at))
    return moment.isoformat(timespec="microseconds") + "Z"


def seconds(at: int) -> float:
    """Epoch seconds: the double nearest to `at`; `parse_time` gives the very same `at` back."""
    return at / SECOND


def parse_time(text: str | int | float, now: int) -> int:
    """µs UTC. A ValueError says what came and what would do. A number is
    rounded to the nearest µs; digits of RFC 3339 text past the µs are dropped.
    """
    if isinstance(text, bool):
        raise ValueError(f"{text} is not a time; {ACCEPTED}")
    if isinstance(text, int):
        return _bounded(text * SECOND, text)
    if isinstance(text, float):
        return _from_float(text)
    if not isinstance(text, str):
        raise ValueError(f"{type(text).__name__} is not a time; {ACCEPTED}")
    return _bounded(_from_text(text.strip(), now), text)


def _from_float(value: float) -> int:
    if not EARLIEST <= value <= LATEST / SECOND:  # NaN fails this as well
        raise ValueError(_outside(value))
    # Whole and part apart: value * 1e6 in one step is off by one microsecond after 2106.
    whole = int(value)
    return whole * SECOND + round((value - whole) * SECOND)


def _from_text(text: str, now: int) -> int:
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"a time of {len(text)} characters is too long; {ACCEPTED}")
    if match := _RFC3339.fullmatch(text):
        return _from_rfc3339(text, match)
    if text == "now":
        return now
    if match := _RELATIVE.fullmatch(text):
        sign, amount, unit = match.groups()
        span = int(Decimal(amount) * _UNITS[unit] * SECOND)
        return now - span if sign == "-" else now + span
    if _NUMBER.fullmatch(text):
        return int((Decimal(text) * SECOND).to_integral_value())
    if _LOCAL.fullmatch(text):
        raise ValueError(f"{_shown(text)} has no time or no offset from UTC; {ACCEPTED}")
    raise ValueError(f"{_shown(text)} is not a time; {ACCEPTED}")


def _from_rfc3339(text: str, match: re.Match[str]) -> int:
    day, minute, second, fraction, offset = match.groups()
    leap = second == "60"  # a leap second is written :60 and lasts into the next minute
    zone = "+00:00" if offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}{zone}")
    except ValueError as error:
        raise ValueError(f"{_shown(text)} is not a real time: {error}") from None
    whole = (moment - _EPOCH_UTC) // _MICROSECOND + leap * SECOND
    return whole + int((fraction or "")[:6].ljust(6, "0"))


def _bounded(at: int, given: object) -> int:
    if EARLIEST <= at <= LATEST:
        return at
    raise ValueError(_outside(given))


def _outside(given: object) -> str:
    detail = f"{_shown(given)} is outside the years 1970 to 2200"
    if isinstance(given, int | float) and LATEST // SECOND < given <= LATEST:
        detail += "; epoch seconds are wanted, not milliseconds or microseconds"
    return detail


def _shown(given: object) -> str:
    try:
        text = ascii(given)
    except ValueError:  # an int of more digits than Python agrees to print
        return "a number of thousands of digits"
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "..."
