"""Every source at a glance."""

import pytest

PATH = "/api/realtime/overview"
CPU = "system_cpu_utilization_ratio"


@pytest.mark.gen_test
async def test_every_source_is_there_with_its_figures_and_sparks(site):
    """What alerts is first, and the cursor is the one to go on from."""
    for n in range(12):
        await site.tick({CPU: 0.2 + n / 1_000})
        await site.tick({CPU: 0.95, "up": 1}, source="db-1")
        await site.tick({"orders": n}, source="shop")
    data = (await site.ask(PATH)).data
    assert list(data) == ["cursor", "at", "sources", "more"]
    assert data["cursor"] == site.spine.cursor()
    first = data["sources"][0]
    assert first["source"] == "db-1"
    assert list(first) == [
        "source",
        "state",
        "first_seen",
        "last_seen",
        "series",
        "facts",
        "kpis",
        "alerts",
        "unusual",
        "unusual_in",
        "sparks",
    ]
    assert first["alerts"] == {"severity": "critical", "count": 1}
    assert (first["series"], first["kpis"]["cpu_percent"]) == (2, 95)
    shown = {one["source"]: one for one in data["sources"]}
    assert set(shown) == {"web-1", "db-1", "shop"}
    orders = shown["shop"]["sparks"]["orders"]["value"]
    assert len(orders) == len(data["at"]) and max(one for one in orders if one is not None) == 11
    short = (await site.ask(f"{PATH}?hours=0.01&limit=1")).data
    assert (len(short["sources"]), short["more"]) == (1, 2)
    assert short["at"][1] - short["at"][0] == pytest.approx(0.6)


@pytest.mark.gen_test
async def test_it_is_made_once_a_second_and_at_once_for_an_alert(site):
    """Ticks within the second find it ready; what fires, and the next second, do not."""
    await site.tick({CPU: 0.2})
    await site.ask(PATH)
    hits = site.services.shelf.stats().hits

    async def cpu():
        [one] = (await site.ask(PATH)).data["sources"]
        return one["kpis"]["cpu_percent"], one["alerts"]["count"]

    site.clock.pass_s(-0.5)
    await site.post("/api/realtime/metrics", {"name": CPU, "value": 0.5})
    assert await cpu() == (20, 0)
    assert site.services.shelf.stats().hits > hits
    site.clock.pass_s(1.5)
    assert await cpu() == (50, 0)
    await site.post("/api/realtime/metrics", {"name": CPU, "value": 0.9})
    assert await cpu() == (90, 1)


@pytest.mark.gen_test
async def test_many_series_let_others_in(site, monkeypatch):
    """Law loop-never-blocks: readings are copied in slices, and all of them are."""
    monkeypatch.setattr("web.overview.SLICE", 2)
    for n in range(3):
        await site.tick(
            {CPU: 0.1, 'system_load{period="1m"}': n, "system_memory_utilization_ratio": 0.5}
        )
    [one] = (await site.ask(PATH)).data["sources"]
    assert list(one["sparks"]) == ["cpu_percent", "memory_percent", "load_1m"]


@pytest.mark.gen_test
async def test_what_it_takes_is_bounded(site):
    """No further back than memory, no more sources than one can look at; empty while there is nothing."""
    assert (await site.ask(PATH)).data["sources"] == []
    for query, field in (("hours=1", "hours"), ("hours=0", "hours"), ("limit=501", "limit")):
        answer = await site.ask(f"{PATH}?{query}")
        assert (answer.status, list(answer.errors)) == (400, [field])
