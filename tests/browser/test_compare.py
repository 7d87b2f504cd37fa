"""Two moments side by side, in lock-step: an hour whose every value is known, against the hour before it."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.events import Annotation, Declared, Draft, Metrics, Series
from storage.log import Log
from storage.migrate import migrate
from tests.app import PATIENCE_S, running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, watching

pytestmark = pytest.mark.browser

SOURCE = "web-01"
SECOND = 1_000_000
TICKS = 900
HOUR = 3_600
RISE = 1_000
"""How much higher every value of the later hour is."""
GAP = range(600, 660)
"""Seconds of the earlier hour in which nothing was recorded."""
POLL_S = 0.05
TOGETHER = 12
NAMES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("playhead_loop_lag_seconds", {}, "seconds"),
    ("system_load", {"period": "1m"}, ""),
    ("system_memory_utilization_ratio", {}, "ratio"),
)
CLIPBOARD = "navigator.clipboard.writeText = async (text) => { window.copied = text; }"

HEADS = """() => [...document.querySelectorAll('.moment')].map(one => ({
    at: one.dataset.at, tick: Date.parse(one.dataset.tick) / 1000, seq: Number(one.dataset.seq),
    silent: one.dataset.silent,
    load: Number(document.querySelector(`[data-kpi="load_1m"] [data-side="${one.dataset.side}"]`).dataset.value),
}))"""
"""What the page says of both: its moment, the newest tick before it, the place in the log, and the load."""

READ = """() => [...document.querySelectorAll('.moment .time, .moment .day, .pair-tile .value, .pair-tile .apart')]
    .map(one => one.textContent).concat([...document.querySelectorAll('.chart .legend b')]
    .filter(one => one.getBoundingClientRect().top < innerHeight).map(one => one.textContent))"""
"""What a person reads off the screen."""


async def recorded(directory: Path) -> int:
    """Two stretches an hour apart: the load of second k is k, and RISE more in the later; when that began (s)."""
    directory.mkdir()
    path = directory / "playhead.db"
    migrate(path)
    begin = int(time.time()) - TICKS - 300
    log = Log(path)
    await log.open((begin - HOUR) * SECOND)
    series = [Series(k, name, labels, unit) for k, (name, labels, unit) in enumerate(NAMES, 1)]
    await log.append([Draft((begin - HOUR) * SECOND, SOURCE, Declared(series))])
    for start, more in ((begin - HOUR, 0), (begin, RISE)):
        said = "deploy of old" if more == 0 else "deploy of late"
        note = Annotation(said, "noted", said, (start + 5) * SECOND)
        await log.append([Draft((start + 5) * SECOND, SOURCE, note)])
        await log.append(
            [
                Draft((start + k) * SECOND, SOURCE, Metrics((1, 2, 3), (0.001, more + k, 0.5)))
                for k in range(TICKS)
                if more or k not in GAP
            ]
        )
    await log.close()
    return begin


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def stands(watch: Watch, at: float) -> None:
    """Until both sides show what stood at `at`, and an hour before it."""
    wanted = [stamp(at), stamp(at - HOUR)]
    await watch.page.wait_for_function(
        "wanted => { const all = [...document.querySelectorAll('.moment')];"
        " return all.length === 2 && all.every((one, k) => one.dataset.at === wanted[k]"
        " && one.dataset.ahead === 'false'); }",
        arg=wanted,
        timeout=PATIENCE_MS,
    )


async def as_recorded(watch: Watch, url: str) -> list[dict[str, Any]]:
    """Until both sides show what the log says of their moments; what that is."""
    until = time.monotonic() + PATIENCE_S
    while True:
        heads: list[dict[str, Any]] = await watch.page.evaluate(HEADS)
        states = [await ask(url, "/api/realtime/state", at=head["at"]) for head in heads]
        told = [(int(one["cursor"].rsplit(":", 1)[1]), one["kpis"]["load_1m"]) for one in states]
        if [(head["seq"], head["load"]) for head in heads] == told:
            return heads
        assert time.monotonic() < until, (heads, told)
        await asyncio.sleep(POLL_S)


async def in_step(watch: Watch) -> None:
    """Until many a second of what plays was seen on both sides at once, or a tick apart: a busy machine may let one
    side wait for a moment, and the two are together again."""
    until = time.monotonic() + PATIENCE_S
    together: set[float] = set()
    while len(together) < TOGETHER:
        one, other = await watch.page.evaluate(HEADS)
        apart = [datetime.fromisoformat(head["at"]).timestamp() for head in (one, other)]
        assert apart[0] - apart[1] == pytest.approx(HOUR, abs=1e-5)
        near = (one["load"] - other["load"] - RISE, one["tick"] - other["tick"] - HOUR)
        if max(map(abs, near)) <= 1:
            together.add(one["load"])
        assert time.monotonic() < until, (together, one, other)
        await asyncio.sleep(POLL_S)


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_lock_step(tmp_path: Path) -> None:
    """Opened by mouse and by keyboard, played at 10×, paused, stepped: both sides are the log's values at T and an hour
    before, and a tick apart at most as they play; a link opens the same numbers elsewhere, and leaving leads back."""
    begin = await recorded(tmp_path / "data")
    async with running(tmp_path, source=SOURCE) as server, watching(server.url) as watch:
        start = begin + 300
        await watch.open(f"/analytics?view=host&at={stamp(start)}")
        await watch.page.click("#abreast", timeout=PATIENCE_MS)
        await watch.page.click(".choice:not(:disabled)")
        await stands(watch, start)
        heads = await as_recorded(watch, server.url)
        assert [one["load"] for one in heads] == [RISE + 300, 300]
        assert "+1,000 " in await watch.page.inner_text('[data-kpi="load_1m"] .apart')
        await watch.page.wait_for_function(
            "wanted => [...document.querySelectorAll('.noted .what')]"
            ".map(one => one.textContent).join() === wanted",
            arg="deploy of late,deploy of old",
            timeout=PATIENCE_MS,
        )

        # One vertical scale, though one side is a thousand higher.
        await watch.page.wait_for_function(
            "least => { const both = ['load', 'b-load']"
            ".map(id => document.querySelector(`#chart-${id}`)?.dataset ?? {});"
            " return both.every(({ rows, top }) => Number(rows) > 100 && Number(top) >= least)"
            " && both[0].top === both[1].top; }",
            arg=RISE + 300,
            timeout=PATIENCE_MS,
        )

        await watch.page.keyboard.press("Escape")
        await watch.page.wait_for_selector('html[data-view="host"]', timeout=PATIENCE_MS)
        assert f"at={stamp(start)}".replace(":", "%3A") in watch.page.url
        await watch.page.keyboard.press("y")
        await watch.page.wait_for_selector("#chooser .choice", timeout=PATIENCE_MS)
        assert await watch.page.locator(".choice:disabled").count() == 2  # before the tape began
        await watch.page.keyboard.press("Enter")
        await stands(watch, start)

        await watch.page.select_option("#dvr-speed", "10")
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-play="playing"]', timeout=PATIENCE_MS)
        await watch.page.wait_for_function(
            "from => Number(document.querySelector('[data-side=A].figure[data-value]') &&"
            " document.querySelector('[data-kpi=load_1m] [data-side=A]').dataset.value) > from",
            arg=RISE + 310,
            timeout=PATIENCE_MS,
        )
        await in_step(watch)
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-play=""]', timeout=PATIENCE_MS)
        heads = await as_recorded(watch, server.url)
        assert heads[0]["load"] - heads[1]["load"] == RISE

        # A step is a tick on both sides.
        stood = heads[0]["load"]
        await watch.page.keyboard.press("ArrowRight")
        await watch.page.wait_for_function(
            "wanted => ['A', 'B'].every((side, k) => Number(document.querySelector("
            "`[data-kpi=load_1m] [data-side=${side}]`).dataset.value) === wanted[k])",
            arg=[stood + 1, stood + 1 - RISE],
            timeout=PATIENCE_MS,
        )
        await as_recorded(watch, server.url)

        await watch.page.evaluate(CLIPBOARD)
        await watch.page.click("#dvr-link")
        await watch.page.wait_for_function("() => window.copied")
        link = await watch.page.evaluate("window.copied")
        async with watching(server.url) as other_watch:
            await other_watch.open("/analytics?" + link.split("?", 1)[1])
            until = time.monotonic() + PATIENCE_S
            read: list[str] = []
            other_read: list[str] = []
            while len(read) <= 10 or read != other_read:
                read = await watch.page.evaluate(READ)
                other_read = await other_watch.page.evaluate(READ)
                assert time.monotonic() < until, (read, other_read)
                await asyncio.sleep(POLL_S)
            assert other_watch.complaints == []

        # One side has a gap: it says so, and the other goes on.
        await watch.open(f"/analytics?view=compare&at={stamp(begin + GAP[30])}&beside=1h")
        await stands(watch, begin + GAP[30])
        await watch.page.wait_for_function(
            f"wanted => {{ const [one, other] = ({HEADS})();"
            " return one.load === wanted && one.silent === 'false' && other.silent === 'true'; }",
            arg=RISE + GAP[30],
            timeout=PATIENCE_MS,
        )
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_what_cannot_be_compared(tmp_path: Path) -> None:
    """Before the tape began it is said so, the other side is whole; an address without a second moment asks for it."""
    begin = await recorded(tmp_path / "data")
    async with running(tmp_path, source=SOURCE) as server, watching(server.url) as watch:
        await watch.open(f"/analytics?view=compare&at={stamp(begin + 10)}&beside=1d")
        await watch.page.wait_for_selector(
            '.moment[data-side="B"][data-silent="true"]', timeout=PATIENCE_MS
        )
        await watch.page.wait_for_function(
            "() => document.querySelector('[data-kpi=load_1m] [data-side=A]')?.dataset.value === '1010'",
            timeout=PATIENCE_MS,
        )
        await watch.page.wait_for_function(
            "() => document.querySelector('.moment[data-side=B] .remark')"
            ".textContent.startsWith('Before the tape began')",
            timeout=PATIENCE_MS,
        )
        assert await watch.page.inner_text('[data-kpi="load_1m"] .apart') == "nothing to compare"
        await watch.page.goto(f"{server.url}/analytics?view=compare&at={stamp(begin)}&beside=ever")
        await watch.page.click(".compare .note .button", timeout=PATIENCE_MS)
        await watch.page.wait_for_selector("#chooser[open]", timeout=PATIENCE_MS)
