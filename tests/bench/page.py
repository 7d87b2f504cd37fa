"""The page in a real Chromium, by its own clocks: first load, bytes, what a second costs, memory, scrolling."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    WebSocketRoute,
    async_playwright,
)

from tests.app import Server, running
from tests.bench import recording
from tests.bench.load import Client, connect, quantile
from tests.bench.others import other
from tests.bench.table import Row, Target
from tests.browser.watch import ELSEWHERE, FLAGS, NO_WORKER, settled

API = "/api/realtime"
LOOPBACK = "127.0.0.1"
SOURCE, MANY = "bench", "many"
OVERVIEW = "/analytics?view=overview"
HOST = f"/analytics?view=host&source={SOURCE}"
CHARTS = f"/analytics?view=host&source={MANY}"
FIRST = {"a host": HOST, "the overview": OVERVIEW}
NO_CHARTS = "/analytics?view=alerts"
SERIES = 300
PAST_S = 600
OLDER_S = 1_000
"""More than a page shows at first: as with most recorders, charts move on and do not grow."""
ROUNDS = 7
SETTLE_MS = 4_000
PATIENCE_MS = 60_000
CLOSE_S = 5
TIMINGS = ("TaskDuration", "ScriptDuration")

MARKS = """
window.marks = { shift: 0 };
new PerformanceObserver(list => { for (const one of list.getEntries()) marks.shift += one.value; })
  .observe({ type: "layout-shift", buffered: true });
const look = () => {
  const tiles = [...document.querySelectorAll("#tiles .tile, #cards [data-figure]")];
  const live = document.documentElement?.dataset.link === "live" && tiles.length > 0
    && tiles.every(tile => tile.dataset.value && tile.dataset.value !== "NaN");
  if (live) marks.live = performance.now();
  // What has neither never is; looking on there would be a load of our own.
  else if (!/view=(?!host|overview)/.test(location.search)) requestAnimationFrame(look);
};
look();
"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
EMPTY = b"<!doctype html><title>empty</title><p>A page with one line of text.</p>"


async def measure(directory: Path, short: bool) -> list[Row]:
    place = directory / "page"
    place.mkdir()
    empty = directory / "empty.html"
    empty.write_bytes(EMPTY)
    async with (
        running(place, source=SOURCE, allowed_hosts=ELSEWHERE) as server,
        other("serve", str(empty)) as bare,
        chromium() as browser,
    ):
        await settled(server.url)
        (client,) = await connect(server.url)
        await client.ask(
            f"{API}/metrics", _json(recording.drawn(PAST_S, SOURCE)), "application/json"
        )
        client.close()
        rows = [
            *await _cold(browser, server, bare.url, 2 if short else ROUNDS),
            *await _bytes(browser, server),
        ]
        (client,) = await connect(server.url)  # the first one has been silent for minutes
        await fill(client)
        pushing = asyncio.create_task(push(client))
        try:
            rows += await _second(browser, server, 5 if short else 20)
            rows.append(await _scroll(browser, server))
            rows.append(await _memory(browser, server, 1 if short else 8))
        finally:
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing
        client.close()
    return rows


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def looking(
    browser: Browser, address: str, size: tuple[int, int] = (1440, 900)
) -> AsyncIterator[Page]:
    """A page of its own, with a cache of its own, marked as `MARKS` does, when all its tiles are live."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]})
    try:
        page = await context.new_page()
        # Who comes for the first time has no service worker.
        await page.add_init_script(f"{NO_WORKER}; {MARKS}")
        await page.goto(address)
        yield page
    finally:
        await _close(context)


async def _close(context: BrowserContext) -> None:
    """A context with a worker in it does not always close: it is left to the browser's end then, with blank pages."""
    for page in context.pages:
        await page.goto("about:blank")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(context.close(), CLOSE_S)


def many(end: int, seconds: int) -> dict[str, Any]:
    """`SERIES` gauges of one application, a chart each, in columns whose last tick is at `end` (epoch s)."""
    ats = range(end - seconds + 1, end + 1)
    return {
        "source": MANY,
        "at": list(ats),
        "series": {
            f"part_{k:03}_depth": [(at * (k + 7)) % 97 + k for at in ats] for k in range(SERIES)
        },
    }


async def fill(client: Client) -> None:
    """Their past, in parts that a server takes."""
    now = int(time.time())
    for end in (now - OLDER_S // 2, now):
        await client.ask(f"{API}/metrics", _json(many(end, OLDER_S // 2)), "application/json")


async def push(client: Client) -> None:
    """A tick of all of them every second, as an application would."""
    while True:
        await asyncio.sleep(1 - time.time() % 1)
        await client.ask(f"{API}/metrics", _json(many(int(time.time()), 1)), "application/json")


async def _cold(browser: Browser, server: Server, bare: str, rounds: int) -> list[Row]:
    nothing: list[float] = []
    rows = []
    for view, path in FIRST.items():
        painted, live, shift = [], [], []
        for _ in range(rounds):
            async with looking(browser, server.url + path) as page:
                await page.wait_for_function("() => marks.live", timeout=PATIENCE_MS)
                painted.append(await page.evaluate(PAINTED))
                live.append(await page.evaluate("marks.live"))
                await page.wait_for_timeout(SETTLE_MS)
                shift.append(await page.evaluate("marks.shift"))
            async with looking(browser, f"{bare}/answer") as page:
                await page.wait_for_function(f"() => {PAINTED}", timeout=PATIENCE_MS)
                nothing.append(await page.evaluate(PAINTED))
        beside = ("a page with one line of text", nothing)
        rows += [
            Row(
                f"{view}, cold: first contentful paint",
                "ms",
                painted,
                *beside,
                Target("ours", "≤", 500),
            ),
            Row(f"{view}, cold: all tiles live", "ms", live, *beside, Target("ours", "≤", 1000)),
            Row(f"{view}: cumulative layout shift", "", shift, target=Target("ours", "≤", 0.02)),
        ]
    return rows


@dataclass(slots=True)
class Wire:
    """A road of bytes between the browser and the server that counts what comes back, headers and frames too."""

    codings: bytes = b""
    host: str = LOOPBACK
    back: list[tuple[float, int]] = field(default_factory=list)
    """When (epoch s) so many bytes were passed on."""

    def until(self, at: float) -> float:
        """kB that had come by then; what is on its way when the browser is done is no part of what it waited for."""
        return sum(size for passed, size in self.back if passed <= at) / 1000

    @contextlib.asynccontextmanager
    async def laid(self, port: int) -> AsyncIterator[str]:
        async def walk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, here = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(self._pass(reader, here), self._pass(there, writer, True))
            except ConnectionError:
                pass  # a browser that leaves hangs up in the middle
            finally:
                here.close()
                writer.close()

        listening = await asyncio.start_server(walk, "127.0.0.1", 0)
        try:
            yield f"http://{self.host}:{listening.sockets[0].getsockname()[1]}"
        finally:
            listening.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: bool = False
    ) -> None:
        while data := await reader.read(1 << 16):
            if back:
                self.back.append((time.time(), len(data)))
            elif self.codings:
                data = data.replace(b"gzip, deflate, br, zstd", self.codings)
            writer.write(data)
            await writer.drain()
        writer.close()


async def _bytes(browser: Browser, server: Server) -> list[Row]:
    """What a first visit takes until all tiles are live: page, modules, styles, answers and frames; and what it has
    taken when the rest of the page has come, too."""
    rows = []
    for view, path in FIRST.items():
        sizes = {}
        whole = 0.0
        for codings in (b"", b"gzip", b"identity"):
            # To who takes gzip only it is a page from elsewhere, and no secure context.
            plain = codings == b"gzip"
            wire = Wire(codings=b"" if plain else codings, host=ELSEWHERE if plain else LOOPBACK)
            async with wire.laid(server.port) as url, looking(browser, url + path) as page:
                await page.wait_for_function("() => marks.live", timeout=PATIENCE_MS)
                live = await page.evaluate("performance.timeOrigin + marks.live")
                sizes[codings] = wire.until(live / 1000)
                if not codings:
                    await page.wait_for_timeout(SETTLE_MS)
                    whole = wire.until(time.time())
        beside = ("nothing compressed", [sizes[b"identity"]], Target("ours", "≤", 150))
        rows += [
            Row(f"{view}, cold: bytes over the wire", "kB", [sizes[b""]], *beside),
            Row("the same for who takes gzip only", "kB", [sizes[b"gzip"]], *beside),
            Row("and four seconds later, all of the page", "kB", [whole]),
        ]
    return rows


async def _timings(session: CDPSession) -> Mapping[str, float]:
    told = await session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in told["metrics"]}


async def _busy(page: Page, seconds: int) -> Mapping[str, float]:
    """Milliseconds of main thread a second, by kind."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.wait_for_timeout(SETTLE_MS)
    before = await _timings(session)
    await page.wait_for_timeout(1000 * seconds)
    after = await _timings(session)
    passed_s = after["Timestamp"] - before["Timestamp"]
    return {name: 1000 * (after[name] - before[name]) / passed_s for name in TIMINGS}


async def _tall(page: Page, charts: int) -> None:
    """As tall as it takes to see so many charts at once, and drawn."""
    await page.wait_for_function(
        "n => document.querySelectorAll('article.chart').length >= n",
        arg=charts,
        timeout=PATIENCE_MS,
    )
    bottom = await page.evaluate(
        "n => document.querySelectorAll('article.chart')[n - 1].getBoundingClientRect().bottom + scrollY",
        charts,
    )
    await page.set_viewport_size({"width": 1440, "height": int(bottom) + 20})
    await page.wait_for_function(
        "n => document.querySelectorAll('article.chart canvas').length >= n",
        arg=charts,
        timeout=PATIENCE_MS,
    )


async def _second(browser: Browser, server: Server, seconds: int) -> list[Row]:
    async with looking(browser, server.url + NO_CHARTS) as page:
        nothing = await _busy(page, seconds)
    async with looking(browser, server.url + HOST) as page:
        await _tall(page, 20)
        host = await _busy(page, seconds)
    async with looking(browser, server.url + CHARTS) as page:
        await _tall(page, 50)
        charts = await _busy(page, seconds)
    alone = "the view of alerts, without a chart"
    return [
        Row(
            "a host's tiles and 20 charts live: main thread",
            "ms/s",
            [host["TaskDuration"]],
            alone,
            [nothing["TaskDuration"]],
            Target("ours", "≤", 30),
        ),
        Row(
            "a second appended to 50 charts in sight: script",
            "ms",
            [charts["ScriptDuration"]],
            alone,
            [nothing["ScriptDuration"]],
            Target("ours", "≤", 4),
        ),
        Row(
            "the same, all of the main thread",
            "ms",
            [charts["TaskDuration"]],
            alone,
            [nothing["TaskDuration"]],
        ),
    ]


GAPS = """async () => {
  const gaps = [];
  let before = performance.now();
  let over = false;
  const frame = now => { gaps.push(now - before); before = now; if (!over) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  const bottom = document.documentElement.scrollHeight - innerHeight;
  for (let k = 0; k < bottom / 40 && scrollY < bottom - 1; k += 1) {
    scrollBy({ top: 40, behavior: "instant" });
    await new Promise(requestAnimationFrame);
  }
  over = true;
  return gaps.slice(2);
}"""


async def _scroll(browser: Browser, server: Server) -> Row:
    """40 pixels a frame, 2,400 a second, from the first chart to the last; a page that stands still as reference."""
    async with looking(browser, server.url + CHARTS) as page:
        await page.wait_for_function(
            "n => document.querySelectorAll('article.chart').length >= n",
            arg=SERIES,
            timeout=PATIENCE_MS,
        )
        await page.wait_for_timeout(SETTLE_MS)
        gaps = await page.evaluate(GAPS)
    return Row(
        f"{SERIES} charts scrolled through: 95 % of frames within",
        "ms",
        [quantile(gaps, 0.95)],
        "a display of 60 Hz",
        [1000 / 60],
        Target("ours", "≤", 50),
    )


ALONE = "Object.defineProperty(navigator, 'locks', { value: undefined });"
"""As over plain http from another host: the socket is the tab's own, and not a shared worker's."""


async def _memory(browser: Browser, server: Server, hours: int) -> Row:
    """The page's heap after an hour of ticks and after all of them. They come through its own socket, as fast as it
    takes them: only their times say that hours have passed."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    sockets: list[WebSocketRoute] = []

    async def between(socket: WebSocketRoute) -> None:
        behind = socket.connect_to_server()

        def heard(data: str | bytes) -> None:
            frame = json.loads(data)
            if frame["event"] != "metrics" or not sockets:
                socket.send(data)
            # From the first tick on, time is ours.
            if frame["event"] == "metrics" and frame["data"]["source"] == SOURCE and not sockets:
                first.set_result(frame["data"])
                sockets.append(socket)

        behind.on_message(heard)

    first: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    try:
        await context.add_init_script(f"{NO_WORKER}; {ALONE}")
        await context.route_web_socket(f"{server.url.replace('http', 'ws')}{API}/ws*", between)
        page = await context.new_page()
        await page.goto(server.url + HOST)
        tick = await asyncio.wait_for(first, PATIENCE_MS / 1000)
        epoch, _, seq = tick["cursor"].rpartition(":")
        begun = time.time()
        sizes = []
        for hour in range(hours):
            for second in range(3600):
                passed = hour * 3600 + second + 1
                number = int(seq) + 1_000_000 + passed
                at = msgspec.json.decode(msgspec.json.encode(begun + passed))
                sockets[0].send(
                    json.dumps(
                        {
                            "event": "metrics",
                            "data": {
                                **tick,
                                "seq": number,
                                "cursor": f"{epoch}:{number}",
                                "at": at,
                                "values": [value + passed % 7 for value in tick["values"]],
                            },
                        }
                    )
                )
                if second % 60 == 59:  # until the page has taken them
                    await page.wait_for_function(
                        "n => Number(document.querySelector('#tiles').dataset.seq) >= n",
                        arg=number,
                        timeout=PATIENCE_MS,
                    )
            sizes.append(await _heap(page))
    finally:
        await _close(context)
    return Row(
        f"the page's heap after {hours} h live, simulated by time",
        "MB",
        sizes[-1:],
        "after 1 h",
        sizes[:1],
        Target("ratio", "≤", 1.1),
    )


async def _heap(page: Page) -> float:
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await session.send("HeapProfiler.collectGarbage")
    return (await _timings(session))["JSHeapUsedSize"] / 1e6


def _json(body: Any) -> bytes:
    return msgspec.json.encode(body)
