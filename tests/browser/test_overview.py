"""Every source at a glance, as a person meets it: from the first number pushed to hundreds of hosts."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, watching

pytestmark = pytest.mark.browser

CPU = "system_cpu_utilization_ratio"


async def order(watch: Watch) -> list[str]:
    cards = watch.page.locator("#cards > li:visible")
    return [str(await card.get_attribute("data-source")) for card in await cards.all()]


async def shows(watch: Watch, source: str, figure: str, value: float) -> None:
    await watch.page.wait_for_function(
        """([source, figure, value]) => {
            const cell = document.querySelector(`[data-source="${source}"] [data-figure="${figure}"]`);
            return cell && Math.abs(Number(cell.dataset.value) - value) < 1e-6;
        }""",
        arg=[source, figure, value],
        timeout=PATIENCE_MS,
    )


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_the_first_number_pushed_appears_and_falls_silent(tmp_path: Path) -> None:
    """The command that a lone host shows works as it stands; what it sends has a card at once, with the API's
    number, and says since when it is silent; search and one click lead to its page, which is where one arrives next."""
    async with running(tmp_path, source="here", source_lost_s=3) as server:
        async with watching(server.url) as watch:
            await watch.open("/analytics?view=overview")
            await watch.live()
            command = await watch.page.locator("#cards ~ .first code").first.inner_text()
            pushing = await asyncio.create_subprocess_shell(
                command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            assert await pushing.wait() == 0
            await shows(watch, "my-app", "orders_open", 42)
            assert not await watch.page.is_visible(".first")
            await post(
                server.url,
                "/api/realtime/metrics",
                [{"source": "web-1", "name": CPU, "unit": "ratio", "value": 0.42}],
            )
            await shows(watch, "web-1", "cpu_percent", 42)
            told = await ask(server.url, "/api/realtime/overview")
            figures = {one["source"]: one["kpis"] for one in told["sources"]}
            assert figures["web-1"]["cpu_percent"] == 42
            await watch.page.wait_for_selector(
                '#cards > [data-source="web-1"][data-state="lost"]', timeout=PATIENCE_MS
            )
            said = await watch.page.inner_text('#cards > [data-source="web-1"] .since')
            assert said.startswith("silent for") and "since" in said
            # What is silent has come to the front, as soon as nobody points at the cards.
            await watch.page.wait_for_function(
                "() => document.querySelector('#cards').lastElementChild.dataset.source === 'here'",
                timeout=PATIENCE_MS,
            )
            await watch.page.keyboard.press("f")
            await watch.page.keyboard.type("WEB")
            assert await order(watch) == ["web-1"]
            await watch.page.keyboard.press("Escape")
            assert len(await order(watch)) == 3
            await watch.page.click('[data-show="silent"]')
            assert set(await order(watch)) == {"my-app", "web-1"}
            await watch.page.click('#cards > [data-source="web-1"]')
            await watch.page.wait_for_selector('.view[data-source="web-1"]', timeout=PATIENCE_MS)
            await watch.open()
            await watch.page.wait_for_selector("html[data-view=host]", timeout=PATIENCE_MS)
            assert watch.complaints == []
        async with watching(server.url) as watch:
            await watch.open()
            await watch.page.wait_for_selector("html[data-view=overview]", timeout=PATIENCE_MS)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_of_hundreds_only_those_in_sight_cost(tmp_path: Path) -> None:
    """Cards out of sight ask for nothing; nothing moves under a pointer; none is too wide on a phone."""
    async with running(tmp_path, source="here", source_lost_s=3_600) as server:
        now = time.time()
        samples = [
            {"source": f"node-{k}", "name": CPU, "unit": "ratio", "value": 0.1, "at": now - back}
            for k in range(300)
            for back in (2, 1)
        ]
        await post(server.url, "/api/realtime/metrics", samples)
        async with watching(server.url, size=(390, 844), phone=True) as watch:
            await watch.open()
            await watch.live()
            await shows(
                watch,
                "here",
                "memory_percent",
                await watch.number(
                    '#cards [data-source="here"] [data-figure="memory_percent"]', "value"
                ),
            )
            await shows(watch, "node-0", "cpu_percent", 10)
            assert await watch.page.locator("#cards > li").count() == 301
            assert await watch.page.locator("#cards canvas").count() < 80
            assert sum("/realtime/charts" in one for one in watch.requests) < 10
            wide = await watch.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390
            before = await order(watch)
            await watch.page.focus('#cards [data-source="node-0"] a')
            await post(
                server.url,
                "/api/realtime/metrics",
                [{"source": "a-new-one", "name": CPU, "unit": "ratio", "value": 0.2}],
            )
            await watch.page.wait_for_selector(
                '#cards > [data-source="a-new-one"]', state="attached", timeout=PATIENCE_MS
            )
            assert await order(watch) == [*before, "a-new-one"]
            await watch.page.focus("#find-source")
            await watch.page.wait_for_function(
                "() => document.querySelector('#cards').firstElementChild.dataset.source === 'a-new-one'",
                timeout=PATIENCE_MS,
            )
            assert watch.complaints == []
