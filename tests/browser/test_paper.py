"""The view on paper: all of its charts, drawn for the sheet, with what it is of."""

import time
from pathlib import Path

import pytest

from tests.app import running
from tests.browser.recording import columns
from tests.browser.watch import LIVE_S, PATIENCE_MS, post, settled, watching

pytestmark = pytest.mark.browser

# What stands on the sheet at the very moment when the browser would print.
STUB = """
window.print = () => {
  dispatchEvent(new Event("beforeprint"));
  const charts = [...document.querySelectorAll("article.chart")];
  window.sheet = {
    charts: charts.length,
    states: charts.map(one => `${one.dataset.state} ${one.querySelector("canvas") !== null}`),
    widest: Math.max(...charts.map(one => one.getBoundingClientRect().right)),
    columns: new Set(charts.map(one => Math.round(one.getBoundingClientRect().left))).size,
    head: document.querySelector(".paper").innerText,
    ground: getComputedStyle(document.body).getPropertyValue("--surface"),
  };
};
"""


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_the_key_prints_every_chart(tmp_path: Path) -> None:
    """Ctrl+P loads what was out of sight, then prints one light column; afterwards the page is as it was."""
    async with running(tmp_path, source="web-01") as server, watching(server.url) as watch:
        await post(server.url, "/api/realtime/metrics", columns("web-01", int(time.time()), 900))
        await settled(server.url)
        await watch.page.add_init_script(STUB)
        await watch.open("/analytics?view=host")
        await watch.live()
        await watch.page.wait_for_selector('#chart-cpu[data-state="full"]', timeout=PATIENCE_MS)
        before = await watch.page.locator('.chart[data-state="full"]').count()
        assert await watch.page.locator('.chart:not([data-state="full"])').count() > 0
        await watch.page.keyboard.press("Control+p")
        await watch.page.wait_for_function("() => window.sheet", timeout=PATIENCE_MS)
        sheet = await watch.page.evaluate("sheet")
        assert len(sheet["states"]) == sheet["charts"] > 8
        # A series of a single tick has nothing to draw yet; no chart is still to come.
        assert set(sheet["states"]) <= {"full true", "ready false"}
        assert sheet["states"].count("full true") > before
        assert sheet["columns"] == 1
        assert sheet["widest"] < 1100
        assert "web-01" in sheet["head"] and "Printed" in sheet["head"] and " to " in sheet["head"]
        assert sheet["ground"].strip() == "#ffffff"
        await watch.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert await watch.page.is_visible(".bar")
        assert await watch.page.get_attribute("html", "data-theme") is None
        assert watch.complaints == []
