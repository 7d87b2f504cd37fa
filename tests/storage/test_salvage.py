"""Salvage keeps what is provable, drops what is not, says which is which, and touches nothing."""

import asyncio
import random
import shutil

import pytest

from storage.errors import StorageError
from storage.events import Declared, Draft, Series
from storage.log import Log
from storage.look import look
from storage.migrate import migrate
from storage.salvage import salvage
from storage.verify import verify
from tests.storage.conftest import NOW, tick
from tests.storage.filled import change, dump, fill, flip_cell


def saved(path, directory):
    with look(path) as connection:
        done = salvage(connection, directory, NOW)
    with look(directory / "playhead.db") as connection:
        return done, verify(connection)


async def events(path):
    log = Log(path)
    await log.open(NOW)
    found = {event.seq: event for event in await log.read(0, 100_000)}
    await log.close()
    return found


def test_of_a_sound_log_nothing_is_lost(tmp_path):
    """The same events at the same seqs, under another epoch."""
    path = tmp_path / "playhead.db"
    log = fill(path, forget=False)
    done, report = saved(path, tmp_path / "new")
    assert report.damages == [] and done.damages == [] and done.lost == []
    assert done.epoch != log.epoch
    assert asyncio.run(events(tmp_path / "new" / "playhead.db")) == asyncio.run(events(path))
    before, after = dump(path), dump(tmp_path / "new" / "playhead.db")
    assert all(
        before[table] == after[table] for table in ("rollups", "tiers", "receipts", "strips")
    )


def test_below_the_floor_it_is_as_sparse_as_before(tmp_path):
    """What retention took is not called lost from the floor on; the rollups of it stay."""
    path = tmp_path / "playhead.db"
    log = fill(path)
    done, report = saved(path, tmp_path / "new")
    assert report.damages == [] and done.floor == log.floor
    assert dump(path)["rollups"] == dump(tmp_path / "new" / "playhead.db")["rollups"]


def test_one_bad_column_costs_one_series_of_one_segment(tmp_path):
    """Its neighbours in the same strip stay, to the bit."""
    path = tmp_path / "playhead.db"
    log = fill(path, forget=False)
    wanted = asyncio.run(events(path))
    body = bytearray(dump(path)["strips"][1][1])
    body[3] ^= 1
    change(path, "UPDATE strips SET body = ? WHERE place >> 32 = 2", bytes(body))
    done, report = saved(path, tmp_path / "new")
    assert report.damages == []
    assert done.samples == log.samples - 60 and done.lost == []
    found = asyncio.run(events(tmp_path / "new" / "playhead.db"))
    assert found.keys() == wanted.keys()
    changed = [seq for seq in wanted if found[seq] != wanted[seq]]
    assert len(changed) == 60
    assert {tuple(found[seq].data.ids) for seq in changed} == {(2, 3)}
    assert done.floor > max(changed)


def test_a_lost_segment_is_a_hole_and_the_floor_is_behind_it(tmp_path):
    """Everything else is there; whoever was in the hole is told to begin anew."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    wanted = asyncio.run(events(path))
    change(path, "UPDATE segments SET head = zeroblob(100) WHERE id = 2")
    done, report = saved(path, tmp_path / "new")
    assert report.damages == []
    lost = {seq for first, last in done.lost for seq in range(first, last + 1)}
    assert len(lost) == 120 and done.floor == max(lost) + 1
    found = asyncio.run(events(tmp_path / "new" / "playhead.db"))
    assert found == {seq: event for seq, event in wanted.items() if seq not in lost}


def test_samples_outlive_the_name_of_their_series(tmp_path):
    """It is called something, and the next series gets an id of its own."""
    path = tmp_path / "playhead.db"
    log = fill(path, forget=False)
    change(path, "UPDATE events SET body = x'00' WHERE seq = 2")
    done, report = saved(path, tmp_path / "new")
    assert report.damages == [] and done.renamed == [4]
    assert done.samples == log.samples and report.series == 4
    newest = (asyncio.run(events(tmp_path / "new" / "playhead.db")))[done.head]
    assert [(one.id, one.name) for one in newest.data.series] == [(4, "salvaged_4")]
    assert newest.source == "two"


def test_rollups_are_made_again(tmp_path):
    """Those that cannot be read come back from the samples, to the bit."""
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    truth = dump(path)["rollups"]
    change(path, "UPDATE rollups SET body = x'0102030405'")
    _, report = saved(path, tmp_path / "new")
    assert report.damages == []
    assert dump(tmp_path / "new" / "playhead.db")["rollups"] == truth


async def goes_on(path):
    log = Log(path)
    await log.open(NOW)
    await log.append([tick()])
    await log.seal(log.head, all_of_it=True)
    await log.close()


@pytest.mark.slow
def test_whatever_bit_it_was_what_is_saved_is_sound(tmp_path):
    """Random damage in every table: the new log verifies, opens and goes on; the old one is as it was."""
    sound = tmp_path / "sound.db"
    log = fill(sound)
    dice = random.Random(5)
    for turn, (table, column) in enumerate(
        [
            *(("events", column) for column in ("at", "source", "type", "body")),
            *(("segments", column) for column in ("first_seq", "head", "directory", "hash")),
            *(("strips", "place"), ("strips", "body"), ("rollups", "body"), ("tiers", "position")),
            *(("log", "floor"), ("log", "epoch"), ("receipts", "last"), ("checkpoints", "body")),
        ]
    ):
        path = shutil.copy(sound, tmp_path / f"flipped{turn}.db")
        what = flip_cell(path, table, column, dice)
        before = path.read_bytes()
        done, report = saved(path, tmp_path / f"new{turn}")
        assert report.damages == [], what
        assert done.samples > log.samples // 2 and path.read_bytes() == before
        asyncio.run(goes_on(tmp_path / f"new{turn}" / "playhead.db"))


def test_no_log_is_written_over(tmp_path):
    """It wants a directory without one."""
    path = tmp_path / "playhead.db"
    fill(path)
    truth = dump(path)
    with look(path) as connection, pytest.raises(StorageError, match="already"):
        salvage(connection, tmp_path, NOW)
    assert dump(path) == truth


async def _shared(path):
    migrate(path)
    log = Log(path)
    await log.open(NOW)
    names = [Series(id_, f"series_{id_}", {}) for id_ in (1, 2, 3)]
    await log.append([Draft(NOW, "a", Declared(names))])
    await log.append(
        [tick(NOW + n, s1=n * n % 89, s2=500 - n * n % 89, s3=n % 7) for n in range(1, 300)]
    )
    await log.seal(log.head, all_of_it=True)
    await log.close()


def test_a_shared_column_costs_all_who_share_it_and_no_other(tmp_path):
    """What is used and what is free go together; of what is left, and of a sound log, all comes back."""
    path = tmp_path / "playhead.db"
    asyncio.run(_shared(path))
    done, report = saved(path, tmp_path / "sound")
    assert report.damages == [] and done.lost == []
    wanted = asyncio.run(events(path))
    assert asyncio.run(events(tmp_path / "sound" / "playhead.db")) == wanted
    with look(path) as connection:
        [(body,)] = connection.execute("SELECT body FROM strips")
    hurt = bytes([body[0] ^ 1]) + body[1:]
    change(path, "UPDATE strips SET body = ?", hurt)
    done, report = saved(path, tmp_path / "hurt")
    assert report.damages == []
    assert [one.key for one in done.damages] == ["segment 1 series 1", "segment 1 series 2"]
    found = asyncio.run(events(tmp_path / "hurt" / "playhead.db"))
    assert found.keys() == wanted.keys()
    for seq, event in found.items():
        if seq == 1:
            continue
        assert (tuple(event.data.ids), tuple(event.data.values)) == (
            (3,),
            wanted[seq].data.values[2:],
        )
