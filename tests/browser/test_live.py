"""The page as a person sees it: it moves, it stays home, it complains of nothing, and text is text."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, ask, origin, post, settled, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_paints_live_and_stays_on_its_origin(tmp_path: Path) -> None:
    """Numbers move, the chart's last x advances, nothing leaves the origin, the console is silent."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        seq = await watch.seq()
        await watch.beyond(seq + 2)
        before = await watch.number("#chart-load", "last-x")
        await watch.page.wait_for_function(
            "x => Number(document.querySelector('#chart-load')?.dataset.lastX) >= x + 2",
            arg=before,
            timeout=PATIENCE_MS,
        )
        value = await watch.number('[data-kpi="memory_percent"]', "value")
        kpis = (await ask(server.url, "/api/realtime/metrics/live"))["kpis"]
        assert value == pytest.approx(kpis["memory_percent"], abs=10)
        for tile in ("cpu_percent", "memory_percent", "disk_percent", "load_1m"):
            shown = await watch.page.inner_text(f'[data-kpi="{tile}"] .value')
            assert any(figure.isdigit() for figure in shown), (tile, shown)
        assert {origin(one) for one in watch.requests if not one.startswith("blob:")} == {
            server.url
        }
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_text_is_text(tmp_path: Path) -> None:
    """Markup in a notification is shown as itself, in the toast and in the list; nothing is run."""
    markup = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open("/analytics?view=alerts")
        await watch.live()
        sent = {"type": "warning", "title": "<b>Title</b>", "message": markup}
        notice = await post(server.url, "/api/realtime/notifications", sent)
        toast = await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
        assert toast is not None
        assert await watch.page.inner_text(".toast .what") == "<b>Title</b>"
        assert await watch.page.inner_text(".toast .more") == markup
        entry = f'#notifications [data-id="{notice["id"]}"]'
        await watch.page.wait_for_selector(entry, timeout=PATIENCE_MS)
        assert markup in await watch.page.inner_text(entry)
        assert await watch.page.locator("main img, .toasts img, .toasts script").count() == 0
        assert "owned" not in await watch.page.title()
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_toasts_leave_or_stay(tmp_path: Path) -> None:
    """An info toast leaves by itself, an error waits to be dismissed, and the bell counts both."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        for kind in ("info", "error"):
            sent = {"type": kind, "message": f"an {kind}"}
            await post(server.url, "/api/realtime/notifications", sent)
            await watch.page.wait_for_selector(f'.toast[data-type="{kind}"]', timeout=PATIENCE_MS)
        assert await watch.page.get_attribute("#bell", "data-count") == "2"
        gone = '.toast[data-type="info"]'
        await watch.page.wait_for_selector(gone, state="detached", timeout=PATIENCE_MS)
        assert await watch.page.locator('.toast[data-type="error"]').count() == 1
        await watch.page.click('.toast[data-type="error"] .close')
        stays = '.toast[data-type="error"]'
        await watch.page.wait_for_selector(stays, state="detached", timeout=PATIENCE_MS)


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_pause_holds_still_and_resume_catches_up(tmp_path: Path) -> None:
    """P stops the picture, P again fills in what happened meanwhile, every second of it."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 2)
        await watch.page.keyboard.press("p")
        await watch.page.wait_for_selector('html[data-link="paused"]')
        # A tick that had come may still wait for its paint.
        await watch.still()
        held = await watch.seq()
        await watch.page.wait_for_timeout(3000)
        assert await watch.seq() == held
        await watch.page.keyboard.press("p")
        await watch.live()
        await watch.beyond(held + 4)
        shown = (await watch.rows("load"))['system_load{period="1m"}']
        steps = [b - a for (a, _), (b, _) in pairwise(shown)]
        assert max(steps) < 2_500_000, steps


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_test_button_and_keys(tmp_path: Path) -> None:
    """The test notification makes the whole way round; `?` opens the sheet, T turns the theme."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.page.keyboard.press("n")
        await watch.page.click("#test-notification")
        await watch.page.wait_for_selector('.toast[data-type="info"]', timeout=PATIENCE_MS)
        newest = (await ask(server.url, "/api/realtime/notifications", limit=1))["notifications"]
        assert newest[0]["title"] == "Test notification"
        await watch.page.keyboard.press("?")
        assert await watch.page.locator("#keys").is_visible()
        await watch.page.keyboard.press("Escape")
        assert not await watch.page.locator("#keys").is_visible()
        await watch.page.keyboard.press("t")
        assert await watch.page.get_attribute("html", "data-theme") == "light"
        await watch.page.reload()
        assert await watch.page.get_attribute("html", "data-theme") == "light"
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_server_panel_reads_as_the_api_says(tmp_path: Path) -> None:
    """The figures of the server are the API's; preload and clear say what they did."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open("/analytics?view=performance")
        await watch.live()
        await watch.page.click("text=Preload cache")
        await watch.page.wait_for_selector(".toast >> text=Cache preloaded", timeout=PATIENCE_MS)
        events = watch.page.locator("#server dt:text-is('Events') + dd span")
        stats = await ask(server.url, "/api/realtime/performance/stats")
        await watch.page.wait_for_function(
            "least => Number([...document.querySelectorAll('#server dt')]"
            ".find(one => one.textContent === 'Events').nextSibling.firstChild.textContent) >= least",
            arg=stats["log"]["events"],
            timeout=PATIENCE_MS,
        )
        shown = int(await events.inner_text())
        stats = await ask(server.url, "/api/realtime/performance/stats")
        assert shown <= stats["log"]["events"]
        rows = await watch.page.locator(
            "#server .endpoints tbody tr td:first-child"
        ).all_inner_texts()
        assert rows and set(rows) <= {one["endpoint"] for one in stats["requests"]["endpoints"]}
        await watch.page.click("text=Clear cache")
        await watch.page.wait_for_selector(".toast >> text=Cache cleared", timeout=PATIENCE_MS)
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_api_page_is_drawn_from_the_document(tmp_path: Path) -> None:
    """Every operation of openapi.json is on the API page, without the internet."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open("/api/docs")
        await watch.page.wait_for_selector("article.operation h3", timeout=PATIENCE_MS)
        document = await watch.page.evaluate("fetch('/api/openapi.json').then(a => a.json())")
        asked = {
            f"{verb.upper()} {path}"
            for path, item in document["paths"].items()
            for verb in item
            if verb in ("get", "post", "put", "patch", "delete")
        }
        titles = await watch.page.locator("#operations h3").all()
        shown = {" ".join((await one.inner_text()).split()) for one in titles}
        assert shown == asked
        assert {origin(one) for one in watch.requests} == {server.url}
        assert watch.complaints == []


SHIFTS = """window.shift = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) shift += one.value; })
  .observe({ type: "layout-shift", buffered: true });"""


@pytest.mark.gen_test(timeout=LIVE_S)
@pytest.mark.parametrize("after_s", [0, 0.5])
async def test_a_page_that_is_opened_as_the_server_starts_stands_still(
    tmp_path: Path, after_s: float
) -> None:
    """What takes two moments to tell, and what is looked at more slowly, comes later: nothing gives way to it."""
    async with watching("", size=(1440, 2000)) as watch:
        await watch.page.add_init_script(SHIFTS)
        async with running(tmp_path) as server:
            watch.url = server.url
            await asyncio.sleep(after_s)
            await watch.open("/analytics?view=host")
            await watch.page.wait_for_selector("#chart-cpu canvas", timeout=PATIENCE_MS)
            await settled(server.url)
            await watch.beyond(await watch.seq() + 2)
            assert await watch.page.evaluate("shift") <= 0.02
            assert await watch.page.is_hidden(".view > .note")
            assert watch.complaints == []
            # Its going is no complaint of the page.
            await watch.page.goto("about:blank")
