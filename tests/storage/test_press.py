"""Segments into a log that is being made."""

import sqlite3

from storage.migrate import migrate
from storage.press import press, without
from storage.proof import metas, piece
from storage.sealer import GENESIS
from storage.segments import Head, Tick, seal, unseal

TICKS = [Tick(n, 1000 + n, "a", (1, 2, 3), (n, 0.5 * n, 7)) for n in range(1, 50)]


def test_what_is_written_is_whole_and_chained(tmp_path):
    """Each reads back intact, and stands on the one before it."""
    path = tmp_path / "playhead.db"
    migrate(path)
    out = sqlite3.connect(path)
    first = press(out, 1, seal(TICKS[:20]), GENESIS)
    second = press(out, 2, seal(TICKS[20:]), first)
    damages: list[object] = []
    found = [piece(out, meta, damages.append) for meta in metas(out, damages.append)]
    out.close()
    assert damages == [] and all(one.intact for one in found)
    assert [(one.meta.previous, one.meta.hash) for one in found] == [
        (GENESIS, first),
        (first, second),
    ]
    read = [tick for one in found if one.head for tick in unseal(one.head, one.bodies)]
    assert [(tick.seq, list(tick.values)) for tick in read] == [
        (tick.seq, list(tick.values)) for tick in TICKS
    ]


def test_lost_series_were_never_in_it():
    """Ticks come without them, and a head without losses stays the one it is."""
    sealed = seal(TICKS)
    head = Head.read(sealed.head)
    assert without(head, []) is head
    bodies = {id_: body for id_, body in sealed.columns.items() if id_ != 2}
    [first, *_] = unseal(without(head, [2]), bodies)
    assert (list(first.ids), list(first.values)) == ([1, 3], [1, 7])


def test_a_lost_series_leaves_the_other_that_shares_its_column():
    """Either of the two: the one that was packed, and the one that is told from the other side."""
    told = [Tick(n, 1000 + n, "a", (1, 2), (n * n, 500 - n * n)) for n in range(1, 9)]
    sealed = seal(told)
    head = Head.read(sealed.head)
    assert list(head.mirrors) == [2]
    for lost, kept in ((1, 2), (2, 1)):
        rest = without(head, [lost])
        again = seal(unseal(rest, {kept: sealed.columns[kept]}))
        ticks = unseal(Head.read(again.head), again.columns)
        assert [tick.values[0] for tick in ticks] == [tick.values[kept - 1] for tick in told]
        assert lost not in rest.mirrors
