"""The composition root: makes every part, introduces them to each other, and runs them.

Nothing else in the house knows all the rooms. Exit codes: 0 good, 1 the work failed, 2 bad usage.
"""

# ruff: noqa: E402  the drivers take sqlite3 by name: the newer library has to stand there first
from storage.sqlite import has_wal_reset_bug, prefer_bundled
from storage.sqlite import version as sqlite_version

prefer_bundled()

import gc

if __name__ == "__main__":
    # A hundred thousand objects come and stay: the collector would walk them again and again meanwhile, and once
    # more before the server serves. That is a tenth of a start. Whoever imports this keeps theirs as it is.
    gc.disable()

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import structlog
from tornado.netutil import bind_sockets

from realtime import delivery, heap, intake, spine
from realtime.answers import Encoder
from realtime.care import arguments
from realtime.charts import Charts
from realtime.clock import Clock, Still
from realtime.collect.collector import Collector
from realtime.collect.host import facts
from realtime.collect.lineup import default_collectors
from realtime.collect.own import Server
from realtime.collect.recorder import Recorder
from realtime.core import rules
from realtime.core.dashboard import dashboard, latest
from realtime.core.decide import Bounds
from realtime.core.requests import RequestStats
from realtime.core.selectors import Selector
from realtime.core.session import DASHBOARD, watch
from realtime.core.times import rfc3339
from realtime.core.views import View
from realtime.errors import BadDial, PlayheadError, StorageBroken, StorageFull
from realtime.files import for_sockets, for_streams, raise_limit
from realtime.lag import Lag
from realtime.logs import Format, Level, configure
from realtime.past import Past
from realtime.provisions import Provisions
from realtime.replay import Replays
from realtime.scratch import Scratch
from realtime.settings import Settings, load
from realtime.shelf import Shelf
from realtime.tail import Tail
from realtime.timeline import Timeline
from realtime.upkeep import Paces, Upkeep
from storage.events import Event, System
from storage.lock import Lock
from storage.log import Log
from storage.migrate import migrate
from storage.retention import Keep
from web.app import ROUTES, application, serve_options
from web.assets import read_assets
from web.budget import Budget
from web.doorway import Doorway
from web.gate import PER_STREAM, Gate
from web.guard import Guard
from web.incident import read_summary
from web.openapi import document
from web.schemas import SummaryShape
from web.services import Services

if TYPE_CHECKING:
    from realtime.incident import Manifest

VERSION = "0.1.0"
STATIC = Path(__file__).resolve().parent / "web" / "static"
BACKLOG = 4096
NOT_SENT = 16 * 1024
"""TCP_NOTSENT_LOWAT: without it the kernel hides some 4 MiB of a slow reader's lag from us."""
UNANSWERED_MS = 30_000
"""TCP_USER_TIMEOUT: a peer that has left the network is noticed after this long."""
WINDOW_S = 900
"""What the recent window of each series reaches back, where its points allow."""
ROOM_S = 5.0
"""How often a start on a full disk is tried again to be recorded."""
SWITCH_S = 0.001
"""How long a thread that computes (sealing, packing) keeps a commit or the loop waiting for the interpreter:
a fifth of Python's own, which let a commit of two hundred rows wait for half a second."""
DRAIN_S = 8.0
"""How long a stop waits for what is under way; the contract allows ten seconds in all."""

log_ = structlog.get_logger("playhead")


class House:
    """A running server, or an incident on show. `url` is known once it is open; `ended` becomes the exit code.

    Tests hand in a clock and collectors of their own; nothing else can be exchanged.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        collectors: Sequence[Collector] | None = None,
        incident: "Manifest | None" = None,
    ) -> None:
        self.settings = settings
        self.incident = incident
        """What the data directory was unpacked from: it is shown, and nothing is recorded."""
        self.clock = clock or Clock()
        self._collectors = collectors
        self.url = ""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._lock = Lock(Path(settings.data))
        self._tasks: list[asyncio.Task[Any]] = []
        self._pool = ThreadPoolExecutor(2, "history")

    async def open(self) -> None:
        """
        Raises:
            PlayheadError: the directory, the database or the port cannot be used; it says why.
        """
        settings, clock = self.settings, self.clock
        loop = asyncio.get_running_loop()
        self._began = clock.monotonic()
        self._lock.acquire()
        sockets = listen(settings.host, settings.port)
        # It compresses for long, and nobody waits for it: meanwhile the log is loaded.
        assets = loop.run_in_executor(None, read_assets, STATIC, self._shown())
        try:
            path = Path(settings.data) / "playhead.db"
            migrated = await loop.run_in_executor(None, migrate, path)
            if migrated.backup:
                log_.info(
                    "the database was upgraded", kept=str(migrated.backup), now=migrated.after
                )
            self.log = Log(path)
            await self.log.open(clock.now())
            self._furnish()
            await loop.run_in_executor(None, self.scratch.clear)
            await self.spine.load()
            self.tail.start(self.view.seq)
            self.assets = await assets
            self.services = self._services()
        except BaseException as error:
            for one in sockets:
                one.close()
            self._lock.release()
            if isinstance(error, StorageFull):
                raise StorageFull(
                    error.detail,
                    "Free some space on the disk that holds the data directory, then start again.",
                ) from error
            raise
        if self.incident is None:
            await self._record()
        else:
            self.spine.close()
        for work in (self.hub.run(), self.lag.run()):
            self._start(work)
        self._server = Gate(application(self.services), **serve_options())
        self._server.bound(
            for_sockets(self._files), self._sockets, PER_STREAM * settings.max_per_address
        )
        self._server.add_sockets(sockets)
        self.url = address(sockets[0])

    async def _record(self) -> None:
        """Everything that writes."""
        self._writer = asyncio.create_task(self.spine.run())
        self._writer.add_done_callback(self._watch)
        about = await asyncio.get_running_loop().run_in_executor(None, facts)
        started = System("started", {"version": VERSION, "facts": about})
        try:
            await self.spine.record(started, self.settings.source)
        except StorageFull:  # the spine has said so: what is on tape can still be watched
            self._start(self._announce(started))
        for work in (self.recorder.run(), self.upkeep.run(), self.provisions.run()):
            self._start(work)

    def _furnish(self) -> None:
        """The parts, each with what it needs and no more."""
        self._files = raise_limit()
        s, clock = self.settings, self.clock
        self.view = View(s.window_points, WINDOW_S * 1_000_000)
        self.tail = Tail(s.ring_events, s.ring_bytes)
        self.rules = rules.classic(s.alerts)
        judged = [*self.rules, rules.TEST]
        self.requests = RequestStats()
        self.lag = Lag(clock)
        self.shelf: Shelf[Any] = Shelf(
            clock.monotonic, _sized, s.shelf_entries, s.shelf_bytes, s.shelf_ttl_s
        )
        self.spine = spine.Spine(
            self.log,
            self.view,
            clock,
            judged,
            Bounds(
                s.max_series,
                s.max_sources,
                int(s.source_lost_s * 1_000_000),
                s.max_series_total,
                s.source,
            ),
            spine.Limits(
                s.flush_ms / 1000, s.flush_events, s.flush_bytes, s.queue_events, s.queue_bytes
            ),
            self._publish,
            self._fatal,
        )
        self.hub = delivery.Hub(
            self.tail,
            self.log,
            self.view,
            clock,
            delivery.Limits(
                for_streams(self._files, s.max_connections),
                s.outbox_bytes,
                s.resume_events,
                s.heartbeat_s,
                s.stall_s,
                s.outboxes_bytes,
                s.max_per_address,
                s.max_rooms,
            ),
            self._snapshot,
            lambda: latest(self.view, s.source, epoch=self.log.epoch, now=clock.now()),
            VERSION,
        )
        if self.incident is not None:
            self.hub.about = {"incident": self._shown()}
        self.history = Charts(
            partial(self.log.columns, most=s.query_rows),
            self.view,
            self._pool,
            buckets=partial(self.log.buckets, most=s.query_rows),
            held=self.log.since,
            shelf=self.shelf,
        )
        self.past = Past(
            self.log,
            self.view,
            lambda: View(s.window_points, WINDOW_S * 1_000_000),
            s.source,
            self._pool,
            self.shelf,
            s.query_rows,
            self.clock.now,
        )
        self.timeline = Timeline(
            self.log, self.view, self.history, self.shelf, s.source, s.interval_s, self._tell
        )
        self.upkeep = Upkeep(
            self.log,
            clock,
            Paces(s.checkpoint_s, s.seal_after_s),
            Keep(
                s.retain_raw_days,
                s.retain_10s_days,
                s.retain_1m_days,
                s.retain_1h_days,
                s.retain_bytes,
            ),
            self.spine.checkpoint,
            self.spine.forgot,
            self.spine.note,
        )
        self.replays = Replays(self.hub, self.past, s.source, self._picture, s.max_replays)
        self.hub.obey = self.replays.obey
        self.scratch = Scratch(Path(s.data) / "incident.part")
        self.provisions = Provisions(
            Path(s.dashboards_dir).expanduser()
            if s.dashboards_dir
            else Path(s.data) / "dashboards.d",
            self.spine,
            s.source,
        )
        server = Server(
            requests=self.requests.recent,
            connections=self.hub.count,
            loop_lag_s=self.lag.take,
            commit_s=self.log.take_longest_commit,
            events=lambda: self.spine.events_committed,
            queued=lambda: self.spine.queue_events,
            log_bytes=lambda: self.upkeep.bytes,
        )
        self.recorder = Recorder(
            default_collectors(
                s.interval_s,
                [server],
                processes_interval_s=s.processes_interval_s,
                top_processes=s.top_processes,
            )
            if self._collectors is None
            else self._collectors,
            s.interval_s,
            s.source,
            partial(self.spine.ingest, own=True),
            failed=lambda name, error: self.spine.record(
                System("collector_failed", {"collector": name, "error": error}), s.source
            ),
            recovered=lambda name: self.spine.record(
                System("collector_recovered", {"collector": name}), s.source
            ),
        )

    def _services(self) -> Services:
        s = self.settings
        return Services(
            spine=self.spine,
            hub=self.hub,
            log=self.log,
            intake=intake.Intake(intake.Limits(s.max_samples, s.future_s), s.source),
            shelf=self.shelf,
            history=self.history,
            past=self.past,
            replays=self.replays,
            timeline=self.timeline,
            encoder=Encoder(self._pool),
            requests=self.requests,
            guard=Guard(s.host, s.allowed_hosts),
            assets=self.assets,
            loop_lag_s=lambda: self.lag.last_s,
            unready=self._unready,
            uptime_s=lambda: self.clock.monotonic() - self._began,
            faults=lambda: self.provisions.faults,
            scratch=self.scratch,
            incident=self._shown(),
            summary=self._told(),
            rules=[rules.told(rule) for rule in self.rules],
            version=VERSION,
            sqlite_version=sqlite_version(),
            source=s.source,
            interval_s=s.interval_s,
            max_body_bytes=s.max_body_bytes,
            budget=Budget(s.queue_bytes),
            query_points=s.query_points,
            poll_s=s.poll_s,
            socketio=self._doorway(),
        )

    def _shown(self) -> dict[str, Any] | None:
        it = self.incident
        if it is None:
            return None
        return {
            "title": it.title,
            "from": rfc3339(it.from_),
            "to": rfc3339(it.to),
            "source": it.source,
        }

    def _told(self) -> SummaryShape | None:
        if self.incident is None:
            return None
        return read_summary(Path(self.settings.data) / "summary.json")

    def _doorway(self) -> Doorway | None:
        if self.settings.socketio == "off" or not (find_spec("socketio") and find_spec("engineio")):
            return None
        return Doorway(self.hub)

    def _sockets(self) -> int:
        """Those that Tornado has handed over, and counts no longer."""
        return self.hub.sockets

    def _tell(self, event: Event) -> dict[str, Any]:
        return self.services.tell(event)

    def _snapshot(self) -> dict[str, Any]:
        return self._picture(self.view)

    def _picture(self, view: View) -> dict[str, Any]:
        return dashboard(
            view,
            self.settings.source,
            epoch=self.log.epoch,
            hours=WINDOW_S / 3600,
            interval_s=self.settings.interval_s,
            version=VERSION,
            rules=self.services.rules,
        )

    def _publish(self, events: list[Event]) -> None:
        self.shelf.invalidate(spine.touched(events) | self.history.outdated(events))
        self.hub.publish(events)

    def _fatal(self, error: PlayheadError) -> None:
        log_.error("the server stops rather than lie", reason=error.detail, hint=error.hint)
        self._end(1)

    def _unready(self) -> list[str]:
        reasons = ["the disk is full, nothing can be recorded"] if self.spine.full else []
        if self.incident is not None:
            reasons.append("an incident is shown, nothing is recorded")
        return reasons + (["the server is stopping"] if self.hub.closing else [])

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._watch)
        self._tasks.append(task)

    def _watch(self, task: "asyncio.Task[Any]") -> None:
        """A part that ends by itself has failed, and half a server is worse than none."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StorageBroken):
            self._fatal(error)
        elif error is not None:
            log_.error("a part of the server failed", exc_info=error)
            self._end(1)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)

    def stop(self) -> None:
        self._end(0)

    async def _announce(self, started: System) -> None:
        """Record the start as soon as there is room for it."""
        while True:
            await asyncio.sleep(ROOM_S)
            with contextlib.suppress(StorageFull):
                await self.spine.record(started, self.settings.source)
                return

    async def close(self) -> None:
        """Drain: nothing new comes in, everything acknowledged is on disk, clients are told."""
        self._server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.incident is None:
            await self.upkeep.finish()
            try:
                if not self._writer.done():
                    await self.spine.record(System("stopped"), self.settings.source)
            except PlayheadError as error:
                log_.error("the end could not be recorded", reason=error.detail, hint=error.hint)
        await self.hub.close()
        await self.replays.close()
        self.spine.close()
        if self.incident is None:
            try:
                await asyncio.wait({self._writer})
                await self.spine.checkpoint()
            except PlayheadError as error:
                log_.warning(
                    "the view could not be saved; the next start folds more", reason=error.detail
                )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.close_all_connections(), 1.0)
        await self.log.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._lock.release()


def _sized(value: Any) -> int:
    return int(value.size)


def listen(host: str, port: int) -> list[socket.socket]:
    """
    Raises:
        NotWritable: the address is in use or is not this machine's.
    """
    try:
        sockets = bind_sockets(port, host, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"{host} port {port} cannot be listened on ({error.strerror or error}).",
            "Stop the program that holds it, or choose another with --port; 0 picks a free one.",
        ) from error
    for one in sockets:
        for option, value in (("TCP_NOTSENT_LOWAT", NOT_SENT), ("TCP_USER_TIMEOUT", UNANSWERED_MS)):
            if hasattr(socket, option):
                one.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return sockets


class CannotListen(PlayheadError):
    """The address cannot be bound."""


def address(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def serve(settings: Settings, incident: "Manifest | None" = None) -> int:
    heap.tame()
    sys.setswitchinterval(SWITCH_S)
    # Whoever looks at an incident looks at its end: that is its present.
    clock = Still(incident.to) if incident else Clock()
    house = House(settings, clock, incident=incident)
    await house.open()
    # What start-up made stays: the collector need not walk it again and again (law loop-never-blocks).
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(
            NotImplementedError
        ):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(name, house.stop)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, house.provisions.nudge)
    print(f"Playhead is ready at {house.url}", flush=True)
    if has_wal_reset_bug():
        log_.warning("this SQLite is old; a newer one is advised", version=sqlite_version())
    try:
        if settings.selftest:
            from web.selftest import selftest  # an HTTP client, which nothing else needs

            await selftest(house.url)
            return 0
        return await house.ended
    finally:
        try:
            await asyncio.wait_for(house.close(), DRAIN_S)
        except TimeoutError:
            log_.error("the server did not drain in time; what was acknowledged is on disk")


def show(settings: Settings) -> int:
    """An incident, out of a directory of its own that goes with the server."""
    from realtime.incident import unpack

    with tempfile.TemporaryDirectory(prefix="playhead-open-") as directory:
        manifest = unpack(Path(settings.asked["file"]), Path(directory))
        # Somebody wrote it, and a terminal does what it is told.
        title = "".join(one if one.isprintable() else " " for one in manifest.title)
        title += ", " if title else ""
        print(
            f"{title}{rfc3339(manifest.from_)[:19]}Z to {rfc3339(manifest.to)[:19]}Z on {manifest.source}"
        )
        return asyncio.run(
            serve(replace(settings, data=directory, source=manifest.source), manifest)
        )


def care(settings: Settings) -> int:
    # Loaded here and not above: the server starts without what looks after a file that it does not serve.
    from realtime.care import commands

    try:
        return commands.run(
            settings.command, Path(settings.data), settings.asked, Clock().now(), VERSION
        )
    except BadDial as error:
        print(f"{error.detail}\n{error.hint}".strip(), file=sys.stderr)
        return 2


def replay(settings: Settings) -> int:
    from realtime.care.projector import Projector, Tape
    from web.viewer import view

    asked, now = settings.asked, Clock().now()
    try:
        ask = watch(
            asked["start"],
            asked.get("end"),
            now,
            speed=asked["speed"],
            rooms=asked["rooms"].split(",") if "rooms" in asked else None,
            skip_idle_s=asked["skip_idle_s"],
        )
        match = tuple(Selector.parse(text).text for text in asked.get("match", ()))
    except ValueError as error:
        print(f"{error}.\nSee playhead replay --help.", file=sys.stderr)
        return 2
    screen = Projector(sys.stdout, asked.get("json", False), bool(match))

    async def off_tape() -> None:
        async with Tape(Path(settings.data), now) as tape:
            await tape.play(ask, match, lambda frame: screen.show(frame.event, frame.data))

    try:
        if "url" in asked:
            told: dict[str, Any] = {
                "from": rfc3339(ask.start),
                "speed": ask.speed,
                "skip_idle_s": ask.skip_us / 1e6,
            }
            told |= {} if ask.to is None else {"to": rfc3339(ask.to)}
            told["rooms"] = sorted(ask.rooms or (DASHBOARD,))
            asyncio.run(view(asked["url"], told, match, screen.show))
        else:
            asyncio.run(off_tape())
    except PlayheadError as error:
        print(f"{error.detail}\n{error.hint}".strip(), file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):  # seen enough
        return 0
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    try:
        settings = load(sys.argv[1:] if argv is None else argv, os.environ)
    except BadDial as error:
        print(f"{error.detail}\n{error.hint}".strip(), file=sys.stderr)
        return 2
    if settings.command == "version":
        print(f"playhead {VERSION}")
        return 0
    if settings.command == "openapi":
        print(msgspec.json.format(msgspec.json.encode(document(ROUTES, VERSION))).decode())
        return 0
    if settings.command == "replay":
        configure("warning", "auto", sys.stderr)
        return replay(settings)
    if settings.command in arguments.COMMANDS:
        configure("warning", "auto", sys.stderr)
        return care(settings)
    configure(cast("Level", settings.log_level), cast("Format", settings.log_format), sys.stderr)
    for warning in settings.warnings:
        log_.warning(warning)
    try:
        if settings.selftest:
            with tempfile.TemporaryDirectory(prefix="playhead-selftest-") as empty:
                code = asyncio.run(serve(replace(settings, data=empty, port=0)))
            print("The self-test passed.")
            return code
        return show(settings) if settings.command == "open" else asyncio.run(serve(settings))
    except PlayheadError as error:
        print(f"{error.detail}\n{error.hint}".strip(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())
