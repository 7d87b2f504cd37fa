"""The tables the code speaks of are the tables the migrations make."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from storage.migrate import migrate
from storage.schema import metadata


def test_migrations_and_schema_agree(tmp_path):
    """Alembic finds nothing to add, drop or alter between the newest migration and the code."""
    path = tmp_path / "playhead.db"
    migrate(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_seq_is_the_rowid_and_facts_have_a_partial_index(tmp_path):
    """What makes appending and looking facts up cheap is truly there."""
    path = tmp_path / "playhead.db"
    migrate(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all()
        made = {name: sql for name, sql in found}
        assert inspect(connection).get_pk_constraint("events")["constrained_columns"] == ["seq"]
    assert "seq INTEGER NOT NULL" in made["events"]
    assert "WHERE type <> 'metrics'" in made["events_facts"]
