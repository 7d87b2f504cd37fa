"""Everybody can read the page: axe-core finds nothing to hold against any view, in either theme."""

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.app import running
from tests.browser.recording import columns
from tests.browser.watch import LIVE_S, PATIENCE_MS, post, watching

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SOURCE = "web-01"
AT = 1_795_403_506
"""Some second of a night; the page is shown the quarter of an hour before it as well as now."""

BOARD = {
    "title": "All kinds",
    "tags": ["a", "b"],
    "panels": [
        {"kind": "chart", "x": 0, "y": 0, "w": 6, "h": 6, "series": ["system_load"]},
        {"kind": "tile", "x": 6, "y": 0, "w": 3, "h": 3, "series": ['system_load{period="1m"}']},
        {"kind": "text", "x": 9, "y": 0, "w": 3, "h": 3, "text": "# To do\n- https://a.example"},
        {"kind": "alerts", "x": 6, "y": 3, "w": 6, "h": 3},
        {"kind": "tile", "x": 0, "y": 6, "w": 3, "h": 3, "series": ["not_yet"]},
    ],
}


async def held_against(page: Any) -> str:
    """What axe-core finds, a line a rule and place; of the rules for WCAG 2.2 A and AA and of best practice."""
    found = await page.evaluate(
        "() => axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa',"
        " 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return "\n".join(
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"]
    )


@pytest.mark.gen_test(timeout=2 * LIVE_S)
@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_axe_finds_nothing(tmp_path: Path, scheme: Literal["dark", "light"]) -> None:
    """Every view the rail leads to, with something on it, the keys' sheet, and a toast."""
    async with running(
        tmp_path, source=SOURCE, alert_cpu_above=0.1, alert_cpu_clear=0, alert_cpu_hold_s=0
    ) as server:
        await post(server.url, "/api/realtime/metrics", columns("web-02", AT, 60))
        note = {"type": "error", "title": "Backup failed", "message": "no space left"}
        await post(server.url, "/api/realtime/notifications", note)
        async with watching(server.url, scheme=scheme) as watch:
            await watch.open("/analytics?view=host")
            await watch.live()
            await watch.page.evaluate(AXE.read_text())
            views = await watch.page.eval_on_selector_all(
                "#rail-views a", "links => links.map(one => one.dataset.view)"
            )
            assert {"host", "alerts", "performance"} <= set(views)
            found = {}
            for view in views:
                await watch.page.click(f'#rail-views a[data-view="{view}"]')
                await watch.page.wait_for_selector(
                    f'html[data-view="{view}"] .view > *', timeout=PATIENCE_MS
                )
                # What is asked for at leisure is there, and what fades in has come.
                await watch.page.wait_for_timeout(1_500)
                found[view] = await held_against(watch.page)
            await watch.page.click('#rail-views a[data-view="dashboards"]')
            await post(server.url, "/api/realtime/dashboards", BOARD)
            await watch.page.click(".board-card a", timeout=PATIENCE_MS)
            steps = (
                ("dashboard", '.slot .chart[data-state="full"]', None),
                ("edit", ".grip", "#board-start"),
                ("panel", "dialog[open] form", ".slot .change"),
            )
            for name, there, press in steps:
                if press:
                    await watch.page.click(press)
                await watch.page.wait_for_selector(there, timeout=PATIENCE_MS)
                await watch.page.wait_for_timeout(1_000)
                found[name] = await held_against(watch.page)
            await watch.page.keyboard.press("Escape")
            await watch.page.click("#board-cancel")
            await watch.page.keyboard.press("k")
            await watch.page.keyboard.press("y")
            await watch.page.wait_for_selector("#chooser[open]", timeout=PATIENCE_MS)
            found["chooser"] = await held_against(watch.page)
            await watch.page.click("#chooser .button.first")
            await watch.page.wait_for_selector(
                '.compare .chart[data-side="A"][data-state="full"]', timeout=PATIENCE_MS
            )
            await watch.page.wait_for_timeout(1_000)
            found["compare"] = await held_against(watch.page)
            await watch.page.keyboard.press("Escape")
            await watch.page.keyboard.press("l")
            await watch.page.keyboard.press("?")
            await watch.page.wait_for_selector("#keys[open]")
            found["keys"] = await held_against(watch.page)
            await watch.page.keyboard.press("Escape")
            note = {"type": "error", "title": "Again", "message": "still no space left"}
            await post(server.url, "/api/realtime/notifications", note)
            await watch.page.wait_for_selector(".toast", timeout=PATIENCE_MS)
            await watch.page.wait_for_timeout(500)
            found["toast"] = await held_against(watch.page)
            told = "\n".join(f"{where}: {what}" for where, what in found.items() if what)
            assert not told, told
