"""The tape seen from afar: when the recorder ran, when an alert was open, where nothing was recorded.

All times are µs UTC. What is open at the end of what is known has no end.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np

from realtime.core.downsample import Times, Values
from realtime.core.frames import Data
from realtime.core.times import rfc3339
from storage.events import Alert, Event, System

Cause = Literal["stopped", "crashed", "silent", "unknown"]

SEVERITY = {"critical": 0, "warning": 1}


class Firing(NamedTuple):
    """One alert from the moment its value first crossed to the moment it was resolved."""

    id: str
    rule: str
    severity: str
    series: str
    source: str
    message: str
    start: int
    end: int | None


class Gap(NamedTuple):
    """Nothing was recorded from `start` to `end`. The recorder was told to stop, or it did not say goodbye;
    it ran and its collectors said nothing; or there is no telling."""

    start: int
    end: int
    cause: Cause


class Break(NamedTuple):
    """Between two runs of the recorder: `stop` is when it said goodbye, None where it did not. `seq` and
    `start` are of the event that says it runs again."""

    stop: int | None
    seq: int
    start: int


class Lives(NamedTuple):
    """`starts` are all there are, `breaks` between them; `since` is when the first of them began."""

    starts: list[int]
    breaks: list[Break]

    @property
    def since(self) -> int | None:
        return self.starts[0] if self.starts else None


def firings(events: Iterable[Event], texts: Mapping[int, str]) -> list[Firing]:
    """Alerts by their beginning, from their transitions, oldest first."""
    found: dict[str, Firing] = {}
    for event in events:
        fact = event.data
        if not isinstance(fact, Alert):
            continue
        # Of one that has ended the message of its beginning is worth more: it says how bad it was.
        known = found.get(fact.id)
        end = event.at if fact.state == "resolved" else None
        if known is not None:
            found[fact.id] = known._replace(end=end)
            continue
        series = texts.get(fact.series, "")
        found[fact.id] = Firing(
            fact.id, fact.rule, fact.severity, series, event.source, fact.message, fact.since, end
        )
    return sorted(found.values(), key=lambda one: one.start)


def lives(events: Iterable[Event]) -> Lives:
    """The runs of the recorder, from what it said of them, oldest first."""
    starts: list[int] = []
    breaks: list[Break] = []
    stop: int | None = None
    for event in events:
        what = event.data.what if isinstance(event.data, System) else ""
        if what == "stopped":
            stop = event.at
        elif what == "started":
            if starts or stop is not None:
                breaks.append(Break(stop, event.seq, event.at))
            starts.append(event.at)
            stop = None
    return Lives(starts, breaks)


def silences(at: Times, values: Values, step: int) -> list[tuple[int, int]]:
    """Runs of steps without a reading: `[start, end)`."""
    quiet = np.isnan(values)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    return [
        (int(at[first]), int(at[last - 1]) + step)
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]


def gaps(
    known: Sequence[Gap],
    quiet: Sequence[tuple[int, int]],
    step: int,
    least: int,
    starts: Sequence[int],
    span: tuple[int, int],
) -> list[Gap]:
    """Those that are known to the moment, and of the quiet stretches what those do not explain and is longer
    than `least`; within `span`, in order of time.

    A step at either end of a known gap may be quiet for it, too.
    """
    known = sorted(gap for gap in known if gap.start < span[1] and gap.end > span[0])
    ends = [gap.end + step for gap in known]
    found = [*known]
    for first, last in quiet:
        low, high = max(first, span[0]), min(last, span[1])
        for gap in islice(known, bisect_right(ends, low), None):
            if gap.start - step >= high:
                break
            found += _left(low, gap.start - step, least, starts)
            low = max(low, gap.end + step)
        found += _left(low, high, least, starts)
    inside = {
        gap._replace(start=max(gap.start, span[0]), end=min(gap.end, span[1])) for gap in found
    }
    return sorted(inside)


def _left(start: int, end: int, least: int, starts: Sequence[int]) -> list[Gap]:
    if end - start <= least:
        return []
    # It ran since before and did not start anew in it: it was there, and had nothing to say.
    ran = bool(starts) and starts[0] <= start and not any(start < one <= end for one in starts)
    return [Gap(start, end, "silent" if ran else "unknown")]


def worst(found: Iterable[Firing], start: int, end: int, most: int) -> tuple[list[Firing], int]:
    """Of those that were open at some time in `start ≤ at < end` the most severe, then the latest; and how
    many more there were. In order of time."""
    inside = [one for one in found if one.start < end and (one.end is None or one.end >= start)]
    ranked = sorted(inside, key=lambda one: (SEVERITY.get(one.severity, 9), -one.start))
    return sorted(ranked[:most], key=lambda one: one.start), max(0, len(inside) - most)


def told(one: Firing) -> Data:
    """In the words of the public interface."""
    return {
        "id": one.id,
        "rule": one.rule,
        "severity": one.severity,
        "series": one.series,
        "source": one.source,
        "message": one.message,
        "from": rfc3339(one.start),
        "to": None if one.end is None else rfc3339(one.end),
    }
