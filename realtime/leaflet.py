"""The summary of an incident as one page: no script, nothing from anywhere, readable on paper.

Everything that people or programs wrote is text in it, never markup.
"""

from collections.abc import Iterable, Sequence
from html import escape

from realtime.core.frames import Data

WIDTH, HEIGHT = 240, 36

STYLE = """
:root { color-scheme: light dark; --line: #8886; --ink: #1f6feb; --bad: #c62828; --warn: #b26a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #6ea8fe; --bad: #ff8a80; --warn: #ffb74d; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .2rem 0; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
td.n { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; }
.critical { color: var(--bad); } .warning { color: var(--warn); } .dim { opacity: .7; }
svg { display: block; } polyline { fill: none; stroke: var(--ink); stroke-width: 1.5; }
rect { fill: var(--ink); opacity: .12; }
"""


def leaflet(summary: Data) -> str:
    """`summary` as `realtime.incident` makes it."""
    title = escape(summary["title"] or "Incident")
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{title}</title><style>{STYLE}</style></head><body><main>",
            f"<h1>{title}</h1>",
            f"<p>{_time(summary['from'])} to {_time(summary['to'])} on <b>{escape(summary['source'])}</b></p>",
            f'<p class="dim">{summary["events"]:,} events, {summary["samples"]:,} samples of '
            f"{summary['series']:,} series; written {_time(summary['created_at'])} by Playhead "
            f"{escape(summary['playhead'])}. The file itself plays: "
            "<code>playhead open FILE</code></p>",
            *_section("What fired", _alerts(summary["alerts"]), "No alert was open."),
            *_section("What changed most", _changes(summary["changed"]), "Nothing stood out."),
            *_section("Who noted what", _notes(summary["annotations"]), "Nobody noted anything."),
            *_section(
                "When the recorder started", _starts(summary["starts"]), "It ran throughout."
            ),
            *_section("What is damaged", _damages(summary["damaged"]), ""),
            "</main></body></html>",
        )
    )


def _section(title: str, rows: Sequence[str], otherwise: str) -> Iterable[str]:
    if not rows and not otherwise:
        return
    yield f"<section><h2>{title}</h2>"
    yield f"<table>{''.join(rows)}</table>" if rows else f'<p class="dim">{otherwise}</p>'
    yield "</section>"


def _head(*names: str) -> str:
    return f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(markup: str, kind: str = "") -> str:
    return f'<td class="{kind}">{markup}</td>' if kind else f"<td>{markup}</td>"


def _alerts(alerts: Sequence[Data]) -> list[str]:
    rows = [
        _row(
            _cell(escape(one["severity"]), escape(one["severity"])),
            _cell(escape(one["message"])),
            _cell(f"<code>{escape(one['series'])}</code><br>{escape(one['source'])}"),
            _cell(_time(one["from"])),
            _cell(_time(one["to"]) if one["to"] else "still open"),
        )
        for one in alerts
    ]
    return [_head("Severity", "What", "Series", "From", "To"), *rows] if rows else []


def _changes(changes: Sequence[Data]) -> list[str]:
    rows = [
        _row(
            _cell(f"<code>{escape(one['series'])}</code><br>{escape(one['source'])}"),
            _cell(_line(one["line"])),
            _cell(f"{_figure(one['before'])} {escape(one['unit'])}", "n"),
            _cell(f"{_figure(one['peak'])} {escape(one['unit'])}<br>{_time(one['at'])}", "n"),
            _cell(f"{one['score']:,.1f}", "n"),
        )
        for one in changes
    ]
    names = ("Series", "Before, and the span (shaded)", "Usual", "Furthest off", "Deviations")
    return [_head(*names), *rows] if rows else []


def _notes(notes: Sequence[Data]) -> list[str]:
    rows = [
        _row(
            _cell(_time(one["since"]) + (f" to {_time(one['until'])}" if one["until"] else "")),
            _cell(escape(one["text"])),
            _cell(escape(", ".join(one["tags"]))),
            _cell(
                escape(one["author"] or one["source"]) + (" (afterwards)" if one["later"] else "")
            ),
        )
        for one in notes
    ]
    return [_head("When", "What", "Tags", "Who"), *rows] if rows else []


def _starts(starts: Sequence[str]) -> list[str]:
    return [_row(_cell(_time(at))) for at in starts]


def _damages(damages: Sequence[Data]) -> list[str]:
    return [
        _row(_cell(escape(f"{one['table']} {one['key']}")), _cell(escape(one["what"])))
        for one in damages
    ]


def _line(values: Sequence[float | None]) -> str:
    """Both stretches as a line; where nothing was read it breaks."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    step, scale = WIDTH / max(1, len(values) - 1), (HEIGHT - 4) / ((high - low) or 1.0)
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{place * step:.1f},{HEIGHT - 2 - (value - low) * scale:.1f}")
    lines = "".join(f'<polyline points="{" ".join(run)}"/>' for run in runs if run)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="before and during">'
        f'<rect x="{WIDTH / 2}" y="0" width="{WIDTH / 2}" height="{HEIGHT}"/>{lines}</svg>'
    )


def _figure(value: float) -> str:
    return f"{value:,.4g}"


def _time(text: str) -> str:
    """RFC 3339 to the second, in UTC."""
    return f'<time datetime="{escape(text)}">{escape(text[:10])} {escape(text[11:19])} UTC</time>'
