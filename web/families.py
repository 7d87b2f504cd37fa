"""The server's figures as families of metrics, written by Prometheus's own library."""

import platform
from collections.abc import Iterable, Iterator
from typing import cast

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from web.exposition import Figures
from web.process import ProcessFigures


def text(told: Figures) -> bytes:
    """The text format 0.0.4."""
    return generate_latest(_Families(told))


def openmetrics(told: Figures) -> bytes:
    return cast("bytes", generate_openmetrics(_Families(told)))  # type: ignore[no-untyped-call]


class _Families(Collector):
    def __init__(self, told: Figures) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        told = self._told
        build = InfoMetricFamily("playhead_build", "What is running.")
        build.add_metric(
            [],
            {
                "version": told.version,
                "build": told.build,
                "python": platform.python_version(),
                "sqlite": told.log.sqlite_version,
            },
        )
        yield build
        yield from self._requests()
        yield from self._log()
        yield from self._cache()
        yield _labelled(
            "playhead_connections", "Open streams, by road.", "road", told.connections.items()
        )
        yield GaugeMetricFamily(
            "playhead_loop_lag_seconds",
            "How late the event loop ran lately, at worst.",
            told.loop_lag_s,
        )
        yield _labelled("playhead_sources", "Sources, by state.", "state", told.sources.items())
        yield GaugeMetricFamily("playhead_series", "Series known.", told.series)
        yield _labelled(
            "playhead_alerts_firing", "Open alerts, by severity.", "severity", told.alerts.items()
        )
        yield from _process(told.process)

    def _requests(self) -> Iterator[Metric]:
        label = ["endpoint"]
        requests = CounterMetricFamily("playhead_http_requests", "Requests answered.", labels=label)
        refused = CounterMetricFamily("playhead_http_refused", "Answers 4xx.", labels=label)
        errors = CounterMetricFamily("playhead_http_errors", "Answers 5xx.", labels=label)
        times = SummaryMetricFamily(
            "playhead_http_request_duration_seconds",
            "Time to answer, since the start.",
            labels=label,
        )
        for one in self._told.endpoints:
            name = [one.endpoint]
            requests.add_metric(name, one.count)
            refused.add_metric(name, one.refused)
            errors.add_metric(name, one.errors)
            for quantile, spent_ms in (
                ("0.5", one.p50_ms),
                ("0.95", one.p95_ms),
                ("0.99", one.p99_ms),
            ):
                if spent_ms is not None:
                    times.add_sample(
                        times.name,
                        {"endpoint": one.endpoint, "quantile": quantile},
                        spent_ms / 1000,
                    )
            times.add_metric(name, one.count, (one.mean_ms or 0.0) * one.count / 1000)
        yield from (requests, refused, errors, times)

    def _log(self) -> Iterator[Metric]:
        log = self._told.log
        yield GaugeMetricFamily("playhead_log_head_seq", "The newest seq on disk.", log.head)
        yield GaugeMetricFamily("playhead_log_floor_seq", "The oldest seq still held.", log.floor)
        yield GaugeMetricFamily("playhead_log_events", "Events held.", log.events)
        yield GaugeMetricFamily("playhead_log_bytes", "The log on disk, WAL included.", log.bytes)
        yield GaugeMetricFamily("playhead_log_wal_bytes", "Its WAL.", log.wal_bytes)
        yield GaugeMetricFamily(
            "playhead_log_over_bytes", "Beyond the bound of retain_bytes.", log.over_bytes
        )
        yield CounterMetricFamily("playhead_log_commits", "Transactions committed.", log.commits)
        commits = GaugeMetricFamily(
            "playhead_commit_duration_seconds",
            "Time to commit, over the last commits.",
            labels=["quantile"],
        )
        commits.add_metric(["0.5"], log.commit_p50_s)
        commits.add_metric(["0.99"], log.commit_p99_s)
        yield commits
        yield GaugeMetricFamily(
            "playhead_queue_events", "Events waiting for their commit.", self._told.queue_events
        )

    def _cache(self) -> Iterator[Metric]:
        cache = self._told.cache
        for name, text, count in (
            ("hits", "Answers found on the shelf.", cache.hits),
            ("misses", "Answers not found there.", cache.misses),
            ("evictions", "Entries that went for want of room.", cache.evictions),
            ("expirations", "Entries that grew too old.", cache.expirations),
            ("invalidations", "Entries outdated by an event.", cache.invalidations),
        ):
            yield CounterMetricFamily(f"playhead_cache_{name}", text, count)
        yield GaugeMetricFamily("playhead_cache_entries", "Entries on the shelf.", cache.entries)
        yield GaugeMetricFamily("playhead_cache_bytes", "Bytes they hold.", cache.bytes)


def _labelled(name: str, text: str, label: str, pairs: Iterable[tuple[str, int]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in pairs:
        family.add_metric([value], count)
    return family


def _process(process: ProcessFigures) -> Iterator[Metric]:
    """By the names every Prometheus client library uses."""
    yield CounterMetricFamily("process_cpu_seconds", "CPU time spent.", process.cpu_s)
    for name, text, value in (
        ("process_start_time_seconds", "Start, epoch seconds.", process.started_s),
        ("process_resident_memory_bytes", "Resident memory.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory.", process.virtual_bytes),
        ("process_open_fds", "Open file descriptors.", process.open_fds),
        ("process_max_fds", "File descriptors allowed.", process.max_fds),
    ):
        if value is not None:
            yield GaugeMetricFamily(name, text, value)
