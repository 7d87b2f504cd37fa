"""The rollups in the file are those of the samples, whatever came when."""

import contextlib
import gzip
import sqlite3
from pathlib import Path

import msgspec
import numpy as np
import pytest

from storage import tiers
from storage.engine import Engine
from storage.errors import Damaged
from storage.migrate import migrate
from storage.rollups import TIERS, Columns, Doubles, Ints, block_of, block_start, differing, fold

RECORDING = Path(__file__).resolve().parents[1] / "data" / "host-recording.jsonl.gz"
NOW = 1_795_403_400_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
FOREVER = 2**62


@pytest.fixture
async def engine(tmp_path):
    migrate(tmp_path / "playhead.db")
    it = Engine(tmp_path / "playhead.db")
    await it.open()
    yield it
    await it.close()


def span(start, count, ids, seed=0, step=SECOND):
    """Columns of some series: every third constant, every third a counter, the others anything."""
    rng = np.random.default_rng(seed + start // SECOND)
    ats = start + np.arange(count) * step
    kinds = (
        lambda: np.full(count, 7.25),
        lambda: np.cumsum(rng.integers(0, 5000, count)).astype(np.float64),
        lambda: rng.normal(size=count),
    )
    return {id_: (ats, kinds[id_ % 3]()) for id_ in ids}


def joined(*parts) -> Columns:
    """Columns laid end to end, and in order of time."""
    found: dict[int, tuple[Ints, Doubles]] = {}
    for id_ in {id_ for part in parts for id_ in part}:
        ats = np.concatenate([part[id_][0] for part in parts if id_ in part])
        values = np.concatenate([part[id_][1] for part in parts if id_ in part])
        order = np.argsort(ats, kind="stable")
        found[id_] = (ats[order], values[order])
    return found


async def add(engine, *parts):
    for seq, part in enumerate(parts, 1):
        async with engine.transaction() as connection:
            prepared = await tiers.prepare(connection, part)
            assert prepared.damaged == []
            await tiers.write(connection, prepared, seq)


async def position(engine, tier):
    async with engine.reader() as connection:
        found = await connection.exec_driver_sql(
            "SELECT position FROM tiers WHERE tier = ?", (tier,)
        )
        return found.scalar() or 0


async def read(engine, ids, tier, start=0, end=FOREVER):
    async with engine.reader() as connection:
        return await tiers.read(connection, ids, start, end, tier)


@pytest.mark.parametrize("tier", [60, 3600])
@pytest.mark.gen_test
async def test_spans_add_up_to_their_samples(engine, tier):
    """Segments that end inside a bucket, blocks that end inside a segment, groups of series, latecomers."""
    ids = [1, 2, 3, 63, 64, 65, 200]
    parts = [span(NOW + n * 590 * SECOND, 590, ids) for n in range(4)]
    parts.append(span(NOW + 30 * 24 * HOUR, 900, ids[:4], step=37 * SECOND))
    parts.append(span(NOW - 7 * HOUR, 300, [2, 65, 66], step=7 * SECOND))
    parts.append(span(NOW + 100 * SECOND + 1, 50, [3, 64], seed=5))
    await add(engine, *parts)
    found = await read(engine, [*ids, 66, 999], tier)
    whole = joined(*parts)
    assert set(found) == {*ids, 66, 999}
    for id_, column in whole.items():
        assert differing(found[id_], fold(*column, tier)) == []
    assert len(found[999].at) == 0
    assert await position(engine, tier) == len(parts)


@pytest.mark.gen_test
async def test_the_order_of_spans_leaves_no_trace(engine, tmp_path):
    """The same spans in another order make the same bytes."""
    parts = [span(NOW + n * 450 * SECOND, 450, range(1, 70), seed=n) for n in range(3)]
    parts.append(span(NOW + 20 * SECOND, 40, [4, 5, 68], seed=9))
    migrate(tmp_path / "other.db")
    other = Engine(tmp_path / "other.db")
    await other.open()
    await add(engine, *parts)
    await add(other, *reversed(parts))
    rows = []
    for each in (engine, other):
        async with each.reader() as connection:
            found = await connection.exec_driver_sql("SELECT place, body FROM rollups")
            rows.append(sorted(map(tuple, found.all())))
    await other.close()
    assert rows[0] == rows[1] and rows[0]


@pytest.mark.gen_test
async def test_a_range_is_answered_with_its_own_buckets(engine):
    """From the bucket that holds the start to the last that begins before the end."""
    part = span(NOW, 1800, [1])
    await add(engine, part)
    start, end = NOW + 90 * SECOND, NOW + 600 * SECOND
    found = (await read(engine, [1], 60, start, end))[1]
    assert found.at.tolist() == list(range(NOW + 60 * SECOND, end, 60 * SECOND))
    assert len((await read(engine, [1], 60, end, end))[1].at) == 0
    assert len((await read(engine, [1], 60, NOW + 9 * HOUR, FOREVER))[1].at) == 0
    assert len((await read(engine, [1], 10))[1].at) == 0


@pytest.mark.gen_test
async def test_the_fine_tier_takes_what_goes(engine):
    """Only what is handed to it, and its position only when told."""
    parts = [span(NOW + n * 600 * SECOND, 600, [1, 2, 3]) for n in range(2)]
    for part, told in zip(parts, (None, 77), strict=True):
        async with engine.transaction() as connection:
            prepared = await tiers.prepare(connection, part, coarse=False)
            await tiers.write(connection, prepared, told)
    found = await read(engine, [1, 2, 3], 10)
    for id_, column in joined(*parts).items():
        assert differing(found[id_], fold(*column, 10)) == []
    assert [await position(engine, tier) for tier in TIERS] == [77, 0, 0]


@pytest.mark.gen_test
async def test_forgetting_takes_whole_blocks_of_one_tier(engine):
    """A block goes when all of it is older; the other tiers keep theirs."""
    parts = [span(NOW + n * 6 * HOUR, 30, [1, 70], step=60 * SECOND) for n in range(4)]
    await add(engine, *parts)
    before = await read(engine, [1, 70], 60)
    hours = await read(engine, [1, 70], 3600)
    edge = block_start(block_of(NOW, 60) + 2, 60)
    last = block_of(edge, 60) - 1
    async with engine.transaction() as connection:
        size, since = await tiers.forget(connection, 60, last)
        assert size > 0 and since == edge
        assert (await tiers.forget(connection, 60, last))[0] == 0
        assert (await tiers.forget(connection, 60, -1))[0] == 0
    left = await read(engine, [1, 70], 60)
    for id_ in (1, 70):
        assert differing(left[id_], before[id_].within(edge, FOREVER)) == []
        assert len(left[id_].at) < len(before[id_].at)
        assert differing((await read(engine, [1, 70], 3600))[id_], hours[id_]) == []


@pytest.mark.gen_test
async def test_the_ends_of_every_series_are_remembered(engine, monkeypatch):
    """When the bucket of its first sample begins, and its last sample exactly; in as many looks as it takes."""
    monkeypatch.setattr(tiers, "ROWS", 2)
    parts = [span(NOW + n * 400 * HOUR, 3000, range(1, 200, 50)) for n in range(3)]
    parts.append(span(NOW - 400 * HOUR, 10, [500]))
    await add(engine, *parts)
    async with engine.reader() as connection:
        found = await tiers.ends(connection, 3600)
        assert await tiers.ends(connection, 10) == {}
    wanted = {
        id_: (int(at[0]) // HOUR * HOUR, int(at[-1]), value[-1])
        for id_, (at, value) in joined(*parts).items()
    }
    assert found == wanted


@pytest.mark.gen_test
async def test_forgetting_goes_in_bites(engine, monkeypatch):
    """So many rows a transaction, or so many bytes but one row at least; a block that has been begun is given
    up to its end."""
    await add(engine, span(NOW, 30, range(1, 400, 64)), span(NOW + 6 * HOUR, 30, [1]))
    block = block_of(NOW, 60)
    end = block_start(block + 1, 60)
    monkeypatch.setattr(tiers, "ROWS", 3)
    bites = []
    for most in (1_000_000, 1, 1_000_000, 1_000_000):
        monkeypatch.setattr(tiers, "BYTES", most)
        async with engine.transaction() as connection:
            size, since = await tiers.forget(connection, 60, block)
            found = await connection.exec_driver_sql(
                "SELECT count(*) FROM rollups WHERE place >> 58 = 2"
            )
            bites.append(found.scalar())
        assert since == end or not size
    assert bites == [5, 4, 1, 1]


@pytest.mark.gen_test
async def test_damage_is_named_and_stays_where_it_is(engine):
    """The tier, the series and the time of it; what lies beside it is read as before."""
    parts = [span(NOW + n * 6 * HOUR, 30, [1, 70], step=60 * SECOND) for n in range(2)]
    await add(engine, *parts)
    place = tiers.place_of(60, block_of(NOW, 60), 70)
    async with engine.transaction() as connection:
        found = await connection.exec_driver_sql(
            "SELECT body FROM rollups WHERE place = ?", (place,)
        )
        torn = bytearray(found.scalar_one())
        torn[20] ^= 1
        await connection.exec_driver_sql(
            "UPDATE rollups SET body = ? WHERE place = ?", (bytes(torn), place)
        )
    with pytest.raises(Damaged, match="60 s rollups of series 64 to 127 from 1795"):
        await read(engine, [70], 60)
    async with engine.reader() as connection:
        prepared = await tiers.prepare(connection, span(NOW, 5, [70]))
    assert len(prepared.damaged) == 1 and [tiers.block_at(row[0]) for row in prepared.rows] == [
        block_of(NOW, 3600)
    ]
    assert len((await read(engine, [1], 60))[1].at) == 60
    assert len((await read(engine, [70], 60, NOW + 6 * HOUR))[70].at) == 30
    assert len((await read(engine, [70], 3600))[70].at) > 0


@pytest.mark.gen_test
async def test_a_failed_transaction_leaves_nothing(engine):
    """Blocks and position are those of the last commit."""
    await add(engine, span(NOW, 600, [1, 2]))
    before = await read(engine, [1, 2], 60)
    with pytest.raises(LookupError):
        async with engine.transaction() as connection:
            prepared = await tiers.prepare(connection, span(NOW + 600 * SECOND, 600, [1, 2]))
            await tiers.write(connection, prepared, 2)
            raise LookupError
    after = await read(engine, [1, 2], 60)
    assert all(differing(before[id_], after[id_]) == [] for id_ in (1, 2))
    assert await position(engine, 60) == 1


@pytest.mark.gen_test
async def test_half_an_hour_of_a_host_takes_18_kb(engine):
    """191 series, 126 of them constant, in segments of ten minutes: both coarse tiers together."""
    with gzip.open(RECORDING) as lines:
        ticks = [msgspec.json.decode(line)["values"] for line in lines]
    table = np.array([list(tick.values()) for tick in ticks], np.float64)
    ats = NOW + np.arange(len(ticks)) * SECOND
    parts = [
        {
            id_: (ats[first : first + 600], table[first : first + 600, id_ - 1])
            for id_ in range(1, table.shape[1] + 1)
        }
        for first in range(0, len(ticks), 600)
    ]
    await add(engine, *parts)
    async with engine.reader() as connection:
        found = await connection.exec_driver_sql("SELECT sum(length(body)), count(*) FROM rollups")
        size, rows = found.one()
    stored = await read(engine, range(1, 192), 60)
    for id_, column in joined(*parts).items():
        assert differing(stored[id_], fold(*column, 60)) == []
    assert size + 20 * rows <= 18_000


@pytest.mark.gen_test
async def test_before_all_time_lies_no_other_tier(engine, tmp_path):
    """As when as long a stretch as a long one is asked for before it: what is told is of the tier that was asked."""
    part = span(NOW, 600, [1, 70])
    await add(engine, part)
    async with engine.transaction() as connection:
        await tiers.write(connection, await tiers.prepare(connection, part, coarse=False))
    with contextlib.closing(sqlite3.connect(tmp_path / "playhead.db")) as look:
        for tier in TIERS:
            found = list(tiers.stored(look, tier, -NOW, NOW + HOUR))
            assert [id_ for id_, _ in found] == [1, 70]
            for id_, buckets in found:
                assert differing(buckets, fold(*joined(part)[id_], tier)) == []
