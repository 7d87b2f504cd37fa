"""A row is believed only as it was written."""

import pytest

from storage import codec, rows
from storage.checksum import crc
from storage.errors import Damaged
from storage.events import Event, Metrics, Notification, Unreadable
from tests.storage.conftest import NOW

TICK = Metrics((1, 2), (3, 0.5))


def row(fact=TICK, **changed):
    cells = {
        "seq": 5,
        "at": NOW,
        "source": "a",
        "type": fact.type,
        "version": fact.version,
        "body": codec.encode(fact),
    }
    check = crc(*cells.values())
    cells |= {"crc": check} | changed
    return tuple(cells.values())


@pytest.mark.parametrize("fact", [TICK, Notification("n", "info", "hello")])
def test_a_sound_row_is_its_event(fact):
    """With its checksum, or from before there were any."""
    assert rows.event(row(fact)) == Event(5, NOW, "a", fact)
    assert rows.event(row(fact, crc=None)) == Event(5, NOW, "a", fact)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seq": 4}, "checksum"),
        ({"at": NOW + 1}, "checksum"),
        ({"at": -1}, "time"),
        ({"at": rows.LATEST}, "time"),
        ({"at": "soon"}, "time"),
        ({"source": "b"}, "checksum"),
        ({"source": b"a"}, "no text"),
        ({"type": "alert"}, "checksum"),
        ({"version": 2}, "checksum"),
        ({"version": None}, "no number"),
        ({"body": codec.encode(Metrics((1, 2), (3, 0.25)))}, "checksum"),
        ({"body": "text"}, "no bytes"),
        ({"crc": 1}, "checksum"),
        ({"crc": None, "body": b"\xc1"}, "payload"),
        ({"crc": None, "body": codec.encode(Metrics((1, 1), (3, 4)))}, "twice"),
        ({"crc": None, "body": codec.encode(Metrics((1,), (3, 4)))}, "one value"),
        ({"crc": None, "type": "dream"}, "unknown type"),
    ],
)
def test_what_is_changed_is_damaged(changed, words):
    """Any cell, with words for what is wrong; a reader that goes on is told where."""
    with pytest.raises(Damaged, match=words):
        rows.event(row(**changed))
    told = rows.told(row(**changed))
    assert (told.at, told.source, told.type) == (0, "", "damaged")
    assert isinstance(told.data, Unreadable) and told.seq == told.data.first == told.data.last
