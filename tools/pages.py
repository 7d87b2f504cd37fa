"""Writes the parts of docs/ that are made from the code: `python tools/pages.py`.

Each stands between two comments of its name. The tests compare them, so nobody has to remember.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from realtime.collect.collector import Collector  # noqa: E402
from realtime.collect.lineup import default_collectors  # noqa: E402
from realtime.collect.own import Server  # noqa: E402
from realtime.core.batch import Descriptor  # noqa: E402
from realtime.settings import markdown  # noqa: E402


def dials() -> list[str]:
    return markdown()


def descriptors() -> dict[str, dict[str, Descriptor]]:
    """Collector → what it can tell."""

    def nobody(*_: Any) -> Any:
        raise AssertionError("only its table is looked at")

    server = Server(
        requests=nobody,
        connections=nobody,
        loop_lag_s=nobody,
        commit_s=nobody,
        events=nobody,
        queued=nobody,
        log_bytes=nobody,
    )
    collectors: list[Collector] = [*default_collectors(), server]
    return {one.name: dict(one.descriptors) for one in collectors}


def metrics() -> list[str]:
    lines = ["| metric | unit | what it says |", "|---|---|---|"]
    for told in descriptors().values():
        lines += [f"| `{name}` | {about.unit} | {about.help} |" for name, about in told.items()]
    return lines


PARTS: Mapping[str, tuple[str, Any]] = {
    "dials": ("docs/configure.md", dials),
    "metrics": ("docs/metrics.md", metrics),
}


def written(page: str, part: str, lines: list[str]) -> str:
    """`page` with `lines` between the comments of `part`."""
    begin, end = f"<!-- {part} -->\n", f"<!-- /{part} -->\n"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"there is no place for {part}")
    return before + begin + "\n".join(lines) + "\n" + end + after


def main() -> None:
    for part, (name, make) in PARTS.items():
        path = ROOT / name
        path.write_text(written(path.read_text(), part, make()))


if __name__ == "__main__":
    main()
