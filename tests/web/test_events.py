"""The log itself."""

import gzip

import msgspec
import pytest
from tornado.http1connection import HTTP1Connection

from web.events import CLOUDEVENTS, NDJSON

PATH = "/api/realtime/events"

ODD = [0.1, 1 / 3, 1e22, 5e-324, -0.0, 2**53, 1.7976931348623157e308, 123456789.12345679]


@pytest.mark.gen_test
async def test_every_number_comes_back_exactly(site):
    """Shortest round-trip: what was sent is read back bit for bit."""
    for number in ODD:
        await site.tick({"odd": number})
    events = (await site.ask(f"{PATH}?type=metrics")).data["events"]
    assert [str(one["data"]["values"]["odd"]) for one in events] == [
        str(float(n)) if n != 2**53 else str(n) for n in ODD
    ]


@pytest.mark.gen_test
async def test_facts_are_told_in_full(site):
    """A declared series with all that is known of it, a notification, an alert by its series' name."""
    await site.post(
        "/api/realtime/metrics",
        {"name": "jobs", "labels": {"q": "a"}, "value": 1, "unit": "jobs", "source": "app"},
    )
    await site.post("/api/realtime/notifications", {"message": "hi"})
    await site.tick({"system_cpu_utilization_ratio": 0.9})
    await site.tick({"system_cpu_utilization_ratio": 0.9})
    data = (await site.ask(PATH)).data
    events = data["events"]
    assert [one["seq"] for one in events] == list(range(1, site.log.head + 1))
    assert data["next"] is None
    by_type = {one["type"]: one for one in events}
    declared = next(one for one in events if one["type"] == "series")
    assert declared["data"]["series"] == [
        {
            "id": 1,
            "series": 'jobs{q="a"}',
            "name": "jobs",
            "labels": {"q": "a"},
            "source": "app",
            "unit": "jobs",
            "kind": "gauge",
            "help": "",
        }
    ]
    assert by_type["notification"]["data"]["message"] == "hi"
    assert by_type["alert"]["data"]["series"] == "system_cpu_utilization_ratio"
    assert by_type["metrics"]["at"].endswith("Z")


@pytest.mark.gen_test
async def test_pages_lead_through_the_whole_log(site):
    """`next` as `after` gives every event once, in order; Link says the same."""
    for n in range(7):
        await site.tick({"a": n})
    seen, after = [], 0
    while after is not None:
        answer = await site.ask(f"{PATH}?limit=3&after={after}")
        seen += [one["seq"] for one in answer.data["events"]]
        after = answer.data["next"]
        link = f'<{PATH}?limit=3&after={after}>; rel="next"'
        assert answer.headers.get("Link") == (link if after else None)
    assert seen == list(range(1, site.log.head + 1))


@pytest.mark.gen_test
async def test_the_log_is_narrowed_by_time_type_and_source(site):
    """`from` is included, `to` is not; types by comma; one source."""
    for n in range(4):
        await site.tick({"a": n}, source=f"s{n % 2}")

    async def values(query):
        events = (await site.ask(f"{PATH}?type=metrics&{query}")).data["events"]
        return [one["data"]["values"]["a"] for one in events]

    assert await values("source=s1") == [1, 3]
    assert await values("from=2026-11-23T03:11:47Z&to=2026-11-23T03:11:49Z") == [1, 2]
    assert await values("from=-1s") == [3]
    assert await values("source=nobody") == []
    typed = (await site.ask(f"{PATH}?type=series,system")).data["events"]
    assert {one["type"] for one in typed} <= {"series", "system"}


@pytest.mark.gen_test
async def test_lines(site):
    """ndjson is one event a line, the same events."""
    for n in range(30):
        await site.tick({"a": n})
    answer = await site.ask(PATH, headers={"Accept": "application/x-ndjson"})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    lines = [msgspec.json.decode(line) for line in answer.raw.splitlines()]
    assert lines == (await site.ask(PATH)).data["events"]
    empty = await site.ask(f"{PATH}?after=999", headers={"Accept": "application/x-ndjson"})
    assert (empty.status, empty.raw) == (200, b"")


@pytest.mark.gen_test
async def test_cloud_events(site):
    """CloudEvents 1.0 in a batch: the required attributes, an id that is unique for ever."""
    await site.tick({"a": 1}, source="ho st")
    media = "application/cloudevents-batch+json"
    answer = await site.ask(f"{PATH}?type=metrics", headers={"Accept": media})
    assert answer.headers["Content-Type"] == media
    [event] = answer.json
    assert event == {
        "specversion": "1.0",
        "id": f"{site.log.epoch}:{site.log.head}",
        "source": "/playhead/ho%20st",
        "type": "playhead.metrics",
        "time": "2026-11-23T03:11:46.000000Z",
        "datacontenttype": "application/json",
        "data": {"values": {"a": 1}},
    }


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("type=metrix", "type"),
        ("from=soon", "from"),
        ("from=now&to=-1h", "from"),
        ("source=", "source"),
    ],
)
async def test_what_cannot_be_asked_is_named(site, query, field):
    """400 and the field."""
    answer = await site.ask(f"{PATH}?{query}")
    assert answer.status == 400
    assert list(answer.errors) == [field]


@pytest.mark.gen_test
async def test_long_ticks_let_others_in(site, monkeypatch):
    """Law loop-never-blocks: encoding pauses after so many samples, and loses nothing by it."""
    monkeypatch.setattr("web.events.SLICE", 1)
    for n in range(3):
        await site.tick({"a": n, "b": n})
    answer = await site.ask(f"{PATH}?type=metrics&limit=2")
    assert [one["data"]["values"] for one in answer.data["events"]] == [
        {"a": 0, "b": 0},
        {"a": 1, "b": 1},
    ]
    assert "type=metrics" in answer.headers["Link"]


@pytest.mark.gen_test
@pytest.mark.parametrize("media", ["application/json", NDJSON, CLOUDEVENTS])
async def test_a_long_page_leaves_in_runs(site, monkeypatch, media):
    """Law loop-never-blocks: it is never put together on the loop, says the same, and its length is told;
    compressed it is, too."""
    for n in range(30):
        await site.tick({f"metric_{k}": n / 7 for k in range(20)})
    accept = {"Accept": media}
    whole = (await site.ask(PATH, headers=accept)).raw
    monkeypatch.setattr("web.handler.OFF_LOOP", 1000)
    monkeypatch.setattr("web.handler.RUN", 3000)
    written = []
    write = HTTP1Connection.write

    def noting(self, chunk):
        written.append(len(chunk))
        return write(self, chunk)

    monkeypatch.setattr(HTTP1Connection, "write", noting)
    answer = await site.ask(PATH, headers=accept)
    longest = max(map(len, whole.split(b'"seq"')))
    assert answer.raw == whole and answer.headers["Content-Length"] == str(len(whole))
    assert len(written) > 3 and max(written) <= 3000 + longest + 100
    packed = await site.ask(PATH, headers={**accept, "Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.raw) == whole
    head = await site.ask(PATH, method="HEAD", headers=accept)
    assert head.headers["Content-Length"] == str(len(whole)) and not head.raw


@pytest.mark.gen_test
async def test_wide_ticks_are_read_a_few_at_a_time(site, monkeypatch):
    """What is decoded on the loop at once is bounded by its samples; the page is the same."""
    for n in range(9):
        await site.tick({f"metric_{k}": n for k in range(10)})
    whole = (await site.ask(PATH)).data["events"]
    asked = []
    read = type(site.log).read

    async def noting(self, after, limit, **more):
        asked.append(limit)
        return await read(self, after, limit, **more)

    monkeypatch.setattr(type(site.log), "read", noting)
    monkeypatch.setattr("web.events.ROOM", 25)
    assert (await site.ask(PATH)).data["events"] == whole
    assert set(asked) == {2}


@pytest.mark.gen_test
async def test_a_page_ends_where_it_grows_too_big(site, monkeypatch):
    """Ticks of many samples make a shorter page, never an endless one; `next` loses nothing."""
    monkeypatch.setattr("web.events.MOST_BYTES", 500)
    for n in range(9):
        await site.tick({f"metric_{k}": n for k in range(10)})
    seen, after, pages = [], 0, 0
    while after is not None:
        data = (await site.ask(f"{PATH}?limit=1000&after={after}")).data
        seen += [one["seq"] for one in data["events"]]
        after, pages = data["next"], pages + 1
    assert seen == list(range(1, site.log.head + 1))
    assert pages > 3


@pytest.mark.gen_test
async def test_facts_come_newest_first(site):
    """Pages by `before` give every fact once, the newest first, filtered as the others are; ticks are left out."""
    for n in range(5):
        await site.tick({"a": n})
        await site.post("/api/realtime/notifications", {"message": f"note {n}"})
    seen: list[str] = []
    address: str | None = f"{PATH}?order=newest&limit=2&type=notification"
    while address:
        answer = await site.ask(address)
        page = answer.data
        seen += [one["data"]["message"] for one in page["events"]]
        link = answer.headers.get("Link")
        assert (page["next"] is None) == (link is None)
        address = link[1 : link.index(">")] if link else None
    assert seen == [f"note {n}" for n in (4, 3, 2, 1, 0)]
    everything = (await site.ask(f"{PATH}?order=newest")).data["events"]
    assert {one["type"] for one in everything} == {"notification", "series", "system"}
    seqs = [one["seq"] for one in everything]
    assert seqs == sorted(seqs, reverse=True)
    later = (await site.ask(f"{PATH}?order=newest&after={seqs[2]}")).data["events"]
    assert [one["seq"] for one in later] == seqs[:2]
    some = (await site.ask(f"{PATH}?order=newest&before={seqs[2]}&limit=1")).data["events"]
    assert [one["seq"] for one in some] == [seqs[3]]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "field"), [("order=newest&type=metrics", "type"), ("before=3", "before")]
)
async def test_an_order_that_cannot_be_is_refused(site, query, field):
    """Ticks stand in segments that are read forwards; a place of one order means nothing in the other."""
    answer = await site.ask(f"{PATH}?{query}")
    assert answer.status == 400
    assert field in answer.errors
