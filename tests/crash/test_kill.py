"""kill -9 in full flight, ten times over: what was acknowledged is there, once, and all who watched agree."""

import asyncio
import itertools
import json
import random
import secrets
from collections import Counter

import httpx
import pytest

from tests import clients
from tests.app import running

KILLS = 10
PRODUCERS = 6
SAMPLES = 5
"""In each request."""
API = "/api/realtime"


class Producer:
    """Sends numbered samples as fast as it is answered. A stubborn one sends what was not answered
    again, under the same key, until it is; the other one leaves it at that."""

    def __init__(self, name, server):
        self.name = name
        self.stubborn = name % 2 == 0
        self.acked = set()
        self.doubtful = set()
        self._server = server

    async def run(self, until):
        count = itertools.count()
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            while not until.is_set():
                numbers = [next(count) for _ in range(SAMPLES)]
                key = secrets.token_hex(8)
                while not await self._send(client, numbers, key) and self.stubborn:
                    await asyncio.sleep(0.05)

    async def _send(self, client, numbers, key):
        body = [
            {
                "name": f"n{place}",
                "labels": {"of": str(self.name)},
                "value": number,
                "source": "app",
            }
            for place, number in enumerate(numbers)
        ]
        self.doubtful |= set(numbers)
        try:
            answer = await client.post(
                f"{self._server.url}{API}/metrics", json=body, headers={"Idempotency-Key": key}
            )
        except httpx.HTTPError:
            return False
        if answer.status_code in (429, 503):
            return False
        assert answer.status_code == 200, answer.text
        self.acked |= set(numbers)
        return True


class Watcher:
    """Follows the stream of one road, coming back each time with the cursor of its last frame."""

    def __init__(self, road, server):
        self.road = road
        self.frames = []
        self.returned = 0
        self.cursor = ""
        self.begun = 0
        """The seq of its snapshot: everything after it is to be told."""
        self._server = server

    async def run(self):
        while True:
            try:
                async with self._connected() as stream:
                    await self._follow(stream)
            except Exception as error:
                # The end of a connection has many faces; an assertion is none of them.
                if isinstance(error, AssertionError):
                    raise
                await asyncio.sleep(0.05)

    def _connected(self):
        if self.road == "sse":
            headers = {"Last-Event-ID": self.cursor} if self.cursor else {}
            return clients.events(self._server.url, headers=headers)
        query = {"cursor": self.cursor} if self.cursor else {}
        protocol = clients.MSGPACK if self.road == "msgpack" else ""
        return clients.sockets(self._server.url, protocol, **query)

    async def _follow(self, stream):
        while True:
            told = await stream.next()
            assert told.event != "reset", told
            if told.event == "hello":
                assert told.data["resumed"] == bool(self.cursor)
                self.returned += bool(self.cursor)
            elif told.event == "snapshot":
                assert not self.cursor, "a snapshot instead of the gap"
                self.cursor = told.data["cursor"]
                self.begun = int(self.cursor.partition(":")[2])
            elif "seq" in told.data:
                self.frames.append(told)
                self.cursor = told.data["cursor"]


async def whole_log(url):
    events, after = [], 0
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        while after is not None:
            asked = {"after": after, "limit": 1000}
            answer = await client.get(f"{url}{API}/events", params=asked)
            events += answer.json()["data"]["events"]
            after = answer.json()["data"]["next"]
        head = (await client.get(f"{url}{API}/performance/stats")).json()["data"]["log"]
    return events, head


@pytest.mark.crash
@pytest.mark.gen_test(timeout=240)
async def test_kill_nine_ten_times_over(tmp_path):
    """Every acknowledged sample is in the log once; of the others each is absent or there once; seqs
    have no hole; the epoch is the same. A WebSocket in JSON, one in msgpack and an event stream that
    came back each time with their cursors hold the same events as the log: no gap, no double, and
    never a reset."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with running(tmp_path, interval_s=60, checkpoint_s=1, heartbeat_s=1) as server:
        over = asyncio.Event()
        producers = [Producer(n, server) for n in range(PRODUCERS)]
        watchers = [Watcher(road, server) for road in ("json", "msgpack", "sse")]
        watching = [asyncio.create_task(watcher.run()) for watcher in watchers]
        while not all(watcher.cursor for watcher in watchers):
            await asyncio.sleep(0.02)
        sending = [asyncio.create_task(producer.run(over)) for producer in producers]
        for kill in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 1.2))
            await server.kill()
            await server.start()
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                note = {"type": "info", "message": f"kill {kill}"}
                answer = await client.post(f"{server.url}{API}/notifications", json=note)
                assert answer.status_code == 200
        await asyncio.sleep(0.5)
        over.set()
        await asyncio.gather(*sending)
        events, log = await whole_log(server.url)
        last = events[-1]["seq"]
        async with asyncio.timeout(20):
            while any(int(one.cursor.partition(":")[2]) < last for one in watchers):
                assert not any(task.done() for task in watching)
                await asyncio.sleep(0.05)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    assert [event["seq"] for event in events] == list(range(1, last + 1))
    assert {watcher.cursor.partition(":")[0] for watcher in watchers} == {log["epoch"]}
    kept = Counter(
        (text.partition('of="')[2].rstrip('"}'), value)
        for event in events
        if event["type"] == "metrics" and event["source"] == "app"
        for text, value in event["data"]["values"].items()
    )
    assert set(kept.values()) == {1}, "a sample is there twice"
    for producer in producers:
        mine = {number for name, number in kept if name == str(producer.name)}
        assert producer.acked <= mine <= producer.doubtful
        assert len(producer.acked) > 10 * SAMPLES
        if producer.stubborn:
            assert producer.acked == producer.doubtful
    notes = [event["data"]["message"] for event in events if event["type"] == "notification"]
    assert notes == [f"kill {kill}" for kill in range(KILLS)]
    for watcher in watchers:
        assert watcher.returned >= KILLS // 2
        agrees(watcher, events)


def agrees(watcher, events):
    """What a watcher holds is the log from its snapshot on, as far as that was read. A tick that was
    overtaken on a live stream is counted in the one that came instead of it; everything else is equal
    to the byte."""
    frames = [told for told in watcher.frames if told.data["seq"] <= events[-1]["seq"]]
    seqs = [told.data["seq"] for told in frames]
    assert seqs == sorted(set(seqs)), f"{watcher.road}: a double, or out of order"
    by_seq = {event["seq"]: event for event in events}
    told_facts, told_ticks = [], 0
    for told in frames:
        event = by_seq[told.data["seq"]]
        assert (told.event, told.data["source"], told.data["at"]) == (
            event["type"],
            event["source"],
            event["at"],
        )
        body = {k: v for k, v in told.data.items() if k not in ("seq", "cursor", "at", "source")}
        conflated = body.pop("conflated", 1)
        if told.event == "metrics":
            told_ticks += conflated
            missing = event["data"]["values"].items() - body["values"].items()
            assert not missing
        else:
            assert json.loads(json.dumps(body)) == event["data"]
            told_facts.append(event["seq"])
        if conflated == 1:
            assert body == event["data"]
    after = [event for event in events if event["seq"] > watcher.begun]
    facts = [e["seq"] for e in after if e["type"] not in ("metrics", "series")]
    assert told_facts == facts, f"{watcher.road}: a fact is missing"
    assert told_ticks == sum(event["type"] == "metrics" for event in after), watcher.road
