"""Verify finds all that is wrong, says where, and finds nothing where nothing is."""

import random
import shutil
import sqlite3
from dataclasses import replace

import pytest

from storage.blocks import pack_buckets, unpack_buckets
from storage.errors import StorageError
from storage.look import look
from storage.rollups import Sheaf
from storage.schema import metadata
from storage.tiers import block_at
from storage.verify import verify
from tests.storage.filled import TABLES, change, dump, fill, flip_cell

COLUMNS = {
    "log": ["id", "epoch", "head", "floor", "samples", "created_at", "crc"],
    "events": ["seq", "at", "source", "type", "version", "body", "crc"],
    "segments": [
        *("id", "first_seq", "last_seq", "start_at", "end_at", "ticks", "samples", "format"),
        *("head", "directory", "hash", "previous"),
    ],
    "strips": ["place", "body"],
    "rollups": ["place", "body"],
    "tiers": ["tier", "position"],
    "horizons": ["tier", "at", "crc"],
    "receipts": ["key", "at", "first", "last", "body", "crc"],
    "producers": ["producer", "epoch", "pseq", "first", "last", "body", "crc"],
    "checkpoints": ["name", "version", "seq", "body", "crc"],
}


def checked(path):
    with look(path) as connection:
        return verify(connection)


def test_a_sound_log_is_sound(tmp_path):
    """Nothing is found in it, and every part of it is counted."""
    path = tmp_path / "playhead.db"
    log = fill(path)
    report = checked(path)
    assert report.damages == [] and report.sound
    assert (report.head, report.floor, report.samples) == (log.head, log.floor, log.samples)
    assert (report.segments, report.series, report.facts) == (3, 4, 12)
    assert report.columns == 9 and report.rollups == 3
    assert report.floor > 1


def test_nothing_is_left_beside_the_log(tmp_path):
    """A look changes neither the file nor the directory."""
    path = tmp_path / "playhead.db"
    fill(path)
    before = path.read_bytes()
    checked(path)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} <= {"playhead.db", "playhead.lock"}


def test_a_bit_flipped_in_any_cell_is_found(tmp_path):
    """Every column of every table: one bit of one random cell, several times over."""
    sound = tmp_path / "sound.db"
    fill(sound)
    dice = random.Random(20_261_123)
    unnoticed = []
    for table, columns in COLUMNS.items():
        for column in columns:
            for _ in range(3):
                path = shutil.copy(sound, tmp_path / "flipped.db")
                try:
                    what = flip_cell(path, table, column, dice)
                except sqlite3.IntegrityError:  # two rows of one key cannot come of it
                    continue
                if not checked(path).damages:
                    unnoticed.append(what)
    assert unnoticed == []


@pytest.mark.parametrize("cell", [None, 7, 0.5, "words", b""])
def test_a_cell_of_another_type_is_found(tmp_path, cell):
    """A torn page has cells of any type, whatever the table forbids: each is named or harmless, and none ends the
    look."""
    sound = tmp_path / "sound.db"
    fill(sound)
    truth = dump(sound)
    connection = sqlite3.connect(sound)
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')")
    connection.commit()
    connection.close()
    for table, columns in COLUMNS.items():
        for column in columns:
            if column == "crc" and cell is None:  # as of rows from before there were any
                continue
            path = tmp_path / "torn.db"
            shutil.copy(sound, path)
            try:
                changed = change(
                    path,
                    f"UPDATE {table} SET {column} = ? "
                    f"WHERE {columns[0]} = (SELECT max({columns[0]}) FROM {table})",
                    cell,
                )
            except sqlite3.IntegrityError:  # the key of a row is a number
                continue
            assert changed > 0
            try:
                damaged = bool(checked(path).damages)
            except StorageError:
                damaged = True
            assert damaged or dump(path) == truth, f"{table}.{column}"


def test_every_table_is_tried():
    """A new table or column has to be defended as well."""
    known = {table.name: [*table.columns.keys()] for table in metadata.sorted_tables}
    assert known == COLUMNS
    assert set(TABLES) == set(COLUMNS)


@pytest.mark.slow
def test_a_bit_flipped_anywhere_in_the_file_is_found_or_harmless(tmp_path):
    """Wherever it lands: verify names it, or every row of every table reads as before."""
    sound = tmp_path / "sound.db"
    fill(sound)
    truth, content = dump(sound), sound.read_bytes()
    dice = random.Random(11)
    found = 0
    for _ in range(300):
        place, bit = dice.randrange(len(content)), dice.randrange(8)
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        path = tmp_path / "flipped.db"
        path.write_bytes(changed)
        try:
            damaged = bool(checked(path).damages)
        except StorageError:
            damaged = True  # not even a look is possible, and it says so
        found += damaged
        assert damaged or dump(path) == truth, f"byte {place}, bit {bit}"
        for beside in tmp_path.glob("flipped.db-*"):
            beside.unlink()
    assert found > 40


def test_the_rest_is_read_when_a_page_is_torn(tmp_path):
    """The root of all columns is rubbish: named, and everything else still counted."""
    path = tmp_path / "playhead.db"
    log = fill(path)
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'strips'"
    ).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 1024)
        file.write(random.Random(3).randbytes(1024))
    report = checked(path)
    assert {"file", "strips"} <= {one.table for one in report.damages}
    assert (report.head, report.rows, report.facts, report.ticks) == (log.head, 120, 12, 480)
    assert 0 < report.samples < log.samples


@pytest.mark.parametrize(
    ("sql", "table", "words"),
    [
        ("DELETE FROM events WHERE seq = (SELECT max(seq) - 3 FROM events)", "events", "neither"),
        ("DELETE FROM segments WHERE id = 3", "segments", "is missing"),
        ("DELETE FROM strips WHERE place >> 32 = 4", "strips", "is missing"),
        ("DELETE FROM rollups WHERE place >> 58 = 2", "rollups", "not what"),
        ("DELETE FROM rollups WHERE place >> 58 = 3", "rollups", "1 min tier"),
        ("UPDATE tiers SET position = 5 WHERE tier = 60", "tiers", "is at 5"),
        ("UPDATE log SET samples = samples + 1", "log", "can be read"),
        ("DELETE FROM events WHERE seq = 2", "events", "no name"),
        ("INSERT INTO strips VALUES (99 << 32, x'00')", "strips", "belongs to no segment"),
        ("DELETE FROM horizons", "horizons", "nobody noted up to when"),
        ("UPDATE horizons SET at = at - 1", "horizons", "as it was written"),
        ("INSERT INTO horizons VALUES (7, 1, NULL)", "horizons", "no such tier"),
        ("UPDATE checkpoints SET seq = 1000000", "checkpoints", "as it was written"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, sql, table, words):
    """Table, key and what: enough to know what is lost."""
    path = tmp_path / "playhead.db"
    fill(path)
    assert change(path, sql) > 0
    assert any(one.table == table and words in one.what for one in checked(path).damages)


def test_rollups_are_recounted(tmp_path):
    """A block that is whole in itself and says something else than the samples is found."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    connection = sqlite3.connect(path)
    (body,) = connection.execute("SELECT body FROM rollups WHERE place >> 58 = 2").fetchone()
    connection.close()
    assert checked(path).damages == []
    connection = sqlite3.connect(path)
    (place,) = connection.execute("SELECT place FROM rollups WHERE place >> 58 = 2").fetchone()
    connection.close()
    sheaf = unpack_buckets(body, block_at(place), 60)
    lied = sheaf.buckets.max.copy()
    lied[0] += 1
    forged = Sheaf(sheaf.series, replace(sheaf.buckets, max=lied))
    change(
        path,
        "UPDATE rollups SET body = ? WHERE place = ?",
        pack_buckets(forged, block_at(place), 60),
        place,
    )
    named = checked(path).damages
    assert [one.key for one in named if "the samples" in one.what] == ["60 s of series 1"]
