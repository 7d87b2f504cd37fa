"""The page lives by standards: the same in Firefox as in Chromium. Run by `make firefox`."""

import asyncio
from pathlib import Path

import pytest

from realtime.core.times import parse_time, rfc3339
from tests.app import running
from tests.browser.fox import hunting
from tests.browser.recording import columns
from tests.browser.watch import LIVE_S, ask, post, settled

pytestmark = pytest.mark.firefox

LIVE = "document.documentElement.dataset.link === 'live' && document.documentElement.dataset.road === 'websocket'"
AT = 1_795_403_506
PAST_S = 10


def later(moment: str, seconds: int) -> str:
    return rfc3339(parse_time(moment, 0) + seconds * 1_000_000)


@pytest.mark.gen_test(timeout=3 * LIVE_S)
async def test_every_view_lives_in_firefox(tmp_path: Path) -> None:
    """Every view of the rail comes, live over its WebSocket, with the numbers of the API and nothing in the console."""
    async with running(tmp_path) as server, hunting(tmp_path / "profile") as fox:
        await settled(server.url)
        await post(server.url, "/api/realtime/metrics", columns("web-02", AT, 60))
        await fox.open(f"{server.url}/analytics?view=host")
        await fox.until(LIVE)
        await fox.until("document.querySelectorAll('.chart[data-state=full]').length > 3")
        total = "document.querySelector('#tiles').dataset.seq"
        before = int(await fox.see(total))
        await fox.until(f"Number({total}) > {before + 1}")
        views = await fox.see(
            "[...document.querySelectorAll('#rail-views a')].map((one) => one.dataset.view)"
        )
        assert {"host", "overview", "explore", "alerts", "events"} <= set(views)
        for view in views:
            await fox.see(f"document.querySelector('#rail-views a[data-view={view}]').click()")
            await fox.until(f"document.querySelector('html[data-view={view}] .view > *') !== null")
            await fox.see("new Promise((done) => setTimeout(done, 1000, true))")
            await fox.picture(tmp_path / f"{view}.png")
        assert fox.complaints == []


@pytest.mark.gen_test(timeout=3 * LIVE_S)
async def test_the_past_is_shown_and_left_in_firefox(tmp_path: Path) -> None:
    """Back by the address, the values of that moment on the tiles; the key L leads back to now without a gap."""
    async with running(tmp_path) as server, hunting(tmp_path / "profile") as fox:
        await settled(server.url)
        moment = (await ask(server.url, "/api/realtime/dashboard/live"))["at"]
        # What is as good as now is shown live.
        while (await ask(server.url, "/api/realtime/dashboard/live"))["at"] < later(moment, PAST_S):
            await asyncio.sleep(0.2)
        await fox.open(f"{server.url}/analytics?view=host&at={moment}")
        await fox.until("document.documentElement.dataset.time === 'past'")
        held = await ask(server.url, "/api/realtime/state", at=moment)
        seq = int(held["cursor"].rpartition(":")[2])
        await fox.until(f"Number(document.querySelector('#tiles')?.dataset.seq) === {seq}")
        await fox.press("l")
        await fox.until(LIVE)
        await fox.until(f"Number(document.querySelector('#tiles').dataset.seq) > {seq}")
        assert fox.complaints == []
