"""The way to the server: over which road, down and up again, and across a restart without a hole."""

import time
from pathlib import Path

import pytest
from playwright.async_api import Route

from tests.app import running
from tests.browser.gate import gated
from tests.browser.watch import LIVE_S, PATIENCE_MS, post, same_as_recorded, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_catches_up_by_itself_after_a_restart(tmp_path: Path) -> None:
    """Restart while watching: the page says so, comes back, and holds every tick the log holds."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 3)
        first = await watch.page.evaluate("performance.timeOrigin")
        await server.stop()
        await watch.page.wait_for_selector('html[data-link="waiting"]', timeout=PATIENCE_MS)
        await watch.page.wait_for_selector("#banner:not([hidden])", timeout=PATIENCE_MS)
        gone = await watch.seq()
        await server.start()
        note = {"type": "info", "title": "Back", "message": "sent after the restart"}
        await post(server.url, "/api/realtime/notifications", note)
        await watch.live()
        filled = ".toast >> text=without a connection is filled in"
        await watch.page.wait_for_selector(filled, timeout=PATIENCE_MS)
        await watch.beyond(gone + 5)
        assert await watch.page.locator("#banner").is_hidden()
        assert await watch.page.evaluate("performance.timeOrigin") == first, "the page was reloaded"
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_falls_to_sse_and_climbs_back(tmp_path: Path) -> None:
    """WebSocket refused: numbers move and toasts come over SSE; open again: back on it, no hole."""
    async with (
        running(tmp_path) as server,
        gated(server.url) as gate,
        watching(gate.url) as watch,
    ):
        gate.refused = {"websocket"}
        await watch.open()
        await watch.live("sse")
        await watch.beyond(await watch.seq() + 2)
        await post(server.url, "/api/realtime/notifications", {"message": "over SSE"})
        await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
        gate.refused = set()
        await watch.live("websocket")
        await watch.beyond(await watch.seq() + 2)
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_polls_when_nothing_else_is_open(tmp_path: Path) -> None:
    """WebSocket and SSE refused: polling brings the same; with SSE open again the page climbs to it."""
    async with (
        running(tmp_path) as server,
        gated(server.url) as gate,
        watching(gate.url) as watch,
    ):
        gate.refused = {"websocket", "sse"}
        await watch.open()
        await watch.live("poll")
        await watch.beyond(await watch.seq() + 2)
        await post(server.url, "/api/realtime/notifications", {"message": "over polling"})
        await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
        gate.refused = {"websocket"}
        await watch.live("sse")
        await watch.beyond(await watch.seq() + 2)
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_replaced_log_is_said_not_hidden(tmp_path: Path) -> None:
    """Another log behind the same address: the page starts afresh and tells the reader of the break."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 1)
        await server.stop()
        server.directory = tmp_path / "other"
        await server.start()
        await watch.page.wait_for_selector("text=There was a break", timeout=PATIENCE_MS)
        await watch.live()
        await watch.beyond(await watch.seq() + 2)
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_a_bad_line_is_told_and_a_dead_one_left(tmp_path: Path) -> None:
    """Slow: the round trip that is; swallowed: no answer, then lost within two heartbeats; no hole after."""
    async with (
        running(tmp_path, heartbeat_s=3) as server,
        gated(server.url) as gate,
        watching(gate.url) as watch,
    ):
        page = watch.page
        await watch.open()
        await page.wait_for_selector('html[data-quality="good"]', timeout=PATIENCE_MS)
        gate.delay_s = 0.4
        await page.wait_for_selector('html[data-quality="fair"]', timeout=PATIENCE_MS)
        await page.wait_for_function(
            "() => { const ms = Number(/ (\\d+) ms/.exec(document.querySelector('#connection').title)?.[1]);"
            " return ms >= 800 && ms < 2000; }",
            timeout=PATIENCE_MS,
        )
        assert await page.get_attribute("html", "data-link") == "live"
        gate.delay_s = 0
        gate.swallow()
        started = time.monotonic()
        await page.wait_for_selector('html[data-quality="poor"]', timeout=PATIENCE_MS)
        assert "no answer for" in await page.inner_text("#connection")
        await page.wait_for_selector('html[data-link="waiting"]', timeout=PATIENCE_MS)
        # Two heartbeats, a second to look, and a second for a busy machine.
        assert time.monotonic() - started < 2 * 3 + 1 + 1 + 1
        gate.restore()
        await watch.live()
        await watch.beyond(await watch.seq() + 2)
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_a_network_that_wants_a_sign_in_is_told_and_outlasted(tmp_path: Path) -> None:
    """HTML in the place of every answer: in words on the first load, and as no server at all later."""
    async with (
        running(tmp_path) as server,
        gated(server.url) as gate,
        watching(gate.url) as watch,
    ):
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 1)
        gate.portal = True
        gate.cut()
        await watch.page.wait_for_selector('html[data-link="waiting"]', timeout=PATIENCE_MS)
        gate.portal = False
        await watch.live()
        await watch.beyond(await watch.seq() + 1)
        await same_as_recorded(watch, server)

        await watch.page.route("**/dashboard/live*", hotel)
        await watch.page.reload()
        await watch.page.wait_for_selector("text=want you to sign in", timeout=PATIENCE_MS)
        await watch.page.unroute("**/dashboard/live*")
        await watch.live()


async def hotel(route: Route) -> None:
    await route.fulfill(content_type="text/html", body="<html>Welcome, guest</html>")
