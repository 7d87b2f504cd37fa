"""An incident over HTTP, and what is open to be read alone."""

import zipfile
from io import BytesIO
from random import Random

import httpx
import msgspec
import pytest

from realtime.core.batch import Batch, Columns, Key
from realtime.errors import Closing, StorageBroken
from storage.events import Number
from tests.app import PATIENCE_S, house
from tests.clients import eventually, slow
from tests.web.conftest import START
from web import incident
from web.app import ROUTES
from web.incident import read_summary

PATH = "/api/realtime/incident"
CPU = "system_cpu_utilization_ratio"


@pytest.mark.gen_test
async def test_the_file_comes_with_what_happened(site):
    """Whole, under a name that says the span; what fired and what was noted is in its summary."""
    for value in [0.2] * 20 + [0.95] * 5:
        await site.tick({CPU: value})
    await site.post("/api/realtime/annotations", {"text": "deploy", "at": "-4s", "author": "eva"})
    answer = await site.ask(f"{PATH}?from=-10s&title=The+night")
    assert answer.status == 200, answer.raw
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Length"] == str(len(answer.raw))
    name = "20261123T031201Z--20261123T031211Z.playhead"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    with zipfile.ZipFile(BytesIO(answer.raw)) as archive:
        summary = msgspec.json.decode(archive.read("summary.json"))
        manifest = msgspec.json.decode(archive.read("manifest.json"))
    assert (summary["title"], manifest["source"]) == ("The night", "web-1")
    assert [alert["rule"] for alert in summary["alerts"]] == ["cpu"]
    assert [(note["text"], note["author"]) for note in summary["annotations"]] == [
        ("deploy", "eva")
    ]
    assert manifest["first"] == 18


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 400, "from"),
        ("?from=now&to=-1h", 400, "from"),
        ("?from=-40d", 400, "from"),
        ("?from=soon", 400, "from"),
        (f"?from=-1h&title={'x' * 201}", 400, "title"),
        (f"?from={START / 1e6 - 7200}&to={START / 1e6 - 3600}", 404, None),
    ],
)
async def test_a_bad_question_is_refused_by_field(site, query, status, field):
    """400 and what would do; 404 where nothing was recorded."""
    await site.tick({CPU: 0.5})
    answer = await site.ask(PATH + query)
    assert (answer.status, list(answer.errors)) == (status, [field] if field else [])


@pytest.mark.gen_test(timeout=60)
async def test_who_takes_nothing_keeps_nobody_waiting(tmp_path):
    """Law slow-costs-itself: after `stall_s` the connection is cut, the file goes, and the next has its turn."""
    random = Random(7)
    async with house(tmp_path, stall_s=1) as it:
        now = it.clock.now()
        ats = [now - 4_000_000 + n * 1_000 for n in range(4_000)]
        for source in "abcd":
            keys = [Key(f"m{n}", (), f"m{n}") for n in range(50)]
            values: list[list[Number | None]] = [[random.random() for _ in ats] for _ in keys]
            await it.spine.ingest(Batch([Columns(source, ats, keys, values)]))
        head = f"GET {PATH}?from=-1h HTTP/1.1"
        client = httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S)
        async with slow(it.url, head) as reader, client:
            await reader.until(b"Content-Length")
            url = f"{it.url.rstrip('/')}{PATH}?from=-1m"
            assert (await client.get(url)).status_code == 429
            assert list((tmp_path / "incident.part").iterdir())
            await eventually(lambda: not it.services.scratch.is_taken)
            assert not (tmp_path / "incident.part").exists()
            await reader.rest()
            size = int(reader.bytes.partition(b"Content-Length: ")[2].split()[0])
            assert len(reader.bytes) < size
            assert (await client.get(url)).status_code == 200


@pytest.mark.gen_test
async def test_what_a_crash_left_half_made_goes_at_the_next_start(tmp_path):
    """It lies beside the log, and nobody else would ever remove it."""
    left = tmp_path / "incident.part" / "incident.playhead"
    left.parent.mkdir()
    left.write_bytes(b"half")
    async with house(tmp_path):
        assert not left.parent.exists()


@pytest.mark.gen_test
async def test_one_at_a_time(site):
    """It takes a thread and room on the disk: a second one is asked to come again."""
    await site.tick({CPU: 0.5})
    async with site.services.scratch.taken():
        answer = await site.ask(f"{PATH}?from=-1m")
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await site.ask(f"{PATH}?from=-1m")).status == 200


@pytest.mark.gen_test
async def test_a_stop_does_not_wait_for_it(site, monkeypatch):
    """The thread notices that the server is closing, and gives up; nothing half-made is sent."""
    await site.tick({CPU: 0.5})
    monkeypatch.setattr(site.services.hub, "closing", True)
    answer = await site.ask(f"{PATH}?from=-1m")
    assert answer.status == 503
    assert (
        isinstance(Closing().detail, str) and Closing().detail.rstrip(".") in answer.json["detail"]
    )


@pytest.mark.gen_test
async def test_what_is_open_to_be_read_takes_nothing_in(site):
    """Every address that writes says 403 and why, before it looks at a body; everything else answers."""
    await site.tick({CPU: 0.5})
    object.__setattr__(site.services, "incident", {"title": "The night"})
    writers = [
        (method, route.path)
        for route in ROUTES
        for method, operation in route.operations.items()
        if operation.writes
    ]
    assert {path.rpartition("/")[2] for _, path in writers} >= {
        "metrics",
        "notifications",
        "annotations",
        "dashboards",
    }
    head = site.log.head
    for method, path in writers:
        needed = "?id=x" if method in ("PUT", "DELETE") else ""
        answer = await site.ask(
            path + needed, method=method, body=None if method == "DELETE" else b""
        )
        assert answer.status == 403, (method, path)
        assert "The night" in answer.json["detail"]
    assert site.log.head == head
    for path in ("dashboard/live", "metrics/live", "timeline", "annotations", "dashboards"):
        assert (await site.ask(f"/api/realtime/{path}")).status == 200
    assert (await site.ask("/api/realtime/cache/clear", method="POST", body=b"")).status == 200


def test_what_takes_a_body_writes_or_only_asks():
    """A new address that stores something must say so, or an opened incident would take it."""
    asks = {"/api/realtime/cache/clear", "/api/realtime/cache/preload", "/api/realtime/charts"}
    for route in ROUTES:
        for method, operation in route.operations.items():
            if method not in ("GET", "HEAD"):
                assert operation.writes != (route.path in asks), (method, route.path)


@pytest.mark.gen_test
async def test_what_happened_is_told_where_an_incident_is_open(site, tmp_path):
    """Its summary as it came with the file; on a server that records, 404 and why."""
    for value in [0.2] * 20 + [0.95] * 5:
        await site.tick({CPU: value})
    await site.post("/api/realtime/annotations", {"text": "deploy", "at": "-4s", "author": "eva"})
    missing = await site.ask(f"{PATH}/summary")
    assert (missing.status, "records" in missing.json["detail"]) == (404, True)
    answer = await site.ask(f"{PATH}?from=-10s&title=The+night")
    with zipfile.ZipFile(BytesIO(answer.raw)) as archive:
        archive.extract("summary.json", tmp_path)
        truth = msgspec.json.decode(archive.read("summary.json"))
    object.__setattr__(site.services, "summary", read_summary(tmp_path / "summary.json"))
    told = (await site.ask(f"{PATH}/summary")).data
    assert told == truth
    assert (told["title"], told["alerts"][0]["rule"]) == ("The night", "cpu")


@pytest.mark.parametrize("text", ["", "[]", '{"title": "x"}', '{"title": 5}', "\udcff"])
def test_a_summary_that_is_none_is_said_to_be_none(tmp_path, text):
    """Whoever made the file: the page gets what it knows how to show, or the server does not start."""
    file = tmp_path / "summary.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StorageBroken, match="summary") as told:
        read_summary(file)
    assert told.value.hint


def test_a_summary_without_end_is_not_read(tmp_path, monkeypatch):
    """It is held in memory."""
    monkeypatch.setattr(incident, "MOST_SUMMARY", 10)
    (tmp_path / "summary.json").write_text('{"title": "longer than that"}')
    with pytest.raises(StorageBroken, match="29 bytes"):
        read_summary(tmp_path / "summary.json")
