"""Dashboards out of a directory: each `*.json` in it is one, kept as its file says.

Looked at when the server starts, every few seconds, and when it is nudged. What differs from what stands is
saved as an event, a file that is gone takes its dashboard with it, and one that cannot be used changes nothing
and is told. So is a directory that is away, as on a disk that is not mounted: what came from it stays until it is
back. One in which no file was seen since the server began counts as away, too.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from realtime.core.layouts import BYTES, ID, Arrangement, faults, stored
from realtime.core.views import LAYOUTS
from realtime.errors import FieldError, PlayheadError
from realtime.spine import Spine
from storage.events import Event, Layout

LOOK_S = 5.0
MOST_BYTES = 4 * BYTES
"""Of a file: people indent theirs."""

log_ = structlog.get_logger(__name__)


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a file; `field` is "" where it is the whole of it."""

    file: str
    field: str
    detail: str


class _Read(NamedTuple):
    """A file as it was read: its dashboard, or what is wrong with it."""

    stamp: tuple[int, int]
    layout: Layout | None
    faults: list[Fault]


class _Looked(NamedTuple):
    """`away` says why nothing can be said of the files; `place` is which directory it was that had some."""

    read: dict[str, _Read]
    faults: list[Fault]
    away: str = ""
    place: tuple[int, int] | None = None


class Provisions:
    """`faults` are those of the last look. Cancel `run` to end it."""

    def __init__(self, directory: Path, spine: Spine, source: str) -> None:
        self.faults: list[Fault] = []
        self._directory = directory
        self._spine = spine
        self._source = source
        self._files: dict[str, _Read] = {}
        self._place: tuple[int, int] | None = None
        self._away = ""
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Look now."""
        self._nudged.set()

    async def run(self) -> None:
        while True:
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), LOOK_S)
            self._nudged.clear()

    async def look(self) -> None:
        known, place = self._files, self._place
        looked = await asyncio.get_running_loop().run_in_executor(None, self._look, known, place)
        if looked.away:
            self._stay(looked.away)
            return
        if self._away:
            log_.info("the directory of dashboards is back", directory=str(self._directory))
        self._away, self._files, self._place = "", looked.read, looked.place
        found = looked.faults
        wanted: dict[str, Layout] = {}
        for file, one in sorted(looked.read.items()):
            found += one.faults
            if one.layout is None:
                continue
            if one.layout.id in wanted:
                other = wanted[one.layout.id].provisioned
                found.append(Fault(file, "id", f"{one.layout.id!r} is the id of {other} already"))
                continue
            wanted[one.layout.id] = one.layout
        found += await self._keep(wanted, {fault.file for fault in found})
        for fault in found:
            if fault not in self.faults:
                log_.warning(
                    "a dashboard file cannot be used",
                    file=str(self._directory / fault.file),
                    field=fault.field,
                    reason=fault.detail,
                )
        self.faults = found

    def _stay(self, why: str) -> None:
        """All of it as it was, and said once; where nothing came from there is nothing to say."""
        kept = sum(1 for event in self._spine.view.layouts.values() if _file(event))
        if not kept:
            self.faults = []
            return
        self.faults = [Fault("", "", f"{why}; what came from it stays as it was, {kept} in all")]
        if why != self._away:
            log_.warning(
                "the directory of dashboards is away",
                directory=str(self._directory), reason=why, kept=kept,
            )  # fmt: skip
        self._away = why

    async def _keep(self, wanted: Mapping[str, Layout], faulty: Iterable[str]) -> list[Fault]:
        """Save what differs and remove what has no file any more. One whose file is faulty stays as it was."""
        standing = dict(self._spine.view.layouts)
        failed: list[Fault] = []
        for id_, layout in wanted.items():
            if id_ not in standing or standing[id_].data != layout:
                try:
                    await self._spine.arrange(layout, None, self._source)
                except PlayheadError as error:
                    failed.append(Fault(layout.provisioned, "", error.detail))
        for id_, event in standing.items():
            file = _file(event)
            if file and id_ not in wanted and file not in faulty:
                with contextlib.suppress(PlayheadError):  # the next look tries again
                    await self._spine.dismiss(id_, None, self._source, provisioned=True)
        return failed

    def _look(self, known: Mapping[str, _Read], place: tuple[int, int] | None) -> _Looked:
        try:
            paths = sorted(
                self._directory / entry.name
                for entry in os.scandir(self._directory)
                if entry.name.endswith(".json") and entry.is_file()
            )
            stat = self._directory.stat()
        except FileNotFoundError:
            return _Looked({}, [], "the directory is not there")
        except OSError as error:
            return _Looked({}, [], f"the directory cannot be read ({error.strerror})")
        here = (stat.st_dev, stat.st_ino)
        if not paths and place != here:  # one that never had any cannot have lost them
            return _Looked({}, [], "a directory without files is in its place, as where a disk was")
        more = [
            Fault(_name(path), "", f"there are more than {LAYOUTS} files, as many as may be")
            for path in paths[LAYOUTS : LAYOUTS + 1]
        ]
        read = {_name(path): _read(path, known.get(_name(path))) for path in paths[:LAYOUTS]}
        return _Looked(read, more, "", here if paths else place)


def _name(path: Path) -> str:
    """As it can be told: a file system takes bytes that are no UTF-8."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _file(event: Event) -> str:
    return event.data.provisioned if isinstance(event.data, Layout) else ""


def _read(path: Path, known: _Read | None) -> _Read:
    name, stamp = _name(path), (0, 0)
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        if known is not None and known.stamp == stamp:
            return known
        if stat.st_size > MOST_BYTES:
            raise ValueError(f"takes {stat.st_size:,} bytes; {MOST_BYTES:,} do")
        sent = msgspec.json.decode(path.read_bytes(), type=Arrangement)
    except msgspec.ValidationError as error:
        blamed = FieldError.of(error)
        return _Read(stamp, None, [Fault(name, blamed.field, blamed.detail)])
    except OSError as error:
        return _Read((0, 0), None, [Fault(name, "", f"cannot be read ({error.strerror})")])
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError is one, bad UTF-8 as well
        return _Read(stamp, None, [Fault(name, "", str(error))])
    id_ = sent.id or path.stem
    wrong = [Fault(name, field, detail) for field, detail in faults(sent)]
    if not ID.fullmatch(id_):
        words = f"the name {id_!r} is no id; small letters, digits and dashes are, or give an id"
        wrong.append(Fault(name, "id", words))
    panels = stored(sent.panels)
    layout = Layout(id_, "saved", sent.title, panels, sent.tags, sent.author, name)
    return _Read(stamp, None if wrong else layout, wrong)
