"""Finding any series, and taking it along: what the page shows is what the API says, in every form."""

import asyncio
import csv
import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.app import Server, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, watching

pytestmark = pytest.mark.browser

ORDERS = 'shop_orders_total{shop="berlin"}'
SECONDS = 120
STEP = {"fn": "max", "step": "10s"}


async def pushed(server: Server) -> int:
    """Two minutes of two sources, of different units → the second they end at."""
    end = int(time.time()) - 5
    at = list(range(end - SECONDS + 1, end + 1))
    for source, series, unit in (
        ("shop", ORDERS, "orders"),
        ("web-1", "system_cpu_utilization_ratio", "ratio"),
        ("web-2", "system_cpu_utilization_ratio", "ratio"),
    ):
        values = [k * 3 if unit == "orders" else (k % 20) / 40 for k in range(SECONDS)]
        body = {"source": source, "at": at, "series": {series: values}}
        await post(
            server.url,
            "/api/realtime/metrics",
            {**body, "units": {series.partition("{")[0]: unit}},
        )
    return end


async def shown(watch: Watch, many: int) -> None:
    await watch.page.wait_for_selector(f'.view[data-shown="{many}"]', timeout=PATIENCE_MS)


async def figures(watch: Watch, selector: str) -> dict[str, float]:
    item = watch.page.locator("#chosen > li").filter(
        has=watch.page.locator(f"[title='{selector}']")
    )
    names = ("newest", "least", "mean", "most")
    return {name: float(await item.get_attribute(f"data-{name}") or "nan") for name in names}


def said(column: dict[str, Any]) -> dict[str, float]:
    values = [value for value in column["value"] if value is not None]
    mean = sum(values) / len(values)
    return {"newest": values[-1], "least": min(values), "mean": mean, "most": max(values)}


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_series_are_found_charted_and_taken_along(tmp_path: Path) -> None:
    """By keyboard: found, chosen, two units on two charts, a function of steps; and the numbers, the table,
    the file, the command and the link all say what the API does."""
    async with running(tmp_path, source="here") as server, watching(server.url) as watch:
        page = watch.page
        end = await pushed(server)
        still = {
            name: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
            for name, at in (("from", end - SECONDS + 1), ("to", end))
        }
        await watch.open(f"/analytics?{urlencode({'view': 'explore', **still})}")
        await watch.live()
        await page.keyboard.press("f")
        await page.keyboard.type("shop ordrs")
        await page.wait_for_selector('#found-series[data-done="true"] .result', timeout=PATIENCE_MS)
        await page.wait_for_function(
            "() => document.querySelectorAll('#found-series .result').length === 1",
            timeout=PATIENCE_MS,
        )
        await page.keyboard.press("Enter")
        await shown(watch, 1)
        await page.fill("#find-series", "cpu util")
        await page.click('.choice[data-key="source"][data-value="web-1"]')
        await page.focus("#find-series")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await shown(watch, 2)
        assert await page.locator("#graphs .graph").count() == 2
        shop, cpu = (
            'shop_orders_total{shop="berlin",source="shop"}',
            'system_cpu_utilization_ratio{source="web-1"}',
        )
        asked: dict[str, Any] = {"series": [shop, cpu], **still}
        told = (await ask(server.url, "/api/realtime/query", **asked, points=600))["series"]
        for column, selector in zip(told, (shop, cpu), strict=True):
            assert await figures(watch, selector) == pytest.approx(said(column))
        await page.select_option("#fn", "max")
        await page.select_option("#step", "10s")
        told = (await ask(server.url, "/api/realtime/query", **asked, **STEP))["series"]
        await page.wait_for_selector(
            f'#chosen [data-least="{said(told[0])["least"]}"]', timeout=PATIENCE_MS
        )
        assert await figures(watch, shop) == pytest.approx(said(told[0]))

        await page.click("#show-curl")
        command = (await page.inner_text("#curl code")).replace("curl ", "curl -s ", 1)
        ran = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        out, _ = await ran.communicate()
        assert json.loads(out)["data"]["series"] == told

        async with page.expect_download() as saving:
            await page.click("#save-csv")
        with open(await (await saving.value).path(), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(io.StringIO(file.read())))
        assert [float(row["value"]) for row in rows if row["source"] == "shop"] == told[0]["value"]
        async with page.expect_download() as saving:
            await page.click("#save-png")
        assert Path(await (await saving.value).path()).read_bytes().startswith(b"\x89PNG")

        await page.click('[data-as="table"]')
        await page.wait_for_selector("#numbers tbody tr", timeout=PATIENCE_MS)
        assert await page.locator("#numbers tbody tr").count() == len(told[0]["value"])
        address = page.url
        await page.goto("about:blank")
        await page.goto(address)
        await shown(watch, 2)
        await page.wait_for_selector("#numbers tbody tr", timeout=PATIENCE_MS)
        assert await figures(watch, shop) == pytest.approx(said(told[0]))
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_the_box_finds_everything_from_the_keyboard(tmp_path: Path) -> None:
    """`/`, a few letters, arrows and Enter lead to a source, a series or a view; a chart leads to Explore; a
    phone has a button for it."""
    async with running(tmp_path, source="here") as server:
        await pushed(server)
        async with watching(server.url) as watch:
            page = watch.page
            await watch.open("/analytics?view=host")
            await watch.live()
            await page.keyboard.press("/")
            await page.keyboard.type("web-2")
            await page.wait_for_selector('#search-list[data-done="true"]', timeout=PATIENCE_MS)
            active = await page.get_attribute("#search-box", "aria-activedescendant")
            assert (await page.inner_text(f"#{active} .text")) == "web-2"
            await page.keyboard.press("Enter")
            await page.wait_for_selector('.view[data-source="web-2"]', timeout=PATIENCE_MS)
            await page.keyboard.press("/")
            await page.keyboard.type("zzz orders")
            await page.wait_for_selector("#search-list .empty-line", timeout=PATIENCE_MS)
            await page.keyboard.press("Escape")
            assert not await page.is_visible("#search-list")
            await page.keyboard.press("/")
            await page.keyboard.type("berlin")
            # Series of a source that nobody has looked at are the server's to tell.
            await page.click("#search-list .option >> text=all sources")
            await page.click("#search-list .option >> text=shop_orders")
            await shown(watch, 1)
            assert await page.locator("#chosen [title^=shop_orders_total]").count() == 1
            await page.goto(f"{server.url}/analytics?view=host&source=here")
            await watch.live()
            await page.hover("#chart-load")
            await page.click("#chart-load .explore")
            await shown(watch, 3)
            assert watch.complaints == []
        async with watching(server.url, size=(390, 844), phone=True) as watch:
            await watch.open("/analytics?view=explore")
            await watch.live()
            assert await watch.page.evaluate("document.documentElement.scrollWidth") <= 390
            await watch.page.tap("#open-search")
            box = await watch.page.locator("#search-box").bounding_box()
            assert box and box["width"] > 250
            await watch.page.keyboard.type("alerts")
            await watch.page.tap("#search-list .option >> text=Alerts")
            await watch.page.wait_for_selector("html[data-view=alerts]", timeout=PATIENCE_MS)
