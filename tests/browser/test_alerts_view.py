"""The alerts view: what fires, what is over, what is watched, and the ways to try it."""

import time
from pathlib import Path

import pytest

from realtime.core.times import rfc3339
from storage.events import Declared, Draft, Metrics, Series
from storage.log import Log
from storage.migrate import migrate
from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, ask, post, watching

pytestmark = pytest.mark.browser

SECOND = 1_000_000
HOST = "web-01"
CPU = "system_cpu_utilization_ratio"


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


WATCHED = """() => Object.fromEntries([...document.querySelectorAll('#watched tr[data-rule=cpu]')]
    .map(one => [one.dataset.source, one.querySelector('td.n').textContent]))"""


async def taped(directory: Path) -> int:
    """Four minutes: a drill that was there from the beginning, and one that came in the last → when it began (s)."""
    directory.mkdir()
    path = directory / "playhead.db"
    migrate(path)
    begin = int(time.time()) - 600
    names = [Series(n, CPU, {}, "ratio") for n in (1, 2, 3)]
    drafts = [Draft(begin * SECOND, HOST, Declared(names[:1]))]
    drafts.append(Draft(begin * SECOND, "drill", Declared(names[1:2])))
    for k in range(240):
        at = (begin + k) * SECOND
        if k == 180:
            drafts.append(Draft(at, "younger", Declared(names[2:])))
        drafts.append(Draft(at, HOST, Metrics((1,), (0.25,))))
        drafts.append(Draft(at + 1_000, "drill", Metrics((2,), (k / 1_000,))))
        if k >= 180:
            drafts.append(Draft(at + 2_000, "younger", Metrics((3,), (0.5,))))
    log = Log(path)
    await log.open(begin * SECOND)
    await log.append(drafts)
    await log.close()
    return begin


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_what_was_watched_is_of_the_moment(tmp_path: Path) -> None:
    """Of every source that had been named by then, in sight or not, with what it had said last; and of no other."""
    begin = await taped(tmp_path / "data")
    async with running(tmp_path, source=HOST) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open(f"/analytics?view=alerts&at={rfc3339((begin + 100) * SECOND + 500_000)}")
        await page.wait_for_function(
            "wanted => JSON.stringify((" + WATCHED + ")()) === JSON.stringify(wanted)",
            arg={HOST: "25.0 %", "drill": "10.0 %"},
            timeout=PATIENCE_MS,
        )
        # It goes along with the playhead.
        await watch.open(f"/analytics?view=alerts&at={rfc3339((begin + 200) * SECOND + 500_000)}")
        await page.wait_for_function(
            "wanted => JSON.stringify((" + WATCHED + ")()) === JSON.stringify(wanted)",
            arg={"younger": "50.0 %", HOST: "25.0 %", "drill": "20.0 %"},
            timeout=PATIENCE_MS,
        )
        await page.keyboard.press("Space")
        await page.wait_for_function(
            "() => document.querySelector('#watched tr[data-source=drill] td.n').textContent > '20.0 %'",
            timeout=PATIENCE_MS,
        )
        assert watch.complaints == []
