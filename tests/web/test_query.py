"""History in columns."""

import math

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

    async def refuse(*args):
        raise TooMuch("1,000,001 samples are in that range; at most 1,000,000 would do.")

    monkeypatch.setattr(type(site.services.history), "answer", refuse)
    answer = await site.ask(f"{PATH}?series=wave")
    assert answer.status == 400
    assert list(answer.errors) == ["from"]
