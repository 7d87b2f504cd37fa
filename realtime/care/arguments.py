"""The words each command of care understands besides the dials `config` and `data`."""

import argparse
import re
from collections.abc import Sequence

COMMANDS = ("verify", "compact", "backup", "restore", "export", "stats", "replay")
FORMATS = ("parquet", "csv", "ndjson")


def add(command: str, parser: argparse.ArgumentParser) -> None:
    """Teach `parser` the flags of `command`. What was not said is not in the namespace."""
    if command in ("backup", "restore"):
        parser.add_argument("file", metavar="FILE", help=f"the backup to {_VERBS[command]}")
    if command == "verify":
        parser.add_argument(
            "--salvage",
            metavar="DIR",
            help="write what can be proved into this new directory, as a log with a new epoch",
        )
    if command == "export":
        parser.add_argument(
            "words",
            nargs="*",
            metavar="incident FILE",
            help="the span in one file that any Playhead opens; samples without these words",
        )
        parser.add_argument("--title", metavar="TEXT", help="what the incident is called")
        _range(parser)
    if command == "replay":
        _replay(parser)
    if command in ("backup", "restore", "export"):
        parser.add_argument("--force", action="store_true", help=_FORCE[command])
    as_json = (
        "one frame a line"
        if command == "replay"
        else "one JSON object on standard output, no progress"
    )
    parser.add_argument("--json", action="store_true", help=as_json)


def joined(words: Sequence[str]) -> list[str]:
    """`--from -1h` as `--from=-1h`: a time in the past looks like a flag to argparse."""
    out: list[str] = []
    for word in words:
        if out and out[-1] in ("--from", "--to") and re.match(r"-\d", word):
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


_VERBS = {"backup": "write", "restore": "read"}
_FORCE = {
    "backup": "replace FILE if it is there",
    "restore": "put aside the log that is there",
    "export": "replace the file if it is there",
}


WHEN = "RFC 3339, epoch seconds, now, or relative such as -15m"


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", metavar="TIME", default="-15m", help=f"first moment: {WHEN} (-15m)"
    )
    parser.add_argument("--to", dest="end", metavar="TIME", help="where it ends; left out, now")
    parser.add_argument(
        "--speed", metavar="N", default="1", help="0.25 to 1000, or max: as fast as it reads (1)"
    )
    parser.add_argument("--rooms", metavar="A,B", help="what is heard (dashboard: all of it)")
    parser.add_argument(
        "--match",
        action="append",
        metavar="SELECTOR",
        help="show the ticks of these series, too; may be given again",
    )
    parser.add_argument(
        "--skip-idle",
        dest="skip_idle_s",
        metavar="SECONDS",
        type=float,
        default=0.0,
        help="jump over a silence longer than this",
    )
    parser.add_argument(
        "--url", metavar="URL", help="a running server, instead of a data directory that none uses"
    )


def _range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", metavar="TIME", help=f"first moment: {WHEN}")
    parser.add_argument("--to", dest="end", metavar="TIME", help="first moment not wanted any more")
    parser.add_argument(
        "--series",
        action="append",
        metavar="NAME",
        help='a series as name or name{label="value"}; may be given again',
    )
    parser.add_argument(
        "--match",
        action="append",
        metavar="SELECTOR",
        help="all series a selector means, as in Prometheus; may be given again",
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="default parquet")
    parser.add_argument(
        "--out", metavar="FILE", help="where to; - for standard output, not Parquet"
    )
