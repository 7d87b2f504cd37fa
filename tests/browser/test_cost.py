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


SLID = """async (kind) => {
  const base = document.querySelector('script[src$="/main.js"]').src.replace("main.js", "");
  const { draw } = await import(`${base}plot.js`);
  const { Table } = await import(`${base}series.js`);
  const plot = document.body.appendChild(document.createElement("div"));
  Object.assign(plot.style, { position: "fixed", inset: "0 auto auto 0", width: "600px", height: "180px" });
  const chart = { kind, unit: "", lines: [{}, { below: kind === "mirror" }] };
  const drawn = draw(chart, plot, { marks: () => [], whole: () => NaN, aside: () => false, moved() {}, chosen() {} });
  const table = new Table(2, 1_000);
  let now = 1_800_000_007;
  const tick = () => table.append((now += 1), [(now * 37) % 97, now % 11 === 0 ? NaN : 40 + 30 * Math.sin(now / 9)]);
  while (table.length < 950) tick();
  let slid = 0;
  const { ctx } = drawn.picture;
  const { drawImage } = CanvasRenderingContext2D.prototype;
  ctx.drawImage = (...said) => (slid += 1, drawImage.apply(ctx, said));
  const update = (moved) => drawn.update(table, { from: now - 900, to: now }, null, moved);
  update(false);
  const before = slid;
  for (let k = 0; k < 45; k += 1) {
    tick();
    update(true);
  }
  const pixels = () => ctx.getImageData(0, 0, ctx.canvas.width, ctx.canvas.height).data;
  const moved = pixels();
  const { min, max } = drawn.picture.scales.x;
  drawn.update(table, { from: min, to: max });
  const anew = pixels();
  let other = 0;
  let ink = 0;
  for (let i = 0; i < anew.length; i += 4) {
    if (anew[i + 3]) ink += 1;
    if ([0, 1, 2, 3].some((k) => Math.abs(anew[i + k] - moved[i + k]) > 16)) other += 1;
  }
  drawn.destroy();
  plot.remove();
  return { slid: slid - before, other, ink, late: now - max };
}"""


@pytest.mark.gen_test(timeout=LIVE_S)
@pytest.mark.parametrize("scale", [1, 2])
async def test_a_picture_that_moves_on_is_the_one_that_is_drawn_anew(
    tmp_path: Path, scale: float
) -> None:
    """Lines, stacks and mirrors, with holes in one line, pixel by pixel; and it is not later than a pixel."""
    async with running(tmp_path) as server, watching(server.url, scale=scale) as watch:
        await watch.open("/analytics?view=host")
        await watch.live()
        for kind in ("line", "stack", "mirror"):
            told = await watch.page.evaluate(SLID, kind)
            assert told["slid"] > 15, (kind, told)
            assert told["ink"] > 5_000, (kind, told)
            assert told["other"] < told["ink"] / 500, (kind, told)
            assert 0 <= told["late"] < 900 / 500 / scale, (kind, told)
