"""Real clients on all roads through a wire that slices, stalls, resets and swallows."""

import asyncio
import random
import time
from typing import Any

import httpx
import pytest
import websockets

from realtime.core.batch import Batch, Columns, Key
from realtime.core.times import rfc3339
from tests.app import house
from tests.chaos.proxy import KINDS, proxied
from tests.clients import API, MSGPACK, Told, events, eventually, poll, sockets

ROADS = ("json", "msgpack", "sse", "poll")
RUN_S = 6.0
SILENCE_S = 0.8
"""A client hears from a live server more often than this, and else goes away and comes back."""
BROKEN = (
    OSError,
    EOFError,
    TimeoutError,
    StopAsyncIteration,
    httpx.HTTPError,
    websockets.exceptions.WebSocketException,
)


class Watcher:
    """A client as a careful person would write it: it keeps what came, and goes on from there."""

    def __init__(self, road: str, url: str, epoch: str) -> None:
        self.road = road
        self.url = url
        self.cursor = f"{epoch}:0"
        self.heard: list[Told] = []
        self.broken = 0
        self.over = False

    @property
    def seq(self) -> int:
        return int(self.cursor.rpartition(":")[2])

    async def run(self) -> None:
        while not self.over:
            try:
                await (self._poll() if self.road == "poll" else self._stream())
            except BROKEN:
                self.broken += 1
            await asyncio.sleep(0.02)

    async def _stream(self) -> None:
        if self.road == "sse":
            road: Any = events(self.url, cursor=self.cursor)
        else:
            road = sockets(self.url, MSGPACK if self.road == "msgpack" else "", cursor=self.cursor)
        async with asyncio.timeout(SILENCE_S):
            one = await road.__aenter__()
        try:
            while not self.over:
                async with asyncio.timeout(SILENCE_S):
                    told = await one.next()
                self._take(told.event, told.data)
        finally:
            await road.__aexit__(None, None, None)

    async def _poll(self) -> None:
        async with asyncio.timeout(2 * SILENCE_S):
            page = await poll(self.url, cursor=self.cursor)
        for frame in page["frames"]:
            self._take(frame["event"], frame["data"])
        self.cursor = page["cursor"]

    def _take(self, event: str, data: dict[str, Any]) -> None:
        assert event not in ("reset", "snapshot"), (event, data)
        if "seq" in data:
            assert data["seq"] > self.seq, f"{self.road}: {data['seq']} after {self.seq}"
            self.heard.append(Told(event, data))
        if event == "heartbeat" or "seq" in data:
            self.cursor = data["cursor"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.gen_test(timeout=120)
async def test_every_road_through_a_bad_wire(tmp_path, seed):
    """Laws no-gap-no-double and prove-or-reset, end to end: each client, however often it was cut, holds the
    very facts that `events` lists, and the very values that `query` answers, each once and in order."""
    dice = random.Random(seed)
    async with (
        house(tmp_path, heartbeat_s=1, poll_s=1, stall_s=2, ring_events=40) as it,
        proxied(it.url, dice) as wire,
    ):
        await it.spine.notify("info", "before everything")
        watchers = [Watcher(road, wire.url, it.log.epoch) for road in ROADS for _ in range(3)]
        tasks = [asyncio.create_task(one.run()) for one in watchers]
        begun, n = time.monotonic(), 0
        first = it.clock.now()
        while time.monotonic() - begun < RUN_S:
            n += 1
            keys = [Key("load", (), "load"), Key("count", (), "count")]
            at = [first + n * 10_000]
            await it.spine.ingest(Batch([Columns("app", at, keys, [[n], [n * 0.5]])]))
            if n % 3 == 0:
                await it.spine.notify("info", f"note {n}" + "é" * dice.randrange(300))
            await asyncio.sleep(0.02)
        wire.calm = True
        await it.spine.notify("info", "the end")
        edge = it.tail.edge
        await eventually(
            lambda: all(one.seq >= edge for one in watchers) or any(task.done() for task in tasks)
        )
        for one in watchers:
            one.over = True
        await asyncio.gather(*tasks)
        facts, ticks = await told_by_rest(it)
        assert len(ticks) == n
        for one in watchers:
            assert [t.data["seq"] for t in one.heard if t.event != "metrics"] == facts, one.road
            assert_values(one, ticks)
        assert set(wire.fates) == set(KINDS)
        for road in ROADS:
            assert sum(one.broken for one in watchers if one.road == road), road
    assert not it.hub._connections


def assert_values(one: Watcher, ticks: dict[str, dict[str, float]]) -> None:
    """Every tick was told once: by itself, or counted in one that holds its newest value."""
    told = [told.data for told in one.heard if told.event == "metrics"]
    assert sum(tick.get("conflated", 1) for tick in told) == len(ticks), one.road
    for tick in told:
        assert tick["values"] == ticks[tick["at"]], one.road
    assert told[-1]["at"] == max(ticks)


async def told_by_rest(it: Any) -> tuple[list[int], dict[str, dict[str, float]]]:
    """The facts by `events`, and the values of each moment by `query`."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        asked: Any = {"type": ["notification", "system"], "limit": 1000}
        answer = await http.get(f"{it.url.rstrip('/')}{API}/events", params=asked)
        facts = [one["seq"] for one in answer.raise_for_status().json()["data"]["events"]]
        asked = {"series": ["load", "count"], "from": "-5m", "points": 600}
        answer = await http.get(f"{it.url.rstrip('/')}{API}/query", params=asked)
    ticks: dict[str, dict[str, float]] = {}
    for one in answer.raise_for_status().json()["data"]["series"]:
        for at, value in zip(one["at"], one["value"], strict=True):
            ticks.setdefault(rfc3339(round(at * 1_000_000)), {})[one["series"]] = value
    return facts, ticks
