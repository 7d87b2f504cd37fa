"""The stream as the standard reads it (WHATWG HTML, 9.2.5 and 9.2.6), cut anywhere on its way.

The page leaves reading to the browser's own EventSource; this reader here is the standard's text, line by
line, and shows that the server writes nothing on which two readers could differ.
"""

import asyncio
import itertools
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.frames import PLACED, Frame, encode
from storage.events import KINDS
from tests.app import house
from tests.clients import Slow, slow, stream

ROADS_JS = Path(__file__).resolve().parents[2] / "web" / "static" / "js" / "roads.js"


class Message(NamedTuple):
    event: str
    data: str
    last_id: str


class Source:
    """Bytes in whatever pieces → messages. `retry` in ms."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.retry: int | None = None
        self.comments = 0
        self.unknown: list[str] = []
        self._bytes = b""
        self._begun = False
        self._id = self._event = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> None:
        self._bytes += data
        if not self._begun:
            if len(self._bytes) < 3 and b"\xef\xbb\xbf".startswith(self._bytes):
                return
            self._begun = True
            self._bytes = self._bytes.removeprefix(b"\xef\xbb\xbf")
        # A CR at the end may be half of a CRLF: its line waits for the next byte.
        while found := re.search(rb"\r\n|\n|\r(?=.)", self._bytes, re.DOTALL):
            line, self._bytes = self._bytes[: found.start()], self._bytes[found.end() :]
            self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        if not line:
            if self._data:
                self.messages.append(
                    Message(self._event or "message", "\n".join(self._data), self._id)
                )
            self._event, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry":
            if value.isascii() and value.isdigit():
                self.retry = int(value)
        else:
            self.unknown.append(name)


def read(*pieces: bytes) -> Source:
    it = Source()
    for piece in pieces:
        it.feed(piece)
    return it


# The reader itself, by the examples of the standard


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_the_examples_of_the_standard(end):
    """Section 9.2.6: two lines of data, ids that stay and are emptied, comments, a space, an event left open."""
    text = (
        b"\xef\xbb\xbf: a comment|data: first event|id: 1|| data: not a field|data:second event|id||"
        b"data:  third event||data|| data|data||data:"
    )
    it = read(*[bytes([byte]) for byte in text.replace(b"|", end)])
    assert it.messages == [
        ("message", "first event", "1"),
        ("message", "second event", ""),
        ("message", " third event", ""),
        ("message", "", ""),
        ("message", "", ""),
    ]
    assert it.comments == 1
    assert read(b"data\ndata\n\n").messages == [("message", "\n", "")]
    assert read(b"id: a\0b\ndata: x\n\n").messages == [("message", "x", "")]
    assert read(b"data: \xff\n\n").messages == [("message", "\N{REPLACEMENT CHARACTER}", "")]
    assert read(b"retry: 12x\nretry: 7\n\n").retry == 7


# What the server writes

HOSTILE = (
    "one\ntwo",
    "one\rtwo\r\nthree\r\n\r\nevent: fake\ndata: 1\n\n",
    "nul \0 bom \ufeff separators \u2028\u2029\x85\x0b\x0c",
    "кириллица 漢字 🛰️ \U0010ffff",
    ": comment\nretry: 1\nid: 9\n",
)


async def bodies(it: Any, one: Slow, last: str) -> bytes:
    """The body so far, without its chunks, up to the message that says `last`."""
    raw = await one.until(last.encode())
    while not raw.endswith(b"\n\n\r\n"):
        await one.take()
        raw = one.bytes
    _, _, rest = raw.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


@pytest.mark.gen_test
async def test_a_stream_reads_the_same_wherever_it_is_cut(tmp_path):
    """Every place at which two packets may meet, and byte by byte, gives the very same messages."""
    async with house(tmp_path) as it, slow(it.url, stream(rooms="quiet")) as one:
        await one.until(b"event: snapshot")
        for word in HOSTILE:
            await it.spine.notify("info", word, title=word, room="quiet")
        await it.spine.notify("info", "the end", room="quiet")
        body = await bodies(it, one, "the end")
    whole = read(body)
    names = [told.event for told in whole.messages]
    assert names == ["hello", "snapshot"] + ["notification"] * 6
    assert [json.loads(told.data)["message"] for told in whole.messages[2:]] == [
        *HOSTILE,
        "the end",
    ]
    assert whole.retry is not None
    assert (whole.comments, whole.unknown) == (0, [])
    for place in range(len(body) + 1):
        assert read(body[:place], body[place:]).messages == whole.messages
    assert read(*[body[n : n + 1] for n in range(len(body))]).messages == whole.messages
    # Each place is the cursor of its data; in between the last one stays, as the standard has it.
    for told in whole.messages[1:]:
        assert told.last_id == json.loads(told.data)["cursor"]
    assert whole.messages[0].last_id == ""
    # Line ends a proxy may have changed change nothing.
    for end in (b"\r\n", b"\r"):
        changed = read(*re.findall(rb".{1,7}", body.replace(b"\n", end) + b"\n", re.DOTALL))
        assert changed.messages == whole.messages


@pytest.mark.gen_test
async def test_a_stream_that_breaks_off_loses_its_last_piece_only(tmp_path):
    """A block without its empty line is dropped by the reader (9.2.6), and its id is not believed: the next
    connection tells it again."""
    async with house(tmp_path) as it, slow(it.url, stream()) as one:
        await one.until(b"event: snapshot")
        first = await it.spine.notify("info", "erste")
        second = await it.spine.notify("info", "zweite")
        body = await bodies(it, one, "zweite")
        cut = read(body[:-1])
        assert json.loads(cut.messages[-1].data)["seq"] == first.seq
        last = cut.messages[-1].last_id
        async with slow(it.url, f"{stream()}\r\nLast-Event-ID: {last}") as two:
            again = read(await bodies(it, two, "zweite"))
        assert [json.loads(told.data)["seq"] for told in again.messages[1:]] == [second.seq]


@pytest.mark.gen_test
async def test_silence_is_broken_in_time(tmp_path):
    """With nothing to tell there is a heartbeat before proxies give up, with a place of its own (9.2.7)."""
    async with house(tmp_path, heartbeat_s=1) as it, slow(it.url, stream(rooms="")) as one:
        await one.until(b"event: snapshot")
        begun = asyncio.get_running_loop().time()
        await one.until(b"event: heartbeat", 2)
        assert asyncio.get_running_loop().time() - begun < 5
        beats = [told for told in read(await bodies(it, one, "heartbeat")).messages[2:]]
        assert all(told.last_id == json.loads(told.data)["cursor"] for told in beats)


@given(
    st.text(max_size=40),
    st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=3),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_any_text_survives_any_cut(word, more, cuts):
    """Whatever a message holds, the block is one message."""
    frame = Frame("notification", {"seq": 1, "cursor": "e:1", "message": word, "x": more})
    block = encode(frame, "sse")
    places = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    it = read(*[block[a:b] for a, b in itertools.pairwise(places)])
    [told] = it.messages
    assert (told.event, told.last_id) == ("notification", "e:1")
    assert json.loads(told.data) == frame.data
    lines = block.decode().split("\n")

    assert lines[-2:] == ["", ""]


def test_the_page_listens_for_every_frame():
    """EventSource hands over named events to those who asked for the name: one that is missing is lost."""
    listed = re.search(r"const EVENTS = \[(.*?)\];", ROADS_JS.read_text(), re.DOTALL)
    assert listed
    names = set(re.findall(r'"(\w+)"', listed[1]))
    told = {"hello", "reset", "goodbye", *(kind.type for kind in KINDS)}
    assert told | set(PLACED) <= names
