"""Segments of sealed ticks with their columns, rollups with their positions, producers; narrower receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "segments",
        sa.Column("id", seq, primary_key=True, autoincrement=False),
        sa.Column("first_seq", seq, nullable=False),
        sa.Column("last_seq", seq, nullable=False),
        sa.Column("start_at", seq, nullable=False),
        sa.Column("end_at", seq, nullable=False),
        sa.Column("ticks", seq, nullable=False),
        sa.Column("samples", seq, nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("directory", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
    )
    op.create_index("segments_seq", "segments", ["last_seq"])
    op.create_index("segments_at", "segments", ["start_at", "end_at"])
    op.create_table(
        "strips",
        sa.Column("place", seq, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "rollups",
        sa.Column("place", seq, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "tiers",
        sa.Column("tier", seq, primary_key=True, autoincrement=False),
        sa.Column("position", seq, nullable=False),
    )
    op.create_table(
        "producers",
        sa.Column("producer", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("pseq", seq, nullable=False),
        sa.Column("first", seq, nullable=False),
        sa.Column("last", seq, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    # A text key beside a rowid costs a second tree; SQLite cannot take the rowid away in place.
    op.drop_index("receipts_at", "receipts")
    op.rename_table("receipts", "receipts_before")
    op.create_table(
        "receipts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", seq, nullable=False),
        sa.Column("first", seq, nullable=False),
        sa.Column("last", seq, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO receipts (key, at, first, last, body) "
        "SELECT key, at, first, last, body FROM receipts_before"
    )
    op.drop_table("receipts_before")
    op.create_index("receipts_at", "receipts", ["at"])
    op.rename_table("checkpoints", "checkpoints_before")
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("seq", seq, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO checkpoints (name, version, seq, body) "
        "SELECT name, version, seq, body FROM checkpoints_before"
    )
    op.drop_table("checkpoints_before")
