"""Many tabs, one connection: whoever opens, closes, crashes or looks away, the others go on without a hole."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Error, Route

from tests.app import PATIENCE_S, Server, running
from tests.browser.gate import gated
from tests.browser.watch import LIVE_S, PATIENCE_MS, Watch, ask, post, same_as_recorded, watching

pytestmark = pytest.mark.browser

WAYS = {
    "worker": "",
    "leader": "delete globalThis.SharedWorker",
    "alone": "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })",
}
"""What a browser lacks, so that the page goes this way."""
HANDOVER_S = 2.0
LISTENER = """
{
  const { apply } = Store.prototype;
  globalThis.told = [];
  Store.prototype.apply = function (message) {
    if (message.seq !== undefined) globalThis.told.push([message.type, message.seq, message.conflated ?? 0]);
    return apply.call(this, message);
  };
}
"""
"""Behind the store's module: what it is given, before it leaves out what it has."""
TOLD = ("metrics", "alert", "notification", "annotation", "system")
"""Events that a tab in the room `dashboard` has a frame of."""


async def connections(server: Server) -> int:
    stats = await ask(server.url, "/api/realtime/performance/stats")
    return sum(stats["connections"].values())


async def until(server: Server, count: int, within_s: float = PATIENCE_S) -> None:
    """Until the server has so many connections."""
    give_up = time.monotonic() + within_s
    while (now := await connections(server)) != count:
        assert time.monotonic() < give_up, f"{now} connections, not {count}"
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def tabs(
    server: Server,
    url: str,
    count: int,
    way: str = "worker",
    prepare: Callable[[Watch], Awaitable[None]] | None = None,
) -> AsyncIterator[list[Watch]]:
    """One browser with so many tabs, all live."""
    async with watching(url) as first:
        if prepare:
            await prepare(first)
        await first.page.context.add_init_script(WAYS[way])
        watches = [first, *[await another(first) for _ in range(count - 1)]]
        await asyncio.gather(*[watch.open("/analytics?view=host") for watch in watches])
        for watch in watches:
            await watch.live()
        yield watches


async def go_on(*watches: Watch) -> None:
    """They show a newer tick within the time of a hand-over, a tick, its paint, and a busy machine."""
    seq = max([await watch.seq() for watch in watches])
    started = time.monotonic()
    await asyncio.gather(*[watch.beyond(seq) for watch in watches])
    assert time.monotonic() - started < HANDOVER_S + 2


async def another(watch: Watch) -> Watch:
    return Watch(await watch.page.context.new_page(), watch.url)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
@pytest.mark.parametrize("way", ["worker", "leader"])
async def test_tabs_share_one_connection(tmp_path: Path, way: str) -> None:
    """Three tabs, one connection; the first crashes, the next closes, one comes late: still one, no hole."""
    async with running(tmp_path) as server, tabs(server, server.url, 3, way) as (one, two, three):
        await three.beyond(await three.seq() + 2)
        assert await connections(server) == 1

        # It leads, and a worker lives in its process: both go down with it.
        with contextlib.suppress(Error):
            await one.page.goto("chrome://crash")
        await go_on(two, three)
        await until(server, 1)

        four = await another(three)
        await four.open("/analytics?view=host")
        await four.live()
        assert await connections(server) == 1

        await two.page.close()
        await go_on(three, four)
        await until(server, 1)
        for watch in (three, four):
            await same_as_recorded(watch, server)
            assert await watch.page.locator("text=There was a break").count() == 0
        assert three.complaints == four.complaints == []

        await four.page.close()
        await until(server, 1, HANDOVER_S)
        await three.page.close()
        await until(server, 0, HANDOVER_S)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
@pytest.mark.parametrize("way", ["worker", "leader"])
async def test_each_tab_is_told_everything_once(tmp_path: Path, way: str) -> None:
    """While many facts come, the first tab crashes, the next closes, one comes late: each that is left was
    told every event after its own first load, in order, none left out and none twice."""
    async with running(tmp_path) as server, tabs(server, server.url, 3, way, listen) as tabs_:
        one, two, three = tabs_
        async with noise(server):
            await three.beyond(await three.seq() + 2)
            with contextlib.suppress(Error):
                await one.page.goto("chrome://crash")
            await go_on(two, three)
            four = await another(three)
            await four.open("/analytics?view=host")
            await four.live()
            await two.page.close()
            await go_on(three, four)
        last = (await ask(server.url, "/api/realtime/performance/stats"))["log"]["head"]
        for watch in (three, four):
            await watch.beyond(last)
            await told_once(watch, server, last)
        await until(server, 1)


async def listen(watch: Watch) -> None:
    async def serve(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(
            body=await answer.text() + LISTENER, content_type="text/javascript; charset=utf-8"
        )

    await watch.page.context.route("**/js/store.js", serve)


@contextlib.asynccontextmanager
async def noise(server: Server) -> AsyncIterator[None]:
    """Some thirty facts a second, so that each seam has some on both sides of it."""

    async def speak() -> None:
        for number in itertools.count():
            body = {"type": "info", "message": f"fact {number}"}
            await post(server.url, "/api/realtime/notifications", body)
            await asyncio.sleep(0.03)

    speaking = asyncio.create_task(speak())
    try:
        yield
    finally:
        speaking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await speaking


async def told_once(watch: Watch, server: Server, last: int) -> None:
    """What the tab's store was given since its first load, up to `last` at least, is what the log holds."""
    (kind, first, _), *rest = await watch.page.evaluate("() => globalThis.told")
    assert kind == "load"
    # A later load is the page's own question for charts, not something it was told.
    told = [(type_, seq) for type_, seq, _ in rest if type_ != "load"]
    assert not any(merged for *_, merged in rest)
    logged: list[tuple[str, int]] = []
    after = first
    while page := (await ask(server.url, "/api/realtime/events", after=after, limit=1000))[
        "events"
    ]:
        after = page[-1]["seq"]
        logged += [(event["type"], event["seq"]) for event in page if event["type"] in TOLD]
    assert {"metrics", "notification"} <= {type_ for type_, _ in told}
    assert told == logged[: len(told)]
    assert told[-1][1] >= last


@pytest.mark.gen_test(timeout=LIVE_S)
async def test_without_locks_each_tab_goes_alone(tmp_path: Path) -> None:
    """Plain http from another host has no Web Locks: a connection a tab, and nothing is missing."""
    async with running(tmp_path) as server, tabs(server, server.url, 2, "alone") as (one, two):
        await two.beyond(await two.seq() + 2)
        assert await connections(server) == 2
        await one.page.close()
        await until(server, 1, HANDOVER_S)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
@pytest.mark.parametrize("way", ["worker", "leader"])
async def test_tabs_fall_and_climb_together(tmp_path: Path, way: str) -> None:
    """No WebSocket: both on one event stream; open again: both on one socket, with what came between."""
    async with running(tmp_path) as server, gated(server.url) as gate:
        gate.refused = {"websocket"}
        async with watching(gate.url) as one:
            await one.page.context.add_init_script(WAYS[way])
            two = await another(one)
            for watch in (one, two):
                await watch.open("/analytics?view=host")
                await watch.live("sse")
            await until(server, 1)
            gate.refused = set()
            for watch in (one, two):
                await watch.live("websocket")
            await until(server, 1)
            await two.beyond(await two.seq() + 2)
            for watch in (one, two):
                await same_as_recorded(watch, server)


@pytest.mark.gen_test(timeout=2 * LIVE_S)
async def test_tabs_nobody_looks_at_hear_of_alerts_alone(tmp_path: Path) -> None:
    """All hidden: one quiet connection, whose titles and icons tell of an alert and of its end; then no hole."""
    async with running(tmp_path) as server, tabs(server, server.url, 2) as (one, two):
        await two.beyond(await two.seq() + 2)
        icon = await one.page.get_attribute("link[rel=icon]", "href")
        for watch in (one, two):
            await look(watch, away=True)
        for watch in (one, two):
            await watch.page.wait_for_selector('html[data-link="paused"]', timeout=PATIENCE_MS)
        await until(server, 1)
        stats = await ask(server.url, "/api/realtime/performance/stats")
        assert stats["delivery"]["rooms"] == {"alerts": 1, "notifications": 1}
        assert not (await one.page.title()).startswith("❚❚ ")
        held = await one.seq()
        await fire(server, one, two)
        assert await one.seq() == held
        assert await one.page.get_attribute("link[rel=icon]", "href") == icon
        await look(one, away=False)
        await one.live()
        await one.beyond(held + 2)
        await same_as_recorded(one, server)
        # Asleep altogether: what is frozen or put away may hold no socket.
        await two.page.evaluate("document.dispatchEvent(new Event('freeze'))")
        await until(server, 1)
        assert (await two.page.title()).startswith("❚❚ ")


async def fire(server: Server, *watches: Watch) -> None:
    """A test alert, until every title and icon has told of it and of its end."""
    testing = asyncio.create_task(post(server.url, "/api/realtime/alerts/test?seconds=3", {}))
    for sign in ("warning", "fine"):
        for watch in watches:
            await watch.page.wait_for_selector(
                f'html[data-sign="{sign}"]', state="attached", timeout=PATIENCE_MS
            )
            assert (await watch.page.title()).startswith("◆ 1 ") == (sign == "warning")
    await testing


async def look(watch: Watch, away: bool) -> None:
    """A headless browser shows every tab; so the document is told what it would be told."""
    await watch.page.evaluate(
        "away => { Object.defineProperty(document, 'hidden', { value: away, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        away,
    )
