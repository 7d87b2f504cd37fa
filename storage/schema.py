"""The tables, as the newest migration leaves them. Times are integer microseconds UTC."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite gives a rowid table only to a column spelled INTEGER.
Seq = BigInteger().with_variant(Integer(), "sqlite")

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("head", Seq, nullable=False),
    Column("floor", Seq, nullable=False),
    Column("samples", Seq, nullable=False),
    Column("created_at", Seq, nullable=False),
)
"""One row. `head` and `samples` are written in the transaction of what they count, so `seq` has no hole."""

events = Table(
    "events",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=False),
    Column("at", Seq, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index("events_at", events.c.at, events.c.source)
Index(
    "events_facts",
    events.c.type,
    events.c.seq,
    sqlite_where=text("type <> 'metrics'"),
    postgresql_where=text("type <> 'metrics'"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", Seq, nullable=False),
    Column("first", Seq, nullable=False),
    Column("last", Seq, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""What an Idempotency-Key was answered, written with the events it answers for."""
Index("receipts_at", receipts.c.at)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seq", Seq, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Folded views at a seq. Disposable: deleting every row loses time, never state."""
