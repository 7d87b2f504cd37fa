"""`make bench`: one table, each figure of ours beside a reference measured in the same run.

make bench                        everything, some ten minutes
make bench ARGS=--json            the table as JSON
make bench ARGS="--only reads"    one part: commits, idle, reads, latency, log, crowd, page, replay
make bench ARGS=--short           seconds instead of minutes; for a look, not for the record
make bench ARGS=--write           everything, and the table into docs/performance.md
"""

# ruff: noqa: E402  as in run.py: the newer sqlite3 has to stand there first
from storage.sqlite import prefer_bundled, version

prefer_bundled()

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from run import VERSION
from tests.bench import commits, crowd, idle, latency, log, page, reads, replay
from tests.bench.table import Head, Row, head, markdown, plain

PARTS: dict[str, Callable[[Path, bool], Awaitable[list[Row]]]] = {
    "commits": commits.measure,
    "reads": reads.measure,
    "latency": latency.measure,
    "idle": idle.measure,
    "log": log.measure,
    "crowd": crowd.measure,
    "page": page.measure,
    "replay": replay.measure,
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- bench -->\n", "<!-- /bench -->\n"
DISK = Path("/var/tmp")
"""By custom not in memory, as /tmp may be: fsync has to mean something."""


async def measured(parts: list[str], directory: Path, short: bool) -> list[Row]:
    rows: list[Row] = []
    for part in parts:
        print(f"measuring {part} …", file=sys.stderr, flush=True)
        rows += await PARTS[part](directory, short)
    return rows


def written(page: str, where: Head, rows: list[Row]) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{where.words()}\n\n{markdown(rows)}\n{END}{after}"


def _as_installed(directory: Path) -> None:
    """Servers find their modules compiled, as in a wheel that was installed and in the binary: where Python is told
    to write no bytecode, a start out of a checkout compiled all of ours again, a third of the time it took."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    parser.add_argument("--short", action="store_true", help="for a look, not for the record")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"the table into {PAGE.name} too")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if chosen.write and (chosen.only or chosen.short):
        parser.error("--write wants the whole table, measured in full")
    with tempfile.TemporaryDirectory(
        prefix="playhead-bench-", dir=DISK if DISK.is_dir() else None
    ) as empty:
        _as_installed(Path(empty))
        where = head(VERSION, version(), Path(empty))
        rows = asyncio.run(measured(chosen.only or list(PARTS), Path(empty), chosen.short))
    if chosen.json:
        print(msgspec.json.format(msgspec.json.encode(plain(rows, where))).decode())
    else:
        print(f"\n{where.words()}\n\n{markdown(rows)}")
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text(), where, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
