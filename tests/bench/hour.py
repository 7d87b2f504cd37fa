"""An hour of a real host with everything in it that a tape can hold, written in seconds, and what was told of it.

Whoever hears it live and whoever hears it replayed hashes the very bytes of each frame: law same-frames, over an
hour and not over seconds. The hour of the wall clock is told by hand, and the clock that paces replays runs ahead.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from websockets.asyncio.client import connect

from realtime.clock import Clock
from realtime.core.annotations import Wish
from realtime.core.batch import Batch, Columns, Key
from realtime.core.times import rfc3339
from run import House
from storage.events import Annotation, Layout, Number
from tests.app import house
from tests.bench import recording
from tests.clients import API, eventually
from tests.hands import Hands

SECONDS = 3_600
SPEEDS: tuple[Any, ...] = (1, 10, 100, "max")
BEGIN = 1_795_403_506_000_000
S = 1_000_000
CPU = Key("system_cpu_utilization_ratio", (), "system_cpu_utilization_ratio")
LOGGED = {b"metrics", b"alert", b"notification", b"annotation", b"system", b"layout"}
AHEAD = 20
"""Seconds written before those who listen live are waited for: nobody lags, so no tick is merged."""
LONG_S = 60.0
TURNS = 2
"""Of the loop, in which what is on its way gets on."""
ROADS = ("ws", "sse")


class Hasty(Clock):
    """Who waits lets others have the loop, and it is then: the time has passed all the same."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        if seconds > LONG_S:  # nothing is due, it waits for somebody
            return await super().wait(event, seconds)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if not event.is_set():
            self._skipped += seconds


class Heard:
    """The hash over every frame that comes from the log, as its bytes came; and what they were."""

    def __init__(self) -> None:
        self._made = hashlib.sha256()
        self.count: dict[str, int] = {}
        self.last = 0
        """The seq of the last one."""

    def add(self, name: bytes, data: bytes) -> None:
        self._made.update(b"%s %d " % (name, len(data)))
        self._made.update(data)
        self.count[name.decode()] = self.count.get(name.decode(), 0) + 1
        # The first that is so called: labels and words come behind it.
        start = data.index(b'"seq":') + 6
        self.last = int(data[start : data.index(b",", start)])

    @property
    def digest(self) -> str:
        return self._made.hexdigest()


Told = Callable[[bytes, bytes], bool]
"""Gets a frame's name and data; whether it was the last that is wanted."""


async def by_socket(url: str, ask: dict[str, Any] | None, told: Told) -> None:
    address = f"{url.rstrip('/').replace('http', 'ws', 1)}{API}/ws"
    async with connect(address, compression=None, max_size=None, ping_interval=None) as socket:
        while True:
            message = await socket.recv(decode=False)
            name, _, data = message.removeprefix(b'{"event":"').partition(b'","data":')
            if ask is not None and name == b"snapshot":  # of now: what follows is of the past
                asked = msgspec.json.encode({"event": "replay", "data": ask})
                await socket.send(asked.decode())
                ask = None
            elif told(name, data[:-1]):
                return


async def by_stream(url: str, ask: dict[str, Any] | None, told: Told) -> None:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1 << 24)
    try:
        # HTTP/1.0 has no chunks: the body is the stream as it is.
        query = urlencode(ask or {})
        head = f"GET {API}/dashboard/stream?{query} HTTP/1.0\r\nHost: {where.netloc}\r\n\r\n"
        writer.write(head.encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        while True:
            fields = dict(
                line.partition(b": ")[::2]
                for line in (await reader.readuntil(b"\n\n")).splitlines()
                if line
            )
            if told(fields.get(b"event", b""), fields.get(b"data", b"")):
                return
    finally:
        writer.close()


ROAD = {"ws": by_socket, "sse": by_stream}


async def replayed(url: str, road: str, speed: Any) -> Heard:
    """The whole hour once more."""
    heard = Heard()

    def told(name: bytes, data: bytes) -> bool:
        assert name != b"error", data
        if name in LOGGED:
            heard.add(name, data)
        return name == b"playhead" and b'"state":"ended"' in data

    ask = {"from": moment(-0.5), "to": moment(SECONDS), "speed": speed}
    await ROAD[road](url, ask, told)
    return heard


def moment(n: float) -> str:
    return rfc3339(BEGIN + round(n * S))


@contextlib.asynccontextmanager
async def recorded(directory: Path, **dials: Any) -> AsyncIterator[tuple[House, dict[str, Heard]]]:
    """A house whose tape holds the hour, and what was heard of it live on each road."""
    clock = Hands(BEGIN)
    clock.at -= S
    async with house(
        directory, clock, alert_cpu_above=60, alert_cpu_clear=50, alert_cpu_hold_s=5, flush_ms=0,
        source_lost_s=30, **dials,
    ) as it:  # fmt: skip
        await it.spine.ingest(_own(-1), own=True)
        live = {road: Heard() for road in ROADS}
        there = dict.fromkeys(ROADS, False)

        def hearing(road: str) -> Told:
            def told(name: bytes, data: bytes) -> bool:
                there[road] |= name == b"snapshot"
                if name in LOGGED:
                    live[road].add(name, data)
                return False

            return told

        listening = [asyncio.create_task(ROAD[r](it.url, None, hearing(r))) for r in ROADS]
        try:
            await eventually(lambda: all(there.values()))
            for n in range(SECONDS):
                await _second(it, clock, n)
                if n % AHEAD == AHEAD - 1:
                    await eventually(lambda: all(h.last == it.spine.edge for h in live.values()))
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
        clock.at = BEGIN + 2 * SECONDS * S  # it is over
        yield it, live


def _own(n: int) -> Batch:
    told = recording.ticks()[n % len(recording.ticks())]
    values: list[list[Number | None]] = [[told["cpupct.0.user"] / 100]]
    values += [[value] for value in told.values()]
    return Batch([Columns("here", [BEGIN + n * S], [CPU, *recording.keys()], values)])


def _of(source: str, n: float, name: str, value: float) -> Batch:
    return Batch([Columns(source, [BEGIN + round(n * S)], [Key(name, (), name)], [[value]])])


async def _second(it: House, clock: Hands, n: int) -> None:
    """A tick of this host, and what else came then: others that come and go, samples that come late, people's words."""
    clock.at = BEGIN + n * S
    await it.spine.ingest(_own(n), own=True)
    if n % 900 in range(100, 400) and n % 3 == 0:  # ten minutes of each quarter it is not there
        await it.spine.ingest(_of("shop", n - 0.2, "orders_total", n))
    if n >= 1_200 and n % 60 == 30:  # first heard of when a third is over, and always minutes late
        await it.spine.ingest(_of("mill", n - 150, "level", n / 7))
    if n % 500 == 250:
        await it.spine.ingest(_of("here", n - 100, "backup_bytes", n * 1.5))
    if n % 97 == 0:
        await it.spine.notify("warning", f"at {n}: « naïve \U0001f6f0 »", room="dashboard")
    if n % 450 == 200:
        marked = await it.spine.annotate(Wish(f"deploy {n}", ["deploy"], clock.at - 5 * S, None))
        if n % 900 == 650:
            assert isinstance(marked.data, Annotation)
            await it.spine.annotate(Wish(until=clock.at), marked.data.id)
            await it.spine.erase(marked.data.id)
    if n % 1_000 == 700:
        await it.spine.arrange(Layout("night", "saved", f"Night {n}", []))
