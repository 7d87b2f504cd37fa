"""What the log says of itself."""

from storage.look import look
from storage.stats import stats
from tests.storage.filled import dump, fill


def test_the_figures_are_those_of_the_tables(tmp_path):
    """Rows and bytes are counted, not guessed."""
    path = tmp_path / "playhead.db"
    log = fill(path)
    truth = dump(path)
    with look(path) as connection:
        told = stats(connection, path)
    assert {name: table.rows for name, table in told.tables.items()} == {
        name: len(rows) for name, rows in truth.items()
    }
    assert told.tables["strips"].bytes == sum(len(body) for _, body in truth["strips"])
    assert (told.epoch, told.head, told.floor, told.samples) == (
        log.epoch,
        log.head,
        log.floor,
        log.samples,
    )
    assert (told.segments, told.unsealed_ticks, told.facts) == (3, 120, 12)
    assert told.sealed_samples + 240 == told.samples
    assert [told.tiers[tier].rows for tier in ("10 s", "60 s", "3600 s")] == [1, 1, 1]
    assert told.bytes == path.stat().st_size and told.oldest and told.newest
