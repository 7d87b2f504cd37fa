"""A bad page costs what is on it."""

import random
import sqlite3

from storage.scan import Lost, readable, rows


def table(path, keys):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size=1024")
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, body BLOB)")
    connection.executemany("INSERT INTO t VALUES (?, zeroblob(200))", [(key,) for key in keys])
    connection.commit()
    connection.close()


def torn(path, pages):
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * 1024)
            file.write(random.Random(page).randbytes(1024))
    return sqlite3.connect(path)


def test_all_of_a_sound_table(tmp_path):
    """In order, within the bounds, nothing lost."""
    table(tmp_path / "t.db", range(100))
    connection = sqlite3.connect(tmp_path / "t.db")
    lost: list[Lost] = []
    found = rows(connection, "k", "t", "k", lost.append, after=9, before=20)
    assert ([key for (key,) in found], lost) == ([*range(10, 20)], [])
    connection.close()


def test_several_bad_pages(tmp_path):
    """What lies before, between and behind them is read, each row once; the rest is named."""
    keys = [*range(1, 400), *(5 << 32 | key for key in range(400))]
    table(tmp_path / "t.db", keys)
    connection = torn(tmp_path / "t.db", [30, 31, 90, 150])
    lost: list[Lost] = []
    found = [row[0] for row in rows(connection, "k, body", "t", "k", lost.append)]
    assert len(found) == len(set(found)) >= len(keys) - 4 * 6
    missing = set(keys) - set(found)
    assert missing and 1 <= len(lost) <= 4
    assert all(any(each.after < key < each.before for each in lost) for key in missing)
    connection.close()


def test_why_there_is_no_answer(tmp_path):
    """A word of SQLite's instead of an exception."""
    connection = sqlite3.connect(tmp_path / "t.db")
    assert "no such table" in readable(connection, "SELECT * FROM t")
    assert readable(connection, "SELECT ?", 5) == [(5,)]
    lost: list[Lost] = []
    assert [*rows(connection, "k", "t", "k", lost.append, before=10)] == []
    assert lost == [Lost(-1, 10, "no such table: t")]
    connection.close()
