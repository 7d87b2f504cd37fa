"""The way to the server: over which road, down and up again, and across a restart without a hole."""

from pathlib import Path

import pytest

from tests.app import Server, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, refusable, watching

pytestmark = pytest.mark.browser

LOAD = 'system_load{period="1m"}'


async def same_as_recorded(watch: Watch, server: Server) -> None:
    """Every tick between the first and the last one on the chart, with the very values of the log."""
    await watch.page.wait_for_function(
        "() => Number(document.querySelector('#chart-load').dataset.rows) > 6",
        timeout=PATIENCE_MS,
    )
    shown = (await watch.rows("load"))[LOAD]
    assert len(shown) > 4
    answer = await ask(
        server.url,
        "/api/realtime/query",
        series=LOAD,
        **{"from": shown[0][0] / 1e6, "to": shown[-1][0] / 1e6 + 0.5},
        points=5000,
    )
    [column] = answer["series"]
    recorded = [
        (round(at * 1e6), float(value))
        for at, value in zip(column["at"], column["value"], strict=True)
    ]
    assert shown == recorded


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
        await watch.beyond(gone + 5)
        assert await watch.page.locator("#banner").is_hidden()
        assert await watch.page.evaluate("performance.timeOrigin") == first, "the page was reloaded"
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_falls_to_sse_and_climbs_back(tmp_path: Path) -> None:
    """WebSocket refused: numbers move and toasts come over SSE; open again: back on it, no hole."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await refusable(watch)
        watch.refused = {"websocket"}
        await watch.open()
        await watch.live("sse")
        await watch.beyond(await watch.seq() + 2)
        await post(server.url, "/api/realtime/notifications", {"message": "over SSE"})
        await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
        watch.refused = set()
        await watch.live("websocket")
        await watch.beyond(await watch.seq() + 2)
        await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_polls_when_nothing_else_is_open(tmp_path: Path) -> None:
    """WebSocket and SSE refused: polling brings the same; with SSE open again the page climbs to it."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await refusable(watch)
        watch.refused = {"websocket", "sse"}
        await watch.open()
        await watch.live("poll")
        await watch.beyond(await watch.seq() + 2)
        await post(server.url, "/api/realtime/notifications", {"message": "over polling"})
        await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
        watch.refused = {"websocket"}
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
