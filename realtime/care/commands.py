"""The commands that care for a log: what they do is in `storage`, here is what they are told and tell.

Each answers with an exit code: 0 good, 1 the work failed or the log is damaged, 2 bad usage.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from realtime.care.progress import ProgressLine
from realtime.core.naming import series_text
from realtime.core.selectors import Selector
from realtime.core.times import EARLIEST, LATEST, parse_time, rfc3339
from realtime.errors import BadDial, PlayheadError
from realtime.incident import Incident, pack
from storage import export as exporting
from storage.backup import backup, restore, written
from storage.compact import compact
from storage.events import Series
from storage.look import FILE, look
from storage.proof import Damage
from storage.salvage import salvage
from storage.stats import stats
from storage.verify import verify

SHOWN = 20
"""Damages on a terminal; --json has all that were named."""
SINCE = "playhead.samples_since"
"""In the metadata of a Parquet file, which is read where nobody has seen what the command said."""


class Care:
    """One command on the log in `directory`. `asked` are its own words, `now` is µs UTC, `version` this
    program's."""

    def __init__(
        self,
        directory: Path,
        asked: Mapping[str, Any],
        now: int,
        out: TextIO,
        err: TextIO,
        version: str = "",
    ) -> None:
        self._version = version
        self._directory = directory
        self._path = directory / FILE
        self._asked = asked
        self._now = now
        self._out = out
        self._err = err
        self._json = bool(asked.get("json"))
        self._progress = ProgressLine(None if self._json or not err.isatty() else err)

    def run(self, command: str) -> int:
        work: dict[str, Callable[[], int]] = {
            "verify": self._verify,
            "compact": self._compact,
            "backup": self._backup,
            "restore": self._restore,
            "export": self._export,
            "stats": self._stats,
        }
        try:
            return work[command]()
        except BadDial:
            raise
        except PlayheadError as error:
            self._progress.end()
            if self._json:
                self._say({"error": {"detail": error.detail, "hint": error.hint}})
            else:
                print(f"{error.detail}\n{error.hint}".strip(), file=self._err)
            return 1

    def _say(self, found: Any, *lines: str) -> None:
        """One JSON object, or sentences."""
        self._progress.end()
        if self._json:
            print(msgspec.json.encode(found).decode(), file=self._out, flush=True)
        else:
            print("\n".join(lines), file=self._out, flush=True)

    def _verify(self) -> int:
        with look(self._path) as connection:
            if "salvage" in self._asked:
                return self._salvage(connection, Path(self._asked["salvage"]))
            report = verify(connection, self._progress)
        told = {**msgspec.to_builtins(report), "sound": report.sound}
        self._say(
            told,
            f"{report.head:,} events, of which {report.floor:,} and later are all held; "
            f"{report.series:,} series, {report.samples:,} samples in {report.ticks:,} ticks",
            f"checked: {report.facts + report.rows:,} rows, {report.segments:,} segments with "
            f"{report.columns:,} columns, {report.rollups:,} blocks of rollups",
            *_damages(report.damages, report.more),
            "Every byte is as it was written."
            if report.sound
            else "What is around the damage can be read; verify --salvage DIR saves it.",
        )
        return 0 if report.sound else 1

    def _salvage(self, connection: Any, directory: Path) -> int:
        saved = salvage(connection, directory, self._now, self._progress)
        with look(directory / FILE) as again:
            report = verify(again, self._progress)
        self._say(
            {**msgspec.to_builtins(saved), "sound": report.sound},
            *_damages(saved.damages, 0),
            f"saved in {saved.data}: {saved.facts:,} facts, {saved.samples:,} samples in "
            f"{saved.ticks:,} ticks, {saved.rollups:,} blocks of rollups",
            f"lost: {sum(last - first + 1 for first, last in saved.lost):,} events, and the names of "
            f"{len(saved.renamed):,} series",
            f"The new log's epoch is {saved.epoch}; it holds everything from event {saved.floor:,} on.",
        )
        return 0 if report.sound else 1

    def _compact(self) -> int:
        done = asyncio.run(compact(self._path, self._now, self._progress))
        ratio = f", {done.bytes_per_sample} bytes a sample" if done.bytes_per_sample else ""
        self._say(
            done,
            f"{done.segments:,} segments sealed; {done.before:,} bytes before, "
            f"{done.after:,} after{ratio}",
            *([f"Rollups were not written anew: {done.left}."] if done.left else []),
        )
        return 0

    def _backup(self) -> int:
        file = self._target(self._asked["file"])
        done = backup(self._path, file, force="force" in self._asked, progress=self._progress)
        self._say(
            done,
            f"{done.file}: {done.bytes:,} bytes, up to event {done.head:,} of epoch {done.epoch}, "
            f"in {done.seconds:.1f} s",
        )
        return 0

    def _restore(self) -> int:
        file = Path(self._asked["file"])
        done = restore(file, self._directory, force="force" in self._asked, progress=self._progress)
        self._say(
            done,
            f"{done.data} holds the log of {file}, up to event {done.head:,}.",
            f"Its epoch is {done.epoch} from now on and no more {done.epoch_of_backup}: "
            "pages that are open begin anew.",
            *([f"The log that was there is {done.aside} now."] if done.aside else []),
        )
        return 0

    def _export(self) -> int:
        words = list(self._asked.get("words", ()))
        if words:
            return self._incident(words)
        start, end = self._moment("start", EARLIEST), self._moment("end", LATEST)
        if start >= end:
            raise BadDial("--from is not before --to.", "Swap them.", origin="flag")
        format_ = self._asked["format"]
        to = self._asked.get("out", "-")
        if to == "-" and format_ == "parquet":
            raise BadDial(
                "Parquet has to be written to a file.", "Name one with --out FILE.", origin="flag"
            )
        if to == "-" and self._json:
            raise BadDial(
                "--json and the samples cannot both go to standard output.",
                "Name a file with --out FILE.",
                origin="flag",
            )
        wanted = self._wanted()
        file = None if to == "-" else self._new(to)
        damages: list[Damage] = []
        with look(self._path) as connection:
            names = {
                id_: (source, series_text(series.name, series.labels))
                for id_, (source, series) in exporting.declared(connection, damages.append).items()
                if any(test(source, series) for test in wanted)
            }
            since = exporting.whole_since(connection, damages.append)
            told_since = rfc3339(since) if start < since else None
            remarks = {SINCE: told_since} if told_since else {}
            found = exporting.runs(connection, names, start, end, damages.append, self._progress)
            with self._opened(file) as out:
                done = exporting.write(found, names, format_, out, remarks)
        if file is not None:
            done.bytes = file.stat().st_size
        done.damages = damages
        done.samples_since = since if start < since else 0
        lines = _damages(damages, 0)
        if told_since:
            lines.append(
                f"samples before {told_since} were given up by retention: of these there is what was left; "
                "the server tells their rollups (query)"
            )
        if file is not None:
            told = msgspec.to_builtins(done)
            told["samples_since"] = told_since
            self._say(
                told,
                *lines,
                f"{file}: {done.samples:,} samples of {done.series:,} series, {done.bytes:,} bytes",
            )
        else:
            self._progress.end()
            for line in lines:
                print(line, file=self._err)
        return 1 if damages else 0

    def _new(self, name: str) -> Path:
        file = self._target(name)
        if file.exists() and "force" not in self._asked:
            raise BadDial(f"{file} is there already.", "Choose another name, or say --force.")
        return file

    def _target(self, name: str) -> Path:
        """A file to write, which is none of the log's own: these no --force gives up."""
        file = Path(name)
        log = self._path.resolve()
        if file.resolve() in {log, *(log.with_name(FILE + end) for end in ("-wal", "-shm"))}:
            raise BadDial(f"{file} is the log itself.", "Choose another name.", origin="flag")
        return file

    def _incident(self, words: list[str]) -> int:
        if words[0] != "incident" or len(words) != 2 or "start" not in self._asked:
            raise BadDial(
                f"export cannot be asked for {' '.join(words)!r}.",
                "Say export incident --from TIME --to TIME FILE.",
                origin="flag",
            )
        file = self._new(words[1])
        start, end = self._moment("start", EARLIEST), self._moment("end", self._now)
        title = self._asked.get("title", "")
        asked = Incident(start, end, title, "", self._now, self._version)
        done = pack(self._path, file, asked, self._progress)
        self._say(
            done,
            f"{file}: {done.events:,} events, {done.samples:,} samples from {rfc3339(start)[:19]}Z to "
            f"{rfc3339(end)[:19]}Z, {file.stat().st_size:,} bytes",
            f"Show it with playhead open {file}",
        )
        return 1 if done.damages else 0

    @contextlib.contextmanager
    def _opened(self, file: Path | None) -> Any:
        if file is None:
            binary: BinaryIO = self._out.buffer
            yield binary
            binary.flush()
            return
        with written(file) as part, part.open("wb") as out:
            yield out

    def _moment(self, word: str, otherwise: int) -> int:
        if word not in self._asked:
            return otherwise
        try:
            return parse_time(self._asked[word], self._now)
        except ValueError as error:
            flag = {"start": "--from", "end": "--to"}[word]
            raise BadDial(f"{flag}: {error}.", "See playhead export --help.", origin=flag) from None

    def _wanted(self) -> list[Callable[[str, Series], bool]]:
        """Tests of (source, series), any of which is enough; without a word all series are meant."""
        tests: list[Callable[[str, Series], bool]] = []
        texts = set(self._asked.get("series", ()))
        if texts:
            tests.append(lambda _, series: series_text(series.name, series.labels) in texts)
        for text in self._asked.get("match", ()):
            try:
                selector = Selector.parse(text)
            except ValueError as error:
                raise BadDial(
                    f"--match: {error}.", "See playhead export --help.", origin="--match"
                ) from None
            tests.append(_meant(selector))
        return tests or [lambda _source, _series: True]

    def _stats(self) -> int:
        with look(self._path) as connection:
            found = stats(connection, self._path)
        lines = [
            f"log      {self._path}, epoch {found.epoch}, SQLite {found.sqlite_version}",
            f"events   {found.events:,} ({found.floor:,} to {found.head:,}), {found.facts:,} facts, "
            f"{found.unsealed_ticks:,} ticks not yet sealed",
            f"samples  {found.samples:,}, {found.sealed_samples:,} of them in "
            f"{found.segments:,} segments, {_span(found.oldest, found.newest)}",
            f"bytes    {found.bytes:,} and {found.wal_bytes:,} in the WAL, {found.free_bytes:,} free"
            + (f"; {found.bytes_per_sample} a sample" if found.bytes_per_sample else ""),
        ]
        lines += [
            f"         {name:<12} {table.rows:>10,} rows {table.bytes:>14,} bytes"
            for name, table in found.tables.items()
        ]
        lines += [
            f"tier     {name:<12} {tier.rows:>10,} rows {tier.bytes:>14,} bytes, "
            f"{_span(tier.oldest, tier.newest)}"
            for name, tier in found.tiers.items()
        ]
        told = msgspec.to_builtins(found)
        for where in (told, *told["tiers"].values()):
            for word in ("created_at", "oldest", "newest"):
                if where.get(word) is not None:
                    where[word] = rfc3339(where[word])
        self._say(told, *lines)
        return 0


def _meant(selector: Selector) -> Callable[[str, Series], bool]:
    return lambda source, series: selector.matches(series.name, series.labels, source)


def _span(oldest: int | None, newest: int | None) -> str:
    if oldest is None or newest is None:
        return "none"
    return f"{rfc3339(oldest)[:19]}Z to {rfc3339(newest)[:19]}Z"


def _damages(damages: list[Damage], more: int) -> list[str]:
    lines = [f"damaged: {damage.table} {damage.key}: {damage.what}" for damage in damages[:SHOWN]]
    left = len(damages) - SHOWN + more
    return [*lines, f"… and {left:,} more"] if left > 0 else lines


def run(
    command: str, directory: Path, asked: Mapping[str, Any], now: int, version: str = ""
) -> int:
    return Care(directory, asked, now, sys.stdout, sys.stderr, version).run(command)
