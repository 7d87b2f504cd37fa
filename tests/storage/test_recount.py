"""The recount compares what is left with what is kept, and no more than that."""

import pytest

from storage.look import look, quiet
from storage.proof import Damage
from storage.recount import Recount, name
from storage.tiers import place_of
from tests.storage.filled import change, fill


def counted(path, blocks, since=None, partly=False):
    named: list[Damage] = []
    with look(path) as connection:
        rows = Recount(connection, blocks, since or {}, partly, named.append, quiet).run()
    return rows, named


def blocks_of(path):
    with look(path) as connection:
        spans = connection.execute("SELECT id, start_at, end_at FROM segments").fetchall()
    found: dict[int, list[int]] = {}
    for id_, start, end in spans:
        for block in range(start // 21_600_000_000, end // 21_600_000_000 + 1):
            found.setdefault(block, []).append(id_)
    return found


def test_equal_to_the_bit(tmp_path):
    """Minutes are the samples', hours are the minutes'."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    rows, named = counted(path, blocks_of(path))
    assert rows >= 2 and named == []


def test_more_than_can_be_counted_is_fine_where_samples_went(tmp_path):
    """And only there: otherwise a rollup that knows more than the samples is wrong."""
    path = tmp_path / "playhead.db"
    fill(path)
    assert counted(path, blocks_of(path), partly=True)[1] == []
    named = counted(path, blocks_of(path), partly=False)[1]
    assert {one.key for one in named} == {f"60 s of series {id_}" for id_ in (1, 2, 3, 4)}


def test_a_block_in_another_place_is_found(tmp_path):
    """Its bytes are whole; what is wrong is where they are."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    assert change(path, "UPDATE rollups SET place = place + (1 << 32) WHERE place >> 58 = 2") == 1
    assert counted(path, blocks_of(path))[1]


@pytest.mark.parametrize("tier", [10, 60, 3600])
def test_rows_have_names(tier):
    """Tier, series and time, not a number of nineteen digits."""
    assert (
        name(place_of(tier, 0, 65))
        == f"{tier} s of series 64 to 127 from 1970-01-01T00:00:00+00:00"
    )
