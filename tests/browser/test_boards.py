"""Dashboards of people's own, driven as people do it: by mouse, by keyboard, and by two at once."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.app import Server, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, watching

pytestmark = pytest.mark.browser

PATH = "/api/realtime/dashboards"
TEXT = {"kind": "text", "x": 0, "y": 0, "w": 12, "h": 2, "text": "Call Eva."}
LOAD = {"kind": "chart", "x": 0, "y": 2, "w": 6, "h": 6, "series": ['system_load{period="1m"}']}


async def one(server: Server, id_: str) -> dict[str, Any]:
    return dict((await ask(server.url, PATH, id=id_))["dashboards"][0])


async def until(page: Page, condition: str, arg: object = None) -> None:
    await page.wait_for_function(condition, arg=arg, timeout=PATIENCE_MS)


async def places(page: Page) -> list[list[int]]:
    """x, y, w, h of each panel, in the order of the document."""
    found: list[list[int]] = await page.evaluate(
        "[...document.querySelectorAll('.slot')].map(({dataset: {x, y, w, h}}) => [x, y, w, h].map(Number))"
    )
    return found


def standing(layout: dict[str, Any]) -> list[list[int]]:
    panels = sorted(layout["panels"], key=lambda panel: (panel["y"], panel["x"]))
    return [[panel[side] for side in "xywh"] for panel in panels]


async def shown(watch: Watch, query: str) -> None:
    await watch.open(f"/analytics?{query}")
    await watch.live()


async def saved(page: Page) -> None:
    await page.click("#board-save")
    await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)


async def drag(page: Page, handle: str, dx: float, dy: float) -> None:
    box = await page.locator(handle).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + dx / 2, y + dy / 2, steps=3)
    await page.mouse.move(x + dx, y + dy, steps=3)
    await page.mouse.up()


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_arranged_by_mouse_saved_and_put_back(tmp_path: Path) -> None:
    """A chart and a figure are found, placed, moved, resized and saved; the figure is the API's, and an old version
    comes back out of the history."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await shown(watch, "view=dashboards")
        await page.click('.empty-state [data-template="blank"]')
        await page.fill("#board-name", "Night shift")
        await page.click("#board-add")
        await page.fill("#panel-search", "sys load")
        await page.click('#panel-found button:has-text("system_load")')
        await until(
            page, "() => document.querySelector('#panel-meant').textContent.startsWith('3 ')"
        )
        await page.click("dialog .first")
        await page.wait_for_selector('.slot .chart[data-state="full"]', timeout=PATIENCE_MS)
        await page.click("#board-add-tile")
        await page.fill("#panel-series", "system_memory_utilization_ratio")
        await page.click("dialog .first")
        await until(page, "() => Number(document.querySelector('.slot .tile')?.dataset.value) > 0")
        await saved(page)
        first = await one(server, "night-shift")
        assert standing(first) == [[0, 0, 6, 6], [6, 0, 3, 3]] == await places(page)
        await until(page, "() => Number(document.querySelector('.slot .tile')?.dataset.value) > 0")
        kpis = (await ask(server.url, "/api/realtime/metrics/live"))["kpis"]
        value = await watch.number(".slot .tile", "value")
        assert value * 100 == pytest.approx(kpis["memory_percent"], abs=10)

        await page.click("#board-start")
        step = await page.evaluate("(document.querySelector('#board').clientWidth + 10) / 12")
        await drag(page, '.slot[data-kind="chart"] .handle', 6 * step, 0)
        assert await places(page) == [[6, 0, 6, 6], [6, 6, 3, 3]]
        await drag(page, '.slot[data-kind="tile"] .corner', 3 * step, 46)
        await drag(page, '.slot[data-kind="tile"] .handle', -6 * step, -6 * 46)
        assert await places(page) == [[0, 0, 6, 4], [6, 0, 6, 6]]
        await saved(page)
        second = await one(server, "night-shift")
        assert standing(second) == [[0, 0, 6, 4], [6, 0, 6, 6]]
        await page.reload()
        await until(page, "() => document.querySelectorAll('.slot').length === 2")
        assert await places(page) == standing(second)

        await page.click("#board-history")
        await page.click(f'#board-versions [data-version="{first["seq"]}"] button')
        await page.wait_for_selector('[data-mode="preview"]')
        assert await places(page) == standing(first)
        await page.click("#board-restore")
        await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)
        third = await one(server, "night-shift")
        assert third["panels"] == first["panels"] and third["seq"] > second["seq"]
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_arranged_by_keyboard_alone(tmp_path: Path) -> None:
    """Everything is reached and done without a mouse, is said aloud, and is taken back step by step."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page, keys = watch.page, watch.page.keyboard
        await shown(watch, "view=dashboard")
        assert await page.evaluate("document.activeElement.id") == "board-name"
        await keys.type("Keys")
        for kind, number in (("text", 1), ("text", 2)):
            await page.focus(f"#board-add-{kind}")
            await keys.press("Enter")
            await page.focus("#panel-title")
            await keys.type(f"Note {number}")
            await page.focus("#panel-text")
            await keys.type("# Text\n- https://example.org/x\n<b>no</b>")
            await page.focus("dialog .first")
            await keys.press("Enter")
            await until(page, "n => document.querySelectorAll('.slot').length === n", number)
        assert await page.evaluate("document.activeElement.className") == "handle"
        assert await page.locator(".written b").count() == 0
        link = page.locator(".written a").first
        assert await link.get_attribute("href") == "https://example.org/x"
        heard = page.locator("#board-heard")
        assert await places(page) == [[0, 0, 4, 4], [4, 0, 4, 4]]
        await keys.press("ArrowRight")
        await keys.press("Shift+ArrowRight")
        await keys.press("Shift+ArrowDown")
        assert "column 6, row 1, 5 wide, 5 high" in await heard.inner_text()
        await keys.press("Enter")
        assert "put down" in await heard.inner_text()
        assert (await places(page))[1] == [5, 0, 5, 5]
        await keys.press("Enter")
        assert "Shift and arrows" in await heard.inner_text()
        await keys.press("ArrowLeft")
        await keys.press("ArrowLeft")
        assert [3, 0, 5, 5] in await places(page), "the other gave way"
        await keys.press("Escape")
        assert await places(page) == [[0, 0, 4, 4], [5, 0, 5, 5]]
        await keys.press("Control+z")
        assert await places(page) == [[0, 0, 4, 4], [4, 0, 4, 4]]
        await keys.press("Control+Shift+z")
        assert await places(page) == [[0, 0, 4, 4], [5, 0, 5, 5]]
        await page.focus(".slot:first-child .drop")
        await keys.press("Enter")
        assert await page.locator(".slot").count() == 1
        await keys.press("Control+z")
        await keys.press("Control+s")
        await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)
        assert standing(await one(server, "keys")) == [[0, 0, 4, 4], [5, 0, 5, 5]]
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_two_who_save_at_once_lose_nothing(tmp_path: Path) -> None:
    """A page that looks on follows at once; one that edits is told, and chooses: see theirs, a copy, or over it."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await post(server.url, PATH, {"title": "Shop", "panels": [TEXT], "author": "eva"})
        page = watch.page
        await shown(watch, "view=dashboard&id=shop")
        other = await page.context.new_page()
        await other.goto(f"{server.url}/analytics?view=dashboard&id=shop")
        await other.click("#board-start")
        await other.fill("#board-name", "Shop by Ali")
        await other.fill("#board-author", "Ali")
        await page.click("#board-start")
        await page.fill("#board-name", "Shop by Eva")
        await saved(other)
        await page.wait_for_selector("#board-notice >> text=Ali saved", timeout=PATIENCE_MS)
        await page.click("#board-save")
        await page.click("dialog >> text=See theirs")
        await until(
            page, "() => document.querySelector('#board-title').textContent === 'Shop by Ali'"
        )
        await page.click("#board-back")
        assert await page.input_value("#board-name") == "Shop by Eva"
        await page.click("#board-save")
        await page.click("dialog >> text=Save mine over it")
        await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)
        assert (await one(server, "shop"))["title"] == "Shop by Eva"
        await until(
            other, "() => document.querySelector('#board-title').textContent === 'Shop by Eva'"
        )
        past = (await ask(server.url, f"{PATH}/history", id="shop"))["versions"]
        assert [version["title"] for version in past] == ["Shop by Eva", "Shop by Ali", "Shop"]

        await other.click("#board-start")
        await other.fill("#board-name", "Late")
        await page.click("#board-start")
        await page.fill("#board-name", "Quick")
        await saved(page)
        await other.click("#board-save")
        await other.click("dialog >> text=Save mine as a copy")
        await until(other, "() => new URLSearchParams(location.search).get('id') === 'late-copy'")
        assert (await one(server, "shop"))["title"] == "Quick"
        assert (await one(server, "late-copy"))["panels"] == [TEXT]
        assert [line for line in watch.complaints if "412" not in line] == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_taken_along_as_json_and_brought_back(tmp_path: Path) -> None:
    """What is exported is imported as it was; what is deleted comes back by one click; a file's is read-only."""
    files = tmp_path / "data" / "dashboards.d"
    files.mkdir(parents=True)
    (files / "floor.json").write_text(json.dumps({"title": "Floor", "panels": [TEXT]}))
    body = {"title": "Shop", "tags": ["shop"], "panels": [TEXT, LOAD]}
    async with running(tmp_path) as server, watching(server.url) as watch:
        await post(server.url, PATH, body)
        page = watch.page
        await shown(watch, "view=dashboard&id=shop")
        async with page.expect_download() as downloading:
            await page.click("#board-export")
        exported = await (await downloading.value).path()
        assert json.loads(Path(exported).read_text()) == {**body, "id": "shop"}
        await page.click("#board-delete")
        await page.click("dialog .first")
        await page.click(".toast >> text=Undo")
        await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)
        assert (await one(server, "shop"))["panels"] == body["panels"]
        await page.click("#board-delete")
        await page.click("dialog .first")
        await page.wait_for_selector('.board-card[data-id="floor"]', timeout=PATIENCE_MS)
        await page.wait_for_selector('.board-card[data-id="shop"]', state="detached")
        await page.set_input_files("#boards-file", exported)
        await page.wait_for_selector('[data-mode="view"]', timeout=PATIENCE_MS)
        again = await one(server, "shop")
        assert {name: again[name] for name in ("id", "title", "tags", "panels")} == {
            **body,
            "id": "shop",
        }
        await shown(watch, "view=dashboards")
        await page.fill("#boards-search", "FLOOR")
        assert await page.locator(".board-card").count() == 1
        assert await page.locator(".board-card .outline rect").count() == 1
        await page.click(".board-card a")
        await page.wait_for_selector("#board-notice >> text=floor.json", timeout=PATIENCE_MS)
        assert await page.locator("#board-start").count() == 0
        assert await page.locator("#board-fork").count() == 1
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_panels_follow_the_source_chosen_and_those_that_come(tmp_path: Path) -> None:
    """`$source` is chosen on top and stands in the address; a selector takes in a source that appears later; a chart
    of any host is put on a dashboard by its own button."""
    panels = [
        {**LOAD, "y": 0, "series": ["shop_orders"], "source": "$source"},
        {**LOAD, "x": 6, "y": 0, "series": ['shop_orders{source=~"till-.*"}']},
        {**LOAD, "y": 6, "series": ["system_load"], "fn": "max", "step": "10s"},
    ]

    async def push(source: str) -> None:
        now = time.time()
        readings = [
            {"name": "shop_orders", "value": k, "source": source, "at": now - 20 + k}
            for k in range(20)
        ]
        assert not (await post(server.url, "/api/realtime/metrics", readings))["rejected"]

    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await push("till-1")
        await post(server.url, PATH, {"title": "Tills", "panels": panels})
        await shown(watch, "view=dashboard&id=tills&source=till-1")
        await until(page, "() => document.querySelectorAll('.slot .chart').length === 3")
        wide = '.slot[data-x="6"] .card'
        assert await page.get_attribute(wide, "data-series") == "1"
        await push("till-2")
        await page.wait_for_selector(f'{wide}[data-series="2"]', timeout=PATIENCE_MS)
        await page.wait_for_selector('.slot[data-x="6"] .legend >> text=till-2')
        await page.select_option("#board-source", "till-2")
        await until(page, "() => new URLSearchParams(location.search).get('source') === 'till-2'")
        await page.wait_for_selector('.slot[data-y="6"] .chart[data-state="full"]')
        watch.requests.clear()

        await shown(watch, "view=host")
        await page.hover("#chart-load")
        await page.click("#chart-load .keep")
        await page.select_option("#offer-board", "tills")
        await page.click("dialog .first")
        await page.click(".toast >> text=Show it")
        await until(page, "() => document.querySelectorAll('.slot').length === 4")
        grown = await one(server, "tills")
        assert grown["panels"][:3] == panels
        assert grown["panels"][3]["series"] == ["system_load"]
        assert watch.complaints == []
