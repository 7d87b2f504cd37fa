"""The tape from afar, over HTTP."""

import pytest

from tests.web.conftest import START

PATH = "/api/realtime/timeline"
CPU = "system_cpu_utilization_ratio"


@pytest.mark.gen_test
async def test_alerts_and_annotations_are_on_it(site):
    """An alert is a span with an end once it is over; an annotation is told as its frame was."""
    for value in (0.2, 0.95, 0.9, 0.1, 0.3, 0.99):
        await site.tick({CPU: value})
    mark = (await site.post("/api/realtime/annotations", {"text": "deploy", "at": "-3s"})).data
    await site.post("/api/realtime/annotations", {"text": "long ago", "at": "-3d"})
    data = (await site.ask(f"{PATH}?from=-1m&buckets=60")).data
    over, still = data["alerts"]
    assert (over["rule"], over["severity"], over["source"]) == ("cpu", "critical", "web-1")
    assert over["from"] == "2026-11-23T03:11:47.000000Z"
    assert over["to"] == "2026-11-23T03:11:49.000000Z"
    assert still["to"] is None
    assert data["annotations"] == [mark]
    assert max(value for value in data["activity"] if value is not None) == 0.99
    assert data["more"] == {"alerts": 0, "annotations": 0, "gaps": 0, "starts": 0}


@pytest.mark.gen_test
async def test_without_the_host_s_cpu_it_is_how_many_came(site):
    """A ratio to the fullest step, and `what` says so."""
    for n in range(30):
        await site.tick({"queue": n})
    site.clock.pass_s(5)
    data = (await site.ask(f"{PATH}?from={START / 1e6}&to=now&buckets=10")).data
    assert data["what"] == "readings"
    assert max(one for one in data["activity"] if one is not None) == 1.0


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=now&to=-1h", "from"),
        ("?from=soon", "from"),
        ("?buckets=9", "buckets"),
        ("?buckets=2001", "buckets"),
        ("?bucket=20", "bucket"),
    ],
)
async def test_a_bad_question_names_its_field(site, query, field):
    """400, and what would do."""
    answer = await site.ask(PATH + query)
    assert (answer.status, list(answer.errors)) == (400, [field])
