"""The series known."""

from urllib.parse import quote

import pytest

from realtime.core.selectors import Selector

PATH = "/api/realtime/series"


@pytest.mark.gen_test
async def test_series_are_listed_with_all_that_is_known(site):
    """Labels, unit, source, first and last seen, and what it said last."""
    reading = {"name": "jobs", "labels": {"queue": "mail"}, "value": 1, "unit": "jobs"}
    await site.post("/api/realtime/metrics", {**reading, "source": "app"})
    site.clock.pass_s(5)
    await site.post("/api/realtime/metrics", {**reading, "source": "app", "value": 2})
    [series] = (await site.ask(PATH)).data["series"]
    assert series == {
        "id": 1,
        "series": 'jobs{queue="mail"}',
        "name": "jobs",
        "labels": {"queue": "mail"},
        "source": "app",
        "unit": "jobs",
        "kind": "gauge",
        "help": "",
        "first_seen": "2026-11-23T03:11:46.000000Z",
        "last_seen": "2026-11-23T03:11:51.000000Z",
        "last_value": 2,
    }


@pytest.mark.gen_test
async def test_series_are_listed_as_they_were_known(site):
    """With `as_of`: those that had been named by then, of every source, with what they had said last by then."""
    asked = "/api/realtime/metrics"
    await site.tick({"host": 1})
    await site.post(asked, {"name": "jobs", "value": 1, "source": "app"})
    site.clock.pass_s(2)
    then = site.clock.now() / 1e6
    await site.tick({"host": 2})
    site.clock.pass_s(2)
    await site.tick({"host": 3})
    await site.post(asked, {"name": "jobs", "value": 7, "source": "app", "at": then - 1})
    await site.post(asked, {"name": "jobs", "value": 9, "source": "new", "at": then - 1})
    await site.tick({"host": 4})
    known = (await site.ask(f"{PATH}?match=jobs&as_of={then}")).data
    assert [(one["source"], one["last_value"]) for one in known["series"]] == [("app", 1)]
    assert known["series"][0]["last_seen"] < "2026-11-23T03:11:49"
    now = (await site.ask(f"{PATH}?match=jobs")).data
    assert [(one["source"], one["last_value"]) for one in now["series"]] == [("app", 7), ("new", 9)]
    assert int(known["cursor"].split(":")[1]) < int(now["cursor"].split(":")[1])
    assert "not over" in (await site.ask(f"{PATH}?as_of=2199-01-01T00:00:00Z")).errors["as_of"]


@pytest.mark.gen_test
async def test_any_selector_may_match(site):
    """Selectors are alternatives, and a comma inside one is its own."""
    await site.tick({'cpu{mode="user"}': 1, 'cpu{mode="idle"}': 1, "mem": 1})
    await site.tick({"mem": 1}, source="other")

    async def names(query):
        return [
            (one["source"], one["series"]) for one in (await site.ask(PATH + query)).data["series"]
        ]

    assert await names("?match=mem") == [("web-1", "mem"), ("other", "mem")]
    assert await names("?match=mem%7Bsource%3D%22other%22%7D&match=cpu%7Bmode%3D~%22u.*%22%7D") == [
        ("web-1", 'cpu{mode="user"}'),
        ("other", "mem"),
    ]
    assert await names("?match=none") == []
    assert len(await names("")) == 4


@pytest.mark.gen_test
async def test_many_series_let_others_in(site, monkeypatch):
    """Law loop-never-blocks: the list is made in slices, and is whole."""
    monkeypatch.setattr("web.series.SLICE", 3)
    await site.tick({f"m{n}": n for n in range(10)})
    assert len((await site.ask(PATH)).data["series"]) == 10


@pytest.mark.gen_test
async def test_a_selector_that_cannot_be_read_is_named(site):
    """The first place, the second place, or the only one."""
    assert list((await site.ask(f"{PATH}?match=cpu%7B")).errors) == ["match"]
    assert list((await site.ask(f"{PATH}?match=cpu&match=%7B")).errors) == ["match[1]"]
    assert "50" in (await site.ask(PATH + "?" + "match=a&" * 51)).errors["match"]


@pytest.mark.gen_test
async def test_the_list_comes_in_pages(site):
    """Each series once, whatever selects them; `next` is null at the end, also of a full page."""
    await site.tick({f"m{n}": n for n in range(7)})
    await site.tick({f"x{n}": n for n in range(3)}, source="other")
    for match in ("", "&match=%7Bsource%3D%22web-1%22%7D", "&match=%7B__name__%3D~%22m.*%22%7D"):
        seen, after = [], 0
        while after is not None:
            page = (await site.ask(f"{PATH}?limit=2&after={after}{match}")).data
            assert 1 <= len(page["series"]) <= 2
            seen += [one["series"] for one in page["series"]]
            after = page["next"]
        assert seen == [f"m{n}" for n in range(7)] + ([f"x{n}" for n in range(3)] * (not match))
    assert (await site.ask(f"{PATH}?limit=10")).data["next"] is None
    assert (await site.ask(f"{PATH}?after=10")).data == {
        "cursor": site.spine.cursor(),
        "next": None,
        "series": [],
    }
    assert list((await site.ask(f"{PATH}?limit=10001")).errors) == ["limit"]


@pytest.mark.gen_test
async def test_of_a_source_only_its_own_are_looked_at(site, monkeypatch):
    """Also of several, also together with what else a selector says."""
    await site.tick({"a": 1, "b": 1})
    await site.tick({"a": 1}, source="other")
    await site.tick({"a": 1}, source="third")
    looked = []
    matches = Selector.matches

    def matched(selector, name, labels, source):
        looked.append(source)
        return matches(selector, name, labels, source)

    monkeypatch.setattr(Selector, "matches", matched)

    async def found(*texts):
        query = "&".join(f"match={quote(text)}" for text in texts)
        return [one["id"] for one in (await site.ask(f"{PATH}?{query}")).data["series"]]

    assert await found('{source="web-1"}') == [1, 2]
    assert await found('a{source="third"}', '{source="other"}') == [3, 4]
    assert await found('{source="nobody"}') == []
    assert looked.count("web-1") == 2
    assert await found('{source="other"}', "b") == [2, 3]
    assert await found('{source=~"o.*"}', '{source!="web-1",source="third"}') == [3, 4]
