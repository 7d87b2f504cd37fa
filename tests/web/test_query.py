"""History in columns."""

import gzip
import math

import msgspec
import pytest

from realtime.errors import TooMuch

PATH = "/api/realtime/query"
AT = 1_795_000_000


@pytest.fixture
async def wave(site):
    values = [math.sin(n / 50) for n in range(3000)]
    values[1234] = 99.5
    await site.post(
        "/api/realtime/metrics",
        {"at": [AT + n for n in range(3000)], "series": {"wave": values, "other": values}},
    )
    yield values


@pytest.mark.gen_test
async def test_a_short_range_comes_back_exactly(site, wave):
    """Up to `points` readings a series comes whole, every number the very one that was sent."""
    data = (await site.ask(f"{PATH}?series=wave&from={AT}&to={AT + 99}&points=100")).data
    [series] = data["series"]
    assert series["at"] == [AT + n for n in range(100)]
    assert series["value"] == wave[:100]
    assert (data["tier"], series["series"]) == ("raw", "wave")


@pytest.mark.gen_test
async def test_a_long_range_keeps_its_peak(site, wave):
    """Thinned to a hundredth, the spike is still there at its second."""
    data = (await site.ask(f"{PATH}?series=wave&from={AT}&to={AT + 2999}&points=30")).data
    [series] = data["series"]
    assert len(series["at"]) == len(series["value"]) <= 30
    assert series["value"][series["at"].index(AT + 1234)] == 99.5


@pytest.mark.gen_test
async def test_several_series_and_selectors(site, wave):
    """`series` repeats, and each may be a selector; a series that is not there is not an error."""
    asked = f"{PATH}?series=wave&series=%7B__name__%3D~%22oth.*%22%7D&from={AT}&to={AT + 9}"
    data = (await site.ask(asked)).data
    assert [one["series"] for one in data["series"]] == ["wave", "other"]
    assert (await site.ask(f"{PATH}?series=none")).data["series"] == []


@pytest.mark.gen_test
async def test_a_fixed_range_is_kept_until_something_comes(site, wave):
    """The same range asked again comes off the shelf; a reading of its source outdates it."""
    asked = f"{PATH}?series=wave&from={AT}&to={AT + 9}"
    assert (await site.ask(asked)).data["cached"] is False
    assert (await site.ask(asked)).data["cached"] is True
    await site.post("/api/realtime/metrics", {"name": "wave", "value": 7, "at": AT + 0.5})
    data = (await site.ask(asked)).data
    assert data["cached"] is False
    assert 7 in data["series"][0]["value"]


@pytest.mark.gen_test
async def test_a_range_that_moves_does_not_fill_the_shelf(site, wave):
    """`-15m` means another range each time."""
    before = site.services.shelf.stats().entries
    await site.ask(f"{PATH}?series=wave")
    assert site.services.shelf.stats().entries == before


@pytest.mark.gen_test
async def test_a_step_says_one_number_each(site, wave):
    """Whole steps of the clock; what nothing was read in is null."""
    asked = f"{PATH}?series=wave&from={AT - 25}&to={AT + 25}&step=10s&fn=count"
    data = (await site.ask(asked)).data
    assert (data["step"], data["fn"], data["tier"]) == (10, "count", "raw")
    [series] = data["series"]
    assert series["at"] == [AT - 30 + n for n in range(0, 60, 10)]
    assert series["value"] == [None, None, None, 10, 10, 10]
    assert data["to"] == "2026-11-18T11:07:10.000000Z"


@pytest.mark.gen_test
async def test_a_step_or_a_function_alone_is_enough(site, wave):
    """`last` beside a step; a round step, as the points say, beside a function."""
    data = (await site.ask(f"{PATH}?series=wave&from={AT}&to={AT + 100}&step=50")).data
    assert (data["fn"], data["series"][0]["value"]) == ("last", [wave[49], wave[99]])
    data = (await site.ask(f"{PATH}?series=wave&from={AT}&to={AT + 3000}&points=30&fn=max")).data
    assert data["step"] == 120
    assert max(data["series"][0]["value"]) == 99.5
    assert "step" not in (await site.ask(f"{PATH}?series=wave")).data


@pytest.mark.gen_test
async def test_matchers_select_beside_names(site, wave):
    """`match` and `series` together mean each series once."""
    asked = f"{PATH}?match=%7B__name__!~%22o.*%22%7D&series=other&series=wave&from={AT}&to={AT + 9}"
    data = (await site.ask(asked)).data
    assert sorted(one["series"] for one in data["series"]) == ["other", "wave"]


@pytest.mark.gen_test
async def test_the_answer_comes_as_it_is_wanted(site, wave):
    """JSON, msgpack of the same shape, CSV; squeezed for those who take it."""
    asked = f"{PATH}?series=wave&series=other&from={AT}&to={AT + 999}&points=1000"
    plain = await site.ask(asked)
    assert plain.headers["Content-Type"] == "application/json"
    packed = await site.ask(asked, headers={"Accept": "application/msgpack"})
    assert packed.headers["Content-Type"] == "application/msgpack"
    assert msgspec.msgpack.decode(packed.raw) == plain.json
    assert len(packed.raw) < len(plain.raw) / 1.5
    table = await site.ask(asked, headers={"Accept": "text/csv, */*;q=0.1"})
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = table.raw.decode().split("\r\n")
    assert (len(rows), rows[0], rows[-1]) == (2002, "at,source,series,value", "")
    assert rows[1] == '2026-11-18T11:06:40.000000Z,"web-1","wave",0'
    for accept in ("application/json", "application/msgpack", "text/csv"):
        bare = await site.ask(asked, headers={"Accept": accept})
        for cached in (False, True):
            heads = {"Accept": accept, "Accept-Encoding": "gzip"}
            squeezed = await site.ask(asked, headers=heads)
            assert squeezed.headers["Content-Encoding"] == "gzip"
            body = gzip.decompress(squeezed.raw)
            assert squeezed.headers["Etag"] == bare.headers["Etag"]
            if accept == "application/json":
                assert msgspec.json.decode(body)["data"].pop("cached") is cached
            elif accept == "text/csv":
                assert body == bare.raw


@pytest.mark.gen_test
async def test_a_long_answer_comes_in_parts_that_add_up(site, wave):
    """Its length is told before; plain, squeezed, first or from the shelf it says the same, and HEAD has
    no body."""
    asked = f"{PATH}?match=wave&match=other&from={AT}&to={AT + 2999}&points=3000"
    told = []
    for headers in ({}, {"Accept-Encoding": "gzip"}, {}, {"Accept-Encoding": "gzip"}):
        answer = await site.ask(asked, headers=headers)
        assert int(answer.headers["Content-Length"]) == len(answer.raw) > 16_384
        packed = answer.headers.get("Content-Encoding") == "gzip"
        assert packed is bool(headers)
        data = msgspec.json.decode(gzip.decompress(answer.raw) if packed else answer.raw)["data"]
        told.append((data.pop("cached"), [one["value"] for one in data["series"]]))
    assert told == [(cached, [wave, wave]) for cached in (False, False, True, True)]
    head = await site.ask(asked, method="HEAD")
    assert (head.status, head.raw) == (200, b"")
    assert (await site.ask(asked)).headers["Etag"] == head.headers["Etag"]


@pytest.mark.gen_test
async def test_who_has_the_answer_is_told_so(site, wave):
    """304 while the numbers are the same, whoever else wrote in the meantime; a new one has a new tag."""
    asked = f"{PATH}?series=wave&from={AT}&to={AT + 99}"
    first = await site.ask(asked)
    tag = first.headers["Etag"]
    assert "no-cache" in first.headers["Cache-Control"]
    for _ in range(2):
        again = await site.ask(asked, headers={"If-None-Match": f'"x", {tag}'})
        assert (again.status, again.raw, again.headers["Etag"]) == (304, b"", tag)
        assert "Content-Type" not in again.headers
        await site.tick({"elsewhere": 1}, source="app")
        await site.tick({"else": 1})
    await site.post("/api/realtime/metrics", {"name": "wave", "value": 7, "at": AT + 0.5})
    changed = await site.ask(asked, headers={"If-None-Match": tag})
    assert (changed.status, changed.headers["Etag"] != tag) == (200, True)
    assert (
        await site.ask(asked, headers={"If-None-Match": tag, "Accept": "text/csv"})
    ).status == 200


@pytest.mark.gen_test
@pytest.mark.parametrize("more", ["", "&step=10&fn=sum"])
async def test_what_is_settled_outlives_the_next_readings(site, wave, more):
    """Ticks that go on elsewhere in time leave it on the shelf; a late reading does not."""
    asked = f"{PATH}?series=wave&from={AT}&to={AT + 99}{more}"
    assert (await site.ask(asked)).data["cached"] is False
    await site.tick({"wave": 1})
    assert (await site.ask(asked)).data["cached"] is True
    late = {"name": "wave", "value": 1e6, "at": AT + 0.5}
    assert (await site.post("/api/realtime/metrics", late)).status == 200
    data = (await site.ask(asked)).data
    assert data["cached"] is False
    assert max(data["series"][0]["value"]) >= 999_999


@pytest.mark.gen_test
async def test_what_is_not_settled_is_outdated_by_the_next_reading(site, wave):
    """Whole steps up to now stand on the shelf until their source speaks again."""
    await site.tick({"wave": 1})
    asked = f"{PATH}?series=wave&from=-1h&step=10m&fn=count"
    assert (await site.ask(asked)).data["cached"] is False
    assert (await site.ask(asked)).data["cached"] is True
    await site.tick({"wave": 1})
    data = (await site.ask(asked)).data
    assert (data["cached"], data["series"][0]["value"][-1]) == (False, 2)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "series"),
        ("series=wave%7B", "series[0]"),
        ("series=wave&from=yesterday", "from"),
        ("series=wave&to=2026-11-23", "to"),
        ("series=wave&from=now&to=-1h", "from"),
        ("series=wave&from=&to=now", "from"),
        ("series=wave&points=1", "points"),
        ("series=wave&points=10001", "points"),
        ("series=wave&from=1e300", "from"),
        ("series=wave&match=%7Bx", "match[0]"),
        ("series=wave&step=soon", "step"),
        ("series=wave&step=0", "step"),
        ("series=wave&step=1ms", "step"),
        ("series=wave&fn=median", "fn"),
        (f"series=wave&from=0&to={AT}&step=1s", "step"),
    ],
)
async def test_what_cannot_be_answered_is_named(site, wave, query, field):
    """400 with the field, never a guess."""
    answer = await site.ask(f"{PATH}?{query}")
    assert answer.status == 400
    assert list(answer.errors) == [field]


@pytest.mark.gen_test
async def test_more_than_may_be_read_is_a_bad_question(site, wave, monkeypatch):
    """A range of too many samples is 400: the question was too wide, nothing is broken."""

    async def refuse(*args, **more):
        raise TooMuch("1,000,001 samples are in that range; at most 1,000,000 would do.")

    monkeypatch.setattr(type(site.services.history), "answer", refuse)
    answer = await site.ask(f"{PATH}?series=wave")
    assert answer.status == 400
    assert list(answer.errors) == ["from"]
