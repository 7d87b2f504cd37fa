"""The log: events in order, its identity, receipts of idempotent writes, checkpoints of views."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("head", seq, nullable=False),
        sa.Column("floor", seq, nullable=False),
        sa.Column("samples", seq, nullable=False),
        sa.Column("created_at", seq, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", seq, primary_key=True, autoincrement=False),
        sa.Column("at", seq, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("events_at", "events", ["at", "source"])
    op.create_index(
        "events_facts",
        "events",
        ["type", "seq"],
        sqlite_where=sa.text("type <> 'metrics'"),
        postgresql_where=sa.text("type <> 'metrics'"),
    )
    op.create_table(
        "receipts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", seq, nullable=False),
        sa.Column("first", seq, nullable=False),
        sa.Column("last", seq, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("receipts_at", "receipts", ["at"])
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("seq", seq, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
