"""A look leaves no trace, sees one moment, and says what is no log."""

import sqlite3

import pytest

from storage.errors import NewerDatabase, StorageError
from storage.look import look, still
from storage.migrate import migrate
from tests.storage.conftest import tick
from tests.storage.filled import change, fill


@pytest.mark.gen_test
async def test_one_moment_while_others_write(opened):
    """What is committed meanwhile is not seen."""
    async with opened() as log:
        await log.append([tick()])
        with look(log.path) as connection:
            await log.append([tick(), tick()])
            assert connection.execute("SELECT max(seq) FROM events").fetchone() == (1,)
        with look(log.path) as connection:
            assert connection.execute("SELECT max(seq) FROM events").fetchone() == (3,)


def test_nothing_can_be_written(tmp_path):
    """Not even by mistake."""
    path = tmp_path / "playhead.db"
    fill(path)
    for way in (look, still):
        with pytest.raises(StorageError), way(path) as connection:
            connection.execute("DELETE FROM events")


def test_what_is_no_log_is_called_so(tmp_path):
    """Nothing there, something else, an older one, a newer one: each with a way out."""
    path = tmp_path / "playhead.db"
    with pytest.raises(StorageError, match="no log"), look(path):
        pass
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cats (name)")
    other.close()
    with pytest.raises(StorageError, match="not a log"), look(path):
        pass
    path.unlink()
    migrate(path)
    change(path, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(StorageError, match="older"), look(path):
        pass
    with still(path, older=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    change(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerDatabase), look(path):
        pass
