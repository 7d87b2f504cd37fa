"""What a second of the page costs the browser, counted and not timed: a busy machine counts the same."""

from pathlib import Path

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, watching

pytestmark = pytest.mark.browser

TALL = (1440, 5000)


async def charts(watch: Watch) -> int:
    """How many charts are drawn, once there are some and no more come."""
    await watch.page.wait_for_function(
        "() => document.querySelectorAll('article.chart canvas').length >= 15", timeout=PATIENCE_MS
    )
    await watch.page.wait_for_timeout(2_000)
    return await watch.page.locator("article.chart canvas").count()


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_tick_lays_the_page_out_once_and_not_once_a_chart(tmp_path: Path) -> None:
    """No chart asks an element for its place between two changes of text."""
    async with running(tmp_path) as server, watching(server.url, size=TALL) as watch:
        await watch.open("/analytics?view=host")
        await watch.live()
        drawn = await charts(watch)
        session = await watch.page.context.new_cdp_session(watch.page)
        await session.send("Performance.enable")

        async def layouts() -> float:
            told = await session.send("Performance.getMetrics")
            return next(one["value"] for one in told["metrics"] if one["name"] == "LayoutCount")

        before, seq = await layouts(), await watch.seq()
        await watch.beyond(seq + 5)
        ticks = await watch.seq() - seq
        assert (await layouts() - before) / ticks < drawn / 3
        assert watch.complaints == []
