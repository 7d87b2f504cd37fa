"""An incident in one file: a stretch of the log that any Playhead opens, and a page that says what happened.

A `.playhead` is a ZIP: `manifest.json` first, with the SHA-256 of all else, then the log, the summary as JSON and
as one page that needs nothing else. Synchronous: for a thread, or for a command.
"""

import hashlib
import lzma
import secrets
import shutil
import sqlite3
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import msgspec

from realtime.core import tape
from realtime.core.annotations import Search, found, since
from realtime.core.changes import BINS, Bins, Change, ranked
from realtime.core.columns import Column, numbers
from realtime.core.frames import Data, of_event
from realtime.core.naming import check_source, series_text
from realtime.core.times import EARLIEST, LATEST, rfc3339
from realtime.core.views import View, evolve
from realtime.errors import BadInput, FieldError, NotWritable, StorageBroken, StorageError
from realtime.leaflet import leaflet
from storage import export, tiers
from storage.backup import written
from storage.errors import Damaged
from storage.events import Event, Series, System
from storage.look import FILE, Progress, look, quiet, still
from storage.package import MOST_BYTES, Cut, cut
from storage.proof import EVENT, Damage
from storage.rollups import TIERS
from storage.rows import told

FORMAT = 1
SUFFIX = ".playhead"
MANIFEST, SUMMARY, PAGE = "manifest.json", "summary.json", "summary.html"
NEEDED = (FILE, SUMMARY)
"""What is shown of a package that is opened."""
CHANGED = 30
"""Series told of as those that changed most."""
LISTED = 500
"""Alerts, annotations and starts told in a summary."""
MOST_SPAN_US = 31 * 86_400 * 1_000_000
MOST_MANIFEST = 1 << 20
CHUNK = 1 << 20
FACTS = 10_000
"""Facts among which the last start is looked for."""
SPARE = 64 * 1024 * 1024
"""Bytes of the log's own disk that an incident leaves."""
OPENED = 4 * MOST_BYTES
"""A file that unpacks to more was not made here."""
UNPACKING = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    KeyError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""All that a file can raise that is no ZIP, or one that was damaged; of bzip2 that is an OSError."""
MINUTE = TIERS[1]
LONG_BINS_US = 10 * MINUTE * 1_000_000
"""Bins so long are filled from minutes: no more than a tenth of one is told of its neighbour."""
Names = Mapping[int, tuple[str, Series]]
"""Series id → its source, and what it is."""
Moment = Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]


class Member(msgspec.Struct, frozen=True):
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`from_` and `to` as they were asked for (µs UTC); `source` is the host that is shown, `of_epoch` the log it
    was cut from and `epoch` the one in the file; `first` to `last` are the seqs of the stretch."""

    playhead: str
    format: int
    title: str
    from_: Moment
    to: Moment
    created_at: int
    source: str
    of_epoch: str
    epoch: str
    first: int
    last: int
    head: int
    events: int
    ticks: int
    samples: int
    later: int
    damages: int
    files: dict[str, Member]


class Incident(NamedTuple):
    """What is asked for. Times are µs UTC; `now` dates it. Without a `source` it is the host that recorded."""

    start: int
    end: int
    title: str
    source: str
    now: int
    version: str


def check_span(start: int, end: int) -> None:
    """
    Raises:
        BadInput: the span is empty, or longer than a package may be.
    """
    if start >= end:
        raise BadInput("the span is empty", [FieldError("from", "is not before to; swap them")])
    if end - start > MOST_SPAN_US:
        days = MOST_SPAN_US // 86_400_000_000
        raise BadInput(
            "the span is too long", [FieldError("from", f"a package holds up to {days} days")]
        )


def pack(path: Path, target: Path, asked: Incident, progress: Progress = quiet) -> Manifest:
    """The log at `path`, cut to what is asked, as the file `target`, which is whole or not there.

    Raises:
        BadInput, TooMuch: the span is empty, or more than a package holds.
        Absent: nothing of it is held.
        StorageError: `target` cannot be written.
    """
    check_span(asked.start, asked.end)
    made = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    _check_place(target, made)
    try:
        with look(path) as connection:
            asked = asked._replace(source=asked.source or _host(connection))
            # Beside the log, what is recorded meanwhile needs room as well.
            spare = SPARE if made.parent.stat().st_dev == path.stat().st_dev else 0
            done = cut(connection, made, asked.start, asked.end, asked.now, progress, spare)
            summary = _summary(connection, made, asked, done)
        files: dict[str, Path | bytes] = {
            FILE: made,
            SUMMARY: msgspec.json.format(msgspec.json.encode(summary)),
            PAGE: leaflet(summary).encode(),
        }
        manifest = Manifest(
            playhead=asked.version,
            format=FORMAT,
            title=asked.title,
            from_=asked.start,
            to=asked.end,
            created_at=asked.now,
            source=asked.source,
            of_epoch=done.of_epoch,
            epoch=done.epoch,
            first=done.first,
            last=done.last,
            head=done.head,
            events=done.events,
            ticks=done.ticks,
            samples=done.samples,
            later=done.later,
            damages=len(done.damages),
            files={name: _member(what) for name, what in files.items()},
        )
        progress("file", 0, 1)
        with written(target) as part:
            _zip(part, manifest, files)
    finally:
        made.unlink(missing_ok=True)
    return manifest


def _check_place(target: Path, made: Path) -> None:
    """Before the work, and in words that are not of the log."""
    try:
        made.touch()
        made.unlink()
    except OSError as error:
        raise NotWritable(
            f"{target} cannot be written ({error.strerror or error})",
            "choose another place, or correct its owner and permissions",
        ) from error


def unpack(file: Path, directory: Path) -> Manifest:
    """Put the log of a package and its summary into `directory`, once their hashes are those they were written with.

    Raises:
        StorageError: there is no such file, or it is no package.
        StorageBroken: it is damaged.
    """
    if not file.is_file():
        raise StorageError(f"there is no file {file}", f"name a {SUFFIX} file")
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive, file)
            size = sum(member.bytes for member in manifest.files.values())
            if size > OPENED:
                raise StorageBroken(f"{file} says that it unpacks to {size:,} bytes", _HINT)
            for name, member in manifest.files.items():
                with archive.open(name) as packed:
                    to = directory / name if name in NEEDED else None
                    if _unpacked(packed, to, member) != member.sha256:
                        raise StorageBroken(f"{name} in {file} is not as it was written", _HINT)
    except UNPACKING as error:
        if not zipfile.is_zipfile(file):
            raise StorageError(
                f"{file} is no incident of Playhead", f"name a {SUFFIX} file"
            ) from error
        raise StorageBroken(f"{file} is damaged ({error})", _HINT) from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read ({error.strerror or error})") from error
    # Of a schema that is known here; an older one is upgraded as it is opened.
    with still(directory / FILE, older=True):
        return manifest


_HINT = "Ask for the file again: it was damaged on its way, or on the disk."


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    names = archive.namelist()
    if MANIFEST not in names or FILE not in names:
        raise StorageError(f"{file} is no incident of Playhead", f"name a {SUFFIX} file")
    with archive.open(MANIFEST) as packed:
        raw = packed.read(MOST_MANIFEST)
    try:
        version = msgspec.json.decode(raw).get("format")
        if isinstance(version, int) and version > FORMAT:
            raise StorageError(
                f"{file} was written by a newer Playhead (format {version}; this one knows {FORMAT})",
                "open it with the version that wrote it, or a newer one",
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
        if manifest.source:
            check_source(manifest.source)
    except (ValueError, AttributeError) as error:  # msgspec's errors are of the former
        raise StorageBroken(f"the manifest of {file} cannot be read ({error})", _HINT) from error
    for name in NEEDED:
        if name not in manifest.files:
            raise StorageBroken(f"the manifest of {file} does not vouch for {name}", _HINT)
    return manifest


def _unpacked(packed: Any, to: Path | None, member: Member) -> str:
    """The hash of what comes, no more than was announced."""
    hash_, left = hashlib.sha256(), member.bytes + 1
    out: BinaryIO | None = to.open("xb") if to else None
    try:
        while left > 0 and (chunk := packed.read(min(CHUNK, left))):
            left -= len(chunk)
            hash_.update(chunk)
            if out:
                out.write(chunk)
    finally:
        if out:
            out.close()
    return hash_.hexdigest()


def _member(what: Path | bytes) -> Member:
    if isinstance(what, bytes):
        return Member(len(what), hashlib.sha256(what).hexdigest())
    with what.open("rb") as file:
        return Member(what.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _zip(part: Path, manifest: Manifest, files: dict[str, Path | bytes]) -> None:
    # Most of it is packed already: to try harder takes three times as long for a hundredth.
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        for name, what in files.items():
            if isinstance(what, bytes):
                archive.writestr(name, what)
                continue
            with what.open("rb") as source, archive.open(name, "w", force_zip64=True) as out:
                shutil.copyfileobj(source, out, CHUNK)


def _summary(connection: Any, made: Path, asked: Incident, done: Cut) -> Data:
    """What happened: what fired, what changed most, who noted what, and where the tape is torn."""
    with still(made) as copy:
        facts = [
            told(row)
            for row in copy.execute(
                f"SELECT {EVENT} FROM events WHERE type <> 'metrics' ORDER BY seq"
            )
        ]
    view = View()
    for event in facts:
        evolve(view, event)
    alarms = [
        one
        for one in tape.firings(facts, view.texts)
        if one.start < asked.end and (one.end is None or one.end >= asked.start)
    ]
    marks = sorted(found(view.annotations.values(), Search(asked.start, asked.end)), key=since)
    runs = tape.lives(event for event in facts if event.seq <= done.last)
    damages: list[Damage] = []
    changed = _changed(connection, asked, damages)
    return {
        "title": asked.title,
        "from": rfc3339(asked.start),
        "to": rfc3339(asked.end),
        "source": asked.source,
        "created_at": rfc3339(asked.now),
        "playhead": asked.version,
        "events": done.events,
        "samples": done.samples,
        "series": len(view.series),
        "sources": sorted({*view.sources, *view.owner.values()}),
        "alerts": [tape.told(one) for one in alarms[:LISTED]],
        "annotations": [_mark(event, done, view) for event in marks[:LISTED]],
        "changed": changed,
        "starts": [rfc3339(at) for at in runs.starts if asked.start <= at < asked.end][:LISTED],
        "damaged": [msgspec.to_builtins(one) for one in (*done.damages, *damages)[:LISTED]],
    }


def _changed(connection: sqlite3.Connection, asked: Incident, damages: list[Damage]) -> list[Data]:
    names = export.declared(connection, damages.append)
    bins: dict[int, Bins] = {}
    long = (asked.end - asked.start) // BINS >= LONG_BINS_US
    if not (long and tiers.is_level(connection, MINUTE)):
        bins = _of_samples(connection, asked, names, damages)
    else:
        try:
            bins = _of_minutes(connection, asked, names, damages)
        except Damaged as error:
            damages.append(Damage("rollups", f"{MINUTE} s", error.detail))
            bins = _of_samples(connection, asked, names, damages)
    changes = ranked((one.change(series) for series, one in bins.items()), CHANGED)
    return [_change(one, *names[one.series]) for one in changes]


def _of_samples(
    connection: sqlite3.Connection, asked: Incident, names: Names, damages: list[Damage]
) -> dict[int, Bins]:
    bins: dict[int, Bins] = {}
    begin = 2 * asked.start - asked.end
    for run in export.runs(connection, names, begin, asked.end, damages.append):
        _bins(bins, asked, names, run.series).add(Column(run.ats, run.values))
    return bins


def _of_minutes(
    connection: sqlite3.Connection, asked: Incident, names: Names, damages: list[Damage]
) -> dict[int, Bins]:
    """Of long bins minutes say the same but for a few at their edges, and need no sample to be unpacked."""
    bins: dict[int, Bins] = {}
    span = (2 * asked.start - asked.end, asked.end)
    for series, buckets in tiers.stored(connection, MINUTE, *span):
        if series not in names:
            continue
        one = _bins(bins, asked, names, series)
        if one.is_counter:
            one.add(Column(buckets.last_at, buckets.last))
        else:
            one.add(Column(buckets.at, buckets.sum), buckets.count)
    for run in export.unsealed(connection, names, *span, damages.append):
        _bins(bins, asked, names, run.series).add(Column(run.ats, run.values))
    return bins


def _bins(bins: dict[int, Bins], asked: Incident, names: Names, series: int) -> Bins:
    if series not in bins:
        bins[series] = Bins(asked.start, asked.end, names[series][1].kind)
    return bins[series]


def _change(change: Change, source: str, series: Series) -> Data:
    return {
        "series": series_text(series.name, series.labels),
        "source": source,
        "unit": series.unit,
        "help": series.help,
        "score": round(change.score, 2),
        "at": rfc3339(change.at),
        "before": change.before,
        "during": change.during,
        "peak": change.peak,
        "line": numbers(change.line),
    }


def _host(connection: Any) -> str:
    """The source that a server started on last, or that the newest event came from."""
    newest = ""
    rows = connection.execute(
        f"SELECT {EVENT} FROM events WHERE type <> 'metrics' ORDER BY seq DESC LIMIT ?", (FACTS,)
    )
    for event in map(told, rows):
        newest = newest or event.source
        if isinstance(event.data, System) and event.data.what == "started":
            return event.source
    return newest


def _mark(event: Event, done: Cut, view: View) -> Data:
    frame = of_event(event, done.epoch, view.texts)
    assert frame is not None
    return {**frame.data, "later": event.seq > done.last}
