"""Every view, as people see it. `PICTURES=docs/images` keeps the pictures in both themes, on a phone and on the wall
(`make screenshots`); otherwise each is judged once, where room is scarcest.

What is on them: three hosts with the recorded quarter of an hour of a real one, an
application that pushes, and a deploy.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest

from realtime.core.times import rfc3339
from tests.app import PATIENCE_S, running
from tests.browser.recording import SECOND, columns, tape
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, post, settled, watching

pytestmark = pytest.mark.browser

SOURCE = "web-01"
OTHERS = ("web-02", "db-01")
PAST_S = 900
TAPE_S = 90_000 if "PICTURES" in os.environ else PAST_S
"""A day and more, where it is looked at."""
BESIDE = "1d" if "PICTURES" in os.environ else "240s"
BACK_S = 300
LEISURE_MS = 1_500 if "PICTURES" in os.environ else 0
"""For a picture: what is asked for at leisure is on it, too."""
FULL = '.view .chart[data-state="full"]'
BOARD: Mapping[str, Any] = {
    "title": "The shop",
    "tags": ["shop"],
    "panels": [
        {"kind": "tile", "x": 0, "y": 0, "w": 3, "h": 3, "title": "Queue",
         "series": ['shop_queue_length{source="checkout"}']},
        {"kind": "chart", "x": 3, "y": 0, "w": 9, "h": 6, "title": "Orders a second",
         "series": ['shop_orders_total{source="checkout"}']},
        {"kind": "text", "x": 0, "y": 3, "w": 3, "h": 3,
         "text": "# On call\n- queue over 50: scale the workers\n- orders at zero: payment first"},
        {"kind": "chart", "x": 0, "y": 6, "w": 6, "h": 6, "title": "CPU of every host",
         "series": ['system_cpu_utilization_ratio{source=~".+"}']},
        {"kind": "alerts", "x": 6, "y": 6, "w": 6, "h": 6},
    ],
}  # fmt: skip
"""What a shop may have arranged for itself."""

WIDTHS = (320, 640, 720, 800, 900, 1000)
"""Where the frame changes its shape, and a common screen at twice its size."""
FURTHEST = """() => Math.ceil(Math.max(document.documentElement.scrollWidth,
    ...[...document.querySelectorAll(".bar *, .dvr *")]
        .filter((one) => one.checkVisibility() && !one.classList.contains("unseen"))
        .map((one) => one.getBoundingClientRect().right)))"""
"""How far to the right anything reaches (px): what is fixed makes no page wider and is cut off nevertheless."""

Scheme = Literal["light", "dark"]
VIEWS: Mapping[str, tuple[dict[str, str], str]] = {
    "overview": ({"view": "overview"}, ".view .card.source"),
    "host": ({"view": "host", "source": SOURCE}, FULL),
    "explore": (
        {
            "view": "explore",
            "series": 'shop_orders_total{shop="berlin",source="checkout"}\n'
            'shop_orders_total{shop="bonn",source="checkout"}',
            "fn": "rate",
            "step": "15s",
            "q": "shop",
        },
        '.view[data-shown="2"] .chart',
    ),
    "alerts": ({"view": "alerts"}, "#resolved .alert"),
    "events": ({"view": "events"}, "#events .event"),
    "dashboards": ({"view": "dashboards"}, ".board-card"),
    "board": ({"view": "dashboard"}, '.slot .chart[data-state="full"]'),
    "performance": ({"view": "performance"}, ".view .card"),
    "settings": ({"view": "host", "source": SOURCE}, "dialog[open]"),
    "compare": (
        {"view": "compare", "source": SOURCE, "beside": BESIDE},
        '.moment[data-side="A"][data-ahead="false"]',
    ),
    "replay": ({"view": "host", "source": SOURCE}, f'html[data-time="past"] {FULL}'),
}
"""View → its address, and what is there once it has come."""


def shop(first: int, count: int) -> dict[str, Any]:
    """So many seconds of what the shop tells of itself, from one on (epoch s)."""
    seconds = range(first, first + count)
    orders = [math.floor(40 * second + 1200 * math.sin(second / 60)) % 10**9 for second in seconds]
    return {
        "source": "checkout",
        "at": list(seconds),
        "series": {
            'shop_orders_total{shop="berlin"}': orders,
            'shop_orders_total{shop="bonn"}': [number // 2 for number in orders],
            "shop_queue_length": [
                abs(math.floor(30 * math.sin(second / 240))) for second in seconds
            ],
        },
    }


async def scene(url: str, now: int) -> str:
    """Tells the recorder of a quarter of an hour of two more hosts and a shop; the board's id."""
    for source in OTHERS:
        await post(url, "/api/realtime/metrics", columns(source, now, PAST_S))
    await post(url, "/api/realtime/metrics", shop(now - PAST_S, PAST_S))
    deploy = {"text": "Deploy 4.2.0", "tags": ["deploy"], "at": now - BACK_S}
    await post(url, "/api/realtime/annotations", deploy)
    note = {"type": "success", "title": "Backup finished", "message": "verified in 2.1 s"}
    await post(url, "/api/realtime/notifications", note)
    await post(url, "/api/realtime/alerts/test?seconds=1", {})
    return str((await post(url, "/api/realtime/dashboards", BOARD))["id"])


async def going_on(url: str, now: int) -> None:
    """The same a second at a time, as long as somebody looks."""
    while True:
        for source in OTHERS:
            await post(url, "/api/realtime/metrics", columns(source, int(time.time()), 1))
        first = now
        now = int(time.time())
        if now > first:
            await post(url, "/api/realtime/metrics", shop(first, now - first))
        await asyncio.sleep(1)


async def shown(watch: Watch, name: str, more: Mapping[str, str]) -> None:
    """The view has come, and stands."""
    address, there = VIEWS[name]
    await watch.open(f"/analytics?{urlencode({**address, **more})}")
    if name == "settings":
        await watch.live()
        await watch.page.keyboard.press("s")
    await watch.page.wait_for_selector(there, timeout=PATIENCE_MS)
    await watch.still()
    await watch.page.wait_for_timeout(LEISURE_MS)


async def fits(watch: Watch, wide: int) -> bool:
    """Whether nothing reaches further, once the pictures have followed the screen."""
    await watch.still()
    until = time.monotonic() + PATIENCE_S
    while await watch.page.evaluate(FURTHEST) > wide:
        if time.monotonic() > until:
            return False
        await watch.page.wait_for_timeout(100)
    return True


async def judge_widths(url: str, moment: str) -> None:
    """Nothing of a host leaves a screen of any width, live and past, in the longest words we have."""
    async with watching(url) as watch:
        for language in ("en", "de"):
            for name, more in (("host", {}), ("replay", {"at": moment})):
                await shown(watch, name, {**more, "lang": language})
                for wide in WIDTHS:
                    await watch.page.set_viewport_size({"width": wide, "height": 844})
                    assert await fits(watch, wide), f"{name} in {language} at {wide}"
        assert watch.complaints == []


@pytest.mark.gen_test(timeout=8 * LIVE_S)
async def test_every_view(tmp_path: Path) -> None:
    """Nothing is wider than its screen, and the console holds nothing against it; kept in every light when asked."""
    kept = os.environ.get("PICTURES")
    rounds: list[tuple[str, Scheme, tuple[int, int], float, bool]] = [
        ("phone", "dark", (390, 844), 2, True)
    ]
    if kept is not None:
        rounds += [
            ("light", "light", (1440, 900), 1, False),
            ("dark", "dark", (1440, 900), 1, False),
        ]
    directory = Path(kept) if kept is not None else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    await tape(tmp_path / "data", SOURCE, int(time.time()), TAPE_S)
    # As every installation: what is seen on the pictures is what its owner would see.
    async with running(tmp_path, source=SOURCE, alert_cpu_hold_s=10) as server:
        await settled(server.url)
        now = int(time.time())
        board = await scene(server.url, now)
        moment = rfc3339((int(time.time()) - BACK_S) * SECOND)
        mores = {"board": {"id": board}, "replay": {"at": moment}, "compare": {"at": moment}}
        living = asyncio.create_task(going_on(server.url, now))
        for light, scheme, size, scale, phone in rounds:
            async with watching(
                server.url, scheme=scheme, size=size, scale=scale, phone=phone
            ) as watch:
                for name in VIEWS:
                    await shown(watch, name, mores.get(name, {}))
                    wide = await watch.page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= size[0], name
                    await watch.page.screenshot(path=directory / f"{name}-{light}.png")
                assert watch.complaints == []
        await judge_widths(server.url, moment)
        async with watching(server.url, size=(1920, 1080)) as watch:
            await watch.open("/analytics?view=overview&wall=1")
            await watch.page.wait_for_selector("html[data-wall] .view > *", timeout=PATIENCE_MS)
            await watch.still()
            await watch.page.wait_for_timeout(LEISURE_MS)
            await watch.page.screenshot(path=directory / "wall-dark.png")
            assert watch.complaints == []
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
