"""A real Firefox, driven over WebDriver BiDi (w3.org/TR/webdriver-bidi): the second engine the page must live in."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.app import PATIENCE_S

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
READY = b"WebDriver BiDi listening on "
POLL_S = 0.1


@dataclass(slots=True)
class Fox:
    """One tab. `complaints` are what its console held against the page."""

    socket: ClientConnection
    tab: str = ""
    complaints: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)

    async def ask(self, method: str, **params: Any) -> Any:
        """One command → its result; AssertionError with the browser's words where it refuses."""
        number = next(self.numbers)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(2 * PATIENCE_S):
            while True:
                told = json.loads(await self.socket.recv())
                if told.get("id") == number:
                    assert told["type"] == "success", f"{method}: {told}"
                    return told["result"]
                if told.get("method") == "log.entryAdded":
                    entry = told["params"]
                    if entry["level"] in ("error", "warn"):
                        self.complaints.append(f"{entry['level']}: {entry['text']}")

    async def open(self, url: str) -> None:
        await self.ask("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    async def see(self, expression: str) -> Any:
        """What the page says to a JavaScript expression, told as JSON."""
        told = await self.ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})) ?? 'null')()",
            target={"context": self.tab},
            awaitPromise=True,
        )
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])

    async def until(self, expression: str) -> Any:
        """The first answer that is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not (answer := await self.see(expression)):
                await asyncio.sleep(POLL_S)
        return answer

    async def press(self, key: str) -> None:
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        await self.ask(
            "input.performActions",
            context=self.tab,
            actions=[{"type": "key", "id": "keyboard", "actions": keys}],
        )

    async def picture(self, file: Path) -> None:
        told = await self.ask("browsingContext.captureScreenshot", context=self.tab)
        file.write_bytes(base64.b64decode(told["data"]))


@contextlib.asynccontextmanager
async def hunting(profile: Path, size: tuple[int, int] = (1440, 900)) -> AsyncIterator[Fox]:
    """A fresh Firefox with a profile of its own and one empty tab."""
    assert FIREFOX is not None, "`make firefox` installs it"
    profile.mkdir(parents=True)
    process = await asyncio.create_subprocess_exec(
        FIREFOX,
        *("--headless", "--remote-debugging-port", "0", "--profile", str(profile), "about:blank"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(2 * PATIENCE_S):
            while not (line := await process.stderr.readline()).startswith(READY):
                assert line, "Firefox ended before it listened"
        draining = asyncio.create_task(process.stderr.read())
        address = line.removeprefix(READY).decode().strip()
        async with connect(f"{address}/session", max_size=None) as socket:
            fox = Fox(socket)
            await fox.ask("session.new", capabilities={})
            await fox.ask("session.subscribe", events=["log.entryAdded"])
            fox.tab = (await fox.ask("browsingContext.getTree"))["contexts"][0]["context"]
            await fox.ask(
                "browsingContext.setViewport",
                context=fox.tab,
                viewport={"width": size[0], "height": size[1]},
            )
            yield fox
        draining.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
