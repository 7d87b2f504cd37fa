r"""What a series may be called, and its one spelling.

A series is written as in Prometheus: `name` or `name{a="x",b="y"}`, labels sorted by name, `\`, `"`
and newline in values escaped. The same series always has the same text, so texts can be compared.
Dots are allowed in names and labels, for OpenTelemetry writes `system.cpu.time` and `cpu.mode`.
Every check raises ValueError with a sentence that says what came and what would do.
"""

import re
from collections.abc import Iterable, Mapping

Labels = tuple[tuple[str, str], ...]
"""Sorted by label name; no name twice, no empty value."""

NAME_LIMIT = 200
VALUE_LIMIT = 200
SOURCE_LIMIT = 100
LABELS_LIMIT = 16
TEXT_LIMIT = 16_384
"""Longer than any series can be written; stops a parse of megabytes before it begins."""

RESERVED = ("source", "__name__")
"""Selectors give these words a meaning of their own, so a label may not take them."""

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]*", re.ASCII)
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*", re.ASCII)

_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"\\": "\\", '"': '"', "n": "\n"}
_ESCAPING = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_SHOWN = 60


def shown(value: object) -> str:
    """Whatever came, as short ASCII that is safe to print, log and send back."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def check_name(name: str) -> str:
    if len(name) <= NAME_LIMIT and NAME.fullmatch(name):
        return name
    if len(name) > NAME_LIMIT:
        raise ValueError(f"a name of {len(name)} characters is too long; {NAME_LIMIT} is the limit")
    if not name:
        raise ValueError("the name is empty; a series needs one, such as queue_depth")
    raise ValueError(
        f"{shown(name)} is not a metric name; "
        "use letters, digits, _ : and . and do not begin with a digit or a dot"
    )


def check_label(name: str, value: str) -> None:
    if len(name) > NAME_LIMIT:
        raise ValueError(
            f"a label name of {len(name)} characters is too long; {NAME_LIMIT} is the limit"
        )
    if not LABEL.fullmatch(name):
        raise ValueError(
            f"{shown(name)} is not a label name; "
            "use letters, digits, _ and . and do not begin with a digit or a dot"
        )
    if name in RESERVED:
        raise ValueError(
            f"the label name {name} is reserved; a source is given beside the name, not as a label"
        )
    if len(value) > VALUE_LIMIT:
        raise ValueError(
            f"label {name} has a value of {len(value)} characters; {VALUE_LIMIT} is the limit"
        )
    # Half of a surrogate pair has no UTF-8, and PostgreSQL text cannot hold a NUL.
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"label {name} has the value {shown(value)}, which is not Unicode text")
    if "\0" in value:
        raise ValueError(
            f"label {name} has the value {shown(value)} with a NUL in it; leave it out"
        )


def check_labels(labels: Mapping[str, str]) -> Labels:
    """Checked and sorted. A label with an empty value is as absent, as in Prometheus."""
    if len(labels) > LABELS_LIMIT:
        raise ValueError(f"{len(labels)} labels are too many; {LABELS_LIMIT} is the limit")
    for name, value in labels.items():
        check_label(name, value)
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def check_source(source: str) -> str:
    if not source:
        raise ValueError("the source is empty; name the host or application, or leave it out")
    if len(source) > SOURCE_LIMIT:
        raise ValueError(
            f"a source of {len(source)} characters is too long; {SOURCE_LIMIT} is the limit"
        )
    if not source.isprintable() or source != source.strip():
        raise ValueError(
            f"{shown(source)} is not a source; "
            "use printable characters with no space at either end, such as a host name"
        )
    return source


def series_text(name: str, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> str:
    """The one spelling. Checks nothing: for names that are ours or have been checked."""
    pairs = sorted(labels.items() if isinstance(labels, Mapping) else labels)
    written = ",".join(f'{label}="{escape(value)}"' for label, value in pairs if value)
    return f"{name}{{{written}}}" if written else name


def parse_series(text: str) -> tuple[str, Labels]:
    """Checked name and labels of `text`, whose labels may stand in any order, spaced or not."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(
            f"a series of {len(text)} characters is too long; {TEXT_LIMIT} is the limit"
        )
    text = text.strip()
    name, brace, _ = text.partition("{")
    check_name(name.rstrip() if brace else name)
    if not brace:
        return name, ()
    labels: dict[str, str] = {}
    at = len(name) + 1
    while True:
        at = skip_space(text, at)
        if text.startswith("}", at):
            break
        label = LABEL.match(text, at)
        if not label:
            raise ValueError(misread(text, at, "a label name or }"))
        at = skip_space(text, label.end())
        if not text.startswith("=", at):
            raise ValueError(misread(text, at, "= after a label name"))
        value, at = read_quoted(text, skip_space(text, at + 1))
        if label[0] in labels:
            raise ValueError(f"{shown(text)} has the label {shown(label[0])} twice")
        labels[label[0]] = value
        at = read_comma(text, at)
    if at + 1 != len(text):
        raise ValueError(misread(text, at + 1, "nothing after }"))
    return name.rstrip(), check_labels(labels)


def escape(value: str) -> str:
    return value.translate(_ESCAPING)


def read_quoted(text: str, at: int) -> tuple[str, int]:
    """The string in double quotes that begins at `at`, unescaped, and where it ends."""
    match = _QUOTED.match(text, at)
    if not match:
        raise ValueError(misread(text, at, 'a value in double quotes, such as "eth0"'))
    return _ESCAPE.sub(_unescaped, match[1]), match.end()


def read_comma(text: str, at: int) -> int:
    """Past a comma, or at the closing brace."""
    at = skip_space(text, at)
    if text.startswith(",", at):
        return at + 1
    if text.startswith("}", at):
        return at
    raise ValueError(misread(text, at, ", or }"))


def skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def misread(text: str, at: int, wanted: str) -> str:
    found = shown(text[at : at + 12]) if at < len(text) else "the end"
    return f"{shown(text)} cannot be read: {wanted} is wanted at character {at + 1}, not {found}"


def _unescaped(match: re.Match[str]) -> str:
    try:
        return _ESCAPES[match[1]]
    except KeyError:
        raise ValueError(
            f'\\{match[1]} is not an escape; in values only \\\\, \\" and \\n are'
        ) from None
