"""What was given up is remembered, and its memory is checked."""

import pytest

from storage.backup import backup, restore
from storage.engine import Engine
from storage.horizons import RAW, Horizons
from storage.look import FILE, look
from storage.migrate import migrate
from storage.retention import Keep
from storage.verify import verify
from tests.storage.conftest import tick
from tests.storage.test_retention import filled, past
from tests.storage.test_sealer import BEGIN, SECOND, logged, write


@pytest.fixture
async def engine(tmp_path):
    migrate(tmp_path / "playhead.db")
    it = Engine(tmp_path / "playhead.db")
    await it.open()
    yield it
    await it.close()


@pytest.mark.gen_test
async def test_horizons_move_on_and_never_back(engine):
    """Those that were not named stay; what is loaded is what was written."""
    horizons = Horizons()
    for to in ({RAW: 5, 60: 7}, {RAW: 3}, {60: 9, 3600: 1}):
        async with engine.transaction() as connection:
            await horizons.move(connection, to)
    assert [horizons.at(tier) for tier in (RAW, 10, 60, 3600)] == [5, 0, 9, 1]
    again = Horizons()
    async with engine.reader() as connection:
        await again.load(connection)
    assert [again.at(tier) for tier in (RAW, 10, 60, 3600)] == [5, 0, 9, 1]


@pytest.mark.gen_test
async def test_what_is_not_as_it_was_written_is_not_believed(tmp_path, logs):
    """The oldest that is held counts instead."""
    async with logged(tmp_path / "a.db") as log:
        await filled(log)
        await log.forget(*past(2))
    write(log.path, "UPDATE horizons SET at = 1")
    write(log.path, "INSERT INTO horizons VALUES (60, 77, 1), (10, 77, 1), (3600, 77, 2)")
    write(log.path, "DELETE FROM rollups WHERE place >> 58 = 1")
    async with logged(tmp_path / "a.db") as log:
        assert log.since(0) == BEGIN + 20 * SECOND
        assert log.since(10) > BEGIN
        assert 0 < log.since(3600) <= log.since(60) <= BEGIN
    for tier in (0, 60, 10, 3600):
        logs.expect(f"damaged.*tier {tier} is not as it was written")


@pytest.mark.gen_test
async def test_without_anything_left_nothing_is_whole(tmp_path, logs):
    """Everything was given up, and when is not known any more: no time is told from which all is held that lies
    before what was."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(40)])
        await log.seal(log.head, all_of_it=True)
        await log.forget(*past(9))
        since = log.since(0)
    assert since == BEGIN + 39 * SECOND + 1
    write(tmp_path / "a.db", "UPDATE horizons SET at = at + 1")
    async with logged(tmp_path / "a.db") as log:
        assert since <= log.since(0) <= since + 3600 * SECOND
    write(tmp_path / "a.db", "DELETE FROM rollups")
    async with logged(tmp_path / "a.db") as log:
        assert log.since(0) > 0
    for _ in range(2):
        logs.expect("tier 0 is not as it was written")


@pytest.mark.gen_test
async def test_a_restored_backup_knows_what_was_given_up(tmp_path):
    """And says so to whoever asks: a range behind it is answered from a tier that is whole there."""
    (tmp_path / "one").mkdir()
    path = tmp_path / "one" / FILE
    async with logged(path) as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(100)])
        await log.seal(log.head, all_of_it=True)
        keep = Keep(raw_days=1, fine_days=1000, minute_days=1000, hour_days=1000, bytes=0)
        gone = await log.forget(keep, BEGIN + 10 * 86_400 * SECOND)
        since, floor = log.since(0), log.floor
        assert gone.segments and since > BEGIN
    backup(path, tmp_path / "saved.db")
    restore(tmp_path / "saved.db", tmp_path / "two")
    with look(tmp_path / "two" / FILE) as connection:
        assert verify(connection).damages == []
    async with logged(tmp_path / "two" / FILE) as log:
        assert (log.since(0), log.since(60), log.floor) == (since, 0, floor)
        buckets = (await log.buckets([1], BEGIN, BEGIN + 60 * SECOND, 60))[1]
        assert buckets.count.sum() > 0
