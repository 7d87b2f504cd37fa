"""Open alerts."""

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
