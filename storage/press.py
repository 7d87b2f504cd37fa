"""Segments into a log that is being made: by whoever copies a log in parts."""

import sqlite3
from collections.abc import Sequence

import numpy as np

from storage import strips
from storage.segments import Head, Sealed, Shape, digest


def press(out: sqlite3.Connection, id_: int, sealed: Sealed, previous: bytes) -> bytes:
    """Write a segment; its hash, which stands on `previous`."""
    directory, cut = strips.cut(sealed.columns)
    hash_ = digest(previous, sealed.head, sealed.columns)
    out.execute(
        "INSERT INTO segments (id, first_seq, last_seq, start_at, end_at, ticks, samples, format, "
        "head, directory, hash, previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id_, *sealed[:6], sealed.head[0], sealed.head, directory, hash_, previous),
    )
    out.executemany(
        "INSERT INTO strips (place, body) VALUES (?, ?)",
        [(id_ << 32 | place, strip) for place, strip in enumerate(cut)],
    )
    return hash_


def without(head: Head, lost: Sequence[int]) -> Head:
    """The head of a segment some of whose series are lost, as if they had never been in it."""
    if not lost:
        return head
    shapes = [Shape(shape.source, shape.ids[~np.isin(shape.ids, lost)]) for shape in head.shapes]
    mirrors = {id_: both for id_, both in head.mirrors.items() if id_ not in lost}
    return Head(head.seqs, head.ats, head.shape_of, shapes, dict(head.constants), mirrors)
