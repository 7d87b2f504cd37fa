"""The summary as a page."""

import re
from html.parser import HTMLParser

from realtime.leaflet import leaflet

SUMMARY = {
    "title": "The night <b>shift</b>",
    "from": "2026-11-23T03:00:00.000000Z",
    "to": "2026-11-23T04:00:00.000000Z",
    "source": 'web"1',
    "created_at": "2026-11-24T08:00:00.000000Z",
    "playhead": "0.1.0",
    "events": 3600,
    "samples": 687600,
    "series": 191,
    "sources": ["web-1"],
    "alerts": [
        {
            "rule": "cpu",
            "severity": "critical",
            "series": 'cpu{mode="user"}',
            "source": "web-1",
            "message": "CPU <script>alert(1)</script>",
            "from": "2026-11-23T03:10:00.000000Z",
            "to": None,
        }
    ],
    "annotations": [
        {
            "text": "</table><img src=x onerror=alert(1)>",
            "since": "2026-11-23T03:09:00.000000Z",
            "until": "2026-11-23T03:10:00.000000Z",
            "tags": ["deploy", "<i>"],
            "author": "eva & co",
            "source": "",
            "later": True,
        }
    ],
    "changed": [
        {
            "series": "queue_depth",
            "source": "shop",
            "unit": "items",
            "score": 31.25,
            "at": "2026-11-23T03:11:00.000000Z",
            "before": 3.0,
            "during": 5.0,
            "peak": 1234.5,
            "line": [1.0, 2.0, None, 3.0, 1234.5],
        }
    ],
    "starts": [],
    "damaged": [],
}


class Page(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_it_says_what_happened():
    """What fired, what changed most, who noted what, in words and figures."""
    page = Page(leaflet(SUMMARY))
    assert page.open == []
    for words in (
        "The night <b>shift</b>",
        "2026-11-23 03:00:00 UTC",
        "still open",
        "1,234 items",
        "31.2",
        "eva & co (afterwards)",
        "deploy, <i>",
        "687,600 samples of 191 series",
        "It ran throughout.",
    ):
        assert words in page.text, words
    assert "damaged" not in page.text


def test_what_was_written_stays_text():
    """No element, no attribute and no address comes out of anybody's words; nothing is loaded."""
    source = leaflet(SUMMARY)
    page = Page(source)
    assert not {"script", "img", "b", "i", "link", "iframe"} & set(page.tags) - {"b"}
    assert page.tags.count("b") == 1
    assert "CPU <script>alert(1)</script>" in page.text
    assert not re.search(r"https?://|url\(|@import", source)


def test_nothing_happened_is_said_too():
    """Every part says so in its own words, and a page without a title has one."""
    empty = {**SUMMARY, "title": "", "alerts": [], "annotations": [], "changed": []}
    text = Page(leaflet(empty)).text
    for words in ("Incident", "No alert was open.", "Nothing stood out.", "Nobody noted anything."):
        assert words in text


def test_a_line_breaks_where_nothing_was_read():
    """Two stretches of it are two lines; a series that never moved is one, too."""
    assert leaflet(SUMMARY).count("<polyline") == 2
    still = {**SUMMARY["changed"][0], "line": [5.0] * 4}  # type: ignore[index]
    assert "NaN" not in leaflet({**SUMMARY, "changed": [still]})
