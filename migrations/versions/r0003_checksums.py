"""A checksum beside each row that has none inside: a flipped bit in the hot tail is no longer just another value."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ("log", "events", "receipts", "checkpoints"):
        # NULL in rows from before: nothing vouches for them.
        op.add_column(table, sa.Column("crc", seq, nullable=True))
