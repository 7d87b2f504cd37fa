"""How the server answers: latencies per endpoint since the start, and the last minute of all."""

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

import msgspec

ERROR = 0.04
"""Largest relative error of a quantile. The buckets are DDSketch's (Masson et al., VLDB 2019)."""

_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_SHORTEST_S = 1e-6
_LONGEST_S = 1e4
"""Durations outside count as these, so a histogram has some 290 buckets whatever comes."""

ENDPOINTS_MAX = 200
"""An attacker who invents paths fills one endpoint, `OTHER`, and not the memory."""
OTHER = "(other)"

WINDOW_S = 60
_SECOND = 1_000_000


class Histogram:
    """Durations in buckets that grow by a constant factor; merges exactly."""

    __slots__ = ("buckets", "count", "longest_s", "shortest_s", "total_s")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total_s = 0.0
        self.shortest_s = math.inf
        self.longest_s = 0.0

    def note(self, duration_s: float) -> None:
        duration_s = max(duration_s, 0.0)
        held = min(max(duration_s, _SHORTEST_S), _LONGEST_S)
        bucket = math.ceil(math.log(held) / _LOG_GAMMA)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total_s += duration_s
        self.shortest_s = min(self.shortest_s, duration_s)
        self.longest_s = max(self.longest_s, duration_s)

    def merge(self, other: "Histogram") -> None:
        """Afterwards this is as if it had noted what `other` noted, too."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total_s += other.total_s
        self.shortest_s = min(self.shortest_s, other.shortest_s)
        self.longest_s = max(self.longest_s, other.longest_s)

    def quantile(self, share: float) -> float | None:
        """The seconds that `share` of all did not exceed, within `ERROR`; None if none."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count))
        buckets = sorted(self.buckets)
        reached = list(accumulate(self.buckets[bucket] for bucket in buckets))
        bucket = buckets[bisect_left(reached, rank)]
        middle = 2 * math.exp(bucket * _LOG_GAMMA) / (_GAMMA + 1)
        return min(max(middle, self.shortest_s), self.longest_s)


class EndpointStats(msgspec.Struct, frozen=True):
    """One endpoint since the start. `errors` are 5xx, `refused` 4xx; no durations when unasked."""

    endpoint: str
    count: int
    errors: int
    refused: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Recent(msgspec.Struct, frozen=True):
    """The last 60 s of all. `p95_s` is None and `error_ratio` 0 when nothing was asked."""

    count: int
    errors: int
    per_second: float
    p95_s: float | None
    error_ratio: float


class _Tally:
    __slots__ = ("errors", "latency", "refused")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.errors = 0
        self.refused = 0

    def note(self, status: int, duration_s: float) -> None:
        self.latency.note(duration_s)
        if status >= 500:
            self.errors += 1
        elif status >= 400:
            self.refused += 1


class RequestStats:
    """Bounded in memory whatever is asked: 200 endpoints, 60 seconds."""

    def __init__(self) -> None:
        self._endpoints: dict[str, _Tally] = {}
        self._seconds: dict[int, _Tally] = {}
        self._first: int | None = None

    def note(self, endpoint: str, status: int, duration_s: float, at: int) -> None:
        """One answered request. `endpoint` is the route, not the path; `at` µs when it ended."""
        if endpoint not in self._endpoints and len(self._endpoints) >= ENDPOINTS_MAX:
            endpoint = OTHER
        self._endpoints.setdefault(endpoint, _Tally()).note(status, duration_s)

        second = at // _SECOND
        tally = self._seconds.get(second)
        if tally is None:
            self._forget(second)
            tally = self._seconds[second] = _Tally()
        tally.note(status, duration_s)
        self._first = at if self._first is None else min(self._first, at)

    def _forget(self, now: int) -> None:
        # Both ways: seconds of the future are what a clock set back has left behind.
        for second in [s for s in self._seconds if not now - WINDOW_S < s <= now]:
            del self._seconds[second]

    def recent(self, at: int) -> Recent:
        now = at // _SECOND
        latency = Histogram()
        errors = 0
        for second, tally in self._seconds.items():
            if now - WINDOW_S < second <= now:
                latency.merge(tally.latency)
                errors += tally.errors
        # The running second counts for as much of it as has passed; a young server for its age.
        span_s = WINDOW_S - 1 + at % _SECOND / _SECOND
        if self._first is not None and at >= self._first:
            span_s = min(span_s, max((at - self._first) / _SECOND, 1.0))
        count = latency.count
        return Recent(
            count=count,
            errors=errors,
            per_second=count / span_s,
            p95_s=latency.quantile(0.95),
            error_ratio=errors / count if count else 0.0,
        )

    def endpoints(self) -> list[EndpointStats]:
        """Every endpoint seen, by name."""
        return [_stats(name, [tally]) for name, tally in sorted(self._endpoints.items())]

    def total(self) -> EndpointStats:
        """All endpoints as one, named `*`."""
        return _stats("*", self._endpoints.values())


def _stats(name: str, tallies: Iterable[_Tally]) -> EndpointStats:
    latency = Histogram()
    errors = refused = 0
    for tally in tallies:
        latency.merge(tally.latency)
        errors += tally.errors
        refused += tally.refused
    return EndpointStats(
        endpoint=name,
        count=latency.count,
        errors=errors,
        refused=refused,
        mean_ms=latency.total_s / latency.count * 1000 if latency.count else None,
        p50_ms=_ms(latency.quantile(0.5)),
        p95_ms=_ms(latency.quantile(0.95)),
        p99_ms=_ms(latency.quantile(0.99)),
        max_ms=_ms(latency.longest_s) if latency.count else None,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
