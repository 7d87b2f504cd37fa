"""A person watches while the server is killed: the page comes back by itself and shows what was recorded."""

import asyncio
from itertools import pairwise

import pytest

from tests.app import running
from tests.browser.watch import LIVE_S, LOAD, PATIENCE_MS, same_as_recorded, watching

KILLS = 3
INTERVAL_S = 0.5
DOWN_S = 4.0

FAINT, LEAST_PX = (5, 60), 8
BANDS = """
([faintest, strongest, least]) => {
  const canvas = document.querySelector("#chart-load canvas");
  const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const alpha = (x, y) => data[4 * (y * width + x) + 3];
  const top = Math.round(12 * devicePixelRatio);
  const bottom = canvas.height - Math.round(26 * devicePixelRatio);
  const faint = (x) => alpha(x, top) >= faintest && alpha(x, top) <= strongest;
  const bands = [];
  for (let x = 0; x < width; x += 1) {
    const from = x;
    while (x < width && faint(x)) x += 1;
    if (x - from < least) continue;
    const middle = Math.round((from + x) / 2);
    let drawn = 0;
    for (let y = top; y < bottom; y += 1) drawn += alpha(middle, y) > strongest;
    bands.push({ from, to: x, drawn });
  }
  return bands;
}
"""
"""Where the chart is shaded from its upper edge on because nothing was recorded, and how many pixels stand out
of the shade in the middle of it: the lines of the grid, if no curve leads across."""
GRID = 5


@pytest.mark.browser
@pytest.mark.crash
@pytest.mark.gen_test(timeout=3 * LIVE_S)
async def test_a_page_watches_three_kills(tmp_path):
    """kill -9 thrice, each time away for some seconds, the same port again: the very page returns without
    help, its chart has every tick of the log once and no other, and is open where nothing was recorded,
    that often and no more."""
    dials = {"interval_s": INTERVAL_S, "checkpoint_s": 1}
    async with running(tmp_path, **dials) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 6)
        first = await watch.page.evaluate("performance.timeOrigin")
        for kill in range(1, KILLS + 1):
            gone = await watch.seq()
            await server.kill()
            await watch.page.wait_for_selector('html[data-link="waiting"]', timeout=PATIENCE_MS)
            await asyncio.sleep(DOWN_S)
            await server.start()
            await watch.live()
            await watch.beyond(gone + 8)
            assert await watch.page.evaluate("performance.timeOrigin") == first, "it was reloaded"
            await same_as_recorded(watch, server)
            shown = [at for at, _ in (await watch.rows("load"))[LOAD]]
            steps = [(b - a) / 1e6 for a, b in pairwise(shown)]
            assert min(steps) > 0
            away = [step for step in steps if step > DOWN_S]
            assert len(away) == kill
            assert sorted(steps)[-kill - 1] < 3 * INTERVAL_S, "open where something was recorded"
            bands = await watch.page.evaluate(BANDS, [*FAINT, LEAST_PX])
            assert len(bands) == kill, bands
            assert all(band["drawn"] <= GRID for band in bands), bands
