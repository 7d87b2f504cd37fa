"""Bring a database file to the newest schema, in process, with a copy kept from before.

Runs before the log is opened, in a worker thread: Alembic is synchronous.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import NullPool

from storage.engine import WRITER_PRAGMAS
from storage.errors import NewerDatabase, NotWritable, StorageBroken, translated

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


@dataclass(frozen=True, slots=True)
class Migrated:
    """`backup` is the copy made before an existing file was changed, if it was."""

    before: str | None
    after: str
    backup: Path | None


def migrate(path: Path) -> Migrated:
    """
    Raises:
        NewerDatabase: the file's revision is not among ours.
        StorageBroken: it is no database, or that of another program.
        StorageError: the file cannot be read or written.
    """
    if path.is_dir():
        raise NotWritable(f"{path} is a directory; the log would be a file of that name")
    newest, *older = known()
    with translated(path.parent):
        before = _revision(path)
        if before == newest:
            return Migrated(before, newest, None)
        if before is not None and before not in older:
            raise NewerDatabase(
                f"{path} was written by a newer Playhead (schema {before}; this one knows up to {newest})",
                "start the newer Playhead, or restore a backup made before the upgrade",
            )
        backup = _backup(path, before) if before is not None else None
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            poolclass=NullPool,
            # The driver's own idea of transactions leaves out CREATE and ALTER.
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            for pragma in WRITER_PRAGMAS:
                connection.exec_driver_sql(pragma)
            # One for all steps: a start that is killed between two of them finds the file as it was.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection, newest)
            connection.commit()
    return Migrated(before, newest, backup)


def known() -> list[str]:
    """The schemas this program knows, the newest first: a revision is the number in its file's name."""
    found = sorted(
        (path.name[1:5] for path in (MIGRATIONS / "versions").glob("r*.py")), reverse=True
    )
    assert found, "migrations/versions holds no revision"
    return found


def _upgrade(connection: Connection, newest: str) -> None:
    # Loaded here and not above: a tenth of what a start takes, and nearly all starts find nothing to do.
    import alembic.command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, newest)


def _revision(path: Path) -> str | None:
    if not path.exists() or path.stat().st_size == 0:
        return None
    # A journal is there only when a power cut or a kill hit the first start, before the WAL took its place:
    # the file reads again once it is rolled back, and that is to write.
    mode = "rw" if path.with_name(f"{path.name}-journal").exists() else "ro"
    connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)
    try:
        known = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchone()
        if not known and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StorageBroken(
                f"{path} is the database of another program",
                "Choose another directory with --data, or move the file away.",
            )
        row = (
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if known
            else None
        )
    finally:
        connection.close()
    return row[0] if row else None


def _backup(path: Path, revision: str) -> Path:
    target = path.with_name(
        f"{path.stem}-{revision}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.bak"
    )
    source = sqlite3.connect(path)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    return target
