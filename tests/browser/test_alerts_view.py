"""The alerts view: what fires, what is over, what is watched, and the ways to try it."""

from pathlib import Path

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, ask, post, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_an_alert_is_tried_the_whole_way(tmp_path: Path) -> None:
    """The button makes one fire and end: toast, list with its picture, count, icon, then the list of what is
    over; "check alerts" says what the API says; the link leads to the moment on its source."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open("/analytics?view=alerts")
        await watch.live()
        await page.wait_for_selector("#watched tr[data-rule=memory]", timeout=PATIENCE_MS)
        await page.click("#test-alert")
        await page.wait_for_selector("#alerts .alert", timeout=PATIENCE_MS)
        [alert] = (await ask(server.url, "/api/realtime/alerts"))["alerts"]
        assert await page.inner_text("#alerts .what") == alert["message"]
        assert await page.inner_text(".toast .what") == alert["message"]
        assert await page.get_attribute("html", "data-sign") == "warning"
        await page.keyboard.press("c")
        await page.wait_for_selector(".toast >> text=1 firing at", timeout=PATIENCE_MS)
        await page.wait_for_selector("#resolved .alert", timeout=PATIENCE_MS)
        assert await page.locator("#alerts .alert").count() == 0
        await page.wait_for_selector("#resolved canvas[data-rows='2']", timeout=PATIENCE_MS)
        await page.click("#check-alerts")
        await page.wait_for_selector(".toast >> text=Nothing is firing at", timeout=PATIENCE_MS)

        # The same list from the log, after the page has forgotten everything.
        await page.reload()
        await page.wait_for_selector(
            f'#resolved .alert[data-id="{alert["id"]}"]', timeout=PATIENCE_MS
        )
        await page.select_option("#severity", "critical")
        await page.wait_for_selector("#resolved .alert", state="detached", timeout=PATIENCE_MS)
        assert "severity=critical" in page.url
        await page.select_option("#severity", "")
        await page.click("#resolved .jump")
        await page.wait_for_selector("html[data-view=host][data-span=still]", timeout=PATIENCE_MS)
        assert f"source={alert['source']}" in page.url
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_what_is_watched_stands_as_the_api_says(tmp_path: Path) -> None:
    """Each rule with its line and the value now, the nearest to firing first; a source that crosses one is firing."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        reading = {"name": "system_cpu_utilization_ratio", "source": "drill"}
        for value in (0.5, 0.97):
            await post(server.url, "/api/realtime/metrics", {**reading, "value": value})
        # The host's newest series is younger than the drill's: a page that knows the host is not told of the drill.
        host = (await ask(server.url, "/api/realtime/dashboard/live"))["source"]
        await post(
            server.url, "/api/realtime/metrics", {"name": "younger", "source": host, "value": 1}
        )
        await watch.open("/analytics?view=alerts")
        await watch.live()
        row = "#watched tr[data-rule=cpu][data-source=drill]"
        await post(server.url, "/api/realtime/metrics", {**reading, "value": 0.98})
        await page.wait_for_selector(f'{row} >> text="98.0 %"', timeout=PATIENCE_MS)
        rules = (await ask(server.url, "/api/realtime/alerts"))["rules"]
        limit = next(one for one in rules if one["rule"] == "cpu")["above"]
        assert f"{limit:.1f} %" in await page.inner_text(row)
        assert await page.get_attribute(row, "data-state") == "crossed"
        await page.select_option("#of-source", "drill")
        await page.wait_for_function(
            "() => [...document.querySelectorAll('#watched tbody tr')]"
            ".every(one => one.dataset.source === 'drill')",
            timeout=PATIENCE_MS,
        )
        assert watch.complaints == []
