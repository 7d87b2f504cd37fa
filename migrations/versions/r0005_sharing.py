"""Columns may be shared, long facts are compressed: nothing moves, but an older program would call them damaged."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The number alone is what an older program looks at, and leaves the log to a newer one."""
