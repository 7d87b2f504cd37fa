"""What is answered is what is documented, on a server that has something to tell."""

import jsonschema_rs
import msgspec
import pytest

from realtime.provisions import Fault
from web.app import ROUTES
from web.openapi import document

DOCUMENT = document(ROUTES, "1.2.3")
CPU = "system_cpu_utilization_ratio"

BOARD = {
    "title": "Shop",
    "tags": ["shop"],
    "panels": [
        {
            "kind": "chart",
            "x": 0,
            "y": 0,
            "w": 6,
            "h": 4,
            "series": ["{}"],
            "fn": "max",
            "step": "1m",
        },
        {"kind": "alerts", "x": 6, "y": 0, "w": 6, "h": 4, "options": {"rows": 5, "dense": True}},
    ],
}

ASKED = [
    ("/api/realtime/dashboard/live", ""),
    ("/api/realtime/dashboard/live", "?hours=24"),
    ("/api/realtime/metrics/live", ""),
    ("/api/realtime/notifications", ""),
    ("/api/realtime/annotations", ""),
    ("/api/realtime/timeline", "?from=-1m"),
    ("/api/realtime/dashboards", ""),
    ("/api/realtime/dashboards", "?id=shop"),
    ("/api/realtime/dashboards/history", "?id=shop"),
    ("/api/realtime/alerts", "?state=firing,resolved"),
    ("/api/realtime/series", ""),
    ("/api/realtime/query", "?series=%7B__name__%3D~%22.*%22%7D"),
    ("/api/realtime/query", "?match=%7B%7D&fn=rate&points=10"),
    ("/api/realtime/events", ""),
    ("/api/realtime/performance/stats", ""),
    ("/healthz", ""),
    ("/readyz", ""),
    ("/api/openapi.json", ""),
]


def validator(path, method, status, media="application/json"):
    answer = DOCUMENT["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = answer["content"][media]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


@pytest.fixture
async def told(site):
    """A site with alerts, notifications, several sources, gaps and every chart."""
    for value in (0.9, 0.95, 0.2, 0.97, 0.98):
        await site.tick(
            {
                CPU: value,
                'system_cpu_mode_ratio{mode="user"}': value,
                'system_memory_bytes{state="used"}': 1e9,
                'system_disk_io_bytes_per_second{device="sda",direction="read"}': 5.5,
                'system_network_io_bytes_per_second{device="eth0",direction="transmit"}': 1,
                'system_load{period="1m"}': 0.5,
            }
        )
        await site.tick({"queue_depth": 3}, source="app")
    await site.post("/api/realtime/notifications", {"message": "hi", "type": "success"})
    await site.post("/api/realtime/annotations", {"text": "hi", "until": "+1m"})
    await site.post("/api/realtime/dashboards", BOARD)
    site.faults.append(Fault("bad.json", "title", "is missing"))
    yield site


@pytest.mark.gen_test
async def test_every_answer_is_as_documented(told):
    """Each answer is valid against the schema its route names, down to the last field."""
    for path, query in ASKED:
        answer = await told.ask(path + query)
        assert answer.status == 200, (path, answer.raw)
        validator(path, "get", 200).validate(answer.json)
        documented = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
        if "data" in answer.json:
            schema = documented["application/json"]["schema"]["properties"]["data"]["$ref"]
            named = DOCUMENT["components"]["schemas"][schema.rpartition("/")[2]]["properties"]
            assert set(answer.data) <= set(named), (path, set(answer.data) - set(named))


@pytest.mark.gen_test
async def test_what_writing_answers_is_as_documented(told):
    """Receipts, stored notifications, counts of the shelf."""
    metrics = await told.post(
        "/api/realtime/metrics", [{"name": "a", "value": 1}, {"name": "a b", "value": 1}]
    )
    validator("/api/realtime/metrics", "post", 200).validate(metrics.json)
    note = await told.post("/api/realtime/notifications", {"message": "a"})
    validator("/api/realtime/notifications", "post", 200).validate(note.json)
    path = "/api/realtime/annotations"
    mark = await told.post(path, {"text": "a"})
    validator(path, "post", 200).validate(mark.json)
    gone = await told.ask(f"{path}?id={mark.data['id']}", method="DELETE")
    validator(path, "delete", 200).validate(gone.json)
    path = "/api/realtime/dashboards"
    saved = await told.post(path, BOARD)
    validator(path, "post", 200).validate(saved.json)
    asked = f"{path}?id={saved.data['id']}"
    again = await told.post(asked, BOARD, method="PUT")
    validator(path, "put", 200).validate(again.json)
    validator(path, "delete", 200).validate((await told.ask(asked, method="DELETE")).json)
    for path in ("/api/realtime/cache/preload", "/api/realtime/cache/clear"):
        validator(path, "post", 200).validate((await told.ask(path, method="POST")).json)


@pytest.mark.gen_test
async def test_events_are_as_documented_in_every_format(told):
    """Lines and CloudEvents too."""
    path = "/api/realtime/events"
    lines = await told.ask(path, headers={"Accept": "application/x-ndjson"})
    for line in lines.raw.splitlines():
        validator(path, "get", 200, "application/x-ndjson").validate(msgspec.json.decode(line))
    media = "application/cloudevents-batch+json"
    batch = await told.ask(path, headers={"Accept": media})
    validator(path, "get", 200, media).validate(batch.json)


@pytest.mark.gen_test
async def test_refusals_are_as_documented(told):
    """400, 403, 413, 415, 421, 422 and 503 truly happen, as the problem the document shows."""
    path, media = "/api/realtime/metrics", "application/problem+json"
    big = b"x" * (told.services.max_body_bytes + 1)
    told.unready.append("closing")
    for status, answer in (
        (400, await told.ask(f"{path}?x=1", method="POST", body=b"")),
        (403, await told.post(path, {}, Origin="http://evil.example")),
        (413, await told.post(path, big)),
        (415, await told.post(path, {}, "text/csv")),
        (421, await told.post(path, {}, Host="evil.example")),
        (422, await told.post(path, {"name": "", "value": 1})),
    ):
        assert answer.status == status
        validator(path, "post", status, media).validate(answer.json)
    ready = await told.ask("/readyz")
    assert ready.status == 503
    validator("/readyz", "get", 503).validate(ready.json)
