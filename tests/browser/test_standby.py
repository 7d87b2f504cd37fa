"""The page without its server: it says so, and never shows old numbers as live."""

import asyncio
import contextlib
import json
import shutil
from pathlib import Path

import pytest

import run
from tests.app import PATIENCE_S, house, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, watching
from web.assets import read_assets

pytestmark = pytest.mark.browser

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"
ACTIVE = "() => navigator.serviceWorker.controller?.state === 'activated'"
TAKEN = """async build => {
  const { installing, waiting, active } = (await navigator.serviceWorker.getRegistration()) ?? {};
  return !installing && !waiting && active?.state === "activated" && navigator.serviceWorker.controller === active
    && (await caches.keys()).at(-1).includes(build);
}"""
KEPT = """async () => {
  const shelves = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  const kept = (await Promise.all(shelves.map((shelf) => shelf.keys()))).flat();
  return kept.map(({ url }) => new URL(url).pathname);
}"""


async def served(watch: Watch) -> None:
    """Live, with the worker in charge."""
    await watch.open("/analytics?view=host")
    await watch.live()
    await watch.page.wait_for_function(ACTIVE, timeout=PATIENCE_MS)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_without_its_server_the_page_says_since_when(tmp_path: Path) -> None:
    """A reload shows the offline page and no number of the server; when the server is back, so is the page."""
    async with running(tmp_path) as server, watching(server.url, worker=True) as watch:
        await served(watch)
        await server.stop()
        await watch.page.reload()
        await watch.page.wait_for_selector("#again", timeout=PATIENCE_MS)
        assert await watch.page.locator("#tiles, .tile, canvas").count() == 0
        said = await watch.page.inner_text("main")
        assert "The server cannot be reached" in said
        await watch.page.wait_for_function(
            "() => /Last heard from on .+ at \\d\\d:\\d\\d:\\d\\d, \\d+ s ago/"
            ".test(document.querySelector('#since').textContent)",
            timeout=PATIENCE_MS,
        )
        assert await watch.page.title() == "Playhead is offline"
        await server.start()
        await watch.live()
        assert await watch.page.locator("#again").count() == 0


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_only_files_of_the_build_are_kept(tmp_path: Path) -> None:
    """No answer with data, no page but the one for offline: what is kept never changes."""
    async with running(tmp_path) as server, watching(server.url, worker=True) as watch:
        await served(watch)
        await watch.page.reload()
        await watch.live()
        kept = await watch.page.evaluate(KEPT)
        assert "/offline" in kept
        rest = [path for path in kept if path != "/offline"]
        assert len(rest) > 30
        prefix = f"/assets/{read_assets(STATIC).build}/"
        assert all(path.startswith(prefix) for path in rest)


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_it_can_be_installed(tmp_path: Path) -> None:
    """The browser itself finds nothing missing: manifest, icons, worker."""
    async with running(tmp_path) as server, watching(server.url, worker=True) as watch:
        await served(watch)
        session = await watch.page.context.new_cdp_session(watch.page)
        told = await session.send("Page.getAppManifest")
        assert told["errors"] == []
        assert json.loads(told["data"])["name"] == "Playhead"
        for icon in json.loads(told["data"])["icons"]:
            answer = await watch.page.request.get(
                told["url"].rpartition("/")[0] + "/" + icon["src"]
            )
            assert answer.ok
            assert answer.headers["content-type"] == icon["type"]
        lacking = await session.send("Page.getInstallabilityErrors")
        # A browser without a window installs nothing.
        assert [
            one["errorId"]
            for one in lacking["installabilityErrors"]
            if one["errorId"] != "in-incognito"
        ] == []
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_a_new_build_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in charge without a tab being closed, shows its own page, and what is kept of old builds has a bound."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static)
    monkeypatch.setattr(run, "STATIC", static)
    port = 0
    builds = []
    async with contextlib.AsyncExitStack() as stack:
        watch = None
        for k in range(3):
            with (static / "js" / "offline.js").open("a") as file:
                file.write(f"console.debug({k});\n")
            builds.append(read_assets(static).build)
            async with house(tmp_path / "data", port=port) as opened:
                port = int(opened.url.rstrip("/").rpartition(":")[2])
                if watch is None:
                    watch = await stack.enter_async_context(
                        watching(opened.url.rstrip("/"), worker=True)
                    )
                await watch.open()
                await watch.live()
                async with asyncio.timeout(PATIENCE_S):
                    # A promise would pass for true in wait_for_function.
                    while not await watch.page.evaluate(TAKEN, builds[-1]):
                        await asyncio.sleep(0.05)
        assert watch
        await watch.page.reload()
        await watch.page.wait_for_selector("#again", timeout=PATIENCE_MS)
        icon = await watch.page.get_attribute("link[rel=icon]", "href")
        assert icon == f"/assets/{builds[-1]}/icon.svg"
        shelves = await watch.page.evaluate("caches.keys()")
        assert shelves == [f"playhead /assets/{build}/" for build in builds[-2:]]
