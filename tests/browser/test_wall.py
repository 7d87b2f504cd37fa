"""The page on a wall: big, going round, an alert in front, and back by Esc.

Without collectors: a busy machine would have an alert of its own in front.
"""

import time
from pathlib import Path

import pytest

from tests.app import house
from tests.browser.watch import LIVE_S, PATIENCE_MS, post, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_the_wall_goes_round(tmp_path: Path) -> None:
    """A key puts it up without controls and with a clock; it turns to the next place; Esc brings the page back."""
    async with house(tmp_path) as opened, watching(opened.url.rstrip("/")) as watch:
        await watch.open("/analytics?view=host&rotate=5&round=alerts,performance")
        await watch.live()
        await watch.page.keyboard.press("w")
        await watch.page.wait_for_selector("html[data-wall] .wall-clock", timeout=PATIENCE_MS)
        for hidden in (".bar", ".rail", ".dvr"):
            assert not await watch.page.is_visible(hidden)
        said = await watch.page.inner_text(".wall-clock b")
        assert len(said) == len("12:34:56")
        await watch.page.wait_for_selector('html[data-view="performance"]', timeout=PATIENCE_MS)
        await watch.page.wait_for_selector('html[data-view="alerts"]', timeout=PATIENCE_MS)
        shift = "getComputedStyle(document.querySelector('main')).translate"
        assert await watch.page.evaluate(shift) not in ("none", "0px")
        # In full screen Esc is the browser's own.
        await watch.page.evaluate("document.fullscreenElement && document.exitFullscreen()")
        await watch.page.keyboard.press("Escape")
        await watch.page.wait_for_selector("html:not([data-wall]) .bar", timeout=PATIENCE_MS)
        assert "wall" not in watch.page.url
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_an_alert_comes_to_front(tmp_path: Path) -> None:
    """While it fires its source is shown, and it is said in large letters, above the dimming of the night."""
    async with house(tmp_path) as opened, watching(opened.url.rstrip("/")) as watch:
        await watch.open("/analytics?view=alerts&wall=1&night=0-24")
        await watch.live()
        await watch.page.wait_for_selector('html[data-wall="night"]', timeout=PATIENCE_MS)
        assert not await watch.page.is_visible(".wall-front")
        now = time.time()
        body = {
            "source": "db-07",
            "at": [now - 200 + k for k in range(200)],
            "series": {"system_memory_utilization_ratio": [0.99] * 200},
        }
        await post(watch.url, "/api/realtime/metrics", body)
        await watch.page.wait_for_selector(".wall-front", timeout=PATIENCE_MS)
        assert "db-07" in await watch.page.inner_text(".wall-front")
        await watch.page.wait_for_selector('html[data-view="host"]', timeout=PATIENCE_MS)
        assert "source=db-07" in watch.page.url
