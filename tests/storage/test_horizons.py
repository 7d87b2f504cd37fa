"""What was given up is remembered, and its memory is checked."""

import pytest

from storage.engine import Engine
from storage.horizons import RAW, Horizons
from storage.migrate import migrate
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
        assert log.since(10) == 0
        assert 0 < log.since(3600) <= log.since(60) <= BEGIN
    for tier in (0, 60, 10, 3600):
        logs.expect(f"damaged.*tier {tier} is not as it was written")
