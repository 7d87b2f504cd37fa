"""The dials: one table of names, defaults, units and words.

`--help`, the documentation and every complaint about a bad value are made from the table below.
A value comes from, the later the stronger: its default, the TOML file named by `config`, the
environment (`PLAYHEAD_PORT`), the command line (`--port`). All are checked together at start and
frozen; only run.py reads them, everybody else is handed plain values.
"""
# ruff: noqa: E501 - the table reads best with a dial a line

import argparse
import dataclasses
import difflib
import ipaddress
import os
import socket
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_origin, get_type_hints

from realtime.care import arguments
from realtime.core.naming import check_source
from realtime.errors import BadDial

PREFIX = "PLAYHEAD_"

COMMANDS = {
    "serve": "run the server (this is what happens without a command)",
    "verify": "read all of the log and name what is damaged",
    "compact": "seal all that can be sealed and give the space back; the server must be stopped",
    "backup": "copy the log into one file, while the server runs or not",
    "restore": "put a backup in the place of the log; the server must be stopped",
    "export": "write samples as Parquet, CSV or NDJSON, or an incident as one file",
    "open": "show an incident that was exported, read-only",
    "stats": "say what the log holds and where its bytes are",
    "replay": "play what happened in the terminal, from a data directory or a running server",
    "openapi": "print the OpenAPI document",
    "version": "print the version",
}

Value = str | int | float | tuple[str, ...]
METAVARS: dict[type, str] = {str: "TEXT", int: "N", float: "N", tuple: "A,B"}


@dataclass(frozen=True, slots=True)
class Dial:
    """What a dial is for. `low` and `high` are the bounds of a number, both allowed."""

    group: str
    help: str
    unit: str = ""
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()


LISTEN, RECORD, INTAKE, MEMORY, CLIENTS, ALERTS = (
    "listening",
    "recording",
    "taking in",
    "memory",
    "clients",
    "alerts",
)
ALIKE = 0.7
"""So much of a word is the other one, where that may have been meant."""
MILLION = 1_000_000
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Fires when a value stays over `above` for `hold_s`, ends when it is under `clear`."""

    above: float
    clear: float
    hold_s: float


# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`command`, `asked`, `selftest` and `warnings` are not dials: what to do, with which words of the
    command's own, and what run.py should log."""

    command: str = "serve"
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    selftest: bool = False
    warnings: tuple[str, ...] = ()

    config: Annotated[str, Dial(LISTEN, "TOML file to read dials from")] = ""
    data: Annotated[str, Dial(LISTEN, "directory that holds the whole state; empty: the platform's place for data")] = ""
    host: Annotated[str, Dial(LISTEN, "address to listen on")] = "127.0.0.1"
    port: Annotated[int, Dial(LISTEN, "port to listen on; 0 picks a free one", "", 0, 65_535)] = 8765
    auth: Annotated[str, Dial(LISTEN, "sign-in; off is allowed on a loopback address only", choices=("off",))] = "off"
    allowed_hosts: Annotated[tuple[str, ...], Dial(LISTEN, "further names by which browsers may call this server, such as those of a reverse proxy; separated by commas")] = ()
    log_level: Annotated[str, Dial(LISTEN, "least important log lines to write", choices=("debug", "info", "warning", "error"))] = "info"
    log_format: Annotated[str, Dial(LISTEN, "shape of log lines; auto: human on a terminal, json otherwise", choices=("auto", "human", "json"))] = "auto"

    source: Annotated[str, Dial(RECORD, "name of this host in the history; empty: its host name")] = ""
    interval_s: Annotated[float, Dial(RECORD, "time between two ticks of the collectors", "seconds", 0.1, 60)] = 1.0
    processes_interval_s: Annotated[float, Dial(RECORD, "time between two looks at all processes", "seconds", 1, 3_600)] = 5.0
    top_processes: Annotated[int, Dial(RECORD, "how many commands to record by CPU and by memory", "", 0, 100)] = 10
    dashboards_dir: Annotated[str, Dial(RECORD, "directory whose *.json files are dashboards; empty: dashboards.d in the data directory")] = ""
    source_lost_s: Annotated[float, Dial(RECORD, "silence after which a source counts as lost", "seconds", 1, 86_400)] = 30.0
    checkpoint_s: Annotated[float, Dial(RECORD, "time between two checkpoints, which make starting fast", "seconds", 1, 86_400)] = 300.0
    seal_after_s: Annotated[float, Dial(RECORD, "age at which ticks may be sealed into compressed columns", "seconds", 1, 86_400)] = 120.0
    retain_raw_days: Annotated[float, Dial(RECORD, "how long every sample is kept", "days", 0.01, 36_500)] = 14.0
    retain_10s_days: Annotated[float, Dial(RECORD, "how long the 10 second rollup is kept; no shorter than every sample", "days", 0.01, 36_500)] = 60.0
    retain_1m_days: Annotated[float, Dial(RECORD, "how long the 1 minute rollup is kept; no shorter than the 10 second one", "days", 0.01, 36_500)] = 400.0
    retain_1h_days: Annotated[float, Dial(RECORD, "how long the 1 hour rollup is kept; no shorter than the 1 minute one", "days", 0.01, 36_500)] = 3650.0
    retain_bytes: Annotated[int, Dial(RECORD, "size of the log beyond which the oldest samples go before their time; 0 for no bound", "bytes", 0, 1 << 50)] = 0
    flush_ms: Annotated[float, Dial(RECORD, "longest wait for company before a commit", "milliseconds", 0, 1_000)] = 5.0
    flush_events: Annotated[int, Dial(RECORD, "events that start a commit at once", "", 1, MILLION)] = 500
    flush_bytes: Annotated[int, Dial(RECORD, "bytes that start a commit at once", "bytes", 1, GIB)] = 262_144
    queue_events: Annotated[int, Dial(RECORD, "events that may wait for a commit; more are answered with 429", "", 1, 10 * MILLION)] = 20_000
    queue_bytes: Annotated[int, Dial(RECORD, "bytes that may wait for a commit, and bytes of bodies in hand; more are answered with 429", "bytes", 1, 16 * GIB)] = 16_777_216

    max_body_bytes: Annotated[int, Dial(INTAKE, "largest body of a request; larger ones are answered with 413", "bytes", 1_024, GIB)] = 8_388_608
    max_samples: Annotated[int, Dial(INTAKE, "samples one request may bring", "", 1, 10 * MILLION)] = 200_000
    max_series: Annotated[int, Dial(INTAKE, "series one source may have; of the host's own, a tenth but at most 1,000 are not for what is pushed", "", 1, 10 * MILLION)] = 10_000
    max_series_total: Annotated[int, Dial(INTAKE, "series all sources may have together, of which a tenth but at most 1,000 are for what the host measures itself; each takes some 15 kB of memory", "", 1, 10 * MILLION)] = 100_000
    max_sources: Annotated[int, Dial(INTAKE, "sources this server may know", "", 1, MILLION)] = 1_000
    future_s: Annotated[float, Dial(INTAKE, "how far ahead of this server's clock a sample may lie", "seconds", 0, 86_400)] = 300.0

    window_points: Annotated[int, Dial(MEMORY, "recent samples of each series kept in memory", "", 60, 100_000)] = 960
    ring_events: Annotated[int, Dial(MEMORY, "recent events kept in memory for those who return", "", 1, 10 * MILLION)] = 8_192
    ring_bytes: Annotated[int, Dial(MEMORY, "bytes these recent events may take", "bytes", 65_536, 16 * GIB)] = 33_554_432
    shelf_entries: Annotated[int, Dial(MEMORY, "answers the cache holds", "", 1, MILLION)] = 1_000
    shelf_bytes: Annotated[int, Dial(MEMORY, "bytes the cache holds", "bytes", 65_536, 16 * GIB)] = 67_108_864
    shelf_ttl_s: Annotated[float, Dial(MEMORY, "time after which the cache forgets an answer", "seconds", 0, 86_400)] = 300.0

    max_replays: Annotated[int, Dial(CLIENTS, "replays that may play at once, each for any number of watchers up to 100; more are refused", "", 0, 10_000)] = 64
    max_connections: Annotated[int, Dial(CLIENTS, "streams open at once; fewer where the system gives the process fewer files", "", 1, MILLION)] = 10_000
    outbox_bytes: Annotated[int, Dial(CLIENTS, "bytes that may wait for one slow client", "bytes", 16_384, GIB)] = 1_048_576
    outboxes_bytes: Annotated[int, Dial(CLIENTS, "bytes that may wait for all clients together; beyond them the slowest are let go", "bytes", MILLION, 64 * GIB)] = 268_435_456
    max_per_address: Annotated[int, Dial(CLIENTS, "streams one address (of IPv6: one /64) may hold, unless it is this machine's own; 0 for no bound", "", 0, MILLION)] = 256
    max_rooms: Annotated[int, Dial(CLIENTS, "rooms of the clients' own naming that may have somebody in them at once", "", 1, 10 * MILLION)] = 20_000
    stall_s: Annotated[float, Dial(CLIENTS, "time after which a client that takes nothing is let go", "seconds", 1, 3_600)] = 30.0
    heartbeat_s: Annotated[float, Dial(CLIENTS, "time between two heartbeats on a quiet stream", "seconds", 1, 300)] = 15.0
    poll_s: Annotated[float, Dial(CLIENTS, "longest wait of a long poll", "seconds", 1, 300)] = 25.0
    socketio: Annotated[str, Dial(CLIENTS, "Socket.IO clients at /socket.io/; auto: where the extra playhead[socketio] is installed", choices=("auto", "off"))] = "auto"
    resume_events: Annotated[int, Dial(CLIENTS, "events a returning client is told one by one; after more it starts from a snapshot", "", 0, 10 * MILLION)] = 20_000
    query_points: Annotated[int, Dial(CLIENTS, "points a query gives for each series unless it asks otherwise", "", 2, 10_000)] = 2_000
    query_rows: Annotated[int, Dial(CLIENTS, "samples one query may read", "", 1_000, 100 * MILLION)] = MILLION

    alert_cpu_above: Annotated[float, Dial(ALERTS, "CPU: the alert fires above this", "percent", 0, 100)] = 80.0
    alert_cpu_clear: Annotated[float, Dial(ALERTS, "CPU: the alert ends below this", "percent", 0, 100)] = 75.0
    alert_cpu_hold_s: Annotated[float, Dial(ALERTS, "CPU: only after so long", "seconds", 0, 86_400)] = 10.0
    alert_memory_above: Annotated[float, Dial(ALERTS, "memory: the alert fires above this", "percent", 0, 100)] = 85.0
    alert_memory_clear: Annotated[float, Dial(ALERTS, "memory: the alert ends below this", "percent", 0, 100)] = 80.0
    alert_memory_hold_s: Annotated[float, Dial(ALERTS, "memory: only after so long", "seconds", 0, 86_400)] = 10.0
    alert_disk_above: Annotated[float, Dial(ALERTS, "filesystem: the alert fires above this", "percent", 0, 100)] = 90.0
    alert_disk_clear: Annotated[float, Dial(ALERTS, "filesystem: the alert ends below this", "percent", 0, 100)] = 88.0
    alert_disk_hold_s: Annotated[float, Dial(ALERTS, "filesystem: only after so long", "seconds", 0, 86_400)] = 30.0
    alert_response_time_above: Annotated[float, Dial(ALERTS, "p95 response time: the alert fires above this", "milliseconds", 0, 3_600_000)] = 1_000.0
    alert_response_time_clear: Annotated[float, Dial(ALERTS, "p95 response time: the alert ends below this", "milliseconds", 0, 3_600_000)] = 800.0
    alert_response_time_hold_s: Annotated[float, Dial(ALERTS, "p95 response time: only after so long", "seconds", 0, 86_400)] = 10.0
    alert_error_rate_above: Annotated[float, Dial(ALERTS, "share of 5xx answers: the alert fires above this", "percent", 0, 100)] = 5.0
    alert_error_rate_clear: Annotated[float, Dial(ALERTS, "share of 5xx answers: the alert ends below this", "percent", 0, 100)] = 3.0
    alert_error_rate_hold_s: Annotated[float, Dial(ALERTS, "share of 5xx answers: only after so long", "seconds", 0, 86_400)] = 10.0
# fmt: on

    @property
    def alerts(self) -> dict[str, Thresholds]:
        """By rule, in the units of the dials: percent and milliseconds."""
        return {
            rule: Thresholds(*(getattr(self, f"alert_{rule}_{part}") for part in PARTS))
            for rule in RULES
        }


CARE_DIALS = ("config", "data")
"""All that a command other than serve takes of the dials."""

SERVING = ("serve", "open")
"""What listens and answers."""

RULES = ("cpu", "memory", "disk", "response_time", "error_rate")
PARTS = ("above", "clear", "hold_s")


@dataclass(frozen=True, slots=True)
class Row:
    """A dial with its name, type and default: a row of the table."""

    name: str
    type: type
    default: Value
    dial: Dial

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def accepted(self) -> str:
        """What would do, as the end of a sentence."""
        dial = self.dial
        if dial.choices:
            return f"one of {', '.join(dial.choices)}" if len(dial.choices) > 1 else dial.choices[0]
        if self.type in (int, float):
            kind = "a whole number" if self.type is int else "a number"
            of = f" of {dial.unit}" if dial.unit else ""
            return f"{kind}{of} from {dial.low:,} to {dial.high:,}"
        return "a list of texts" if self.type is tuple else "a text"


def table() -> dict[str, Row]:
    """Every dial by name, in the order of the help."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = {}
    for field in dataclasses.fields(Settings):
        hint = hints[field.name]
        if get_origin(hint) is Annotated:
            kind = get_origin(hint.__origin__) or hint.__origin__
            default: Any = field.default
            rows[field.name] = Row(field.name, kind, default, hint.__metadata__[0])
    return rows


def markdown() -> list[str]:
    """The table of dials as rows of Markdown, its head first."""
    lines = ["| dial | default | unit | accepts | what it does |", "|---|---|---|---|---|"]
    for row in table().values():
        default = f"`{_written(row.default)}`" if _written(row.default) else ""
        words = (f"`{row.name}`", default, row.dial.unit, row.accepted, row.dial.help)
        lines.append("| " + " | ".join(words) + " |")
    return lines


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings of this run, `argv` without the program's name. BadDial names the dial, where
    its value came from and what would do. `--help` prints and leaves through SystemExit(0).
    """
    command, rest = _command(list(argv))
    parser = _parser(command)
    flags = vars(parser.parse_intermixed_args(arguments.joined(rest)))
    if command not in (*SERVING, *arguments.COMMANDS):
        return Settings(command=command)
    rows = table()
    selftest = flags.pop("selftest", False)
    asked = {name: flags.pop(name) for name in [*flags] if name not in rows}
    values: dict[str, Value] = {}
    variables, warnings = _from_environment(rows, environ)
    layers = [variables, [(rows[name], rows[name].flag, text) for name, text in flags.items()]]
    file = flags.get("config") or environ.get(rows["config"].variable, "")
    if file:
        layers.insert(0, _from_file(rows, Path(file).expanduser()))
    origins: dict[str, str] = {}
    for layer in layers:
        for row, origin, given in layer:
            if not _takes(command, row):
                continue  # a log can be cared for whatever is wrong with a dial of the server
            values[row.name] = _parsed(row, origin, given)
            origins[row.name] = origin
    values["data"] = _data(values, environ)
    if command not in SERVING:
        return Settings(command=command, asked=asked, **values)  # type: ignore[arg-type]
    values["source"] = _source(values, origins)
    if command == "open" and origins.get("port") != rows["port"].flag:
        values["port"] = 0  # that of the server on this machine is taken as a rule
    told = {"asked": asked, "selftest": selftest, "warnings": warnings}
    settings = Settings(command=command, **told, **values)  # type: ignore[arg-type]
    _check_together(settings, origins)
    return settings


def default_data(environ: Mapping[str, str], platform: str, root: bool) -> Path:
    """Where this platform keeps the data of programs; systemd's StateDirectory= goes first."""
    if state := environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])  # systemd.exec(5): several are separated by colons
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "playhead"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "playhead"
    if xdg := environ.get("XDG_DATA_HOME"):
        return Path(xdg) / "playhead"
    return Path("/var/lib/playhead") if root else home / ".local" / "share" / "playhead"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _, unknown, rest = message.partition("unrecognized arguments: ")
        flags = [word.partition("=")[0] for word in rest.split() if word.startswith("--")]
        advice = ""
        if unknown and flags:
            # What stands after a flag that is none may be its value, or be right: nothing is held against it.
            message = f"{unknown}{' '.join(flags)}"
            advice = _suggestion(flags[0], self._option_string_actions)
        raise BadDial(
            f"The command line cannot be read: {message}{advice}.",
            f"See {self.prog} --help.",
            origin="flag",
        )


def _command(argv: list[str]) -> tuple[str, list[str]]:
    if argv[:1] == ["--version"]:
        return "version", argv[1:]
    if not argv or argv[0].startswith("-"):
        return "serve", argv
    if argv[0] in COMMANDS:
        return argv[0], argv[1:]
    known = ", ".join(COMMANDS)
    raise BadDial(
        f"{argv[0]!r} is not a command{_suggestion(argv[0], COMMANDS)}.",
        f"The commands are {known}.",
        origin="flag",
        value=argv[0],
    )


def _takes(command: str, row: Row) -> bool:
    if command == "open":  # it records nothing, and its data is the file
        return row.dial.group in (LISTEN, MEMORY, CLIENTS) and row.name != "data"
    return command == "serve" or row.name in CARE_DIALS


def _usage(command: str) -> str | None:
    if command == "serve":
        return "%(prog)s [command] [--dial value …]"
    return None if command in arguments.COMMANDS else "%(prog)s"


def _parser(command: str) -> _Parser:
    listed = "\n".join(f"  {name:<9} {words}" for name, words in COMMANDS.items())
    parser = _Parser(
        prog="playhead" if command == "serve" else f"playhead {command}",
        usage=_usage(command),
        description=COMMANDS[command]
        if command != "serve"
        else f"A flight recorder for servers.\n\ncommands:\n{listed}",
        epilog="Every dial may also stand in the TOML file, by its name (interval_s = 0.5), or in\n"
        f"the environment ({PREFIX}INTERVAL_S=0.5). Flags win over the environment, and that\n"
        "over the file."
        if command == "serve"
        else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    if command in arguments.COMMANDS:
        for row in (table()[name] for name in CARE_DIALS):
            parser.add_argument(row.flag, dest=row.name, metavar="TEXT", help=row.dial.help)
        arguments.add(command, parser)
    if command == "open":
        parser.add_argument("file", metavar="FILE", help="the incident to show")
    if command == "serve":
        parser.add_argument(
            "--selftest",
            action="store_true",
            help="start on a free port with an empty directory, ask for the dashboard, stop",
        )
    if command in SERVING:
        groups: dict[str, Any] = {}
        for row in table().values():
            if not _takes(command, row):
                continue
            group = row.dial.group
            if group not in groups:
                groups[group] = parser.add_argument_group(group)
            notes = [row.accepted] if row.type in (int, float) or len(row.dial.choices) > 1 else []
            notes += [f"default {_written(row.default)}"] if _written(row.default) else []
            words = row.dial.help + (f" ({'; '.join(notes)})" if notes else "")
            groups[group].add_argument(
                row.flag,
                dest=row.name,
                metavar=METAVARS[row.type],
                help=words.replace("%", "%%"),
            )
    return parser


def _from_environment(
    rows: Mapping[str, Row], environ: Mapping[str, str]
) -> tuple[list[tuple[Row, str, object]], tuple[str, ...]]:
    # An unknown variable is a warning and not an error: in a pod Kubernetes adds variables of its
    # own, PLAYHEAD_SERVICE_HOST among them, for a service that is called playhead.
    by_variable = {row.variable: row for row in rows.values()}
    found: list[tuple[Row, str, object]] = []
    warnings: list[str] = []
    for variable, text in sorted(environ.items()):
        if not text:  # as good as unset: compose files write PLAYHEAD_PORT=${PORT:-}
            continue
        if row := by_variable.get(variable):
            found.append((row, variable, text))
        elif variable.startswith(PREFIX):
            close = difflib.get_close_matches(variable[len(PREFIX) :].lower(), list(rows), 1)
            advice = f" (did you mean {rows[close[0]].variable}?)" if close else ""
            warnings.append(f"{variable} is not a dial and changes nothing{advice}.")
    return found, tuple(warnings)


def _from_file(rows: Mapping[str, Row], path: Path) -> list[tuple[Row, str, object]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadDial(
            f"The settings file {path} cannot be read: {reason}.",
            "Name a readable TOML file with --config, or leave it out.",
            "config",
            str(path),
            str(path),
        ) from None
    found: list[tuple[Row, str, object]] = []
    for name, value in _flattened(content):
        row = rows.get(name)
        if row is None or name == "config":
            raise BadDial(
                f"{path}: {name} is not a dial{_suggestion(name, rows)}.",
                "Correct or remove the line; playhead --help lists the dials.",
                name,
                f"{path}: {name}",
                value,
            )
        found.append((row, f"{path}: {name}", value))
    return found


def _flattened(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """`[alert.cpu] above = 90` means the same as `alert_cpu_above = 90`."""
    for key, value in content.items():
        name = prefix + key.replace("-", "_")
        if isinstance(value, dict):
            yield from _flattened(value, name + "_")
        else:
            yield name, value


def _parsed(row: Row, origin: str, given: object) -> Value:
    value = _typed(row, given)
    dial = row.dial
    if (
        value is None
        or (dial.choices and value not in dial.choices)
        or (isinstance(value, int | float) and not dial.low <= value <= dial.high)
    ):
        hint = f"Use {row.accepted}."
        if isinstance(given, str) and given.startswith("tcp://") and origin == row.variable:
            hint += (
                " Kubernetes sets this variable for a service called playhead: "
                "put enableServiceLinks: false into the pod."
            )
        raise BadDial(
            f"{origin} is {given!r}, but {row.name} must be {row.accepted}.",
            hint,
            row.name,
            origin,
            given,
        )
    return value


def _typed(row: Row, given: object) -> Value | None:
    """`given` in the dial's type; None if it has no such meaning. Texts come from flags and
    variables; a TOML file has types of its own and is held to them.
    """
    if row.type is tuple:
        items = given.split(",") if isinstance(given, str) else given
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return None
        return tuple(item.strip() for item in items if item.strip())
    if row.type is str:
        return given if isinstance(given, str) and "\0" not in given else None
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    try:
        value = float(given) if row.type is float else int(given)
    except (ValueError, OverflowError):
        return None
    return value if isinstance(given, str) or value == given else None


def _data(values: Mapping[str, Value], environ: Mapping[str, str]) -> str:
    if given := values.get("data"):
        return str(Path(str(given)).expanduser().absolute())
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return str(default_data(environ, sys.platform, root))


def _source(values: Mapping[str, Value], origins: Mapping[str, str]) -> str:
    given = str(values.get("source") or "")
    try:
        return check_source(given or socket.gethostname() or "localhost")
    except ValueError as error:
        raise BadDial(
            f"{origins.get('source', 'The host name')}: {error}.",
            "Name this host with --source.",
            "source",
            origins.get("source", "host name"),
            given,
        ) from None


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    if settings.auth == "off" and not is_loopback(settings.host):
        origin = origins.get("host", "default")
        raise BadDial(
            f"{origin} is {settings.host!r}, but without sign-in only a loopback address is safe: "
            "anybody who reaches the port could read and write.",
            "Leave host at 127.0.0.1 and put a reverse proxy that asks for a password in front "
            "(add its name to allowed_hosts), or reach it through an SSH tunnel.",
            "host",
            origin,
            settings.host,
        )
    pairs = [(f"alert_{rule}_clear", "<", f"alert_{rule}_above") for rule in RULES]
    pairs += [("flush_events", "<=", "queue_events"), ("flush_bytes", "<=", "queue_bytes")]
    tiers = [f"retain_{tier}_days" for tier in ("raw", "10s", "1m", "1h")]
    pairs += [(finer, "<=", coarser) for finer, coarser in pairwise(tiers)]
    for small, relation, large in pairs:
        low, high = getattr(settings, small), getattr(settings, large)
        if not (low < high or (low == high and relation == "<=")):
            dial = small if small in origins else large
            words = "below" if relation == "<" else "at most"
            raise BadDial(
                f"{small} is {low:g} and {large} is {high:g}, but {small} must be {words} {large}.",
                f"Change {small} or {large}.",
                dial,
                origins.get(dial, "default"),
                getattr(settings, dial),
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Other names than localhost could mean anything."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, ALIKE)
    return f" (did you mean {close[0]}?)" if close else ""


def _written(value: Value) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)
