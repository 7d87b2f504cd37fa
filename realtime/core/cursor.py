"""Where a reader stands: `epoch:seq`, one opaque string, so that nobody pairs a new epoch with an old seq."""

from typing import Literal, NamedTuple

Reason = Literal["malformed", "epoch", "future", "truncated", "too_far", "damaged"]


class Reset(NamedTuple):
    """Why a cursor cannot be resumed (law prove-or-reset)."""

    reason: Reason
    detail: str


def cursor(epoch: str, seq: int) -> str:
    return f"{epoch}:{seq}"


def resolve(text: str, epoch: str, floor: int, edge: int, most: int) -> int | Reset:
    """The seq after which to go on, if everything since can be told; `most` bounds how much that may be."""
    theirs, colon, number = text.partition(":")
    if not colon or not number.isascii() or not number.isdigit() or len(number) > 18:
        return Reset(
            "malformed",
            f"the cursor {text[:80]!r} is not one of ours; take a new one from hello or the dashboard",
        )
    seq = int(number)
    if theirs != epoch:
        return Reset(
            "epoch", "the cursor belongs to another log, or to this one before it was restored"
        )
    if seq > edge:
        return Reset("future", f"the cursor stands at {seq}, but the log ends at {edge}")
    if seq < floor - 1:
        return Reset(
            "truncated",
            f"the log now begins at {floor}; what came after {seq} is no longer held in full",
        )
    if edge - seq > most:
        return Reset(
            "too_far",
            f"{edge - seq} events have passed since; more than {most} are not sent one by one",
        )
    return seq
