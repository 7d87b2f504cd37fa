"""Dashboards that people arrange themselves: what one may hold, and what is wrong with one that may not be.

A layout is a grid of `COLUMNS` columns with panels on it. It is checked the same whether it comes over HTTP or
from a file; the page draws what has passed.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from realtime.core.selectors import LENGTH_LIMIT, Selector
from realtime.core.steps import Fn, parse_step

COLUMNS = 12
ROWS = 1_000
HEIGHT = 50
PANELS = 60
SERIES = 20
TAGS = 20
OPTIONS = 20
BYTES = 64 * 1024
"""Of a layout, as JSON."""
TITLE_LENGTH = 200
TEXT_LENGTH = 4_000
TAG_LENGTH = 50
NAME_LENGTH = 100
ID_LENGTH = 64

WHOLE = 2**53
"""Beyond this browsers have not every whole number, and beyond 2**64 the log has none."""

ID = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{ID_LENGTH - 1}}}")
END = r"$(?!\n)"
"""Of a pattern: in Python `$` alone lets the end of a line pass, too."""

Tag = Annotated[str, Meta(min_length=1, max_length=TAG_LENGTH)]
Tags = Annotated[list[Tag], Meta(max_length=TAGS)]
Title = Annotated[str, Meta(max_length=TITLE_LENGTH)]
LayoutId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ID_LENGTH,
        pattern=f"^{ID.pattern}{END}",
        description="A short name of small letters, digits and dashes.",
        examples=["shop-overview"],
    ),
]


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`x`, `y`, `w`, `h` are its place on the grid. A `chart` and a `tile` show `series` (names or selectors) of
    `source` (empty: of the host), by `fn` and `step` as `query` takes them; a `text` shows `text`, as text;
    `alerts` lists those of `severity` (none named: all). `options` are the page's own."""

    kind: Literal["chart", "tile", "text", "alerts"]
    x: Annotated[int, Meta(ge=0, lt=COLUMNS)]
    y: Annotated[int, Meta(ge=0, lt=ROWS)]
    w: Annotated[int, Meta(ge=1, le=COLUMNS)]
    h: Annotated[int, Meta(ge=1, le=HEIGHT)]
    title: Title = ""
    series: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=LENGTH_LIMIT)]], Meta(max_length=SERIES)
    ] = []
    source: Annotated[str, Meta(max_length=NAME_LENGTH)] = ""
    fn: Fn | None = None
    step: Annotated[str, Meta(max_length=32)] = ""
    text: Annotated[str, Meta(max_length=TEXT_LENGTH)] = ""
    severity: Annotated[list[Literal["warning", "critical"]], Meta(max_length=2)] = []
    options: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=TAG_LENGTH)],
            bool
            | Annotated[int, Meta(ge=-WHOLE, le=WHOLE)]
            | float
            | Annotated[str, Meta(max_length=TITLE_LENGTH)],
        ],
        Meta(max_length=OPTIONS),
    ] = {}


class Arrangement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dashboard as people write it, in a request or in a file. Without an `id` one is made of the title, or
    the file's name is it."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH)]
    panels: Annotated[list[Panel], Meta(max_length=PANELS)]
    tags: Tags = []
    author: Annotated[str, Meta(max_length=NAME_LENGTH)] = ""
    id: LayoutId | None = None


def faults(arrangement: Arrangement) -> list[tuple[str, str]]:
    """(field, what is wrong with it), beyond what the types say already; empty for a sound one."""
    found = [
        (f"panels[{place}].{field}", detail)
        for place, panel in enumerate(arrangement.panels)
        for field, detail in _of_panel(panel)
    ]
    size = len(msgspec.json.encode(arrangement))
    if size > BYTES:
        found.append(("panels", f"the dashboard takes {size:,} bytes of JSON; {BYTES:,} do"))
    return found


def _of_panel(panel: Panel) -> Iterator[tuple[str, str]]:
    if panel.x + panel.w > COLUMNS:
        yield "w", f"{panel.x} + {panel.w} goes beyond the {COLUMNS} columns of the grid"
    if panel.kind in ("chart", "tile"):
        yield from _of_series(panel)
    elif panel.series or panel.fn or panel.step:
        yield "series", f"{panel.kind} shows no series; leave series, fn and step out"
    if panel.kind == "text" and not panel.text:
        yield "text", "a text panel has something to say"
    if panel.step:
        try:
            parse_step(panel.step)
        except ValueError as error:
            yield "step", str(error)


def _of_series(panel: Panel) -> Iterator[tuple[str, str]]:
    if not panel.series:
        yield "series", f"a {panel.kind} shows at least one series; name it or a selector"
    if panel.kind == "tile" and len(panel.series) > 1:
        yield "series", f"a tile shows one figure; {len(panel.series)} selectors were given"
    for place, text in enumerate(panel.series):
        try:
            Selector.parse(text)
        except ValueError as error:
            yield f"series[{place}]", str(error)


def stored(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """As the log keeps them: what was not said is left out."""
    return [msgspec.to_builtins(panel) for panel in panels]


def slug(title: str, taken: Sequence[str] | set[str] | dict[str, Any]) -> str:
    """An id made of a title, that nobody has yet."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: ID_LENGTH - 4].strip("-") or "dashboard"
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
