"""The server itself, as one more thing on this host that is watched."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import psutil

from realtime.collect.collector import Moment
from realtime.collect.rates import Rates
from realtime.collect.reading import Reading, reading
from realtime.core.batch import Descriptor
from realtime.core.requests import Recent

MICROSECONDS = 1_000_000


class Server:
    """What the loop knows of itself; so it is asked on the loop.

    `requests(at)` is `RequestStats.recent`. `loop_lag_s` and `commit_s` give the largest since
    they were last asked, None if there was none; `events` counts up from anywhere.
    """

    name = "server"
    pace_s = 0.0
    on_loop = True
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "playhead_http_requests_per_second": Descriptor(
            "per_second", help="HTTP requests answered, over the last 60 seconds."
        ),
        "playhead_http_response_time_seconds": Descriptor(
            "seconds", help="95 of 100 requests of the last 60 seconds took no longer."
        ),
        "playhead_http_error_ratio": Descriptor(
            "ratio", help="Share of the requests of the last 60 seconds that met a server error."
        ),
        "playhead_connections": Descriptor(help="Clients connected, by the road they came."),
        "playhead_loop_lag_seconds": Descriptor(
            "seconds", help="Longest the event loop was late in the interval."
        ),
        "playhead_commit_duration_seconds": Descriptor(
            "seconds", help="Longest commit to disk in the interval."
        ),
        "playhead_events_per_second": Descriptor("per_second", help="Events written to the log."),
        "playhead_queue_events": Descriptor(help="Events that wait to be written."),
        "playhead_log_bytes": Descriptor("bytes", help="Size of the log on disk."),
    }

    def __init__(
        self,
        *,
        requests: Callable[[int], Recent],
        connections: Callable[[], Mapping[str, int]],
        loop_lag_s: Callable[[], float | None],
        commit_s: Callable[[], float | None],
        events: Callable[[], int],
        queued: Callable[[], int],
        log_bytes: Callable[[], int],
        longest_s: float = 30.0,
    ) -> None:
        self._requests = requests
        self._connections = connections
        self._loop_lag_s = loop_lag_s
        self._commit_s = commit_s
        self._events = events
        self._queued = queued
        self._log_bytes = log_bytes
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        recent = self._requests(int(moment.wall_s * MICROSECONDS))
        # Without a request there is no response time; a share of failures there is: none failed.
        told = {
            "playhead_http_requests_per_second": recent.per_second,
            "playhead_http_response_time_seconds": recent.p95_s,
            "playhead_http_error_ratio": recent.error_ratio,
            "playhead_loop_lag_seconds": self._loop_lag_s(),
            "playhead_commit_duration_seconds": self._commit_s(),
            "playhead_events_per_second": self._rates.rate("events", self._events()),
            "playhead_queue_events": self._queued(),
            "playhead_log_bytes": self._log_bytes(),
        }
        return [
            *(reading(name, value) for name, value in told.items() if value is not None),
            *(
                reading("playhead_connections", count, road=road)
                for road, count in self._connections().items()
            ),
        ]


class OwnProcess:
    name = "own_process"
    pace_s = 0.0
    on_loop = False
    descriptors: ClassVar[dict[str, Descriptor]] = {
        "playhead_process_cpu_ratio": Descriptor(
            "ratio", help="CPU time this server used, where 1 is one processor."
        ),
        "playhead_process_resident_bytes": Descriptor(
            "bytes", help="Memory this server has in RAM."
        ),
    }

    def __init__(self, longest_s: float = 30.0) -> None:
        self._process = psutil.Process()
        self._rates = Rates(longest_s)

    def collect(self, moment: Moment) -> list[Reading]:
        self._rates.turn(moment)
        times = self._process.cpu_times()
        ratio = self._rates.rate("cpu", times.user + times.system)
        found = [reading("playhead_process_resident_bytes", self._process.memory_info().rss)]
        if ratio is not None:
            found.append(reading("playhead_process_cpu_ratio", ratio))
        return found
