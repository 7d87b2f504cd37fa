"""Where each tier begins once something of it was given up, and a checksum beside what producers were answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "horizons",
        sa.Column("tier", seq, primary_key=True, autoincrement=False),
        sa.Column("at", seq, nullable=False),
        sa.Column("crc", seq, nullable=True),
    )
    # Nobody noted what went before: the oldest segment that is left is as far back as can be vouched for.
    op.execute(
        "INSERT INTO horizons (tier, at) "
        "SELECT 0, coalesce((SELECT min(start_at) FROM segments), (SELECT max(at) FROM events), 0) "
        "FROM log WHERE floor > 1"
    )
    op.add_column("producers", sa.Column("crc", seq, nullable=True))
