"""Open alerts."""

import asyncio

import pytest

CPU = "system_cpu_utilization_ratio"
PATH = "/api/realtime/alerts"


@pytest.mark.gen_test
async def test_an_alert_is_open_until_it_clears(site):
    """Firing is listed with value, threshold and since; once clear it is among the resolved."""
    assert (await site.ask(PATH)).data["alerts"] == []
    await site.tick({CPU: 0.95})
    await site.tick({CPU: 0.96})
    [alert] = (await site.ask(PATH)).data["alerts"]
    assert alert["rule"] == "cpu"
    assert alert["state"] == "firing"
    assert alert["severity"] == "critical"
    assert alert["series"] == CPU
    assert alert["value"] == 95
    assert alert["threshold"] == 80
    assert alert["since"].startswith("2026-11-23T03:11:46")
    await site.tick({CPU: 0.1})
    await site.tick({CPU: 0.1})
    assert (await site.ask(PATH)).data["alerts"] == []
    [resolved] = (await site.ask(f"{PATH}?state=resolved")).data["alerts"]
    assert resolved["id"] == alert["id"]
    both = (await site.ask(f"{PATH}?state=firing,resolved")).data["alerts"]
    assert both == [resolved]


@pytest.mark.gen_test
async def test_the_rules_are_told(site):
    """Whoever shows alerts also learns what would raise one."""
    [rule] = (await site.ask(PATH)).data["rules"]
    assert (rule["rule"], rule["above"]) == ("cpu", 80)


@pytest.mark.gen_test
async def test_an_unknown_state_is_refused(site):
    """A misspelt state must not look like peace."""
    answer = await site.ask(f"{PATH}?state=fring")
    assert answer.status == 400
    assert "firing" in answer.errors["state"]


@pytest.mark.gen_test
async def test_a_test_alert_goes_the_whole_way(site):
    """It is judged, stored and told as any other: open while it lasts, then resolved, both in the log by its name."""
    testing = asyncio.create_task(site.post(f"{PATH}/test?seconds=0.3"))
    alerts: list[dict] = []
    while not alerts:
        alerts = (await site.ask(PATH)).data["alerts"]
    site.clock.pass_s(1)
    assert (alerts[0]["rule"], alerts[0]["state"], alerts[0]["severity"]) == (
        "test",
        "firing",
        "warning",
    )
    assert alerts[0]["message"] == "Test alert at 1 for 0 s (alert above 0.5)"
    data = (await testing).data
    assert data["fired"]["id"] == data["resolved"]["id"] == alerts[0]["id"]
    assert data["resolved"]["message"] == "Test alert back to 0 after 1 s (clear below 0.5)"
    assert (await site.ask(PATH)).data["alerts"] == []
    events = (await site.ask("/api/realtime/events?type=alert")).data["events"]
    assert [one["data"]["state"] for one in events] == ["firing", "resolved"]


@pytest.mark.gen_test
async def test_a_second_test_ends_the_first(site):
    """One that a crash has left open does not stay for good."""
    await site.tick({"playhead_alert_test": 1})
    data = (await site.post(f"{PATH}/test?seconds=9")).data
    assert data["fired"] is None
    assert data["resolved"]["rule"] == "test"
    assert (await site.ask(PATH)).data["alerts"] == []


@pytest.mark.gen_test
async def test_a_test_does_not_last_for_ever(site):
    """A time that makes no sense is refused, and nothing is written."""
    answer = await site.post(f"{PATH}/test?seconds=3600")
    assert answer.status == 400
    assert "seconds" in answer.errors
    assert (await site.ask("/api/realtime/events")).data["events"] == []
