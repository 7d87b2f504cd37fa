"""A server, its disk and its clients, and what may happen to them: one seed is one course of events."""

import asyncio
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from realtime import delivery, spine
from realtime.core.alerts import Rule
from realtime.core.batch import Batch, Columns, Descriptor, Key
from realtime.core.dashboard import dashboard
from realtime.core.decide import Bounds
from realtime.core.views import View
from realtime.errors import Closing, PlayheadError
from realtime.tail import Tail
from storage.backup import backup, restore
from storage.errors import StorageError, StorageFull
from storage.events import Event, System
from storage.log import Log
from storage.retention import Keep
from tests.sim.reader import Client
from tests.sim.stage import BEGAN, Hands, Stage
from tests.sim.truth import Truth
from web.stream import POLL

SOURCES = ("a", "b", "c")
SPAN_US = 5_000_000
RULE = Rule("hot", "Hot", "m0", 80, 60, 0, "critical", "percent", 1, "cpu")
KINDS = ("json", "msgpack", "sse", "poll")


class Step(NamedTuple):
    """Something that happens, with dice of its own: what comes after does not change when it is left out."""

    op: str
    seed: int

    def __repr__(self) -> str:
        return f"{self.op}/{self.seed}"


class Server:
    """The parts of a house that stand between the disk and the sinks."""

    poll_wire = POLL

    def __init__(self, world: "World", path: Path, dice: random.Random) -> None:
        self.world = world
        self.clock = Hands(world.stage)
        self.log = Log(path, SPAN_US)
        self.view = View(60, 60_000_000)
        self.limits = delivery.Limits(
            1000,
            dice.choice((2_000, 20_000, 1 << 20)),
            dice.choice((30, 20_000, 20_000)),
            dice.choice((2.0, 15.0)),
            30.0,
        )
        self.tail = Tail(dice.choice((1, 3, 20, 5000)), 1 << 24)
        self.tasks: list[asyncio.Task[Any]] = []
        self.writer: asyncio.Task[None] | None = None
        self.dead = False

    async def open(self) -> None:
        await self.log.open(self.clock.now())
        await self.world.catch_up(self.log)
        self._spy()
        self.spine = spine.Spine(
            self.log,
            self.view,
            self.clock,
            [RULE],
            Bounds(1000, 100, 60_000_000),
            spine.Limits(0.005, 500, 1 << 18, 10_000, 1 << 24),
            self._publish,
            self._fatal,
        )
        self.hub = delivery.Hub(
            self.tail,
            self.log,
            self.view,
            self.clock,
            self.limits,
            lambda: dashboard(
                self.view, "a", epoch=self.log.epoch, hours=0, interval_s=1, version="", rules=[]
            ),
            lambda: dict,
            "1",
        )
        await self.spine.load()
        self.tail.start(self.view.seq)
        self.writer = asyncio.create_task(self.spine.run())
        await self.spine.record(System("started"), "a")
        self.tasks = [asyncio.create_task(self.hub.run())]

    def _spy(self) -> None:
        """Commits become the truth; a disk may be full, or fail to read."""
        append, read, world = self.log.append, self.log.read, self.world

        async def spied(*args: Any) -> list[Event]:
            if world.full:
                raise StorageFull("no room")
            events = await append(*args)
            for event in events if not self.dead else ():
                world.truth.add(event)
            return events

        async def failing(*args: Any, **kwargs: Any) -> list[Event]:
            if world.unreadable:
                await asyncio.sleep(0.001)
                raise StorageError("cannot be read")
            return await read(*args, **kwargs)

        self.log.append = spied  # type: ignore[assignment,method-assign]
        self.log.read = failing  # type: ignore[method-assign]

    def _publish(self, events: list[Event]) -> None:
        if self.dead:
            return
        with self.world.blamed(self):
            committed = self.world.truth.events[events[0].seq - 1 : events[-1].seq]
            assert events == committed, "it is published, and was not committed"
        self.hub.publish(events)

    def _fatal(self, error: PlayheadError) -> None:
        if not self.dead:
            self.world.faults.append(error)

    @property
    def edge(self) -> int:
        return self.tail.edge

    def verdict(self, cursor: str) -> int | str:
        self.world.truth.floor = self.log.floor
        return self.world.truth.verdict(cursor, self.edge, self.limits.resume_events)

    async def close(self, crash: bool) -> None:
        for task in self.tasks:
            task.cancel()
        if self.writer is not None:
            await self._still(self.writer, crash)
        # Readers of the log are left, and they hold connections.
        for task in self._others():
            task.cancel()
        while others := self._others():
            await asyncio.wait(others)
        await self.log.close()

    def _others(self) -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    async def _still(self, writer: "asyncio.Task[None]", crash: bool) -> None:
        if not crash:
            with suppress(StorageFull):
                await self.spine.record(System("stopped"), "a")
            await self.hub.close()
            self.spine.close()
            await asyncio.wait({writer})
            await self.spine.checkpoint()
        while not writer.done():  # `wait_for` may swallow the first (CPython issue 86296)
            writer.cancel()
            await asyncio.wait({writer}, timeout=0.01)


class World:
    def __init__(self, stage: Stage, directory: Path, template: Path) -> None:
        self.stage = stage
        self.directory = directory
        self.path = directory / "playhead.db"
        shutil.copy(template, self.path)
        self.truth = Truth()
        self.clients: list[Client] = []
        self.work: set[asyncio.Task[Any]] = set()
        self.backup: tuple[Path, int] | None = None
        self.full = self.unreadable = self.was_unreadable = False
        self.faults: list[BaseException] = []
        self.ticks = 0
        self.lives = 1

    @contextmanager
    def blamed(self, who: Any) -> Iterator[None]:
        """What a check finds ends the seed: it must not be taken for a failure of the connection."""
        try:
            yield
        except AssertionError as error:
            name = f"client {who.number} ({who.kind})" if isinstance(who, Client) else "the spine"
            error.add_note(name)
            self.faults.append(error)

    def check(self) -> None:
        for client in self.clients:
            client.take()
            client.check_bounds()
        if self.faults:
            raise self.faults[0]

    async def start(self) -> None:
        self.server = Server(self, self.path, self.stage.dice)
        await self.server.open()

    async def catch_up(self, log: Log) -> None:
        """What a crash left on disk and nobody was told of is part of the list; nothing else is new."""
        assert log.head >= self.truth.head, "what was committed is gone"
        while self.truth.head < log.head:
            for event in await log.read(self.truth.head):
                self.truth.add(event)
        self.truth.epoch, self.truth.floor = log.epoch, log.floor

    async def stop(self, crash: bool) -> None:
        """In order; or as kill -9 leaves it: what the file and its WAL hold at this moment is what there is."""
        if crash:
            self.server.dead = True
            self.lives += 1
            there = self.directory / f"life {self.lives}" / self.path.name
            there.parent.mkdir(exist_ok=True)
            for suffix in ("", "-wal"):
                beside = self.path.with_name(self.path.name + suffix)
                if beside.exists():
                    shutil.copy(beside, there.with_name(there.name + suffix))
            self.path = there
            for client in self.clients:
                client.drop(noticed=True)
        elif self.work:
            await asyncio.wait(self.work)
        for task in self.work:
            task.cancel()
        await self.server.close(crash)
        for client in self.clients:
            client.drop(noticed=True)
        await asyncio.gather(*self.work, return_exceptions=True)
        self.work.clear()

    def begin(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self.work.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            expected = (
                isinstance(error, (StorageFull, Closing))
                or self.server.dead
                or (isinstance(error, StorageError) and self.was_unreadable)
            )
            if not expected:
                self.faults.append(error)

    def farewell(self, client: Client, reason: str) -> None:
        assert client.pipe is not None
        why = {
            "stopping": self.server.hub.closing,
            "slow": client.stalled,
            "failed": self.was_unreadable,
        }
        assert why.get(reason), f"goodbye {reason}, for no reason"

    def snapshot(self, data: dict[str, Any]) -> int:
        """A snapshot is the list up to its cursor, folded."""
        epoch, _, place = data["cursor"].rpartition(":")
        seq = int(place)
        assert (epoch, seq) == (self.truth.epoch, self.server.edge)
        stands = self.truth.stands(seq, "a")
        assert {k: (v["value"], v["at"]) for k, v in data["metrics"].items()} == stands["metrics"]
        assert {one["id"] for one in data["alerts"]} == stands["alerts"]
        assert [one["id"] for one in data["notifications"]] == stands["notifications"]
        assert {one["series"]: one["id"] for one in data["series"]} == stands["series"]
        assert {one["source"] for one in data["sources"]} == stands["sources"]
        return seq

    # What may happen

    async def happen(self, step: Step) -> None:
        dice = random.Random(step.seed)
        self.stage.dice = dice
        random.seed(step.seed)
        await getattr(self, f"_{step.op}")(dice)
        match dice.randrange(6):
            case 0:
                pass
            case 1 | 2:
                for _ in range(dice.randint(1, 6)):
                    await asyncio.sleep(0)
            case _:
                await asyncio.sleep(dice.choice((0.001, 0.004, 0.02, 0.1)))
        self.check()

    async def _tick(self, dice: random.Random) -> None:
        columns = []
        for _ in range(dice.choice((1, 1, 2, 3))):
            count = dice.choice((1, 1, 1, 2, 5, 40))
            ats = []
            for _ in range(count):
                self.ticks += 1
                # Later than anything so far, and not later than the stage's own time by much.
                ats.append(BEGAN + self.ticks * 1000)
            keys = []
            for name in dice.sample(("m0", "m1", "m2", "m3"), dice.randint(1, 4)):
                label = dice.choice((None, "1", "2")) if name != "m0" else None
                if label is None:
                    keys.append(Key(name, (), name))
                else:
                    keys.append(Key(name, (("k", label),), f'{name}{{k="{label}"}}'))
            # A hole now and then: a source need not tell every series each time.
            values: list[list[int | float | None]] = [
                [
                    None if dice.random() < 0.1 else dice.choice((dice.randrange(100), 0.5))
                    for _ in ats
                ]
                for _ in keys
            ]
            columns.append(Columns(dice.choice(SOURCES), ats, keys, values))
        about = {"m1": Descriptor("bytes", "gauge", "one")}
        self.begin(self._ingest(Batch(columns, about)))

    async def _ingest(self, batch: Batch) -> None:
        receipt = await self.server.spine.ingest(batch)
        assert not receipt.rejected
        assert receipt.last <= self.truth.head, "acknowledged, and not on disk"

    async def _note(self, dice: random.Random) -> None:
        room = dice.choice(("dashboard", "dashboard", "attic", "cellar"))
        for _ in range(dice.choice((1, 1, 1, 3, 60))):
            self.begin(
                self.server.spine.notify("info", "x" * dice.choice((1, 50, 900)), "", room, "a")
            )

    async def _connect(self, dice: random.Random) -> None:
        if self.clients and (len(self.clients) >= 5 or dice.random() < 0.6):
            client = dice.choice(self.clients)
        else:
            client = Client(self, len(self.clients), dice.choice(KINDS), dice)
            self.clients.append(client)
        if client.kind == "poll":
            if client.polling is None or client.polling.done():
                wait = dice.choice((0.0, 0.05, 3.0))
                client.polling = self.begin(client.poll(self._cursor(client, dice), wait))
            return
        if client.connection is not None:
            client.drop(noticed=dice.random() < 0.7)
        if dice.random() < 0.2:
            client.rooms = frozenset(dice.sample(("dashboard", "metrics:a", "attic", "alerts"), 2))
        with self.blamed(client):
            client.connect(self._cursor(client, dice), dice)

    def _cursor(self, client: Client, dice: random.Random) -> str:
        """Where it goes on: nearly always where it stands, now and then anywhere."""
        epoch, edge = self.truth.epoch, self.server.edge
        match dice.randrange(20):
            case 0:
                client.names.clear()
                return ""
            case 1:
                return f"{epoch}:{edge + dice.randint(1, 9)}"
            case 2:
                return dice.choice(("nonsense", ":", f"{epoch}:", f"{epoch}:-1", f"{epoch}:1e1"))
            case 3:
                return f"{epoch}:{dice.randint(0, edge)}"
            case 4 | 5 | 6 if client.cursors:
                return dice.choice(client.cursors)
        if not client.cursor:
            client.names.clear()
        return client.cursor

    def _some(self, dice: random.Random, speaks: bool = False) -> Client | None:
        able = [one for one in self.clients if one.up and not (speaks and one.kind == "sse")]
        return dice.choice(able) if able else None

    async def _stall(self, dice: random.Random) -> None:
        if client := self._some(dice):
            client.slow()

    async def _trickle(self, dice: random.Random) -> None:
        for client in self.clients:
            if client.pipe is not None:
                client.pipe.drain(dice.choice((1, 7, 300, 5000)))

    async def _recover(self, dice: random.Random) -> None:
        if client := self._some(dice):
            client.recover()

    async def _drop(self, dice: random.Random) -> None:
        if client := self._some(dice):
            client.drop(noticed=dice.random() < 0.5)

    async def _speak(self, dice: random.Random) -> None:
        client = self._some(dice, speaks=True)
        if client is None:
            return
        rooms = client.wish.rooms
        with self.blamed(client):
            match dice.randrange(7):
                case 0:
                    room = dice.choice(("dashboard", "attic", "cellar", "metrics", "metrics:b"))
                    client.want("join_room", {"room": room}, "joined_room", rooms=rooms | {room})
                case 1:
                    room = dice.choice(sorted(rooms) or ["attic"])
                    client.want("leave_room", {"room": room}, "left_room", rooms=rooms - {room})
                case 2 | 3:
                    self._subscribe(client, dice)
                case 4:
                    some = dice.choice(([], ["critical"], ["warning"]))
                    client.want(
                        "subscribe_to_alerts",
                        {"severity": some},
                        "subscribed_to_alerts",
                        severities=frozenset(some or ("warning", "critical")),
                    )
                case 5:
                    client.ask("ping", {}, "pong")
                case _:
                    client.ask("join_room", {"room": ""}, "error")

    def _subscribe(self, client: Client, dice: random.Random) -> None:
        match = tuple(
            (f"m{dice.randrange(4)}", dice.choice((None, None, "1")))
            for _ in range(dice.choice((0, 1, 2)))
        )
        texts = [name if label is None else f'{name}{{k="{label}"}}' for name, label in match]
        max_hz = dice.choice((None, None, 0.05, 10, 1000))
        compact = dice.random() < 0.5
        client.want(
            "subscribe_to_metrics",
            {"match": texts, "max_hz": max_hz, "compact": compact},
            "subscribed_to_metrics",
            subscribed=True,
            match=match,
            max_hz=max_hz,
            compact=compact,
        )

    async def _resume(self, dice: random.Random) -> None:
        client = self._some(dice, speaks=True)
        if client is not None:
            with self.blamed(client):
                client.resume(self._cursor(client, dice) or "nothing")

    async def _wait(self, dice: random.Random) -> None:
        await asyncio.sleep(dice.choice((0.5, 1.2, 5.0, 16.0, 40.0)))

    async def _checkpoint(self, dice: random.Random) -> None:
        await self.server.spine.checkpoint()

    async def _forget(self, dice: random.Random) -> None:
        """Retention: the floor moves, ticks below it are gone."""
        server = self.server
        await server.spine.checkpoint()
        await server.log.seal(server.edge, all_of_it=dice.random() < 0.7)
        if dice.random() < 0.7:
            newest = BEGAN + self.ticks * 1000
            days = dice.choice((0.0, 0.0, 1.0)) / 86_400
            await server.log.forget(Keep(days, 9e9, 9e9, 9e9, 0), newest)
        self.truth.floor = server.log.floor

    async def _break_disk(self, dice: random.Random) -> None:
        """For a moment nothing can be read, or nothing written."""
        if dice.random() < 0.6:
            self.unreadable = self.was_unreadable = True
        else:
            self.full = True
        for _ in range(dice.randint(1, 4)):
            await self.happen(
                Step(dice.choice(("tick", "connect", "wait")), dice.randrange(1 << 30))
            )
        self.unreadable = self.full = False

    async def _backup(self, dice: random.Random) -> None:
        target = self.directory / "kept.db"
        told = backup(self.path, target, force=True)
        async with self.server.log._turn:  # what is on disk the loop may have to hear of yet
            assert told.head <= self.server.log.head
        self.backup = target, told.head

    async def _restart(self, dice: random.Random) -> None:
        await self.stop(crash=dice.random() < 0.5)
        await self.start()

    async def _restore(self, dice: random.Random) -> None:
        """An older copy takes the place of the log: what came after is another history."""
        if self.backup is None:
            return
        await self.stop(crash=dice.random() < 0.5)
        file, head = self.backup
        told = restore(file, self.path.parent, force=True)
        assert told.head == head
        self.truth.cut(head, told.epoch)
        await self.start()

    async def settle(self) -> None:
        """Everybody reads again: nothing is missing, and every place told is the edge."""
        for _ in range(3):
            for client in self.clients:
                client.recover()
            await asyncio.sleep(5.0)
        # No source falls silent meanwhile: a heartbeat finds the edge where it was.
        for _ in range(20):
            for client in self.clients:
                client.recover()
            await asyncio.sleep(1.0)
        self.check()
        assert self.truth.head == self.server.edge == self.server.log.head
        for client in self.clients:
            if client.up and client.course is not None:
                with self.blamed(client):
                    client.course.prove(self.server.edge)
                    assert client.cursor == self.server.hub.cursor, "its cursor is parked"
            elif client.kind == "poll":
                await client.poll(client.cursor, 0.0)
                while client.cursor != self.server.hub.cursor:
                    before = client.cursor
                    await client.poll(before, 0.0)
                    assert client.cursor != before, "a poll does not move"
        self.check()


WEIGHTS = {
    "tick": 30,
    "note": 12,
    "connect": 16,
    "speak": 10,
    "stall": 7,
    "trickle": 6,
    "recover": 6,
    "drop": 4,
    "resume": 5,
    "wait": 8,
    "checkpoint": 1,
    "forget": 2,
    "break_disk": 2,
    "backup": 1,
    "restart": 2,
    "restore": 1,
}


def steps(seed: int) -> list[Step]:
    dice = random.Random(seed)
    names = dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=dice.randint(10, 60))
    return [Step(name, dice.randrange(1 << 30)) for name in names]


def play(course: list[Step], directory: Path, template: Path) -> list[str]:
    """Lets it happen; what clients were told is the answer. Raises what the checks find."""
    stage = Stage()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    world = World(stage, directory, template)

    async def all_of_it() -> None:
        stage.dice = random.Random(len(course))
        await world.start()
        try:
            for step in course:
                await world.happen(step)
            await world.settle()
        finally:
            await world.stop(crash=True)

    try:
        stage.run_until_complete(all_of_it())
    finally:
        stage.close()
    return [f"{client.number} {cursor}" for client in world.clients for cursor in client.cursors]


def shortest(
    course: list[Step], fails: Callable[[list[Step]], bool], tries: int = 80
) -> list[Step]:
    """Leaves out what the failure does not need: ever smaller parts, as long as it still fails."""
    size = len(course) // 2
    while size >= 1 and tries > 0:
        place = 0
        while place < len(course) and tries > 0:
            less = course[:place] + course[place + size :]
            tries -= 1
            if fails(less):
                course = less
            else:
                place += size
        size //= 2
    return course
