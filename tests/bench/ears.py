"""A crowd of clients in a process of its own: `python -m tests.bench.ears`, told what to do line by line.

Sockets and epoll, and no more of RFC 6455 than counting takes: whoever measures a server with thousands of
clients on the same machine measures the clients too, so they have to be cheap.
"""

import asyncio
import contextlib
import errno
import os
import re
import resource
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
HEAD = 96
"""Bytes of a message that tell what it is."""
NAMED = re.compile(rb'\{"event":"(\w+)","data":\{(?:"seq":(\d+))?')
WINDOW = 128
"""Handshakes under way at once."""
PER_ADDRESS = 4000
"""Clients on one 127.0.0.x, so that no address runs out of ports."""
KEPT = 500
"""Descriptors of a process that are not the crowd's."""
TRICKLE = 1024
"""Bytes a second of a trickling reader."""


def raise_files() -> int:
    """As many descriptors as the system allows; how many that is."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most(wanted: int) -> int:
    """As many sockets as this system gives one process."""
    return min(wanted, raise_files() - KEPT)


class Ear:
    """One client. `told` are the seqs it heard and when; kept for `watch`ed events."""

    __slots__ = ("came", "left", "name", "open", "rest", "seq", "socket", "told")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.open = False
        self.rest = b""
        self.left = 0
        self.name = b""
        self.seq = 0
        self.came = 0
        self.told: list[tuple[int, float]] = []


class Group:
    """Ears that do the same. `how`: parse, count (bytes only), stall or trickle."""

    def __init__(self, how: str, watch: str) -> None:
        self.how = how
        self.watch = watch.encode()
        self.ears: list[Ear] = []
        self.bytes = 0
        self.frames: Counter[bytes] = Counter()
        self.refused = 0
        self.lost = 0
        self.opened = 0


class Ears:
    """Commands come in as JSON lines, answers go out the same way."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._of: dict[int, tuple[Ear, Group]] = {}
        self._groups: dict[str, Group] = {}
        self._buffer = bytearray(1 << 18)
        self._view = memoryview(self._buffer)

    def run(self) -> None:
        self._epoll.register(0, select.EPOLLIN)
        lines = b""
        while True:
            if self._step(1.0):
                came = os.read(0, 1 << 16)
                if not came:
                    return
                *whole, lines = (lines + came).split(b"\n")
                for line in whole:
                    ask = msgspec.json.decode(line)
                    answer = getattr(self, "do_" + ask.pop("do"))(**ask)
                    sys.stdout.buffer.write(msgspec.json.encode(answer or {}) + b"\n")
                    sys.stdout.buffer.flush()

    def _step(self, patience: float) -> bool:
        """Hear what came; whether there is a command."""
        asked = False
        for number, _ in self._epoll.poll(patience):
            if number == 0:
                asked = True
                continue
            it = self._of.get(number)
            if it is not None:
                self._hear(*it)
        return asked

    def _hear(self, ear: Ear, group: Group) -> None:
        try:
            size = ear.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._lose(ear, group)
            return
        group.bytes += size
        if not ear.open:
            self._shake(ear, group, bytes(self._view[:size]))
        elif group.how == "parse":
            self._parse(ear, group, size)

    def _shake(self, ear: Ear, group: Group, data: bytes) -> None:
        data = ear.rest + data
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            ear.rest = data
            return
        if b" 101 " not in head[:16]:
            group.refused += 1
            self._lose(ear, group)
            return
        ear.open, ear.rest = True, b""
        group.opened += 1
        if group.how in ("stall", "trickle"):
            self._epoll.unregister(ear.socket.fileno())
        elif group.how == "parse" and rest:
            self._buffer[: len(rest)] = rest
            self._parse(ear, group, len(rest))

    def _parse(self, ear: Ear, group: Group, size: int) -> None:
        now = time.monotonic()
        at = 0
        if ear.left:
            if ear.left > size:
                ear.left -= size
                return
            at, ear.left = ear.left, 0
            self._told(ear, group, now)
        data = self._buffer
        if ear.rest:
            data = ear.rest + self._buffer[:size]  # type: ignore[assignment]
            size, ear.rest = len(data), b""
        while at < size:
            length, head = data[at + 1] if at + 1 < size else 0, 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if size - at < head + min(length, HEAD) or size - at < 2:
                ear.rest = bytes(data[at:size])
                return
            named = NAMED.match(data, at + head, at + head + min(length, HEAD))
            ear.name = named.group(1) if named else b"?"
            ear.seq = int(named.group(2) or 0) if named else 0
            at += head + length
            if at > size:
                ear.left = at - size
                return
            self._told(ear, group, now)

    def _told(self, ear: Ear, group: Group, now: float) -> None:
        group.frames[ear.name] += 1
        if ear.name == group.watch:
            ear.told.append((ear.seq, now))

    def _lose(self, ear: Ear, group: Group) -> None:
        group.lost += 1
        self._of.pop(ear.socket.fileno(), None)
        ear.socket.close()

    def do_open(
        self,
        group: str,
        host: str,
        port: int,
        path: str,
        count: int,
        how: str = "parse",
        watch: str = "metrics",
        patience: float = 60.0,
    ) -> dict[str, Any]:
        """Connect and shake hands, `WINDOW` at a time."""
        it = self._groups[group] = Group(how, watch)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        ).encode()
        begun = time.monotonic()
        while it.opened + it.lost < count and time.monotonic() < begun + patience:
            while len(it.ears) < min(count, it.opened + it.lost + WINDOW):
                self._connect(it, host, port, request)
            self._step(0.1)
        return {"opened": it.opened, "refused": it.refused, "s": time.monotonic() - begun}

    def _connect(self, group: Group, host: str, port: int, request: bytes) -> None:
        connection = socket.socket()
        if how_small := (4096 if group.how in ("stall", "trickle") else 0):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, how_small)
        connection.bind((f"127.0.0.{2 + len(group.ears) // PER_ADDRESS}", 0))
        try:
            connection.connect((host, port))  # at once on loopback, while the backlog has room
            connection.sendall(request)
        except OSError as error:
            if error.errno not in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
                raise
        connection.setblocking(False)
        ear = Ear(connection)
        group.ears.append(ear)
        self._of[connection.fileno()] = (ear, group)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def do_wait(
        self,
        group: str,
        bytes: int = 0,
        event: str = "",
        frames: int = 0,
        patience: float = 30.0,
    ) -> dict[str, Any]:
        """Until so many bytes, or frames of an event, have come to the group."""
        it = self._groups[group]
        until = time.monotonic() + patience
        name = event.encode()
        while time.monotonic() < until:
            if it.bytes >= bytes and (not event or it.frames[name] >= frames):
                break
            self._step(0.05)
        return self.do_count(group)

    def do_trickle(self, group: str, seconds: float) -> dict[str, Any]:
        """Let the trickling read their kilobyte a second, and the others as they do."""
        until = time.monotonic() + seconds
        slow = self._groups[group]
        due = time.monotonic()
        while time.monotonic() < until:
            if time.monotonic() >= due:
                due += 1.0
                for ear in slow.ears:
                    with contextlib.suppress(OSError):
                        ear.socket.recv_into(self._buffer, TRICKLE)
            self._step(0.05)
        return {}

    def do_count(self, group: str) -> dict[str, Any]:
        it = self._groups[group]
        return {
            "moment": time.monotonic(),
            "bytes": it.bytes,
            "frames": {name.decode(): count for name, count in it.frames.items()},
            "opened": it.opened,
            "lost": it.lost,
        }

    def do_latency(self, group: str, began: dict[str, float]) -> dict[str, Any]:
        """Milliseconds from each seq's moment to each ear that heard it; what was heard before is forgotten."""
        spent: list[float] = []
        for ear in self._groups[group].ears:
            for seq, moment in ear.told:
                since = began.get(str(seq))
                if since is not None:
                    spent.append((moment - since) * 1000)
            ear.told.clear()
        spent.sort()
        missing = len(began) * len(self._groups[group].ears) - len(spent)
        if not spent:
            return {"missing": missing}
        share = {f"p{q}": spent[min(len(spent) - 1, len(spent) * q // 100)] for q in (50, 99)}
        return {**share, "max": spent[-1], "missing": missing}

    def do_seqs(self, group: str) -> dict[str, Any]:
        """The different lists of seqs that were heard, each with how many heard it so."""
        found = Counter(
            tuple(seq for seq, _ in ear.told) for ear in self._groups[group].ears if ear.open
        )
        return {"seqs": [[count, list(seqs)] for seqs, count in found.most_common(3)]}

    def do_close(self, group: str) -> None:
        for ear in self._groups.pop(group).ears:
            self._of.pop(ear.socket.fileno(), None)
            ear.socket.close()


class Crowd:
    """The process, from the side that gives the orders."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, what: str, **ask: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode({"do": what, **ask}) + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the crowd went away at {what}")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer

    async def open(self, group: str, url: str, path: str, count: int, **how: Any) -> dict[str, Any]:
        host, _, port = url.rpartition("/")[2].rpartition(":")
        told = await self.do(
            "open", group=group, host=host, port=int(port), path=path, count=count, **how
        )
        assert told["opened"] == count, told
        return told


@contextlib.asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    async with program("tests.bench.ears") as process:
        yield Crowd(process)


@contextlib.asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A module run as a program that takes lines and gives lines; ended when its work is done."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


if __name__ == "__main__":
    raise_files()
    Ears().run()
