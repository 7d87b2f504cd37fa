"""What an arranged dashboard may hold."""

import re

import msgspec
import pytest

from realtime.core.layouts import BYTES, ID, Arrangement, Panel, faults, slug, stored

CHART = {"kind": "chart", "x": 0, "y": 0, "w": 6, "h": 4, "series": ["up"]}


def arrangement(*panels, **more):
    return msgspec.convert({"title": "t", "panels": list(panels), **more}, Arrangement)


def test_a_sound_one_has_no_faults():
    """One of each kind, with all it may say."""
    panels = [
        CHART | {"fn": "max", "step": "5m", "source": "shop", "options": {"stack": True, "min": 0}},
        CHART | {"kind": "tile", "title": "CPU"},
        {"kind": "text", "x": 6, "y": 0, "w": 6, "h": 1, "text": "<b>hi</b>"},
        {"kind": "alerts", "x": 0, "y": 9, "w": 12, "h": 3, "severity": ["critical"]},
    ]
    assert faults(arrangement(*panels, tags=["a"], id="my-own-1")) == []


@pytest.mark.parametrize(
    ("panel", "field", "words"),
    [
        (CHART | {"x": 7}, "w", "12 columns"),
        (CHART | {"series": []}, "series", "at least one"),
        (CHART | {"kind": "tile", "series": ["a", "b"]}, "series", "one figure"),
        (CHART | {"series": ["up", "{x"]}, "series[1]", "wanted"),
        (CHART | {"step": "soon"}, "step", ""),
        (CHART | {"kind": "alerts"}, "series", "shows no series"),
        ({"kind": "text", "x": 0, "y": 0, "w": 1, "h": 1}, "text", "something to say"),
    ],
)
def test_a_fault_names_its_field(panel, field, words):
    """The panel by its place, and what would do."""
    [(named, detail)] = faults(arrangement(CHART, panel))
    assert named == f"panels[1].{field}"
    assert words in detail


@pytest.mark.parametrize(
    ("panel", "path"),
    [
        (CHART | {"kind": "pie"}, "panels[0].kind"),
        (CHART | {"x": 12}, "panels[0].x"),
        (CHART | {"w": 0}, "panels[0].w"),
        (CHART | {"fn": "median"}, "panels[0].fn"),
        (CHART | {"colour": "red"}, "panels[0]"),
        (CHART | {"options": {"a": []}}, "panels[0].options[...]"),
    ],
)
def test_what_the_types_refuse(panel, path):
    """A misspelt member is refused as well: it would do nothing, in silence."""
    with pytest.raises(msgspec.ValidationError, match=re.escape(f"$.{path}`")):
        arrangement(panel)


def test_it_is_bounded():
    """In bytes, too: sixty panels of the longest text do not fit."""
    long = {"kind": "text", "x": 0, "y": 0, "w": 1, "h": 1, "text": "ü" * 4000}
    [(field, detail)] = faults(arrangement(*[long] * 60))
    assert field == "panels" and f"{BYTES:,}" in detail
    with pytest.raises(msgspec.ValidationError):
        arrangement(*[CHART] * 61)


def test_what_was_not_said_is_not_stored():
    """A panel on disk is what was written, so that new members can come without a new version."""
    panel = msgspec.convert(CHART, Panel)
    assert stored([panel]) == [CHART]


@pytest.mark.parametrize(
    ("title", "taken", "name"),
    [
        ("Shop overview", set(), "shop-overview"),
        ("Café №1", set(), "cafe-no1"),
        ("日本", set(), "dashboard"),
        ("--a--", {"a", "a-2"}, "a-3"),
        ("x" * 300, set(), "x" * 60),
    ],
)
def test_an_id_is_made_of_the_title(title, taken, name):
    """Small letters, digits and dashes, and nobody has it yet."""
    assert slug(title, taken) == name
    assert ID.fullmatch(name)
