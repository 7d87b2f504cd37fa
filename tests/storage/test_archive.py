"""Segments are read whole or by the column, and what is kept of them in memory has a bound."""

import pytest

from storage import archive
from storage.archive import joined
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
            assert [s.id for s in await after(connection, 0, 99, 9)] == [1, 2, 3, 4]
            assert [s.id for s in await after(connection, 0, 99, 2)] == [1, 2]
            assert [s.id for s in await after(connection, 10, 21, 9)] == [2, 3]
            assert [s.id for s in await after(connection, 9, 10, 9)] == [1]
            late, soon = BEGIN + 10 * SECOND, BEGIN + 20 * SECOND
            assert [s.id for s in await after(connection, 0, 99, 9, late, soon)] == [2]


@pytest.mark.gen_test
async def test_columns_of_a_part_are_cut_to_it(tmp_path):
    """A piece a segment; constants, too; a series that is not there has none."""
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        plan = log._ranges._sealed(
            frozenset([1, 2, 9]), BEGIN + 5 * SECOND, BEGIN + 15 * SECOND, None
        )
        found = await log._engine.look(plan)
        assert [values.tolist() for _, values in found[1]] == [
            [5, 6, 7, 8, 9],
            [10, 11, 12, 13, 14],
        ]
        assert joined(found[2])[1].tolist() == [5] * 10
        assert len(joined(found[9])[0]) == 0


@pytest.mark.gen_test
async def test_damage_costs_what_it_hits(tmp_path, logs):
    """A missing strip is named; constant columns and other segments are read all the same."""
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        write(log.path, "DELETE FROM strips WHERE place >> 32 = 2")
        assert len((await log.columns("a", [1], 0, 2**62))[1][0]) == 30
        assert log.damages.within(BEGIN, BEGIN + 100 * SECOND) == ["segment 2 series 1"]
        assert log.damages.within(BEGIN + 20 * SECOND, 2**62) == []
        logs.expect("segment 2 series 1.*strip 0 of segment 2 is missing")
        assert len((await log.columns("a", [2], 0, 2**62))[2][0]) == 40
        assert len((await log.columns("a", [1], BEGIN + 20 * SECOND, 2**62))[1][0]) == 20
        async with log._engine.snapshot() as connection:
            segment = (await log._archive.after(connection, 10, 20, 1))[0]
            columns, wrong = await log._archive.readable(connection, segment)
        assert set(columns) == {2}
        assert len(wrong) == 2


@pytest.mark.gen_test
async def test_a_column_is_read_once(tmp_path, monkeypatch, logs):
    """What is sealed does not change: asked again it comes from memory, within a bound, and cannot be
    changed by who was given it. What is not is read anew, and missed."""
    monkeypatch.setattr(archive, "COLUMNS_BYTES", 2000)
    async with logged(tmp_path / "a.db") as log:
        await sealed(log)
        first = await log.columns("a", [1], BEGIN, BEGIN + 20 * SECOND)
        write(log.path, "DELETE FROM strips")
        again = await log.columns("a", [1], BEGIN + SECOND, BEGIN + 20 * SECOND)
        assert again[1][1].tolist() == first[1][1].tolist()[1:]
        plan = log._ranges._sealed(frozenset([1]), BEGIN, BEGIN + 10 * SECOND, None)
        (piece,) = (await log._engine.look(plan))[1]
        with pytest.raises(ValueError, match="read-only"):
            piece[1][0] = 7
        assert len((await log.columns("a", [1], 0, 2**62))[1][0]) == 20
        assert log.damaged(0, 2**62) == ["segment 3 series 1", "segment 4 series 1"]
        await log.columns("a", [2], 0, 2**62)
        kept = log._archive._columns._read
        assert 0 < kept.currsize <= 2000
        await log.columns("a", [1], BEGIN, BEGIN + 20 * SECOND)
        assert "segment 1 series 1" in log.damaged(0, 2**62)
        logs.lines.clear()


@pytest.mark.gen_test
async def test_a_segment_is_opened_once_for_all_its_pages(tmp_path, monkeypatch):
    """Whoever walks the log a page at a time has each segment decoded once, and looks up the segments of the
    page and not of all the log; what is kept has a bound, but for the one read last."""
    opened = []
    original = archive._open

    def counted(segment, *rest):
        opened.append(segment.id)
        return original(segment, *rest)

    monkeypatch.setattr(archive, "_open", counted)
    monkeypatch.setattr(archive, "OPENED_BYTES", 1)
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(400)])
        await log.seal(log.head, all_of_it=True)
        met, after = [], 0
        while page := await log.read(after, 3):
            met += page
            after = page[-1].seq
        assert [event.data.values for event in met] == [(n,) for n in range(400)]
        assert opened == [*range(1, 41)]
        assert len(log._archive._opened) == 1
        middle = await log.read(0, 3, start=BEGIN + 195 * SECOND, end=BEGIN + 250 * SECOND)
        assert [event.seq for event in middle] == [196, 197, 198]
        assert opened[40:] == [20]


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
