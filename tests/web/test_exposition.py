"""The server itself, for Prometheus."""

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text


def families(text, read):
    return {family.name: family for family in read(text)}


@pytest.mark.gen_test
async def test_the_text_format_is_what_prometheus_reads(site):
    """Parsed by its own parser: names with our prefix or process_, help for each, true values."""
    await site.tick({"system_cpu_utilization_ratio": 0.9})
    await site.ask("/api/realtime/metrics/live")
    answer = await site.ask("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = families(answer.raw.decode(), read_text)
    assert all(re.match(r"(playhead|process)_[a-z0-9_]+$", name) for name in found)
    assert all(family.documentation for family in found.values())
    [build] = found["playhead_build_info"].samples
    assert build.labels["version"] == "1.2.3"
    asked = {one.labels["endpoint"]: one.value for one in found["playhead_http_requests"].samples}
    assert asked["/api/realtime/metrics/live"] == 1
    assert found["playhead_log_head_seq"].samples[0].value == site.log.head
    firing = {one.labels["severity"]: one.value for one in found["playhead_alerts_firing"].samples}
    assert firing == {"warning": 0, "critical": len(site.spine.view.alerts)}
    assert found["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert found["process_cpu_seconds"].type == "counter"


@pytest.mark.gen_test
async def test_open_metrics_by_accept(site):
    """The stricter format parses too, and ends as it must."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = await site.ask("/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.raw.endswith(b"# EOF\n")
    assert "playhead_connections" in families(answer.raw.decode(), read_openmetrics)


@pytest.mark.gen_test
async def test_an_odd_accept_is_no_error(site):
    """A version nobody can read gets the plain format, not a 500."""
    for accept in ("application/openmetrics-text;version=abc;q=0", "text/plain;version=x"):
        assert (await site.ask("/metrics", headers={"Accept": accept})).status == 200
