"""Times in queries, as the core reads them; what cannot be read is named by its field."""

from msgspec import UnsetType

from realtime.core.times import parse_time, rfc3339
from realtime.past import Past, Standing
from web.problem import Problem
from web.services import Services


def moment(field: str, text: str | UnsetType, now: int) -> int | None:
    """µs UTC, None for a parameter that was left out; Problem 400."""
    if isinstance(text, UnsetType):
        return None
    try:
        return parse_time(text, now)
    except ValueError as error:
        raise Problem(400, f"{field} is not a time", [(field, str(error))]) from None


def span(from_: str, to: str, now: int) -> tuple[int, int]:
    """A range of two moments, the first before the second; Problem 400 names the wrong ones."""
    start, end = moment("from", from_, now), moment("to", to, now)
    assert start is not None and end is not None
    if start >= end:
        raise Problem(
            400,
            "the range is empty",
            [("from", f"{from_!r} is not before to, {to!r}; swap them")],
        )
    return start, end


async def over(field: str, text: str | float, past: Past, now: int) -> int:
    """A moment that is over and on tape (µs); Problem 400."""
    at = moment(field, str(text), now)
    assert at is not None
    if at > now:
        raise Problem(400, f"{field} is in the future", [(field, f"{rfc3339(at)} is not over yet")])
    begun = await past.begun()
    if at < begun:
        detail = "nothing is on tape yet"
        if begun <= now:
            detail = f"the tape begins at {rfc3339(begun)}"
        raise Problem(400, "nothing was recorded then", [(field, detail)])
    return at


async def standing(services: Services, field: str, text: str | float) -> Standing:
    """What was known at a moment that is over; Problem 400."""
    past = services.past
    at = await over(field, text, past, services.spine.now())
    return await past.standing(await past.place(at), at)
