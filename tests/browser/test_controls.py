"""What a reader decides, by mouse and by key, and read off the page against the API."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_settings_hold(tmp_path: Path) -> None:
    """Zone, theme, density, pace and language take effect at once and are there after a reload."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open()
        await watch.live()
        await page.click("#settings")
        await page.select_option("#zone", "Australia/Eucla")
        await page.select_option("#density", "compact")
        await page.select_option("#theme-choice", "light")
        await page.select_option("#pace", "10000")
        await page.keyboard.press("Escape")
        assert "tz=Australia%2FEucla" in page.url
        # Readings wait; what the server knows moves on meanwhile.
        held = await watch.seq()
        await page.wait_for_timeout(1500)
        assert await watch.seq() - held <= 11
        await page.keyboard.press("s")
        await page.select_option("#pace", "0")
        await page.keyboard.press("Escape")
        await page.reload()
        await watch.live()
        assert await page.get_attribute("html", "data-density") == "compact"
        assert await page.get_attribute("html", "data-theme") == "light"
        now = datetime.now(UTC)
        shown = (await page.inner_text("#clock")).split()[-1]
        assert shown.split(":")[1] == f"{(now.minute + 45) % 60:02}" or now.second > 57
        await page.keyboard.press("s")
        await page.select_option("#language", "de")
        await page.wait_for_selector("html[lang=de]", timeout=PATIENCE_MS)
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_time_is_picked_to_the_second(tmp_path: Path) -> None:
    """The dialog by key: what makes no sense is said and cannot be shown; what does stands in the address, and
    Backspace takes it back."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open("/analytics?tz=UTC")
        await watch.live()
        await page.keyboard.press("d")
        await page.fill("#picker-from", "2026-03-01T10:00:00")
        await page.fill("#picker-to", "2026-03-01T09:00:00")
        assert await page.inner_text("#picker-words") == "From is not before To."
        assert await page.locator("#picker button[type=submit]").is_disabled()
        await page.fill("#picker-to", "2026-03-01T10:00:05")
        assert "5 s long" in await page.inner_text("#picker-words")
        assert "nothing to show" in await page.inner_text("#picker-words")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("html[data-span=still]", timeout=PATIENCE_MS)
        assert "from=2026-03-01T10%3A00%3A00.000Z&to=2026-03-01T10%3A00%3A05.000Z" in page.url
        await page.keyboard.press("Backspace")
        await page.wait_for_selector("html[data-span=moving]", timeout=PATIENCE_MS)
        await page.select_option("#range", "pick")
        await page.click("#picker >> text=Last hour")
        assert await page.input_value("#range") == "3600"
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_what_is_on_the_page_is_exported(tmp_path: Path) -> None:
    """One CSV by key and one JSON by mouse: every chart's readings, the very ones that the API gives."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 4)
        text = await downloaded(watch, lambda: page.keyboard.press("e"))
        rows = list(csv.DictReader(io.StringIO(text)))
        load = [row for row in rows if row["series"] == 'system_load{period="1m"}']
        assert len(load) > 3
        span = {"from": load[0]["at"], "to": load[-1]["at"], "points": 5000}
        answer = await ask(server.url, "/api/realtime/query", series=load[0]["series"], **span)
        recorded = answer["series"][0]["value"]
        assert [float(row["value"]) for row in load][: len(recorded)] == recorded
        assert len({row["series"] for row in rows}) > 20
        await page.click("#settings")
        text = await downloaded(watch, lambda: page.click("#do-json"))
        found = json.loads(text)
        assert {one["series"] for one in found["series"]} >= {row["series"] for row in rows}
        assert watch.complaints == []


async def downloaded(watch: Watch, act: Any) -> str:
    async with watch.page.expect_download() as downloading:
        await act()
    return Path(await (await downloading.value).path()).read_bytes().decode()


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_live_metrics_and_refresh(tmp_path: Path) -> None:
    """Every series with value, unit and age, filtered and sorted; everything is asked again by key."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open()
        await watch.live()
        await page.keyboard.press("m")
        await page.wait_for_selector("#latest tbody tr", timeout=PATIENCE_MS)
        await watch.beyond(await watch.seq() + 2)  # by then every collector has spoken
        known = (await ask(server.url, "/api/realtime/metrics/live"))["series"]
        await page.wait_for_function(
            "least => document.querySelectorAll('#latest tbody tr').length >= least",
            arg=len(known),
            timeout=PATIENCE_MS,
        )
        await page.fill("#latest input", "load 15m")
        assert await page.locator("#latest tbody tr").count() == 1
        await page.fill("#latest input", "")
        await page.click("#latest [data-sort=age]")
        assert await page.get_attribute("#latest th:last-child", "aria-sort") == "ascending"
        await page.keyboard.press("Escape")
        async with page.expect_request("**/api/realtime/charts?*", timeout=PATIENCE_MS):
            await page.keyboard.press("u")
            await page.wait_for_selector(".toast >> text=Everything was asked again")
        await page.keyboard.press("i")
        await page.wait_for_selector("#performance >> text=Clear cache", timeout=PATIENCE_MS)
        await page.keyboard.press("Escape")
        await page.wait_for_selector("#performance", state="detached", timeout=PATIENCE_MS)
        assert watch.complaints == []
