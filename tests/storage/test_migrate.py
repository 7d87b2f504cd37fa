"""A database file of any age is brought to the newest schema, and what was in it stays."""

import re
import shutil
import sqlite3
import textwrap

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from storage import migrate as module
from storage.errors import NewerDatabase, NotWritable, StorageBroken
from storage.migrate import MIGRATIONS, known, migrate


@pytest.fixture
def tomorrow(tmp_path, monkeypatch):
    """A Playhead with one migration more than this one."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    newest = max(
        re.search(r'revision = "(\w+)"', path.read_text())[1]  # type: ignore[index]
        for path in (copy / "versions").glob("r*.py")
    )
    (copy / "versions" / "r9999_tomorrow.py").write_text(
        textwrap.dedent(
            f"""
            import sqlalchemy as sa
            from alembic import op

            revision = "9999"
            down_revision = "{newest}"


            def upgrade():
                with op.batch_alter_table("events") as table:
                    table.add_column(sa.Column("colour", sa.Text, server_default="grey"))
            """
        )
    )
    monkeypatch.setattr(module, "MIGRATIONS", copy)
    return newest


def rows(path, sql):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_revision_is_the_number_in_its_name():
    """What is known without Alembic is what Alembic knows, in its order, one line from the first to the newest."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert known() == [script.revision for script in scripts]
    assert [script.down_revision for script in scripts] == [*known()[1:], None]


def test_a_fresh_file_gets_every_table_and_no_backup(tmp_path):
    """The first start makes the file; there is nothing to keep a copy of."""
    path = tmp_path / "playhead.db"
    done = migrate(path)
    assert (done.before, done.backup) == (None, None)
    assert rows(path, "SELECT version_num FROM alembic_version") == [(done.after,)]
    tables = {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables >= {"log", "events", "receipts", "checkpoints"}
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    assert rows(path, "PRAGMA auto_vacuum") == [(2,)]


def test_what_a_power_cut_left_of_the_first_start_is_rolled_back(tmp_path):
    """Before the WAL there is a rollback journal; a file that needs it cannot be read as it lies there."""
    (tmp_path / "dying").mkdir()
    dying = sqlite3.connect(tmp_path / "dying" / "playhead.db", isolation_level=None)
    dying.execute("PRAGMA cache_size=1")
    dying.execute("BEGIN")
    dying.execute("CREATE TABLE half (done BLOB)")
    dying.execute("INSERT INTO half VALUES (zeroblob(100000))")
    shutil.copytree(tmp_path / "dying", tmp_path / "left")
    dying.close()
    path = tmp_path / "left" / "playhead.db"
    assert path.stat().st_size and path.with_name("playhead.db-journal").exists()
    assert migrate(path).before is None
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'half'") == []
    assert rows(path, "PRAGMA auto_vacuum") == [(2,)]


def test_an_empty_file_is_a_fresh_one(tmp_path):
    """Somebody's `touch`, or a start that was killed at once."""
    path = tmp_path / "playhead.db"
    path.touch()
    assert migrate(path).before is None


def test_at_the_head_nothing_is_touched(tmp_path):
    """A start without an upgrade writes nothing and copies nothing."""
    path = tmp_path / "playhead.db"
    first = migrate(path)
    before = path.read_bytes()
    again = migrate(path)
    assert (again.before, again.after, again.backup) == (first.after, first.after, None)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.bak"))


def test_an_upgrade_keeps_every_row_and_a_copy_from_before(tmp_path, request):
    """Raw rows of the old revision are there after the upgrade, in the new shape; the copy has them in
    the old, whole by itself, rows that still stood in the WAL included."""
    path = tmp_path / "playhead.db"
    migrate(path)
    newest = request.getfixturevalue("tomorrow")
    crashed = sqlite3.connect(path)  # kept open: its rows stay in the WAL, as after kill -9
    crashed.execute("INSERT INTO log VALUES (1, 'epoch', 1, 1, 1, 5, NULL)")
    crashed.execute(
        "INSERT INTO events VALUES (1, 7, 'a', 'metrics', 1, x'929101cb3fe0000000000000', NULL)"
    )
    crashed.commit()
    done = migrate(path)
    crashed.close()
    assert (done.before, done.after) == (newest, "9999")
    assert rows(path, "SELECT seq, at, source, type, version, hex(body), colour FROM events") == [
        (1, 7, "a", "metrics", 1, "929101CB3FE0000000000000", "grey")
    ]
    assert done.backup is not None
    assert done.backup.parent == tmp_path
    assert rows(done.backup, "SELECT version_num FROM alembic_version") == [(newest,)]
    assert rows(done.backup, "SELECT seq, at FROM events") == [(1, 7)]
    assert rows(done.backup, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("before", ["nothing", "an older log"])
def test_an_upgrade_is_done_or_not_begun(tmp_path, request, before):
    """What ends in the middle of its steps, by an error or with the process, leaves the tables as they were
    before the first, and the next start does it all."""
    path = tmp_path / "playhead.db"
    if before == "an older log":
        migrate(path)
    request.getfixturevalue("tomorrow")
    step = module.MIGRATIONS / "versions" / "r9999_tomorrow.py"
    sound = step.read_text()
    step.write_text(f"{sound}\n    raise RuntimeError('half way')\n")
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    was = rows(path, tables)
    with pytest.raises(RuntimeError, match="half way"):
        migrate(path)
    assert rows(path, tables) == was
    step.write_text(sound)
    assert migrate(path).after == "9999"
    assert rows(path, "SELECT colour FROM events") == []


def test_a_newer_database_is_refused_untouched(tmp_path, request, monkeypatch):
    """An older program leaves the file alone and says which way out there is."""
    path = tmp_path / "playhead.db"
    with monkeypatch.context() as patch:
        request.getfixturevalue("tomorrow")
        migrate(path)
        patch.undo()
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS)
    before = path.read_bytes()
    with pytest.raises(NewerDatabase, match="9999") as refused:
        migrate(path)
    assert "backup" in refused.value.hint
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path):
    """Whatever it is, it is somebody's, and not to be written over."""
    path = tmp_path / "playhead.db"
    path.write_text("Dear diary, " * 100)
    with pytest.raises(StorageBroken, match="no Playhead database"):
        migrate(path)
    assert path.read_text() == "Dear diary, " * 100


def test_the_database_of_another_program_is_refused_untouched(tmp_path):
    """SQLite alone does not make it a log: our tables are not put beside those of others."""
    path = tmp_path / "playhead.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StorageBroken, match="another program"):
        migrate(path)
    assert path.read_bytes() == before


def test_a_directory_in_the_place_of_the_file_is_named(tmp_path):
    """No traceback for a mistake of the user's."""
    (tmp_path / "playhead.db").mkdir()
    with pytest.raises(NotWritable, match=r"playhead\.db is a directory"):
        migrate(tmp_path / "playhead.db")


@pytest.mark.parametrize("name", ["50%", "what?", "a#b", "sp ace", "ünï", "a&b=c"])
def test_any_directory_will_do(tmp_path, name):
    """The path is the user's business, not a piece of a URL or of an ini file."""
    path = tmp_path / name / "playhead.db"
    path.parent.mkdir()
    migrate(path)
    assert migrate(path).before is not None
    assert [one.name for one in tmp_path.iterdir()] == [name]
