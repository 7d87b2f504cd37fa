"""Of a row or a segment, each part is proved by itself."""

import msgpack
import pytest

from storage import proof
from storage.errors import Damaged
from storage.events import Metrics
from storage.look import look
from tests.storage.conftest import NOW
from tests.storage.filled import change, fill

TICK = (5, NOW, "a", "metrics", 1, msgpack.packb(([1, 2], [0.5, 7])), None)


def test_a_row_as_it_was_written():
    """It comes back as the event it is."""
    event = proof.event(TICK)
    assert isinstance(event.data, Metrics)
    assert (event.seq, event.at, event.source, list(event.data.ids)) == (5, NOW, "a", [1, 2])


@pytest.mark.parametrize(
    ("place", "cell", "words"),
    [
        (1, -1, "its time"),
        (1, 0.5, "its time"),
        (2, b"a", "no text"),
        (3, "metrix", "unknown type"),
        (4, 9, "version 9"),
        (5, "x", "no bytes"),
        (5, b"\x91", "cannot be read"),
        (5, msgpack.packb(([1], [0.5, 7])), "one value for each"),
        (5, msgpack.packb(([1, 1], [0.5, 7])), "one twice"),
        (5, msgpack.packb(([1, 2], [0.5, "7"])), "no number"),
        (6, 12345, "checksum"),
    ],
)
def test_a_row_that_nobody_wrote(place, cell, words):
    """Whatever is in a cell, it is Damaged and not a traceback."""
    with pytest.raises(Damaged, match=words):
        proof.event((*TICK[:place], cell, *TICK[place + 1 :]))


def test_one_bad_column_leaves_the_others(tmp_path):
    """A segment is read as far as it goes."""
    path = tmp_path / "playhead.db"
    fill(path)
    change(path, "UPDATE segments SET hash = zeroblob(32) WHERE id = 3")
    change(path, "UPDATE strips SET body = zeroblob(length(body)) WHERE place >> 32 = 4")
    named: list[proof.Damage] = []
    with look(path) as connection:
        pieces = {
            meta.id: proof.piece(connection, meta, named.append)
            for meta in proof.metas(connection, named.append)
        }
    assert {id_: (piece.intact, piece.lost) for id_, piece in pieces.items()} == {
        2: (True, []),
        3: (False, []),
        4: (False, [1, 2, 4]),
    }
    assert [one.key for one in named] == ["3", *(f"segment 4 series {id_}" for id_ in (1, 2, 4))]
