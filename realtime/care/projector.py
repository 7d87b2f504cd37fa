"""A replay in a terminal: what happened, line by line, or each frame as JSON."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import msgspec

from realtime.clock import Clock
from realtime.core import frames
from realtime.core.frames import Frame
from realtime.core.pacing import Pacing
from realtime.core.session import DASHBOARD, Matched, Taste, Watch
from realtime.core.times import NEVER, rfc3339
from realtime.core.views import View, evolve
from realtime.errors import AlreadyRunning, PlayheadError
from realtime.past import Past
from realtime.reel import Reel
from realtime.shelf import Shelf
from storage.events import Event, Metrics, System, Unreadable
from storage.lock import Lock
from storage.log import Log
from storage.look import FILE, look

PAGE = 1_000
SLEEP_S = 0.2
"""The longest wait in one go, so that an interruption is heard."""


class NotOnTape(PlayheadError):
    """There is nothing to play."""


class Projector:
    """Shows frames. Ticks are shown where series were asked for (`ticks`), and as JSON always."""

    def __init__(self, out: TextIO, as_json: bool, ticks: bool) -> None:
        self._out = out
        self._json = as_json
        self._ticks = ticks

    def show(self, event: str, data: Mapping[str, Any]) -> None:
        if self._json:
            print(msgspec.json.encode({"event": event, "data": data}).decode(), file=self._out)
            return
        words = told(event, data, self._ticks)
        if words:
            at = str(data.get("at", "")).replace("T", " ")[:23]
            print(f"{at}  {event:<12}  {words}", file=self._out, flush=True)


def told(event: str, data: Mapping[str, Any], ticks: bool) -> str:
    """A frame in words; nothing for one that tells a reader nothing."""
    if event == "alert":
        return f"{data['severity']} {data['state']}: {data['message']}"
    if event == "notification":
        title = f"{data['title']}: " if data["title"] else ""
        return f"{data['type']}: {title}{data['message']}"
    if event == "annotation":
        tags = f" [{', '.join(data['tags'])}]" if data["tags"] else ""
        return f"{data['state']}: {data['text']}{tags}"
    if event == "layout":
        return f"{data['state']}: {data['title']}"
    if event == "system":
        return f"{data['source']}: {str(data['what']).replace('_', ' ')}"
    if event == "metrics":
        values = "  ".join(f"{name} {value:g}" for name, value in data["values"].items())
        return f"{data['source']}: {values}" if ticks else ""
    if event == "playhead" and "gap" in data:
        gap = data["gap"]
        return f"events {gap['first']} to {gap['last']} cannot be read: {gap['detail']}"
    if event == "playhead" and data.get("state") in ("ended", "live"):
        return str(data["state"])
    return ""


class Tape:
    """A data directory that no server uses, opened to be played; use it with `async with`."""

    def __init__(self, directory: Path, now: int) -> None:
        self._path = directory / FILE
        self._now = now
        self._lock = Lock(directory)
        self._pool = ThreadPoolExecutor(1, "tape")
        self.host = ""

    async def __aenter__(self) -> "Tape":
        with look(self._path):
            pass
        try:
            self._lock.acquire()
        except AlreadyRunning as error:
            raise AlreadyRunning(
                error.detail,
                "Ask that server instead, with --url and the address that it said it is ready at.",
            ) from error
        self.log = Log(self._path)
        await self.log.open(self._now)
        self.view = await self._names()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.log.close()
        self._lock.release()
        self._pool.shutdown()

    async def _names(self) -> View:
        view = View()
        while page := await self.log.facts_after(view.seq, self.log.head, PAGE):
            for event in page:
                evolve(view, event)
                if isinstance(event.data, System) and event.data.what == "started":
                    self.host = event.source
        view.first = {id_: end.first for id_, end in (await self.log.remembered()).items()}
        view.seq = self.log.head
        return view

    async def play(self, ask: Watch, match: tuple[str, ...], show: Callable[[Frame], None]) -> None:
        """Show every frame when it is due; returns where there is none left.

        Raises:
            NotOnTape: nothing was recorded by then.
        """
        log, view, clock = self.log, self.view, Clock()
        shelf: Shelf[Any] = Shelf(clock.monotonic, lambda value: 0)
        past = Past(log, view, View, self.host, self._pool, shelf, PAGE, clock.now)
        begun = await past.begun()
        if begun == NEVER:
            raise NotOnTape("Nothing is on this tape.")
        start = max(ask.start, begun)
        reel = Reel(log, view, self.host, lambda: log.head, clock.now)
        if ask.to is not None:
            reel.to, reel.until = ask.to, (await past.place(ask.to)).seq
        reel.wind((await past.place(start)).seq, start)
        pacing = Pacing(start, ask.speed, ask.to)
        pacing.play(clock.monotonic())
        taste = Taste(ask.rooms or frozenset({DASHBOARD}), match=match, subscribed=bool(match))
        matched = Matched(match) if match else None
        before = start
        while not reel.is_over:
            for shown in await reel.read():
                if shown.at < before or (ask.skip_us and shown.at - before > ask.skip_us):
                    pacing.move(shown.at, clock.monotonic())
                before = shown.at
                while (wait := pacing.due(shown.at) - clock.monotonic()) > 0:
                    await asyncio.sleep(min(wait, SLEEP_S))
                frame = self._frame(shown.entry.event, taste, matched)
                if frame is not None:
                    show(frame)
        show(Frame("playhead", {"at": rfc3339(max(before, ask.to or 0)), "state": "ended"}))

    def _frame(self, event: Event, taste: Taste, matched: Matched | None) -> Frame | None:
        fact, view = event.data, self.view
        if isinstance(fact, Unreadable):
            gap = {"first": fact.first, "last": fact.last, "detail": fact.detail}
            return Frame("playhead", {"at": rfc3339(event.at), "gap": gap})
        if taste.wants(event) is None:
            return None
        only = None
        if isinstance(fact, Metrics) and matched is not None:
            only = matched.ids(view.series, view.owner, view.last_id)
        return frames.of_event(event, self.log.epoch, view.texts, only=only)
