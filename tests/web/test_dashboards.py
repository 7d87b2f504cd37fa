"""Dashboards of people's own, over HTTP."""

import asyncio

import pytest

PATH = "/api/realtime/dashboards"
TILE = {"kind": "tile", "x": 0, "y": 0, "w": 3, "h": 2, "series": ["up"]}
OPTION = "panels[0].options[...]"
SHOP = {"title": "Shop", "panels": [TILE], "tags": ["shop"], "author": "eva"}


async def put(site, id_, value, **headers):
    return await site.post(f"{PATH}?id={id_}", value, method="PUT", **headers)


async def drop(site, id_, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.ask(f"{PATH}?id={id_}", method="DELETE", headers=sent)


@pytest.mark.gen_test
async def test_saved_listed_given_and_removed(site):
    """The list is by title and says of panels only where they stand; one is whole, with its version as its tag."""
    saved = await site.post(PATH, SHOP)
    assert saved.status == 200, saved.raw
    one = saved.data
    assert (one["id"], one["state"], one["panels"]) == ("shop", "saved", [TILE])
    assert saved.headers["Etag"] == f'"{one["seq"]}"'
    second = await site.post(PATH, {**SHOP, "title": "alpha", "id": "zulu"})
    listed = (await site.ask(PATH)).data
    assert [entry["id"] for entry in listed["dashboards"]] == ["zulu", "shop"]
    places = [{side: TILE[side] for side in ("kind", "x", "y", "w", "h")}]
    brief = {name: one[name] for name in one if name != "panels"}
    assert listed["dashboards"][1] == {**brief, "places": places}
    given = await site.ask(f"{PATH}?id=shop")
    assert given.data["dashboards"] == [one]
    assert given.headers["Etag"] == saved.headers["Etag"]
    gone = await drop(site, "zulu")
    assert (gone.data["state"], gone.data["seq"]) == ("removed", second.data["seq"] + 1)
    assert [entry["id"] for entry in (await site.ask(PATH)).data["dashboards"]] == ["shop"]
    for answer in (await site.ask(f"{PATH}?id=zulu"), await drop(site, "zulu")):
        assert answer.status == 404


@pytest.mark.gen_test
async def test_who_saves_over_a_change_is_told(site):
    """`If-Match` names the version that was changed; a second one that names it is 412, and nothing is lost."""
    first = (await site.post(PATH, SHOP)).headers["Etag"]
    both = await asyncio.gather(
        *(put(site, "shop", {**SHOP, "title": name}, If_Match=first) for name in ("A", "B"))
    )
    assert sorted(answer.status for answer in both) == [200, 412]
    lost = next(answer for answer in both if answer.status == 412)
    assert list(lost.errors) == ["If-Match"]
    assert (await drop(site, "shop", If_Match=first)).status == 412
    won = next(answer for answer in both if answer.status == 200)
    assert (await site.ask(f"{PATH}?id=shop")).data["dashboards"] == [won.data]
    assert (await put(site, "shop", SHOP)).status == 200, "without it whatever is there is replaced"
    assert (await put(site, "new", SHOP, If_Match='"7"')).status == 412
    assert list((await put(site, "shop", SHOP, If_Match="x")).errors) == ["If-Match"]


@pytest.mark.gen_test
async def test_a_name_is_given_once(site):
    """A new one of a name that is taken is 409; without a name it gets one of its own."""
    assert (await site.post(PATH, {**SHOP, "id": "shop"})).status == 200
    taken = await site.post(PATH, {**SHOP, "id": "shop"})
    assert (taken.status, list(taken.errors)) == (409, ["id"])
    assert (await site.post(PATH, SHOP)).data["id"] == "shop-2"
    first = await site.post(PATH, SHOP, Idempotency_Key="k")
    assert first.data == (await site.post(PATH, SHOP, Idempotency_Key="k")).data
    assert (await put(site, "shop", {**SHOP, "id": "other"})).status == 422


@pytest.mark.gen_test
async def test_the_past_is_there_and_can_be_put_back(site):
    """Every saving, newest first; any of them whole, by its version; undo is saving it again."""
    seqs = [(await put(site, "shop", {**SHOP, "title": str(n)})).data["seq"] for n in range(5)]
    await put(site, "other", SHOP)
    await drop(site, "shop")
    path = f"{PATH}/history?id=shop"
    told = (await site.ask(path)).data
    assert [one["seq"] for one in told["versions"]] == [seqs[-1] + 2, *reversed(seqs)]
    assert told["versions"][0]["state"] == "removed" and told["next"] is None
    page = (await site.ask(f"{path}&limit=2")).data
    assert [one["seq"] for one in page["versions"]] == [seqs[-1] + 2, seqs[4]]
    page = (await site.ask(f"{path}&limit=4&before={page['next']}")).data
    assert [one["seq"] for one in page["versions"]] == [*reversed(seqs[:4])]
    old = (await site.ask(f"{PATH}?id=shop&version={seqs[1]}")).data["dashboards"][0]
    assert (old["title"], old["panels"]) == ("1", [TILE])
    wrong = [f"?id=other&version={seqs[1]}", f"?id=shop&version={10**6}", "?id=nothing"]
    assert [(await site.ask(PATH + query)).status for query in wrong] == [404] * 3
    assert list((await site.ask(f"{PATH}?version=1")).errors) == ["id"]


@pytest.mark.gen_test
async def test_a_long_past_is_walked_a_stretch_at_a_time(site, monkeypatch):
    """Savings of others do not make one answer long: it may come short, and says where to go on."""
    monkeypatch.setattr("web.dashboards.PAGE", 2)
    monkeypatch.setattr("web.dashboards.LOOKED", 4)
    await put(site, "shop", SHOP)
    for _ in range(9):
        await put(site, "other", SHOP)
    path, found, before, asked = f"{PATH}/history?id=shop", [], "", 0
    while before is not None:
        page = (await site.ask(f"{path}&before={before}" if before else path)).data
        found += page["versions"]
        before, asked = page["next"], asked + 1
    assert [one["seq"] for one in found] == [1]
    assert asked == 3


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        ({"panels": []}, 422, "body"),
        ({"title": "", "panels": []}, 422, "title"),
        ({"title": "a", "panels": [TILE | {"x": 12}]}, 422, "panels[0].x"),
        ({"title": "a", "panels": [TILE, TILE | {"x": 11}]}, 422, "panels[1].w"),
        ({"title": "a", "panels": [TILE | {"series": ["{"]}]}, 422, "panels[0].series[0]"),
        ({"title": "a", "panels": [], "id": "No Id"}, 422, "id"),
        ({"title": "a", "panels": [], "id": "no-id\n"}, 422, "id"),
        ({"title": "a", "panels": [TILE | {"options": {"b": 1 << 64}}]}, 422, OPTION),
        ({"title": "a", "panels": [TILE | {"options": {"b": -(1 << 53) - 1}}]}, 422, OPTION),
        ({"title": "a", "panels": [], "colour": 1}, 422, "body"),
    ],
)
async def test_what_is_no_dashboard_is_refused_by_field(site, body, status, field):
    """Nothing of it is kept."""
    for answer in (await site.post(PATH, body), await put(site, "shop", body)):
        assert answer.status == status, answer.raw
        assert list(answer.errors) == ([field] if field else [])
    assert site.log.head == 0
