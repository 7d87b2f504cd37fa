"""Everything the first paint needs."""

import pytest

from tests.web.conftest import HOST

PATH = "/api/realtime/dashboard/live"
USER = 'system_cpu_mode_ratio{mode="user"}'


def chart(data, name):
    return next(one for one in data["charts"] if one["chart"] == name)


@pytest.mark.gen_test
async def test_the_first_paint_is_whole(site):
    """Figures, charts, sources, series, rules, alerts and notifications in one answer."""
    for value in (0.1, 0.95, 0.2):
        await site.tick({"system_cpu_utilization_ratio": value, USER: value})
    await site.post("/api/realtime/notifications", {"message": "hello"})
    data = (await site.ask(PATH)).data
    assert list(data) == [
        "cursor",
        "at",
        "source",
        "hours",
        "interval_s",
        "version",
        "kpis",
        "metrics",
        "sources",
        "series",
        "rules",
        "alerts",
        "notifications",
        "annotations",
        "charts",
        "cached",
    ]
    assert data["cursor"] == site.spine.cursor()
    assert (data["source"], data["hours"], data["version"]) == (HOST, 0.25, "1.2.3")
    assert data["kpis"]["cpu_percent"] == 20
    assert data["metrics"][USER]["value"] == 0.2
    assert [one["source"] for one in data["sources"]] == [HOST]
    assert [one["message"] for one in data["notifications"]] == ["hello"]
    assert [one["rule"] for one in data["rules"]] == ["cpu"]
    assert [one["chart"] for one in data["charts"]] == ["cpu", "memory", "disk", "network", "load"]
    cpu = chart(data, "cpu")
    assert len(cpu["at"]) == 3
    assert cpu["series"][0]["values"] == [0.1, 0.95, 0.2]


@pytest.mark.gen_test
async def test_a_hit_says_cached_and_a_tick_makes_it_fresh(site):
    """Within the window each tick outdates the answer: it is never older than the last commit."""
    await site.tick({USER: 0.1})
    first, second = (await site.ask(PATH)).data, (await site.ask(PATH)).data
    assert (first["cached"], second["cached"]) == (False, True)
    assert {**first, "cached": True} == second
    await site.tick({USER: 0.3})
    third = (await site.ask(PATH)).data
    assert third["cached"] is False
    assert chart(third, "cpu")["series"][0]["values"] == [0.1, 0.3]
    await site.post("/api/realtime/notifications", {"message": "news"})
    assert (await site.ask(PATH)).data["notifications"][0]["message"] == "news"


@pytest.mark.gen_test
async def test_a_long_range_keeps_its_charts_and_not_its_figures(site):
    """A day's charts move on a step at a time; the latest values beside them are of this tick."""
    await site.tick({USER: 0.1, "system_cpu_utilization_ratio": 0.1})
    first = (await site.ask(f"{PATH}?hours=24")).data
    await site.tick({USER: 0.3, "system_cpu_utilization_ratio": 0.3})
    second = (await site.ask(f"{PATH}?hours=24")).data
    assert (first["cached"], second["cached"]) == (False, True)
    assert second["charts"] == first["charts"]
    assert second["kpis"]["cpu_percent"] == 30
    site.clock.pass_s(24 * 3600 / 600)
    await site.tick({USER: 0.3})
    third = (await site.ask(f"{PATH}?hours=24")).data
    assert third["cached"] is False
    assert max(chart(third, "cpu")["series"][0]["values"]) == 0.3


@pytest.mark.gen_test
async def test_a_room_hears_its_own_and_everyone_s_notifications(site):
    """Another room's message does not show."""
    for room in ("dashboard", "ops", "dev"):
        await site.post("/api/realtime/notifications", {"message": room, "room": room})

    async def heard(query):
        data = (await site.ask(PATH + query)).data
        return [one["message"] for one in data["notifications"]]

    assert await heard("") == ["dashboard"]
    assert await heard("?room=ops") == ["ops", "dashboard"]


@pytest.mark.gen_test
@pytest.mark.parametrize("hours", [0.25, 24])
async def test_any_source_can_be_painted(site, hours):
    """Figures, series and charts are of the source asked for, fresh at each of its ticks; others' are not."""
    await site.tick({USER: 0.1, "system_cpu_utilization_ratio": 0.1})
    await site.tick({USER: 0.7, "system_cpu_utilization_ratio": 0.7}, source="web-2")

    async def paint(source):
        return (await site.ask(f"{PATH}?hours={hours}&source={source}")).data

    for source, value in ((HOST, 0.1), ("web-2", 0.7), (HOST, 0.1)):
        data = await paint(source)
        assert (data["source"], data["kpis"]["cpu_percent"]) == (source, value * 100)
        assert chart(data, "cpu")["series"][0]["values"] == [value]
        assert len(data["series"]) == 2 and len(data["sources"]) == 2
    await site.tick({"system_cpu_utilization_ratio": 0.4}, source="web-2")
    assert (await paint("web-2"))["kpis"]["cpu_percent"] == 40
    own = (await site.ask(f"{PATH}?hours={hours}")).data
    assert own["source"] == HOST


@pytest.mark.gen_test
async def test_an_unknown_source_is_answered_with_those_there_are(site, monkeypatch):
    """404, and no more names than one can read; the host's own is known before its first reading."""
    assert (await site.ask(f"{PATH}?source={HOST}")).status == 200
    assert "none yet" in (await site.ask(f"{PATH}?source=web-9")).errors["source"]
    monkeypatch.setattr("web.dashboard.NAMED", 3)
    for number in range(5):
        await site.tick({"up": 1}, source=f"app-{number}")
    answer = await site.ask(f"{PATH}?source=web-9")
    assert answer.status == 404
    assert "app-0, app-1, app-2 and 2 more" in answer.errors["source"]
    assert (await site.ask(f"{PATH}?source=")).status == 400


@pytest.mark.gen_test
@pytest.mark.parametrize("hours", ["0", "-1", "nan", "9000", "x", ""])
async def test_hours_are_bounded(site, hours):
    """A span that cannot be shown names the bound."""
    answer = await site.ask(f"{PATH}?hours={hours}")
    assert answer.status == 400
    assert "8,784" in answer.errors["hours"]


@pytest.mark.gen_test
async def test_an_empty_log_paints_too(site):
    """The very first visitor sees an empty dashboard and no error."""
    data = (await site.ask(f"{PATH}?hours=168")).data
    assert data["metrics"] == {}
    assert all(one["at"] == [] for one in data["charts"])
