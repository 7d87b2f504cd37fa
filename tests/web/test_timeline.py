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
async def test_it_can_be_of_one_source(site):
    """Its own activity, alerts and silences, by its own pace; marks and the life of the recorder stay."""
    for n in range(120):
        await site.tick({CPU: 0.9 if n == 60 else 0.2})
        if n % 10 == 0 and not 50 < n < 110:  # each ten seconds, and a minute of nothing
            sent = {"name": CPU, "value": 0.95 if n == 30 else 0.4, "source": "shop"}
            assert (await site.post("/api/realtime/metrics", sent)).status == 200
    mark = (await site.post("/api/realtime/annotations", {"text": "deploy", "at": "-3s"})).data
    span = f"from={START / 1e6}&to=now&buckets=120"
    every, shop, host = [
        (await site.ask(f"{PATH}?{span}{more}")).data
        for more in ("", "&source=shop", "&source=web-1")
    ]
    assert {one["source"] for one in every["alerts"]} == {"web-1", "shop"}
    assert [one["source"] for one in shop["alerts"]] == ["shop"]
    assert [one["source"] for one in host["alerts"]] == ["web-1"]
    assert max(one for one in shop["activity"] if one is not None) == 0.95
    assert max(one for one in host["activity"] if one is not None) == 0.9
    assert every["activity"] == host["activity"] and shop["annotations"] == [mark]
    assert every["gaps"] == host["gaps"] == []
    [silence] = shop["gaps"]
    assert (silence["from"][17:19], silence["to"][17:19]) == ("38", "37")  # to the step
    answer = await site.ask(f"{PATH}?source=shed")
    assert (answer.status, list(answer.errors)) == (404, ["source"])
    assert "shop, web-1" in answer.errors["source"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=now&to=-1h", "from"),
        ("?from=soon", "from"),
        ("?buckets=9", "buckets"),
        ("?buckets=2001", "buckets"),
        ("?bucket=20", "bucket"),
        ("?source=", "source"),
    ],
)
async def test_a_bad_question_names_its_field(site, query, field):
    """400, and what would do."""
    answer = await site.ask(PATH + query)
    assert (answer.status, list(answer.errors)) == (400, [field])
