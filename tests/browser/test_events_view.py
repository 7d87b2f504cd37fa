"""The events view: the log as a list, newest first, in pages that do not lose their place."""

import asyncio
from pathlib import Path

import pytest

from tests.app import PATIENCE_S, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, ask, post, watching

pytestmark = pytest.mark.browser


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_the_log_is_a_list(tmp_path: Path) -> None:
    """Every fact once and in order over all pages, while new ones come; filters by type and text stand in the
    address; a row leads to its moment."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        for number in range(150):
            body = {"type": "info", "message": f"note {number}", "title": "a <b>title</b>"}
            await post(server.url, "/api/realtime/notifications", body)
        await post(
            server.url, "/api/realtime/annotations", {"text": "deployed 1.4", "tags": ["ship"]}
        )
        await watch.open("/analytics?view=events")
        await watch.live()
        await page.wait_for_selector("#events .event", timeout=PATIENCE_MS)
        assert await page.inner_text("#events .event .what") == "deployed 1.4"
        await post(server.url, "/api/realtime/notifications", {"message": "one more"})
        await page.wait_for_selector("#fresh >> text=1 new", timeout=PATIENCE_MS)
        while await page.get_attribute("#events", "data-ended") != "true":
            await page.evaluate("scrollTo(0, document.body.scrollHeight)")
            await page.wait_for_timeout(100)
        shown = await page.eval_on_selector_all(
            "#events .event", "all => all.map(one => Number(one.dataset.seq))"
        )
        facts = await ask(server.url, "/api/realtime/events", order="newest", limit=1000)
        told = [one["seq"] for one in facts["events"] if one["type"] != "series"]
        assert shown == [seq for seq in told if seq <= shown[0]]
        await page.click("#fresh")
        await page.wait_for_selector("#events >> text=one more", timeout=PATIENCE_MS)

        await page.uncheck(".ticks input[value=notification]")
        await page.wait_for_selector("[data-type=notification].event", state="detached")
        assert "types=" in page.url
        await page.fill("#event-text", "ship")
        await page.wait_for_function(
            "() => document.querySelector('#events')?.dataset.rows === '1'", timeout=PATIENCE_MS
        )
        await page.click("#events a.when")
        await page.wait_for_selector("html[data-view=host][data-span=still]", timeout=PATIENCE_MS)
        await page.go_back()
        await page.wait_for_selector("#events .event", timeout=PATIENCE_MS)
        assert await page.locator("#events .event").count() == 1
        assert watch.complaints == []


async def now(url: str) -> str:
    """The newest tick, as every answer writes it."""
    return str((await ask(url, "/api/realtime/dashboard/live"))["at"])


async def ticked(url: str, at: str) -> str:
    """Once there is a tick after `at`: that one."""
    async with asyncio.timeout(PATIENCE_S):
        while (newest := await now(url)) <= at:
            await asyncio.sleep(0.1)
    return newest


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_what_came_later_is_not_listed(tmp_path: Path) -> None:
    """At a moment of the past the list ends there, marks as well, and live it is whole again."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await post(server.url, "/api/realtime/notifications", {"message": "the earlier"})
        await post(server.url, "/api/realtime/annotations", {"text": "marked early"})
        at = await ticked(server.url, await now(server.url))
        await ticked(server.url, at)
        await post(server.url, "/api/realtime/notifications", {"message": "the later"})
        await post(server.url, "/api/realtime/annotations", {"text": "marked late"})
        await watch.open(f"/analytics?view=events&at={at}")
        await page.wait_for_selector("#events >> text=the earlier", timeout=PATIENCE_MS)
        await page.wait_for_selector(f'#events[data-at="{at}"]', timeout=PATIENCE_MS)
        assert await page.locator("#events .event >> text=late").count() == 0
        await page.keyboard.press("l")
        await page.wait_for_selector("#events >> text=the later", timeout=PATIENCE_MS)
        await watch.open(f"/analytics?view=alerts&at={at}")
        await page.wait_for_selector("#marks >> text=marked early", timeout=PATIENCE_MS)
        await page.wait_for_selector(f'#marks[data-at="{at}"]', timeout=PATIENCE_MS)
        assert await page.locator("#marks .entries >> text=marked late").count() == 0
        await page.keyboard.press("l")
        await page.wait_for_selector("#marks >> text=marked late", timeout=PATIENCE_MS)
        assert watch.complaints == []
