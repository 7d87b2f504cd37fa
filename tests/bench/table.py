"""The table: a figure of ours beside a reference of the same run, the range of the rounds, a target."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil


class Target(NamedTuple):
    """What the ratio, or our figure itself, should be at least (`≥`) or at most (`≤`)."""

    of: Literal["ratio", "ours"]
    sign: Literal["≥", "≤"]
    bound: float


class Row(NamedTuple):
    """`ours` and `theirs` hold a figure a round, in `unit`; the medians are what counts."""

    what: str
    unit: str
    ours: Sequence[float]
    reference: str = ""
    theirs: Sequence[float] = ()
    target: Target | None = None

    @property
    def middle(self) -> float:
        return statistics.median(self.ours)

    @property
    def their_middle(self) -> float | None:
        return statistics.median(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        """Ours in the reference."""
        return self.middle / self.their_middle if self.their_middle else None

    @property
    def met(self) -> bool | None:
        """None without a target."""
        if self.target is None:
            return None
        figure = self.middle if self.target.of == "ours" else self.ratio
        assert figure is not None
        bound = self.target.bound
        return figure >= bound if self.target.sign == "≥" else figure <= bound


class Head(NamedTuple):
    """Where and when it was measured: figures without these mean nothing."""

    version: str
    date: str
    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    python: str
    sqlite: str
    filesystem: str
    busy: str

    def words(self) -> str:
        return (
            f"Playhead {self.version}, {self.date}. {self.cpu}, {self.cores} cores, "
            f"{self.memory_gib} GiB; {self.kernel}; Python {self.python}; SQLite {self.sqlite}; "
            f"data on {self.filesystem}. {self.busy}"
        )


def head(version: str, sqlite: str, directory: Path) -> Head:
    return Head(
        version=version,
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite,
        filesystem=_filesystem(directory),
        busy=f"Load before: {psutil.getloadavg()[0]:.1f}.",
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _filesystem(directory: Path) -> str:
    place = directory.resolve()
    under = [
        part
        for part in psutil.disk_partitions(all=True)
        if place == Path(part.mountpoint) or Path(part.mountpoint) in place.parents
    ]
    return max(under, key=lambda part: len(part.mountpoint)).fstype if under else "?"


COLUMNS = ("what", "ours", "range", "reference", "ratio", "target")


def cells(row: Row) -> tuple[str, ...]:
    theirs = row.their_middle
    reference = f"{_figure(theirs)} ({row.reference})" if theirs is not None else row.reference
    target = ""
    if row.target is not None:
        what = "" if row.target.of == "ratio" else f" {row.unit}"
        mark = "met" if row.met else "**missed**"
        target = f"{row.target.sign} {row.target.bound:g}{what}: {mark}"
    return (
        row.what,
        f"{_figure(row.middle)} {row.unit}".strip(),
        f"{_figure(min(row.ours))} to {_figure(max(row.ours))}" if len(row.ours) > 1 else "",
        reference,
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        target,
    )


def markdown(rows: Sequence[Row]) -> str:
    """A table that reads well as plain text too."""
    lines = [COLUMNS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    padded = [
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    return "\n".join([padded[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *padded[1:]])


def plain(rows: Sequence[Row], where: Head) -> dict[str, Any]:
    return {
        "machine": where._asdict(),
        "rows": [
            {
                "what": row.what,
                "unit": row.unit,
                "ours": row.middle,
                "rounds": list(row.ours),
                "reference": row.reference,
                "theirs": row.their_middle,
                "their_rounds": list(row.theirs),
                "ratio": row.ratio,
                "target": row.target._asdict() if row.target else None,
                "met": row.met,
            }
            for row in rows
        ],
    }


def _figure(value: float) -> str:
    """Three digits that mean something, thousands apart."""
    if value >= 1000:
        magnitude = 10 ** max(0, len(str(int(value))) - 3)
        return f"{round(value / magnitude) * magnitude:,}"
    return f"{value:.3g}"
