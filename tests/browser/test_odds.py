"""The page on a bad day: no room on the disk, strange clocks, floods of messages, hosts and names."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app import PATIENCE_S, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, post, watching
from tests.disk import Disk, small_disk

pytestmark = pytest.mark.browser

STALLED = 'html[data-recording="stalled"]'
PICTURES = os.environ.get("PICTURES")


async def picture(watch: Watch, name: str) -> None:
    if PICTURES:
        await watch.page.screenshot(path=Path(PICTURES, f"{name}.png"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", "16m") as it:
        yield it


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_a_full_disk_is_told_while_the_line_lives(disk: Disk) -> None:
    """Nothing is recorded: the page says since when and why, stays live, and is itself again after."""
    async with running(disk.path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 2)
        assert await watch.page.locator(STALLED).count() == 0
        disk.fill()
        await watch.page.wait_for_selector(STALLED, timeout=2 * PATIENCE_MS)
        await watch.page.wait_for_selector("#banner >> text=disk is full", timeout=PATIENCE_MS)
        said = await watch.page.inner_text("#banner")
        shown = (await watch.page.inner_text("#clock")).split()[-1]
        assert said.split("\n")[-1].startswith(f"Not recording since {shown}: "), said
        assert await watch.page.get_attribute("html", "data-link") == "live"
        dimmed = "Number(getComputedStyle(document.querySelector('#tiles')).opacity) < 1"
        await watch.page.wait_for_function(dimmed, timeout=PATIENCE_MS)
        await picture(watch, "full")
        seq = await watch.seq()
        disk.clear()
        await watch.beyond(seq + 1)
        await watch.page.wait_for_selector(STALLED, state="detached", timeout=PATIENCE_MS)
        assert await watch.page.locator("#banner").is_hidden()


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_sample_with_a_strange_time_does_not_move_the_page(tmp_path: Path) -> None:
    """From the future or from 1970, in the host's name or another's: charts and clock stay at now."""
    async with running(tmp_path, source="host") as server, watching(server.url) as watch:
        await watch.open("/analytics?view=host")
        await watch.live()
        await watch.beyond(await watch.seq() + 2)
        before = await watch.number("#chart-load", "last-x")
        for source in ("host", "other"):
            for at in ("+290s", 1):
                sample = {"name": "system_load", "labels": {"period": "1m"}, "value": 5}
                sample |= {"at": at, "source": source}
                await post(server.url, "/api/realtime/metrics", sample)
        for _ in range(2):  # as it was pushed, and as a page finds it that comes later
            await watch.page.wait_for_function(
                "x => Number(document.querySelector('#chart-load')?.dataset.lastX) >= x + 3",
                arg=before,
                timeout=PATIENCE_MS,
            )
            before = await watch.number("#chart-load", "last-x")
            assert abs(before - time.time()) < PATIENCE_S, before - time.time()
            assert "1 Jan" not in await watch.page.inner_text("#facts")
            await picture(watch, "strange-times")
            await watch.page.reload()
            await watch.live()
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_flood_of_news_leaves_the_error_standing(tmp_path: Path) -> None:
    """Twenty info toasts do not push out an error; of the passing ones only the newest stay."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        notes = "/api/realtime/notifications"
        await post(server.url, notes, {"type": "error", "message": "the backup failed"})
        for k in range(20):
            await post(server.url, notes, {"type": "info", "message": f"news {k}"})
        await watch.page.wait_for_selector(".toast >> text=news 19", timeout=PATIENCE_MS)
        assert await watch.page.locator('.toast[data-type="error"]').is_visible()
        assert await watch.page.locator('.toast[data-type="info"]').count() <= 4
        await picture(watch, "toasts")


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_keys_take_the_focus_along(tmp_path: Path) -> None:
    """A and N go to their panel with the focus, not only with the eye."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        for key, panel in (("a", "alerts"), ("n", "notifications"), ("g", "overview")):
            await watch.page.keyboard.press(key)
            await watch.page.wait_for_function(
                "id => document.activeElement.id === id", arg=panel, timeout=PATIENCE_MS
            )


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_hundreds_of_sources_and_a_very_long_name(tmp_path: Path) -> None:
    """The list scrolls by itself in the order people count; what is below stays; nothing is too wide."""
    host = "a-very-long-host-name-for-a-database-in-the-east-" * 2
    async with running(tmp_path, source=host[:90]) as server:
        samples = [{"name": "up", "value": 1, "source": f"src-{k}"} for k in range(300)]
        await post(server.url, "/api/realtime/metrics", samples)
        for size in ((1440, 900), (1280, 800), (390, 844), (2560, 1440)):
            async with watching(server.url, size=size, phone=size[0] < 600) as watch:
                await watch.open("/analytics?view=host")
                await watch.live()
                await watch.beyond(await watch.seq() + 2)
                await picture(watch, f"many-{size[0]}")
                wide = "document.documentElement.scrollWidth"
                assert await watch.page.evaluate(wide) <= size[0]
                name = await watch.page.locator("#host").bounding_box()
                clock = await watch.page.locator("#clock").bounding_box()
                assert name and clock and name["x"] + name["width"] <= size[0]
                assert clock["x"] + clock["width"] <= size[0]
                assert await watch.page.get_attribute("#host", "title") == host[:90]
                if size[0] < 600:
                    continue
                names = await watch.page.locator("#sources .name").all_inner_texts()
                assert names[1:4] == ["src-0", "src-1", "src-2"] and names[-1] == "src-299"
                keys = await watch.page.locator("#open-keys").bounding_box()
                assert keys and keys["y"] + keys["height"] <= size[1]


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_paper_shows_what_is_below_the_fold(tmp_path: Path) -> None:
    """Printed from the top, the last chart is drawn although nobody scrolled to it."""
    async with running(tmp_path) as server, watching(server.url, size=(390, 600)) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 3)
        assert await watch.page.locator("#chart-load canvas").count() == 0
        paper = await watch.page.pdf(print_background=True)
        assert await watch.page.locator("#chart-load canvas").count() == 1
        if PICTURES:
            Path(PICTURES, "paper.pdf").write_bytes(paper)
