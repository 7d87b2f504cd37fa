"""The night is dragged back and watched: as a person does it, against a real tape."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.app import PATIENCE_S, running
from tests.browser.watch import LIVE_S, LOAD, PATIENCE_MS, Watch, ask, post, watching

pytestmark = pytest.mark.browser

FIGURES = """() => [
    ...[...document.querySelectorAll('.tile')]
        .map(one => [one.dataset.kpi, one.querySelector('.value').textContent]),
    ...[...document.querySelectorAll('.chart .legend li')]
        .filter(one => one.getBoundingClientRect().top < innerHeight)
        .map(one => [`${one.closest('.chart').id} ${one.title}`, one.textContent]),
    ['seq', document.querySelector('#tiles').dataset.seq],
    ['clock', document.querySelector('#dvr-clock').textContent],
]"""
"""What a person reads off the screen, by its name."""


def alike(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """Names of the figures that both show and agree on, and those they do not."""
    here, there = dict(one), dict(other)
    both = here.keys() & there.keys()
    apart = {name: (here[name], there[name]) for name in both if here[name] != there[name]}
    return both - apart.keys(), apart


CLIPBOARD = "navigator.clipboard.writeText = async (text) => { window.copied = text; }"


async def shows(watch: Watch, words: str, argument: Any = None) -> None:
    await watch.page.wait_for_function(words, arg=argument, timeout=PATIENCE_MS)


async def is_past(watch: Watch) -> None:
    await watch.page.wait_for_selector('html[data-time="past"]', timeout=PATIENCE_MS)


async def drag(watch: Watch, parts: list[float]) -> None:
    """The playhead, from where it stands over places of the bar (parts of its width)."""
    track = await watch.page.query_selector("#dvr-track")
    head = await watch.page.query_selector("#dvr-track .head")
    assert track is not None and head is not None
    box = await track.bounding_box()
    at = await head.bounding_box()
    assert box is not None and at is not None
    y = box["y"] + 30
    await watch.page.mouse.move(at["x"], y)
    await watch.page.mouse.down()
    for part in parts:
        await watch.page.mouse.move(box["x"] + part * box["width"], y)
        await watch.page.wait_for_timeout(40)
    await watch.page.mouse.up()


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_the_past_is_watched_and_left(tmp_path: Path) -> None:
    """Record, drag back, play at 10×, pause, step to the alert, open the link elsewhere and see the same
    numbers, return to live with no gap."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 8)
        tried = await post(server.url, "/api/realtime/alerts/test?seconds=2", {})
        alert = tried["fired"]
        await watch.beyond(await watch.seq() + 8)

        await watch.page.focus("#dvr-track")
        for _ in range(8):  # the bar shows a minute
            await watch.page.keyboard.press("ArrowUp")
        await watch.page.wait_for_timeout(500)
        before = await watch.seq()
        await drag(watch, [0.9, 0.85, 0.8, 0.78])
        await is_past(watch)
        await shows(
            watch, "seq => Number(document.querySelector('#tiles')?.dataset.seq) < seq", before
        )
        place = await watch.seq()
        state = await ask(server.url, "/api/realtime/state", at=await at(watch))
        assert place == int(state["cursor"].rsplit(":", 1)[1])
        shown = await watch.number('[data-kpi="memory_percent"]', "value")
        assert shown == pytest.approx(state["kpis"]["memory_percent"], abs=0.01)
        # It stands: live frames do not mix in.
        await watch.page.wait_for_timeout(1500)
        assert await watch.seq() == place

        await watch.page.select_option("#dvr-speed", "10")
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        await watch.beyond(place + 3)
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-play=""]', timeout=PATIENCE_MS)
        await is_past(watch)

        await step_to(watch, alert["at"])
        await shows(watch, "() => document.querySelector('#counts').ariaLabel.match(/[1-9]/)")
        alerts = (await ask(server.url, "/api/realtime/state", at=await at(watch)))["alerts"]
        assert alert["id"] in [one["id"] for one in alerts]

        figures = await watch.page.evaluate(FIGURES)
        async with watching(server.url) as other:
            await other.open("/analytics?" + (await linked(watch)).split("?", 1)[1])
            await is_past(other)
            await shows(
                other,
                "seq => document.querySelector('#tiles')?.dataset.seq === seq",
                dict(figures)["seq"],
            )
            same, apart = alike(figures, [])
            # Who was there live may have charts of series that were named only later: what both show is the same.
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until:
                same, apart = alike(figures, await other.page.evaluate(FIGURES))
                if not apart and {"seq", "clock", "cpu_percent"} <= same and len(same) > 12:
                    break
                await other.page.wait_for_timeout(200)
            assert not apart and {"seq", "clock", "cpu_percent"} <= same and len(same) > 12, (
                same,
                apart,
            )
            assert other.complaints == []

        await watch.page.keyboard.press("End")
        await watch.page.wait_for_selector('html[data-time="now"]', timeout=PATIENCE_MS)
        await watch.beyond(before + 3)
        rows = (await watch.rows("load"))[LOAD]
        answer = await ask(
            server.url,
            "/api/realtime/query",
            series=LOAD,
            **{"from": rows[0][0] / 1e6, "to": rows[-1][0] / 1e6 + 0.05},
            points=5000,
        )
        assert [round(at * 1e6) for at in answer["series"][0]["at"]] == [at for at, _ in rows]
        assert "at=" not in watch.page.url
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_playing_reaches_now(tmp_path: Path) -> None:
    """A replay becomes live by itself, and so does the page; scrubbing follows within a frame's time."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        await watch.open()
        await watch.live()
        await watch.beyond(await watch.seq() + 6)
        for _ in range(5):
            await watch.page.keyboard.press("ArrowLeft")
        await is_past(watch)
        await watch.page.select_option("#dvr-speed", "5")
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-time="now"]', timeout=PATIENCE_MS)
        assert any("/ws?" in one for one in watch.requests)
        await watch.beyond(await watch.seq() + 1)

        # Each step of a drag: the playhead is moved, all charts and tiles follow, the frame is painted.
        spent = await watch.page.evaluate(
            """async () => {
                const track = document.querySelector('#dvr-track');
                const box = track.getBoundingClientRect();
                const point = (type, part) => track.dispatchEvent(new PointerEvent(type, {
                    pointerId: 1, button: 0, pointerType: 'mouse', bubbles: true,
                    clientX: box.left + part * box.width, clientY: box.top + 20,
                }));
                track.setPointerCapture = () => {};
                const frame = () => new Promise(requestAnimationFrame);
                const head = document.querySelector('#dvr-track .head').getBoundingClientRect();
                point('pointerdown', (head.left - box.left) / box.width);
                const steps = [];
                for (let k = 0; k < 40; k += 1) {
                    const begun = performance.now();
                    point('pointermove', 0.95 - 0.001 * k);
                    await frame();
                    const told = performance.now();
                    await frame();
                    steps.push([told - begun, performance.now() - begun]);
                }
                point('pointerup', 0.9);
                return steps.map(([, all]) => all).sort((a, b) => a - b)[20];
            }"""
        )
        assert spent < 100, spent
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_stretch_is_played_over_and_over_on_its_charts(tmp_path: Path) -> None:
    """Drag a stretch over a chart, Q: the charts stay while it plays, when it pauses, and back live."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open("/analytics?view=host")
        await watch.live()
        await watch.beyond(await watch.seq() + 10)
        await page.wait_for_selector("#chart-load canvas", timeout=PATIENCE_MS)
        box = await page.locator("#chart-load .u-over").bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        await page.mouse.move(box["x"] + 0.94 * box["width"], y)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 0.96 * box["width"], y, steps=3)
        await page.mouse.move(box["x"] + 0.98 * box["width"], y, steps=3)
        await page.mouse.up()
        await page.wait_for_function("() => location.search.includes('from=')")
        many = await page.locator(".card.chart").count()
        await page.keyboard.press("q")
        await page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        # It begins anew again and again.
        for keys in ("", "k", "l"):
            if keys:
                await page.keyboard.press(keys)
            for _ in range(6):
                await page.wait_for_timeout(400)
                assert await page.locator(".card.chart").count() > many / 2
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_marks_ghosts_and_company(tmp_path: Path) -> None:
    """A key marks the moment, and the mark is on the charts and in the list as text; another time is drawn
    under the charts; who opens the link of a replay watches along, and the remote is handed over."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open("/analytics?view=host&against=5s")
        await watch.live()
        await watch.beyond(await watch.seq() + 8)
        await page.wait_for_selector("#chart-load .haunted:not([hidden])", timeout=PATIENCE_MS)
        assert "5 s before" in await page.inner_text("#chart-load .haunted")

        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("ArrowLeft")
        await is_past(watch)
        await page.keyboard.press("b")
        await page.fill("#mark-text", "Deploy <b>shop</b>")
        await page.fill("#mark-tags", "deploy, shop")
        await page.click(".sheet.mark button[type=submit]")
        await page.wait_for_selector("#chart-load .flag", timeout=PATIENCE_MS)
        await page.hover("#chart-load .flag")
        assert "Deploy <b>shop</b>" in await page.inner_text("#chart-load .flag span")
        [noted] = (await ask(server.url, "/api/realtime/annotations"))["annotations"]
        assert [noted["text"], noted["tags"], noted["until"]] == [
            "Deploy <b>shop</b>",
            ["deploy", "shop"],
            None,
        ]
        assert noted["since"] == await at(watch)

        await page.evaluate(CLIPBOARD)
        await page.click("#dvr-share")
        await shows(watch, "() => window.copied")
        # A tab behind another is not painted: this one is of another window.
        assert page.context.browser is not None
        other = await page.context.browser.new_page()
        await other.goto(await page.evaluate("window.copied"))
        guest = Watch(other, server.url)
        await shows(
            guest, "() => document.querySelector('.together')?.textContent.startsWith('2 ')"
        )
        assert await other.inner_text("#dvr-clock") == await page.inner_text("#dvr-clock")
        stood = await page.inner_text("#dvr-clock")
        await page.keyboard.press("ArrowLeft")
        await shows(watch, "at => document.querySelector('#dvr-clock').textContent !== at", stood)
        moved = await page.inner_text("#dvr-clock")
        await shows(guest, "at => document.querySelector('#dvr-clock').textContent === at", moved)
        # Whoever does not hold the remote is told so, and stays where the holder is.
        await other.keyboard.press("ArrowLeft")
        await other.wait_for_selector(".toast >> text=holds the remote", timeout=PATIENCE_MS)
        await shows(guest, "at => document.querySelector('#dvr-clock').textContent === at", moved)
        await page.select_option("#watching select", index=1)
        await shows(
            guest, "() => document.querySelector('.together').textContent.includes('you hold')"
        )
        await other.keyboard.press("ArrowLeft")
        await shows(watch, "at => document.querySelector('#dvr-clock').textContent < at", moved)
        await other.close()

        await page.goto(server.url + "/analytics?view=alerts")
        await page.wait_for_selector("#marks li", timeout=PATIENCE_MS)
        assert await page.inner_text("#marks .what") == "Deploy <b>shop</b>"
        await page.fill("#find-marks", "nothing like it")
        await page.wait_for_selector("#marks li", state="detached", timeout=PATIENCE_MS)
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_the_address_goes_with_what_plays(tmp_path: Path) -> None:
    """A link with `play` plays; while it plays the address keeps up, and another source and a reload take it along."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        sample = {"name": "system_cpu_utilization_ratio", "unit": "ratio", "value": 0.42}
        await post(server.url, "/api/realtime/metrics", [{"source": "web", **sample}])
        await watch.open("/analytics?view=host")
        await watch.live()
        await watch.beyond(await watch.seq() + 12)
        for _ in range(8):
            await page.keyboard.press("ArrowLeft")
        await is_past(watch)
        begun = await at(watch)
        await watch.open(f"/analytics?view=host&at={begun}&play=1&speed=0.5")
        await page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        await shows(watch, "at => new URLSearchParams(location.search).get('at') > at", begun)
        assert "play=1" in page.url
        went = await at(watch)
        await page.click('#sources [data-source="web"] a')
        await page.wait_for_selector('#host >> text="web"', timeout=PATIENCE_MS)
        assert await at(watch) >= went
        await page.wait_for_selector('html[data-time="past"][data-play="playing"]')
        went = await at(watch)
        await page.reload()
        await page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        assert "source=web" in page.url and await at(watch) >= went > begun
        await page.keyboard.press("k")
        await page.wait_for_selector('html[data-play=""]', timeout=PATIENCE_MS)
        assert "play=" not in page.url and watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_a_replay_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    """What plays goes on when the server is back; a replay that was shared is left with a word, at its moment."""
    async with running(tmp_path) as server, watching(server.url) as watch:
        page = watch.page
        await watch.open("/analytics?view=host")
        await watch.live()
        await watch.beyond(await watch.seq() + 10)
        for _ in range(8):
            await page.keyboard.press("ArrowLeft")
        await is_past(watch)
        await page.select_option("#dvr-speed", "0.25")
        await page.evaluate(CLIPBOARD)
        await page.click("#dvr-share")
        await shows(watch, "() => window.copied")
        await page.keyboard.press("k")
        await page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        assert "replay=" in page.url
        await server.restart()
        await page.wait_for_selector(".toast >> text=goes on here alone", timeout=PATIENCE_MS)
        await page.wait_for_selector('html[data-link="live"]', timeout=PATIENCE_MS)
        await page.wait_for_selector('html[data-time="past"][data-play="playing"]')
        await shows(watch, "() => !location.search.includes('replay=')")
        told = "() => document.querySelector('#watching .notice').textContent === ''"
        await shows(watch, told)
        for play in ("", "playing"):
            await page.keyboard.press("k")
            await page.wait_for_selector(f'html[data-play="{play}"]', timeout=PATIENCE_MS)
        seq = await watch.seq()
        await page.select_option("#dvr-speed", "1")
        await watch.beyond(seq + 1)
        await shows(watch, told)


async def step_to(watch: Watch, fired: str) -> None:
    """From alert to alert; a machine that is busy with tests has some of its own."""
    for _ in range(10):
        before = await at(watch)
        await watch.page.keyboard.press("[" if before > fired else "]")
        await shows(watch, "at => new URLSearchParams(location.search).get('at') !== at", before)
        if 0 < seconds(await at(watch)) - seconds(fired) < 0.002:
            return
    raise AssertionError(await at(watch))


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


async def at(watch: Watch) -> str:
    """The moment that the address names."""
    found: str = await watch.page.evaluate("new URLSearchParams(location.search).get('at')")
    return found


async def linked(watch: Watch) -> str:
    """What the button for a link copies."""
    await watch.page.evaluate(CLIPBOARD)
    await watch.page.click("#dvr-link")
    await shows(watch, "() => window.copied")
    copied: str = await watch.page.evaluate("window.copied")
    return copied
