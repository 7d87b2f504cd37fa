"""What is told of the server, as Prometheus's own library writes and reads it."""

from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from web.exposition import figures
from web.families import openmetrics, text


def samples(families):
    return {
        (one.name, tuple(sorted(one.labels.items())))
        for family in families
        for one in family.samples
        if not one.name.startswith(("process_", "playhead_build"))
    }


@pytest.mark.gen_test
async def test_both_formats_tell_the_same(site):
    """Whichever a scraper takes, it finds the same metrics with the same labels."""
    await site.ask("/api/realtime/metrics/live")
    told = await figures(site.services)
    plain, strict = text(told).decode(), openmetrics(told).decode()
    assert samples(read_text(plain)) == samples(read_openmetrics(strict))
    assert ("playhead_series", ()) in samples(read_text(plain))


@pytest.mark.gen_test
async def test_what_the_system_does_not_tell_is_left_out(site):
    """No figure is made up: a family without a value is not written."""
    told = await figures(site.services)
    assert b"process_open_fds" in text(told)
    untold = replace(told, process=replace(told.process, open_fds=None))
    assert b"process_open_fds" not in text(untold)
