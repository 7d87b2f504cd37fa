"""Durable-ack accounting: who sent what, what was answered, and whether the log agrees."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import msgspec

API = "/api/realtime"
SERIES = 4
NOISE = 6
"""Series of random numbers beside these: what no packing makes small, so that samples weigh more than rollups."""
TICKS = 3
MANY_TICKS = 150
"""Now and then a batch whose transaction takes a hundred pages and more."""


class Batch(msgspec.Struct):
    """`cursor` is what it was answered, "" while it is in doubt; `seqs` are its ticks in the log."""

    number: int
    ticks: int
    series: int
    body: bytes
    headers: dict[str, str]
    answer: dict[str, Any] | None = None
    seqs: list[int] = msgspec.field(default_factory=list)


class Client:
    """Sends numbered batches one after the other, as fast as it is answered. One that names its batches
    sends what is in doubt again until it knows; one that does not leaves it at that."""

    def __init__(self, kind: str, name: str, chance: random.Random) -> None:
        self.kind = kind
        self.name = name
        self.batches: list[Batch] = []
        self.retried = self.answered_again = self.refused = 0
        self._chance = chance
        self._pending: Batch | None = None

    @property
    def named(self) -> bool:
        return self.name != ""

    @property
    def source(self) -> str:
        return f"{self.kind}-{self.name or 'nameless'}"

    async def run(self, web: httpx.AsyncClient, url: str, over: asyncio.Event) -> None:
        """Until the server is gone, or it is over."""
        while not over.is_set():
            batch = self._pending if self.named and self._pending else self._next()
            self.retried += batch is self._pending
            self._pending = batch
            try:
                answer = await self._post(web, url, batch)
            except httpx.HTTPError:
                return
            if answer.status_code in (429, 503):
                self.refused += 1
                await asyncio.sleep(0.01)
                continue
            assert answer.status_code == 200, answer.text
            batch.answer = answer.json()["data"]
            self.answered_again += batch.answer["repeated"]
            self._pending = None
            await asyncio.sleep(self._chance.uniform(0.01, 0.06))

    async def again(self, web: httpx.AsyncClient, url: str) -> None:
        """A batch that was acknowledged gets its first answer once more: any that has a key, of a producer
        the newest, which alone is remembered."""
        answered = [batch for batch in self.batches if batch.answer]
        if self.name == "key" and answered:
            batch = self._chance.choice(answered)
        elif self.name == "producer" and answered and answered[-1] is self.batches[-1]:
            batch = answered[-1]
        else:
            return
        answer = await self._post(web, url, batch)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"] == {**(batch.answer or {}), "repeated": True}

    async def _post(self, web: httpx.AsyncClient, url: str, batch: Batch) -> httpx.Response:
        return await web.post(f"{url}{API}/metrics", content=batch.body, headers=batch.headers)

    def _next(self) -> Batch:
        number = len(self.batches) + 1
        ticks = MANY_TICKS if self._chance.random() < 0.01 else TICKS
        series = SERIES + number // 200  # declarations, too, are killed in the middle
        now = time.time() - 1
        body, media = BODIES[self.kind](self.source, number, now, ticks, series)
        headers = {"Content-Type": media}
        if self.name == "key":
            headers["Idempotency-Key"] = f"{self.source}-{number}"
        elif self.name == "producer":
            headers["Playhead-Producer"] = self.source
            headers["Playhead-Producer-Epoch"] = "one"
            headers["Playhead-Producer-Seq"] = str(number)
        self.batches.append(Batch(number, ticks, series, body, headers))
        return self.batches[-1]


def tick_of(source: str, values: Iterable[float]) -> tuple[str, int, int]:
    """Source, the one number that all samples of a tick share but for the noise, and how many they are."""
    told = [*values]
    [number] = {value for value in told if value >= 1}
    return source, int(number), len(told)


def _value(number: int, tick: int) -> int:
    return number * 1000 + tick


def _readings(source: str, number: int, now: float, ticks: int, series: int) -> tuple[bytes, str]:
    body = [
        {
            "name": f"n{place}",
            "labels": {"of": "load"},
            "value": _value(number, tick),
            "source": source,
            "at": now + tick / 1000,
        }
        for tick in range(ticks)
        for place in range(series)
    ] + [
        {
            "name": f"noise{place}",
            "value": random.random(),
            "source": source,
            "at": now + tick / 1000,
        }
        for tick in range(ticks)
        for place in range(NOISE)
    ]
    return msgspec.json.encode(body), "application/json"


def _columns(source: str, number: int, now: float, ticks: int, series: int) -> dict[str, Any]:
    values = [_value(number, tick) for tick in range(ticks)]
    return {
        "source": source,
        "at": [now + tick / 1000 for tick in range(ticks)],
        "series": {f'n{place}{{of="load"}}': values for place in range(series)}
        | {f"noise{place}": [random.random() for _ in values] for place in range(NOISE)},
    }


BODIES: dict[str, Any] = {
    "readings": _readings,
    "columns": lambda *of: (msgspec.json.encode(_columns(*of)), "application/json"),
    "msgpack": lambda *of: (msgspec.msgpack.encode(_columns(*of)), "application/msgpack"),
}


class Notifier:
    """Facts, which no retention may take; each is sent once."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged: dict[int, str] = {}
        """Number → id."""
        self.found: list[int] = []

    async def run(self, web: httpx.AsyncClient, url: str, over: asyncio.Event) -> None:
        while not over.is_set():
            self.sent += 1
            note = {"type": "info", "message": f"note {self.sent}"}
            try:
                answer = await web.post(f"{url}{API}/notifications", json=note)
            except httpx.HTTPError:
                return
            if answer.status_code == 503:
                await asyncio.sleep(0.02)
                continue
            assert answer.status_code == 200, answer.text
            self.acknowledged[self.sent] = answer.json()["data"]["id"]
            await asyncio.sleep(0.02)


class Ledger:
    """Everybody's books against the log's. `lines` has what the log said of each seq when it was first
    asked, and that is what it must say ever after."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        kinds = [*itertools.product(BODIES, ("key", "producer", ""))]
        self.clients = [Client(kind, name, chance) for kind, name in kinds]
        self.notifier = Notifier()
        self.lines: list[int] = []
        self.epoch = ""
        self.floor = 1
        self.ticks: dict[int, tuple[str, int, int]] = {}
        """Seq → source, the one value of all its samples, how many."""
        self.sources = {client.source: client for client in self.clients}
        self._ids: dict[int, str] = {}
        self._facts: set[int] = set()

    @property
    def head(self) -> int:
        return len(self.lines)

    @property
    def acknowledged(self) -> int:
        return sum(1 for client in self.clients for batch in client.batches if batch.answer)

    @property
    def refused(self) -> int:
        return sum(client.refused for client in self.clients)

    async def load(
        self, web: httpx.AsyncClient, url: str, over: asyncio.Event | None = None
    ) -> None:
        """Everybody sends until the server is gone, or it is `over` and all is answered."""
        over = over or asyncio.Event()
        sending = [client.run(web, url, over) for client in self.clients]
        await asyncio.gather(*sending, self.notifier.run(web, url, over))

    async def audit(self, web: httpx.AsyncClient, url: str) -> None:
        """After a start: repeated answers are the first ones, and what is new in the log is what was sent:
        every acknowledged batch whole, once and in order, of the others each whole or not at all."""
        for client in self.clients:
            await client.again(web, url)
        new = [line async for line in self._events(web, url, self.head)]
        self._take(new)
        stats = (await web.get(f"{url}{API}/performance/stats")).json()["data"]["log"]
        assert stats["epoch"] == (self.epoch or stats["epoch"])
        assert self.floor <= stats["floor"] <= stats["head"] + 1
        assert self.head <= stats["head"]
        self.epoch, self.floor = stats["epoch"], stats["floor"]
        for client in self.clients:
            self._settle(client)
        self._settle_notes()

    async def audit_all(self, web: httpx.AsyncClient, url: str) -> None:
        """Everything from the floor on reads as it first did, sealed since or not; below it facts are left."""
        before = (await web.get(f"{url}{API}/performance/stats")).json()["data"]["log"]["floor"]
        head, seqs = self.head, []
        async for line in self._events(web, url, 0):
            event = msgspec.json.decode(line)
            seq = event["seq"]
            if seq <= head:
                assert hash(line) == self.lines[seq - 1], f"event {seq} was told otherwise before"
            seqs.append(seq)
        after = (await web.get(f"{url}{API}/performance/stats")).json()["data"]["log"]["floor"]
        assert before <= after
        assert seqs == sorted(set(seqs))
        held = {*seqs}
        assert not {*range(after, head + 1)} - held, "a hole above the floor"
        assert not self._facts - held, "a fact was forgotten"

    async def _events(self, web: httpx.AsyncClient, url: str, after: int) -> AsyncIterator[bytes]:
        while True:
            asked = {"after": after, "limit": 1000}
            accept = {"Accept": "application/x-ndjson"}
            answer = await web.get(f"{url}{API}/events", params=asked, headers=accept)
            assert answer.status_code == 200, answer.text
            lines = answer.content.splitlines()
            for line in lines:
                yield line
            if len(lines) < 1000:
                return
            after = msgspec.json.decode(lines[-1])["seq"]

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            event = msgspec.json.decode(line)
            assert event["seq"] == self.head + 1, "seq has a hole, or goes back"
            self.lines.append(hash(line))
            data = event["data"]
            if event["type"] != "metrics":
                self._facts.add(event["seq"])
            if event["type"] == "notification":
                number = int(data["message"].removeprefix("note "))
                self.notifier.found.append(number)
                self._ids[number] = data["id"]
            elif event["type"] == "metrics" and event["source"] in self.sources:
                self._post(self.sources[event["source"]], event["seq"], data["values"])

    def _post(self, client: Client, seq: int, values: dict[str, Any]) -> None:
        self.ticks[seq] = tick_of(client.source, values.values())
        _, value, _ = self.ticks[seq]
        number, tick = divmod(value, 1000)
        batch = client.batches[number - 1]
        assert len(values) == batch.series + NOISE, f"{client.source} {number}: half a tick"
        assert tick == len(batch.seqs), f"{client.source} {number}: out of order, or twice"
        assert not batch.seqs or batch.seqs[-1] == seq - 1, "somebody else's ticks between its own"
        batch.seqs.append(seq)

    def _settle(self, client: Client) -> None:
        newest = 0
        for batch in client.batches:
            what = f"{client.source} {batch.number}"
            assert len(batch.seqs) in (0, batch.ticks), f"half of {what}"
            if batch.seqs:
                assert batch.seqs[0] > newest, f"{what} stands before the one sent before it"
                newest = batch.seqs[-1]
            if batch.answer is not None:
                assert batch.seqs, f"{what} was acknowledged, and is not there"
                assert batch.answer["cursor"] == f"{self.epoch}:{batch.seqs[-1]}"
                assert batch.answer["accepted"] == batch.ticks * (batch.series + NOISE)
                assert batch.answer["rejected"] == []

    def _settle_notes(self) -> None:
        note = self.notifier
        assert note.found == sorted({*note.found}), "a notification twice, or out of order"
        for number, id_ in note.acknowledged.items():
            assert self._ids.get(number) == id_, f"note {number} was acknowledged, and is not there"

    def samples(self) -> Counter[tuple[str, str]]:
        """How many samples each series has brought into the log."""
        found: Counter[tuple[str, str]] = Counter()
        for client in self.clients:
            for batch in client.batches:
                for place in range(batch.series):
                    found[client.source, f'n{place}{{of="load"}}'] += len(batch.seqs)
        return found

    async def counts(self, web: httpx.AsyncClient, url: str) -> None:
        """The rollups count every sample once, those among them that are forgotten."""
        expected = {key: count for key, count in self.samples().items() if count}
        asked: dict[str, str | float] = {
            "match": '{of="load"}',
            "from": time.time() - 3600,
            "to": time.time() + 60,
            "step": "1m",
            "fn": "count",
        }
        answer = await web.get(f"{url}{API}/query", params=asked)
        assert answer.status_code == 200, answer.text
        told = {
            (one["source"], one["series"]): sum(count or 0 for count in one["value"])
            for one in answer.json()["data"]["series"]
        }
        assert told == expected

    def __str__(self) -> str:
        batches = sum(len(client.batches) for client in self.clients)
        doubtful = [
            b for client in self.clients if not client.named for b in client.batches if not b.answer
        ]
        return (
            f"{batches} batches, {self.acknowledged} acknowledged; {len(doubtful)} stayed in doubt, "
            f"of which {sum(1 for b in doubtful if b.seqs)} are there; "
            f"{sum(client.retried for client in self.clients)} were sent again, "
            f"{sum(client.answered_again for client in self.clients)} of them had been kept; "
            f"{self.head} events, floor {self.floor}"
        )
