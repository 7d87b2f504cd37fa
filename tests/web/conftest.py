"""A whole site on port 0: a real log, a real spine, real HTTP; only the clock is faked."""

import asyncio
import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer

from realtime.answers import Encoder
from realtime.charts import Charts
from realtime.core.decide import Bounds
from realtime.core.naming import parse_series
from realtime.core.requests import RequestStats
from realtime.core.rules import TEST
from realtime.core.views import View
from realtime.delivery import Hub
from realtime.delivery import Limits as HubLimits
from realtime.intake import Intake, Limits
from realtime.past import Past
from realtime.provisions import Fault
from realtime.replay import Replays
from realtime.scratch import Scratch
from realtime.shelf import Shelf
from realtime.spine import Limits as SpineLimits
from realtime.spine import Spine, touched
from realtime.tail import Tail
from realtime.timeline import Timeline
from storage.events import Event
from storage.log import Log
from storage.migrate import migrate
from tests import rule
from tests.hands import Hands
from web.app import application, serve_options
from web.assets import read_assets
from web.budget import Budget
from web.guard import Guard
from web.services import Services

START = 1_795_403_506_000_000
"""2026-11-23T03:11:46Z"""

HOST = "web-1"
MAX_BODY = 1024 * 1024

PAGE = b'<!doctype html><script type="module" src="{{ assets }}/js/main.js"></script>'

RULES = [rule.cpu(series="system_cpu_utilization_ratio")]


class Body:
    """An answer, read."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.code
        self.headers = response.headers
        self.raw = response.body or b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw)

    @property
    def data(self) -> Any:
        """What the envelope carries."""
        answer = self.json
        assert list(answer) == ["status", "message", "data"], answer
        assert answer["status"] == "success"
        return answer["data"]

    @property
    def errors(self) -> dict[str, str]:
        """The problem's fields; asserts that it is a whole problem."""
        problem = self.json
        assert self.headers["Content-Type"] == "application/problem+json"
        assert set(problem) == {"type", "title", "status", "detail", "instance", "errors"}
        assert problem["status"] == self.status
        assert problem["instance"] == f"urn:request:{self.headers['X-Request-Id']}"
        return {one["field"]: one["detail"] for one in problem["errors"]}


@dataclass
class Site:
    """The server under test, and how to ask it."""

    port: int
    clock: Hands
    log: Log
    spine: Spine
    services: Services
    unready: list[str]
    faults: list[Fault]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Body:
        response = await AsyncHTTPClient().fetch(
            self.url + path,
            method=method,
            body=body,
            headers=headers,
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            decompress_response=False,
            **more,
        )
        return Body(response)

    async def post(
        self,
        path: str,
        value: object = b"",
        media: str = "application/json",
        method: str = "POST",
        **headers: str,
    ) -> Body:
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        sent = {"Content-Type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.ask(path, method=method, body=body, headers=sent)

    async def tick(self, values: dict[str, float], source: str = HOST) -> Body:
        """One tick of a source now, then a second goes by."""
        readings = [{"name": n, "value": v, "source": source} for n, v in values.items()]
        named = [
            {**reading, **_split(str(reading["name"]))} if "{" in str(reading["name"]) else reading
            for reading in readings
        ]
        answer = await self.post("/api/realtime/metrics", named)
        assert answer.status == 200, answer.raw
        self.clock.pass_s(1)
        return answer

    async def raw(self, sent: bytes) -> bytes:
        """Bytes in, bytes out until the server closes or is quiet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        got = b""
        try:
            writer.write(sent)
            await writer.drain()
            while chunk := await asyncio.wait_for(reader.read(65536), 0.5):
                got += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionResetError):
                await writer.wait_closed()
        return got


def _split(text: str) -> dict[str, Any]:
    name, labels = parse_series(text)
    return {"name": name, "labels": dict(labels)}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A static directory of our own: the pages' content is somebody else's matter."""
    root = tmp_path / "static"
    (root / "js").mkdir(parents=True)
    (root / "analytics.html").write_bytes(PAGE)
    (root / "docs.html").write_bytes(PAGE)
    (root / "favicon.svg").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    (root / "js" / "main.js").write_bytes(b"export const answer = 42;\n" * 100)
    (root / "js" / "worker.js").write_bytes(b"export const question = 6 * 9;\n")
    (root / "js" / ".hidden.js").write_bytes(b"secret")
    (root / "notes.py").write_bytes(b"secret")
    return root


@pytest.fixture
async def site(tmp_path: Path, static: Path):
    path = tmp_path / "playhead.db"
    migrate(path)
    clock = Hands(START)
    log = Log(path)
    await log.open(clock.now())
    view = View()
    tail = Tail(1000, 10_000_000)
    pool = ThreadPoolExecutor(2)
    shelf: Shelf[Any] = Shelf(time.monotonic, lambda value: value.size)

    def publish(events: list[Event]) -> None:
        shelf.invalidate(touched(events) | services.history.outdated(events))
        hub.publish(events)

    def fatal(error: Exception) -> None:
        raise error

    hub = Hub(
        tail,
        log,
        view,
        clock,
        HubLimits(100, 1_000_000, 10_000, 15.0, 30.0),
        dict,
        lambda: dict,
        "1.2.3",
    )
    spine = Spine(
        log,
        view,
        clock,
        [*RULES, TEST],
        Bounds(50, 10, 30_000_000),
        SpineLimits(0.0, 500, 262_144, 1000, 1_000_000),
        publish,
        fatal,
    )
    await spine.load()
    tail.start(spine.edge)
    writer = asyncio.create_task(spine.run())
    unready: list[str] = []
    faults: list[Fault] = []
    history = Charts(
        lambda source, ids, start, end: log.columns(source, ids, start, end),
        view,
        pool,
        shelf=shelf,
    )
    past = Past(log, view, View, HOST, pool, shelf, 1_000_000, clock.now)
    replays = Replays(hub, past, HOST, lambda view: {"cursor": ""}, 3)
    hub.obey = replays.obey
    services = Services(
        spine=spine,
        hub=hub,
        log=log,
        intake=Intake(Limits(), HOST),
        shelf=shelf,
        past=past,
        replays=replays,
        history=history,
        timeline=Timeline(log, view, history, shelf, HOST, 1.0, lambda event: services.tell(event)),
        encoder=Encoder(pool),
        requests=RequestStats(),
        guard=Guard("127.0.0.1", ["play.example.org"]),
        assets=read_assets(static),
        loop_lag_s=lambda: 0.0,
        unready=lambda: unready,
        uptime_s=lambda: 12.5,
        faults=lambda: faults,
        scratch=Scratch(log.path.with_name("incident.part")),
        rules=[
            {
                "rule": "cpu",
                "kpi": "cpu_percent",
                "title": "CPU",
                "above": 80,
                "clear": 75,
                "hold_s": 0,
                "severity": "critical",
                "unit": "percent",
            }
        ],
        version="1.2.3",
        sqlite_version="3.99.0",
        source=HOST,
        interval_s=1.0,
        max_body_bytes=MAX_BODY,
        budget=Budget(8 * MAX_BODY),
        query_points=600,
        poll_s=0.2,
    )
    server = HTTPServer(application(services), **serve_options())
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server.add_sockets([listener])
    yield Site(listener.getsockname()[1], clock, log, spine, services, unready, faults)
    server.stop()
    await server.close_all_connections()
    AsyncHTTPClient().close()
    await hub.close()
    await replays.close()
    spine.close()
    await writer
    await shelf.close()
    await log.close()
    pool.shutdown()
