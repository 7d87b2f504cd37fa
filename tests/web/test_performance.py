"""How the server itself is doing."""

import pytest

PATH = "/api/realtime/performance/stats"


@pytest.mark.gen_test
async def test_every_figure_is_there_and_counts(site):
    """Cache, requests, connections, lag, log and process, as they are."""
    await site.tick({"a": 1, "playhead_process_cpu_ratio": 0.02})
    for _ in range(3):
        await site.ask("/api/realtime/metrics/live")
    await site.ask("/nothing")
    await site.ask("/also/nothing")
    data = (await site.ask(PATH)).data
    assert (data["cache"]["hits"], data["cache"]["misses"]) == (2, 1)
    endpoints = {one["endpoint"]: one for one in data["requests"]["endpoints"]}
    live = endpoints["/api/realtime/metrics/live"]
    assert live["count"] == 3
    assert live["p50_ms"] <= live["p95_ms"] <= live["p99_ms"]
    assert endpoints["(nowhere)"]["refused"] == 2
    assert data["requests"]["total"]["count"] == 6
    assert data["connections"] == {"websocket": 0, "sse": 0, "poll": 0, "socketio": 0}
    assert data["log"]["head"] == site.log.head
    assert data["log"]["samples"] == 2
    assert data["log"]["queue_events"] == 0
    assert data["process"]["cpu_ratio"] == 0.02
    assert data["process"]["resident_bytes"] > 1_000_000


@pytest.mark.gen_test
async def test_what_is_not_measured_is_null(site):
    """No CPU share before the collectors measured one, no quantile before a request."""
    data = (await site.ask(PATH)).data
    assert data["process"]["cpu_ratio"] is None
    assert data["requests"]["total"]["p95_ms"] is None
