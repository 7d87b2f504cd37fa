"""Segments are read whole or by the column, and what is kept of them in memory has a bound."""

import pytest

from storage import archive
from storage.archive import joined
from storage.errors import Damaged
from tests.storage.conftest import tick
from tests.storage.test_sealer import BEGIN, SECOND, logged, write


async def sealed(log):
    await log.append([tick(BEGIN + n * SECOND, s1=n, s2=5, s3=n * n) for n in range(40)])
    await log.seal(log.head, all_of_it=True)


@pytest.mark.gen_test
async def test_segments_are_found_by_seq(tmp_path):
    """Those that may hold something of the range, oldest first; both ends of a segment are inside it."""
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        async with log._engine.snapshot() as connection:
            after = log._archive.after
            assert [s.id for s in await after(connection, 0, 99)] == [1, 2, 3, 4]
            assert [s.id for s in await after(connection, 10, 21)] == [2, 3]
            assert [s.id for s in await after(connection, 9, 10)] == [1]


@pytest.mark.gen_test
async def test_columns_of_a_part_are_cut_to_it(tmp_path):
    """A piece a segment; constants, too; a series that is not there has none."""
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        found = await log._engine.look(
            log._archive.columns([1, 2, 9], BEGIN + 5 * SECOND, BEGIN + 15 * SECOND)
        )
        assert [values.tolist() for _, values in found[1]] == [
            [5, 6, 7, 8, 9],
            [10, 11, 12, 13, 14],
        ]
        assert joined(found[2])[1].tolist() == [5] * 10
        assert len(joined(found[9])[0]) == 0


@pytest.mark.gen_test
async def test_damage_costs_what_it_hits(tmp_path):
    """A missing strip is named; constant columns and other segments are read all the same."""
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        write(log.path, "DELETE FROM strips WHERE place >> 32 = 2")
        with pytest.raises(Damaged, match="strip 0 of segment 2"):
            await log.columns("a", [1], 0, 2**62)
        assert len((await log.columns("a", [2], 0, 2**62))[2][0]) == 40
        assert len((await log.columns("a", [1], BEGIN + 20 * SECOND, 2**62))[1][0]) == 20
        async with log._engine.snapshot() as connection:
            segment = (await log._archive.after(connection, 10, 20))[0]
            columns, wrong = await log._archive.readable(connection, segment)
        assert set(columns) == {2}
        assert len(wrong) == 2


@pytest.mark.gen_test
async def test_a_column_is_read_once(tmp_path, monkeypatch):
    """What is sealed does not change: asked again it comes from memory, within a bound, and cannot be
    changed by who was given it."""
    monkeypatch.setattr(archive, "COLUMNS_BYTES", 2000)
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        first = await log.columns("a", [1], BEGIN, BEGIN + 20 * SECOND)
        write(log.path, "DELETE FROM strips")
        again = await log.columns("a", [1], BEGIN + SECOND, BEGIN + 20 * SECOND)
        assert again[1][1].tolist() == first[1][1].tolist()[1:]
        (piece,) = (await log._engine.look(log._archive.columns([1], BEGIN, BEGIN + SECOND * 10)))[
            1
        ]
        with pytest.raises(ValueError, match="read-only"):
            piece[1][0] = 7
        with pytest.raises(Damaged, match="strip 0 of segment 3"):
            await log.columns("a", [1], 0, 2**62)
        await log.columns("a", [2], 0, 2**62)
        kept = log._archive._columns._read
        assert 0 < kept.currsize <= 2000
        with pytest.raises(Damaged, match="strip 0 of segment 1"):
            await log.columns("a", [1], BEGIN, BEGIN + 20 * SECOND)


@pytest.mark.gen_test
async def test_what_is_kept_has_a_bound(tmp_path, monkeypatch):
    """Heads of many ticks are large: they are weighed, and one that is too large is not kept at all."""
    monkeypatch.setattr(archive, "SLEEVES_BYTES", 5000)
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        kept = log._archive._sleeves
        assert len(await log.read(0, 100)) == 40
        assert 0 < len(kept) < 4
        assert kept.currsize <= 5000
        monkeypatch.setattr(archive, "SLEEVES_BYTES", 1)
        kept.clear()
        assert len(await log.read(0, 100)) == 40
        assert len(kept) == 0
