"""A real Chromium that watches the page, and the words the tests ask it in."""

import asyncio
import contextlib
import csv
import io
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Page, async_playwright
from tornado.httpclient import AsyncHTTPClient

from tests.app import PATIENCE_S, Server

ELSEWHERE = "elsewhere.test"
"""This machine by a name that a browser takes for another one: plain http from there is no secure context."""
FLAGS = [
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
PATIENCE_MS = 1000 * PATIENCE_S
LOAD = 'system_load{period="1m"}'
NO_WORKER = "delete Navigator.prototype.serviceWorker"
"""As on plain http from elsewhere, where browsers have no service workers."""
LIVE_S = 3 * PATIENCE_S
"""For a whole story: several starts of a server and of a browser on a busy machine."""


STILL = """async () => {
    const waits = (one) => {
        const { top, bottom, height } = one.getBoundingClientRect();
        return height > 0 && bottom > 0 && top < innerHeight;
    };
    const moves = (one) => one.playState === "running" && one.effect.getComputedTiming().iterations < Infinity;
    for (let frame = 0; frame < 10; frame += 1) {
        await new Promise(requestAnimationFrame);
        if ([...document.querySelectorAll('.chart[data-state="loading"]')].some(waits)) return false;
        if (document.getAnimations().some(moves)) return false;
    }
    return true;
}"""


@dataclass(slots=True)
class Watch:
    """`requests` are the addresses the page asked for; `complaints` what its console held against it."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/analytics") -> None:
        await self.page.goto(self.url + path)

    async def live(self, road: str = "websocket") -> None:
        """Until the page says that it is live on this road, and has all that comes after its first figures."""
        await self.page.wait_for_selector(
            f'html[data-link="live"][data-road="{road}"]', timeout=PATIENCE_MS
        )
        await self.page.wait_for_selector("#dvr-track", state="attached", timeout=PATIENCE_MS)

    async def number(self, selector: str, name: str) -> float:
        text = await self.page.get_attribute(selector, f"data-{name}")
        return float(text or "nan")

    async def seq(self) -> int:
        """Of the state that the tiles show, once they show one."""
        await self.page.wait_for_selector("#tiles[data-seq]", timeout=PATIENCE_MS)
        return int(await self.number("#tiles", "seq"))

    async def beyond(self, seq: int) -> None:
        """Until the tiles show a state after `seq`."""
        await self.page.wait_for_function(
            "seq => Number(document.querySelector('#tiles')?.dataset.seq) > seq",
            arg=seq,
            timeout=PATIENCE_MS,
        )

    async def still(self) -> None:
        """Until no chart in sight waits for its rows, and nothing fades or moves, some frames long."""
        await self.page.wait_for_function(STILL, timeout=PATIENCE_MS)

    async def rows(self, chart: str) -> dict[str, list[tuple[int, float]]]:
        """What a chart holds, through its own CSV button: series → (µs, value), gaps left out."""
        await self.page.hover(f"#chart-{chart}")
        async with self.page.expect_download() as downloading:
            await self.page.click(f"#chart-{chart} .save")
        with open(await (await downloading.value).path(), encoding="utf-8", newline="") as file:
            names, *lines = csv.reader(io.StringIO(file.read()))
        return {
            name: [(round(float(line[0]) * 1e6), float(line[k])) for line in lines if line[k]]
            for k, name in enumerate(names)
            if k
        }


@contextlib.asynccontextmanager
async def watching(
    url: str,
    *,
    size: tuple[int, int] = (1440, 900),
    scheme: Literal["light", "dark"] = "dark",
    scale: float = 1,
    phone: bool = False,
    worker: bool = False,
) -> AsyncIterator[Watch]:
    """A fresh browser, no page open yet. Without the `worker` it has no service worker, as on plain http from
    elsewhere: every request is then one that a test can see, hold and answer."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            device_scale_factor=scale,
            has_touch=phone,
            is_mobile=phone,
        )
        if not worker:
            await context.add_init_script(NO_WORKER)
        page = await context.new_page()
        watch = Watch(page, url)
        page.on("request", lambda request: watch.requests.append(request.url))
        page.on("websocket", lambda socket: watch.requests.append(socket.url))
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.on(
            "console",
            lambda line: (
                watch.complaints.append(line.text) if line.type in ("error", "warning") else None
            ),
        )
        try:
            yield watch
        finally:
            await browser.close()


async def same_as_recorded(watch: Watch, server: Server) -> None:
    """Every tick between the first and the last one on the chart, with the very values of the log."""
    await watch.page.wait_for_function(
        "() => Number(document.querySelector('#chart-load')?.dataset.rows) > 6",
        timeout=PATIENCE_MS,
    )
    shown = (await watch.rows("load"))[LOAD]
    assert len(shown) > 4
    answer = await ask(
        server.url,
        "/api/realtime/query",
        series=LOAD,
        **{"from": shown[0][0] / 1e6, "to": shown[-1][0] / 1e6 + 0.05},
        points=5000,
    )
    [column] = answer["series"]
    recorded = [
        (round(at * 1e6), float(value))
        for at, value in zip(column["at"], column["value"], strict=True)
    ]
    assert shown == recorded


async def ask(url: str, path: str, **query: Any) -> Any:
    """GET → the envelope's data."""
    answer = await AsyncHTTPClient().fetch(f"{url}{path}?{urlencode(query, doseq=True)}")
    return json.loads(answer.body)["data"]


async def settled(url: str) -> None:
    """Until what is told of two moments, and what is looked at more slowly, has come once: a page that is opened
    before grows under the eyes of who came so early."""
    for late in ("system_context_switches_per_second", "system_process_cpu_ratio"):
        while not (await ask(url, "/api/realtime/series", match=late))["series"]:
            await asyncio.sleep(0.2)


async def post(url: str, path: str, body: Any) -> Any:
    answer = await AsyncHTTPClient().fetch(
        url + path,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body),
    )
    return json.loads(answer.body)["data"]


def origin(address: str) -> str:
    parts = urlsplit(address)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}"
