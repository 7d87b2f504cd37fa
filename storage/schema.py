"""The tables, as the newest migration leaves them. Times are integer microseconds UTC; `crc` is what
`storage.checksum` makes of the rest of the row, NULL in rows older than it."""

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
    Column("crc", Seq),
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
    Column("crc", Seq),
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
    Column("crc", Seq),
    sqlite_with_rowid=False,
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
    Column("crc", Seq),
    sqlite_with_rowid=False,
)
"""Folded views at a seq. Disposable: deleting every row loses time, never state."""

segments = Table(
    "segments",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=False),
    Column("first_seq", Seq, nullable=False),
    Column("last_seq", Seq, nullable=False),
    Column("start_at", Seq, nullable=False),
    Column("end_at", Seq, nullable=False),
    Column("ticks", Seq, nullable=False),
    Column("samples", Seq, nullable=False),
    Column("format", Integer, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("directory", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
)
"""Sealed spans of ticks; `storage.strips` reads the directory.
`hash` is the digest of the segment on top of `previous`, the one before it."""
Index("segments_seq", segments.c.last_seq)
# With both ends, so that a search by time need not touch the rows, each of which carries a head.
Index("segments_at", segments.c.start_at, segments.c.end_at)

strips = Table(
    "strips",
    metadata,
    Column("place", Seq, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The packed columns of a segment, at `segment id << 32 | strip`; its directory says where each lies.
Constant columns are in the head."""

rollups = Table(
    "rollups",
    metadata,
    Column("place", Seq, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""Buckets of some neighbouring series in one block of time; `storage.tiers` says where and how.

A rowid table, because a row here is far longer than what a WITHOUT ROWID one keeps in its page.
"""

tiers = Table(
    "tiers",
    metadata,
    Column("tier", Seq, primary_key=True, autoincrement=False),
    Column("position", Seq, nullable=False),
)
"""`position` is the seq of the newest tick in the rollups of this tier (seconds)."""

horizons = Table(
    "horizons",
    metadata,
    Column("tier", Seq, primary_key=True, autoincrement=False),
    Column("at", Seq, nullable=False),
    Column("crc", Seq),
)
"""A tier (seconds; 0 are the readings themselves) of which something was given up: nothing with a time
before `at` can be vouched for. Written in the transaction that gives it up."""

producers = Table(
    "producers",
    metadata,
    Column("producer", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("pseq", Seq, nullable=False),
    Column("first", Seq, nullable=False),
    Column("last", Seq, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("crc", Seq),
    sqlite_with_rowid=False,
)
"""The newest batch of each producer in its own epoch, and what it was answered; in the batch's transaction."""
