"""Two moments side by side, in lock-step: an hour whose every value is known, against the hour before it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.events import Annotation, Declared, Draft, Metrics, Series
from storage.log import Log
from storage.migrate import migrate
from tests.app import running
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


async def stands(watch: Watch, at: float) -> list[dict[str, Any]]:
    """Once both sides show what stood at `at`, and an hour before it."""
    wanted = [stamp(at), stamp(at - HOUR)]
    await watch.page.wait_for_function(
        "wanted => { const all = [...document.querySelectorAll('.moment')];"
        " return all.length === 2 && all.every((one, k) => one.dataset.at === wanted[k]"
        " && one.dataset.ahead === 'false'); }",
        arg=wanted,
        timeout=PATIENCE_MS,
    )
    await watch.page.wait_for_timeout(200)
    heads: list[dict[str, Any]] = await watch.page.evaluate(HEADS)
    return heads


async def as_recorded(watch: Watch, url: str, heads: list[dict[str, Any]]) -> None:
    """Both sides show what the log says of their moments."""
    for head in heads:
        state = await ask(url, "/api/realtime/state", at=head["at"])
        assert head["seq"] == int(state["cursor"].rsplit(":", 1)[1]), heads
        assert head["load"] == state["kpis"]["load_1m"], heads


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_lock_step(tmp_path: Path) -> None:
    """Opened by mouse and by keyboard, played at 10×, paused, stepped: both sides are the log's values at T and an hour
    before, never more than a tick apart; a link opens the same numbers elsewhere, and leaving leads back."""
    begin = await recorded(tmp_path / "data")
    async with running(tmp_path, source=SOURCE) as server, watching(server.url) as watch:
        start = begin + 300
        await watch.open(f"/analytics?view=host&at={stamp(start)}")
        await watch.page.click("#abreast", timeout=PATIENCE_MS)
        await watch.page.click(".choice:not(:disabled)")
        heads = await stands(watch, start)
        assert [one["load"] for one in heads] == [RISE + 300, 300]
        assert "+1,000 " in await watch.page.inner_text('[data-kpi="load_1m"] .apart')
        await as_recorded(watch, server.url, heads)
        notes = await watch.page.eval_on_selector_all(
            ".noted .what", "all => all.map(one => one.textContent)"
        )
        assert notes == ["deploy of late", "deploy of old"]

        # One vertical scale, though one side is a thousand higher.
        await watch.page.wait_for_function(
            "() => ['load', 'b-load'].every(id =>"
            " Number(document.querySelector(`#chart-${id}`)?.dataset.rows) > 100)",
            timeout=PATIENCE_MS,
        )
        await watch.page.wait_for_timeout(300)
        tops = await watch.page.eval_on_selector_all(
            "#chart-load, #chart-b-load", "all => all.map(one => one.dataset.top)"
        )
        assert len(tops) == 2 and tops[0] == tops[1] and float(tops[0]) >= RISE + 300, tops

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
        seen = set()
        for _ in range(30):
            one, other = await watch.page.evaluate(HEADS)
            apart = [datetime.fromisoformat(head["at"]).timestamp() for head in (one, other)]
            assert apart[0] - apart[1] == pytest.approx(HOUR, abs=1e-5)
            assert abs(one["load"] - other["load"] - RISE) <= 1, (one, other)
            assert abs(one["tick"] - other["tick"] - HOUR) <= 1, (one, other)
            seen.add(one["load"])
            await watch.page.wait_for_timeout(100)
        assert len(seen) > 5, seen
        await watch.page.keyboard.press("k")
        await watch.page.wait_for_selector('html[data-play=""]', timeout=PATIENCE_MS)
        await watch.page.wait_for_timeout(500)
        heads = await watch.page.evaluate(HEADS)
        await as_recorded(watch, server.url, heads)
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
        await watch.page.wait_for_timeout(500)

        await watch.page.evaluate(CLIPBOARD)
        await watch.page.click("#dvr-link")
        await watch.page.wait_for_function("() => window.copied")
        link = await watch.page.evaluate("window.copied")
        read = await watch.page.evaluate(READ)
        async with watching(server.url) as other_watch:
            await other_watch.open("/analytics?" + link.split("?", 1)[1])
            await other_watch.page.wait_for_function(
                f"wanted => JSON.stringify(({READ})()) === wanted",
                arg=await watch.page.evaluate(f"JSON.stringify(({READ})())"),
                timeout=PATIENCE_MS,
            )
            assert len(read) > 10
            assert other_watch.complaints == []

        # One side has a gap: it says so, and the other goes on.
        await watch.open(f"/analytics?view=compare&at={stamp(begin + GAP[30])}&beside=1h")
        heads = await stands(watch, begin + GAP[30])
        assert [one["silent"] for one in heads] == ["false", "true"]
        assert heads[0]["load"] == RISE + GAP[30]
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
