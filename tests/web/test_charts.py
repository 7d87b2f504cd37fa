"""Rows for charts that a page puts together."""

import gzip
from urllib.parse import quote

import msgspec
import pytest
import zstandard

from web.schemas import LONGEST_CHART, MOST_CHARTED, MOST_CHARTS

PATH = "/api/realtime/charts"
METRICS = "/api/realtime/metrics"
SERIES = ["a", "b", 'c{of="x"}', "d"]


@pytest.fixture
async def ticked(site):
    """Ten seconds of two sources; series by the id they got."""
    for second in range(10):
        await site.tick({name: second + place / 10 for place, name in enumerate(SERIES[:3])})
    await site.tick({"d": 7}, source="app")
    listed = (await site.ask("/api/realtime/series")).data["series"]
    yield {one["series"]: one["id"] for one in listed}


@pytest.mark.gen_test
async def test_charts_come_as_they_were_asked_for(site, ticked):
    """In that order, series in theirs, of any source; one axis a chart, and a cursor for all."""
    a, b, c, d = (ticked[name] for name in SERIES)
    data = (await site.ask(f"{PATH}?chart=stack:{c},{a}&chart=line:{d},{b}&from=-1m")).data
    assert list(data) == ["cursor", "from", "to", "charts"]
    assert data["cursor"] == site.spine.cursor()
    stack, line = data["charts"]
    assert list(stack) == ["kind", "tier", "from", "to", "at", "values"]
    assert (stack["kind"], line["kind"], stack["tier"]) == ("stack", "line", "raw")
    assert stack["values"] == [[n + 0.2 for n in range(10)], list(range(10))]
    assert len(stack["at"]) == 10 and len(line["at"]) == 11
    assert line["values"] == [[None] * 10 + [7], [n + 0.1 for n in range(10)] + [None]]
    assert (stack["from"], stack["to"]) == (data["from"], data["to"])


@pytest.mark.gen_test
async def test_a_body_asks_the_same(site, ticked):
    """POST is for more charts than an address has room for; times may be numbers there."""
    a, b, *_ = ticked.values()
    now = site.clock.now() / 1e6
    by_query = await site.ask(f"{PATH}?chart=mirror:{a},{b}&from={now - 9}&to={now}&points=20")
    asked = {"charts": [{"kind": "mirror", "ids": [a, b]}], "points": 20}
    by_body = await site.post(PATH, {**asked, "from": now - 9, "to": now})
    assert by_body.data == by_query.data
    assert len(by_body.data["charts"][0]["at"]) == 8


@pytest.mark.gen_test
@pytest.mark.parametrize("hours", [0.1, 5])
async def test_a_stream_goes_on_where_the_rows_end(site, ticked, hours):
    """Law no-gap-no-double: what is polled from the cursor follows the last row, also of a range that
    memory does not hold."""
    began = site.clock.now() / 1e6 - hours * 3600
    old = {"at": [began - 100 + n for n in range(300)], "series": {"a": [0.5] * 300}}
    await site.post("/api/realtime/metrics", old)
    seen = {}
    for _ in range(5):
        await site.tick({"a": 1})
        asked = f"{PATH}?chart=line:{ticked['a']}&from=-{int(hours * 3600)}s&points=2000"
        data = (await site.ask(asked)).data
        [chart] = data["charts"]
        rows = dict(zip(chart["at"], chart["values"][0], strict=True))
        assert max(rows) == site.clock.now() / 1e6 - 1
        await site.tick({"a": 2})
        polled = (await site.ask(f"/api/realtime/dashboard/poll?cursor={data['cursor']}")).data
        told = [one["data"]["values"] for one in polled["frames"] if one["event"] == "metrics"]
        assert told == [{"a": 2}]
        seen = {at: value for at, value in rows.items() if value in (1, 2)}
    assert list(seen.values())[-9:] == [1, 2, 1, 2, 1, 2, 1, 2, 1]


@pytest.mark.gen_test
async def test_counters_are_drawn_as_rates(site):
    """Unless they are wanted as they are; gauges never."""
    at = site.clock.now() / 1e6
    series = {"orders": [n * 3 for n in range(10)]}
    await site.post(
        "/api/realtime/metrics", {"at": [at - 10 + n for n in range(10)], "series": series}
    )
    site.spine.view.series[1] = msgspec.structs.replace(site.spine.view.series[1], kind="counter")
    site.clock.pass_s(1)
    [chart] = (await site.ask(f"{PATH}?chart=line:1")).data["charts"]
    assert chart["values"] == [[3] * 9]
    [chart] = (await site.ask(f"{PATH}?chart=line:1&counters=value")).data["charts"]
    assert chart["values"] == [series["orders"]]
    answer = await site.ask(f"{PATH}?chart=line:1&counters=x")
    assert list(answer.errors) == ["counters"]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.gen_test
async def test_rows_are_as_they_were_known(site, sealed):
    """With `as_of`: a counter's reading that came since, for a time between its two last, is in no rise of then, and
    who was not heard of yet has no rows."""
    sent = {"name": "sent_total", "source": "shop"}
    for value in (0, 100, 200):
        await site.tick({"load": 1})
        await site.post(METRICS, {**sent, "value": value})
        site.clock.pass_s(9)
    then = site.clock.now() / 1e6
    for _ in range(3):
        await site.tick({"load": 1})
    late = await site.post(METRICS, {**sent, "value": 101, "at": then - 12})
    new = await site.post(METRICS, {"name": "new", "value": 1, "source": "shop", "at": then - 12})
    assert (late.status, new.status) == (200, 200)
    await site.tick({"load": 1})
    if sealed:
        await site.log.seal(site.log.head, all_of_it=True)
    listed = (await site.ask("/api/realtime/series")).data["series"]
    ids = {one["series"]: one["id"] for one in listed}
    asked = (
        f"{PATH}?chart=line:{ids['sent_total']}&chart=line:{ids['new']}&from={then - 60}&to={then}"
    )
    known, new = (await site.ask(f"{asked}&as_of={then}")).data["charts"]
    assert known["values"] == [[10, 10]]
    assert new["values"] == [[]]
    now, _ = (await site.ask(asked)).data["charts"]
    assert now["values"][0][-1] > 12 and len(now["values"][0]) == 3
    body = {"charts": [{"kind": "line", "ids": [ids["sent_total"]]}], "from": then - 60, "to": then}
    assert (await site.post(PATH, {**body, "as_of": then})).data["charts"] == [known]
    assert "not over" in (await site.ask(f"{asked}&as_of=2199-01-01T00:00:00Z")).errors["as_of"]
    assert "begins at" in (await site.ask(f"{asked}&as_of=-1h")).errors["as_of"]


@pytest.mark.gen_test
async def test_a_long_answer_is_squeezed(site, ticked):
    """Sixty charts of all there is are a fraction of their JSON on the wire."""
    chart = "&".join(f"chart=line:{','.join(map(str, ticked.values()))}" for _ in range(60))
    plain = await site.ask(f"{PATH}?{chart}")
    packed = await site.ask(f"{PATH}?{chart}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.raw) < len(plain.raw) / 10
    better = await site.ask(f"{PATH}?{chart}", headers={"Accept-Encoding": "gzip, br, zstd"})
    assert better.headers["Content-Encoding"] == "zstd"
    assert len(better.raw) < len(packed.raw)
    assert zstandard.ZstdDecompressor().decompress(better.raw) == plain.raw
    assert msgspec.json.decode(gzip.decompress(packed.raw))["data"] == plain.data


@pytest.mark.gen_test
async def test_what_cannot_be_drawn_is_named(site, ticked):
    """Unknown series by the chart they are on; kinds, numbers and bounds by their field."""
    a = ticked["a"]
    answer = await site.ask(f"{PATH}?chart=line:{a}&chart=line:{a},999&chart=line:998")
    assert answer.status == 400
    assert list(answer.errors) == ["chart[1]", "chart[2]"]
    assert "999" in answer.errors["chart[1]"]
    answer = await site.post(PATH, {"charts": [{"kind": "line", "ids": [a, 0]}]})
    assert (answer.status, list(answer.errors)) == (422, ["charts[0]"])
    for query, field in (
        ("", "chart"),
        ("?chart=pie:1", "chart"),
        ("?chart=line:", "chart"),
        ("?chart=line:x", "chart"),
        (f"?chart=line:{a}%0A", "chart"),
        (f"?chart=line:{a}&points=1", "points"),
        (f"?chart=line:{a}&from=nonsense", "from"),
        (f"?chart=line:{a}&from=now&to=-1m", "from"),
        (f"?chart=line:{a}&nonsense=1", "nonsense"),
        ("?" + f"&chart=line:{a}" * (MOST_CHARTS + 1), "chart"),
        ("?chart=line:" + ",".join([str(a)] * LONGEST_CHART), "chart"),
        (
            f"?chart=line:{','.join([str(a)] * 200)}" + f"&chart=line:{','.join([str(a)] * 201)}",
            "chart",
        ),
    ):
        answer = await site.ask(PATH + query)
        assert (answer.status, list(answer.errors)) == (400, [field]), query
    longest = "&chart=" + quote(":" * LONGEST_CHART)
    answer = await site.ask(f"{PATH}?{longest[1:]}{longest * (MOST_CHARTS - 1)}")
    assert (answer.status, list(answer.errors)) == (400, ["chart"])
    asked = [{"kind": "line", "ids": [a] * MOST_CHARTED}]
    [chart] = (await site.post(PATH, {"charts": asked})).data["charts"]
    assert len(chart["values"]) == MOST_CHARTED
    answer = await site.post(PATH, {"charts": [{"kind": "line", "ids": []}]})
    assert (answer.status, list(answer.errors)) == (422, ["charts[0].ids"])
