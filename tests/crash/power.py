"""Power cuts, made from what a real server asked the kernel for.

`kill -9` leaves the kernel's caches alone, so it proves nothing of fsync. Here strace tells every call of the
server on its files, and a `Disk` that saw the same calls up to some moment gives what a real one may have kept:
what was synced, of the rest as little, as much and as torn as chance wants, directory entries alike.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CALLS = (
    "openat,open,creat,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,"
    "write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,sendfile,"
    "fsync,fdatasync,sync_file_range,msync,sendto,sendmsg"
)
SHOWN = 1 << 20
"""Bytes of a call's text that strace tells: more than any write of ours."""

SECTOR, PAGE = 512, 4096
NO_DATA = ("-shm", ".lock")
"""SQLite's index of the WAL is made anew after a crash, and of the lock the kernel's half counts, not the text."""


class Write(NamedTuple):
    path: str
    offset: int
    data: bytes


class Cut(NamedTuple):
    """A file has a new length."""

    path: str
    size: int


class Entry(NamedTuple):
    """A name in a directory: what stands there now, None if nothing does any more."""

    path: str
    inode: "Inode | None"


class Told(NamedTuple):
    """Bytes that left for a client."""

    data: bytes


class Call(NamedTuple):
    """`begin` and `end` are lines of the trace; a call that never came back has no end."""

    begin: int
    end: int | None
    name: str
    arguments: str
    result: str


LINE = re.compile(r"^(\d+) +(\w+)\((.*)$", re.S)
DONE = re.compile(r"^(.*)\) += (-?\d+|\?)(.*)$", re.S)
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$", re.S)
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
SOCKET = "".join(f"\\x{byte:02x}" for byte in b"socket:[")
HANDLE = re.compile(r"^-?\d+<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")


def calls(trace: Path) -> list[Call]:
    """All calls that did not fail, by their beginnings; strace splits those of several threads in two lines."""
    open_: dict[str, tuple[int, str, str]] = {}
    found: list[Call] = []
    with trace.open(encoding="ascii") as lines:
        for place, line in enumerate(map(str.rstrip, lines)):
            if resumed := RESUMED.match(line):
                begin, name, arguments = open_.pop(resumed[1])
                rest = arguments + resumed[2]
            elif started := LINE.match(line):
                begin, name, rest = place, started[2], started[3]
                if rest.endswith(UNFINISHED):
                    open_[started[1]] = (begin, name, rest.removesuffix(UNFINISHED))
                    continue
            else:
                continue  # a signal, an exit
            done = DONE.match(rest)
            assert done, line
            if not done[2].startswith("-"):
                found.append(Call(begin, place, name, done[1], done[2] + done[3]))
    found += [Call(begin, None, name, arguments, "?") for begin, name, arguments in open_.values()]
    return sorted(found)


@dataclass(eq=False)
class Inode:
    """`durable` is on the platter; `pending` was asked for since."""

    directory: bool = False
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write | Cut] = field(default_factory=list)

    def after(self, kept: list[Write | Cut]) -> bytearray:
        content = bytearray(self.durable)
        for change in kept:
            _apply(content, change)
        return content


def _apply(content: bytearray, change: Write | Cut) -> None:
    if isinstance(change, Cut):
        content[change.size :] = bytes(max(0, change.size - len(content)))
        return
    end = change.offset + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.offset : end] = change.data


class Disk:
    """What is under `root`, which the trace has seen being made. `deaf` are the ends of names whose syncs
    do nothing, as on a disk that lies or with a program that never asked."""

    def __init__(self, root: Path, deaf: tuple[str, ...] = ()) -> None:
        self.root = str(root)
        self.deaf = deaf
        self.syncs = 0
        self._names: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._entries: list[Entry] = []

    def moments(self, trace: list[Call]) -> Iterator[Told | None]:
        """Plays the calls; after each step the disk can be cut off. Gives what clients were told."""
        steps: list[tuple[int, int, Call]] = []
        for call in trace:
            sync = call.name in ("fsync", "fdatasync")
            if sync:
                steps.append((call.begin, 0, call))
                if call.end is not None:
                    steps.append((call.end, 1, call))
            else:
                # What changes a file may be on disk as soon as it is asked for.
                steps.append((call.begin, 1, call))
        marks: dict[int, tuple[Inode, int, int]] = {}
        for _, half, call in sorted(steps, key=lambda step: step[:2]):
            if half == 0:
                if inode := self._of(call):
                    marks[call.begin] = (inode, len(inode.pending), len(self._entries))
            elif call.name in ("fsync", "fdatasync"):
                if call.begin in marks:
                    self._synced(self._path(call) or "", *marks[call.begin])
            elif (told := self._step(call)) is not None:
                yield told
                continue
            yield None

    def _path(self, call: Call) -> str | None:
        """The file a call has in hand, if it is under the root and still has a name."""
        handle = HANDLE.match(call.arguments)
        if not handle or handle[2]:
            return None
        path = _text(handle[1]).decode()
        return path if self._ours(path) else None

    def _ours(self, path: str) -> bool:
        return path.startswith(self.root + "/") and not path.endswith(NO_DATA)

    def _of(self, call: Call) -> Inode | None:
        path = self._path(call)
        if path is None and (handle := HANDLE.match(call.arguments)):
            if _text(handle[1]).decode() == self.root:
                return Inode(directory=True)
            return None
        return self._names.get(path) if path else None

    def _step(self, call: Call) -> Told | None:
        texts = [_text(found[1]) for found in TEXT.finditer(call.arguments)]
        if SOCKET in call.arguments:
            return Told(texts[0]) if texts else None
        if call.name in ("openat", "mkdir", "unlink", "rename"):
            paths = [text.decode(errors="replace") for text in texts]
            if self._ours(paths[0]):
                self._renamed(call, *paths)
        elif path := self._path(call):
            self._changed(call, path, texts)
        return None

    def _renamed(self, call: Call, path: str, to: str = "") -> None:
        if call.name == "openat":
            assert "O_TRUNC" not in call.arguments, call
            if "O_CREAT" in call.arguments and path not in self._names:
                self._enter(path, Inode())
        elif call.name == "mkdir":
            self._enter(path, Inode(directory=True))
        elif call.name == "unlink":
            self._enter(path, None)
        else:
            inode = self._names[path]
            self._enter(path, None)
            self._enter(to, inode)

    def _changed(self, call: Call, path: str, texts: list[bytes]) -> None:
        last = int(call.arguments.rpartition(", ")[2])
        if call.name == "pwrite64":
            assert '"...' not in call.arguments
            length = int(call.result) if call.result.isdigit() else len(texts[0])
            self._names[path].pending.append(Write(path, last, texts[0][:length]))
        elif call.name == "ftruncate":
            self._names[path].pending.append(Cut(path, last))
        else:
            raise AssertionError(f"a call this disk does not know: {call.name} on {path}")

    def _enter(self, path: str, inode: Inode | None) -> None:
        if inode is None:
            self._names.pop(path, None)
        else:
            self._names[path] = inode
        self._entries.append(Entry(path, inode))

    def _synced(self, path: str, inode: Inode, changes: int, entries: int) -> None:
        if path.endswith(self.deaf or ("\0",)):
            return
        self.syncs += 1
        if not inode.directory:
            inode.durable = inode.after(inode.pending[:changes])
            del inode.pending[:changes]
            return
        path = path or self.root
        here = [e for e in self._entries[:entries] if e.path.rpartition("/")[0] == path]
        for entry in here:
            self._keep(self._durable, entry)
            self._entries.remove(entry)

    @staticmethod
    def _keep(names: dict[str, Inode], entry: Entry) -> None:
        if entry.inode is None:
            names.pop(entry.path, None)
        else:
            names[entry.path] = entry.inode

    def whole(self) -> dict[str, bytes]:
        """As every process sees it while the power is on."""
        return {
            path: bytes(inode.after(inode.pending))
            for path, inode in self._names.items()
            if not inode.directory
        }

    def cut(self, chance: random.Random, way: str) -> dict[str, bytes]:
        """The power fails now: what is there when it comes back. `way` says what became of that which no
        sync had covered: `none` of it was kept, or `all`; else chance decides for every `write`, or
        for every `sector` or `page` of one."""
        names = dict(self._durable)
        for entry in self._entries:
            if way == "all" or (way != "none" and chance.random() < 0.5):
                self._keep(names, entry)
        for path, inode in list(names.items()):
            if inode.directory:
                continue
            above = path
            while (above := above.rpartition("/")[0]) != self.root:
                if above not in names:
                    del names[path]
                    break
        return {
            path: bytes(inode.after(list(_kept(inode.pending, chance, way))))
            for path, inode in names.items()
            if not inode.directory
        }


WAYS = ("none", "all", "write", "sector", "page")


def _kept(pending: list[Write | Cut], chance: random.Random, way: str) -> Iterator[Write | Cut]:
    share = chance.random()
    for change in pending:
        if way == "all":
            yield change
        elif way == "none":
            return
        elif way == "write" or isinstance(change, Cut):
            if chance.random() < share:
                yield change
        else:
            size = SECTOR if way == "sector" else PAGE
            at, end = change.offset, change.offset + len(change.data)
            while at < end:
                until = min(end, (at // size + 1) * size)
                if chance.random() < share:
                    yield Write(
                        change.path,
                        at,
                        change.data[at - change.offset : until - change.offset],
                    )
                at = until


def _text(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))
