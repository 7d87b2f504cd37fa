"""What is shown at T is what was known at T: every figure of the page against `state?at=`, wherever thinning, late
readings and silences would make columns say something else."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.events import Declared, Draft, Metrics, Series
from storage.log import Log
from storage.migrate import migrate
from tests.app import running
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, watching

pytestmark = pytest.mark.browser

HOST, SHOP = "web-01", "shop"
SECOND = 1_000_000
TICKS = 4_000
LATE, LATE_AT = 900.0, 3_400
"""A reading that came a second after the moment whose time it bears; and with it one of a counter, for a time between
the two last that were known then."""
SILENT = range(3_600, 3_900)
"""Seconds in which the shop said nothing."""
MOMENTS = (3_000, LATE_AT, 3_500, 3_800)
LOAD, QUEUE, ORDERS = "system_load", "shop_queue", "shop_orders_total"

READ = """() => {
    const legend = {};
    for (const one of document.querySelectorAll('article.chart')) {
        for (const entry of one.querySelectorAll('.legend li:not([hidden])')) {
            legend[`${one.id || one.dataset.unit || ''} ${entry.title}`.trim()] = entry.querySelector('b').textContent;
        }
    }
    const told = (name, all) => Object.fromEntries([...document.querySelectorAll(all)].map(one => [
        `${one.closest('[data-source]')?.dataset.source ?? ''} ${one.dataset[name]}`.trim(), one]));
    const said = (all, name) => Object.fromEntries(
        Object.entries(all).map(([key, one]) => [key, Number(one.dataset[name])]));
    return {
        legend,
        tiles: said(told('kpi', '[data-kpi]'), 'value'),
        cards: said(told('figure', '[data-figure]'), 'value'),
        board: [...document.querySelectorAll('.slot .tile')].map(one => Number(one.dataset.value)),
        chosen: said(told('series', '#chosen > li'), 'newest'),
        words: [...document.querySelectorAll('#chosen small')].map(one => one.textContent),
    };
}"""


def load(k: int) -> float:
    return float((k * 7_919) % 97 + 1)


def queue(k: int) -> float:
    return float((k * 5_003) % 89 + 1)


def rise(k: int) -> int:
    return (k * 31) % 9 + 1


def until(k: int) -> float:
    """Orders there had been."""
    return float(sum(map(rise, range(k + 1))))


async def recorded(directory: Path) -> int:
    """Every second another peak, so that no thinning keeps a row by chance → when it began (s)."""
    directory.mkdir()
    path = directory / "playhead.db"
    migrate(path)
    begin = int(time.time()) - TICKS - 300
    log = Log(path)
    await log.open(begin * SECOND)
    own = [
        Series(1, "playhead_loop_lag_seconds", {}, "seconds"),
        Series(2, LOAD, {"period": "1m"}),
        Series(3, "system_memory_utilization_ratio", {}, "ratio"),
    ]
    its = [Series(4, QUEUE, {}), Series(5, ORDERS, {}, "orders", "counter")]
    await log.append([Draft(begin * SECOND, HOST, Declared(own))])
    await log.append([Draft(begin * SECOND, SHOP, Declared(its))])
    drafts = []
    for k in range(TICKS):
        at = (begin + k) * SECOND
        drafts.append(Draft(at, HOST, Metrics((1, 2, 3), (0.001, load(k), load(k) / 100))))
        if k not in SILENT and k != LATE_AT:
            drafts.append(Draft(at + 1_000, SHOP, Metrics((4, 5), (queue(k), until(k)))))
        if k == LATE_AT + 1:
            late = (begin + LATE_AT) * SECOND
            drafts.append(Draft(late, SHOP, Metrics((4,), (LATE,))))
            between = (begin + LATE_AT) * SECOND - 3 * SECOND // 2
            drafts.append(Draft(between, SHOP, Metrics((5,), (until(LATE_AT - 1) - 0.25,))))
    await log.append(drafts)
    await log.close()
    return begin


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def truth(url: str, at: float) -> dict[str, float]:
    """What each series said last, as `state?at=` has it."""
    said: dict[str, float] = {}
    for source in (HOST, SHOP):
        state = await ask(url, "/api/realtime/state", at=stamp(at), source=source, hours=0.01)
        said |= {name: one["value"] for name, one in state["metrics"].items()}
    return said


async def read(watch: Watch, begin: int, k: int, query: str, ready: str) -> dict[str, Any]:
    """What the page says at the k-th second once it is settled."""
    await watch.open(f"/analytics?{query}&at={stamp(begin + k + 0.5)}")
    await watch.page.wait_for_function(ready, timeout=PATIENCE_MS)
    await watch.page.wait_for_timeout(700)
    said: dict[str, Any] = await watch.page.evaluate(READ)
    return said


async def shown(watch: Watch, value: float) -> str:
    """A figure as the page writes it."""
    words: str = await watch.page.evaluate(
        "async value => (await import([...document.querySelectorAll('link')]"
        ".find(one => one.href.endsWith('/js/format.js')).href)).figures(value)",
        value,
    )
    return words


def same(said: float, value: float) -> bool:
    return (said != said and value != value) or abs(said - value) < 1e-6


@pytest.mark.gen_test(timeout=3 * LIVE_S)
async def test_every_figure_is_of_the_moment(tmp_path: Path) -> None:
    """Tiles, legends, cards, a board and explore: at a plain moment, before a late reading and in a silence."""
    begin = await recorded(tmp_path / "data")
    panels = [
        {"kind": "tile", "x": 0, "y": 0, "w": 3, "h": 3, "series": [QUEUE], "source": SHOP},
        {"kind": "tile", "x": 3, "y": 0, "w": 3, "h": 3, "series": [ORDERS], "source": SHOP},
        {
            "kind": "chart", "x": 0, "y": 3, "w": 12, "h": 6, "title": "Both",
            "series": [f'{LOAD}{{period="1m",source="{HOST}"}}', f'{QUEUE}{{source="{SHOP}"}}'],
        },
    ]  # fmt: skip
    async with running(tmp_path, source=HOST) as server, watching(server.url) as watch:
        await post(server.url, "/api/realtime/dashboards", {"title": "Both", "panels": panels})
        await watch.open("/analytics?view=overview")
        full = "document.querySelector('article.chart[data-state=full], article.graph canvas')"
        picked = f'{LOAD}{{period="1m",source="{HOST}"}}\n{QUEUE}{{source="{SHOP}"}}'
        for k in MOMENTS:
            state = await truth(server.url, begin + k + 0.5)
            want = {"load": state[f'{LOAD}{{period="1m"}}'], "queue": state[QUEUE]}
            assert want["load"] == load(k)
            rate = float("nan") if k in SILENT else float(rise(k))
            if k == LATE_AT:
                assert want["queue"] == queue(k - 1)
                rate = float(rise(k - 1))
            words = {name: await shown(watch, value) for name, value in want.items()}
            rated = "–" if rate != rate else await shown(watch, rate)
            for span in ("5m", "1h", "7d") if k == MOMENTS[0] else ("1h",):
                told = f"{k} {span}"
                said = await read(watch, begin, k, f"view=host&range={span}", f"() => {full}")
                assert same(said["tiles"][f"{HOST} load_1m"], want["load"]), (told, said)
                assert words["load"] in said["legend"].values(), (told, words, said["legend"])

                said = await read(
                    watch, begin, k, f"view=host&source={SHOP}&range={span}", f"() => {full}"
                )
                assert same(said["tiles"][f"{SHOP} {QUEUE}"], want["queue"]), (told, said)
                assert same(said["tiles"][f"{SHOP} {ORDERS}"], rate), (told, rate, said)
                assert sorted(said["legend"].values()) == sorted([words["queue"], rated]), (
                    told, words, rated, said["legend"],
                )  # fmt: skip

                said = await read(
                    watch, begin, k, f"view=overview&range={span}",
                    "() => document.querySelectorAll('[data-figure]').length >= 4",
                )  # fmt: skip
                cards = said["cards"]
                assert same(cards[f"{HOST} memory_percent"], want["load"]), (told, cards)
                assert same(cards[f"{SHOP} {QUEUE}"], want["queue"]), (told, cards)
                assert same(cards[f"{SHOP} {ORDERS}"], rate), (told, rate, cards)

                said = await read(
                    watch, begin, k, f"view=dashboard&id=both&range={span}", f"() => {full}"
                )
                assert all(map(same, said["board"], (want["queue"], rate))), (told, rate, said)
                assert sorted(said["legend"].values()) == sorted(words.values()), (told, said)

                series = json.dumps(picked)
                await watch.open("/analytics?view=explore")
                query: str = await watch.page.evaluate(
                    f"'view=explore&series=' + encodeURIComponent({series})"
                )
                said = await read(
                    watch, begin, k, f"{query}&range={span}",
                    "() => document.querySelectorAll('#chosen > li').length === 2",
                )  # fmt: skip
                assert sorted(said["chosen"].values()) == sorted(want.values()), (told, said)
                assert sorted(said["legend"].values()) == sorted(words.values()), (told, said)
                assert "at the playhead" in said["words"] and "now" not in said["words"], told

        await watch.page.keyboard.press("m")
        await watch.page.wait_for_selector(
            "#latest .elsewhere >> text=These are the figures of now", timeout=PATIENCE_MS
        )
        assert watch.complaints == []
