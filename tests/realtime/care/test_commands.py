"""Commands in this process: what they say and how they end."""

import io
import json

import pytest
from arro3.io import read_parquet

from realtime.care.commands import Care
from realtime.core.times import rfc3339
from realtime.errors import BadDial
from storage.checksum import crc
from tests.storage.conftest import NOW
from tests.storage.filled import change, fill


@pytest.fixture
def care(tmp_path):
    """`care("verify", salvage="x")` → exit code, output, errors."""

    def run(command, **asked):
        out, err = io.StringIO(), io.StringIO()
        code = Care(tmp_path, asked, NOW, out, err).run(command)
        return code, out.getvalue(), err.getvalue()

    return run


def test_a_sound_log(care, tmp_path):
    """0, and a sentence that says so."""
    fill(tmp_path / "playhead.db")
    code, out, err = care("verify")
    assert (code, err) == (0, "") and "Every byte is as it was written." in out


def test_a_damaged_log(care, tmp_path):
    """1, the damage by name, and the way out; as JSON the same."""
    fill(tmp_path / "playhead.db")
    change(tmp_path / "playhead.db", "UPDATE events SET at = at + 1 WHERE seq = 1")
    code, out, _ = care("verify")
    assert code == 1 and "damaged: events 1: " in out and "--salvage" in out
    code, out, _ = care("verify", json=True)
    told = json.loads(out)
    assert code == 1 and not told["sound"] and told["damages"][0]["table"] == "events"


def test_salvage_by_command(care, tmp_path):
    """What was saved is verified before it is called so."""
    fill(tmp_path / "playhead.db")
    change(tmp_path / "playhead.db", "UPDATE segments SET head = x'00' WHERE id = 3")
    code, out, _ = care("verify", salvage=str(tmp_path / "new"), json=True)
    told = json.loads(out)
    assert code == 0 and told["sound"] and told["lost"] and told["data"] == str(tmp_path / "new")


@pytest.mark.parametrize("command", ["verify", "stats", "compact", "export"])
def test_where_there_is_no_log(care, command):
    """1 and a sentence, or an object with it."""
    asked = {"format": "csv"} if command == "export" else {}
    code, out, err = care(command, **asked)
    assert (code, out) == (1, "") and "there is no log" in err
    if command != "export":
        code, out, err = care(command, json=True)
        assert (code, err) == (1, "") and "no log" in json.loads(out)["error"]["detail"]


def test_there_and_back(care, tmp_path):
    """A backup restored with --force puts the log aside, and says under what name it goes on."""
    fill(tmp_path / "playhead.db")
    file = str(tmp_path / "b.db")
    code, out, _ = care("backup", file=file)
    assert code == 0 and "b.db" in out
    assert care("backup", file=file)[0] == 1
    assert care("restore", file=file)[0] == 1
    code, out, _ = care("restore", file=file, force=True, json=True)
    told = json.loads(out)
    assert code == 0 and told["epoch"] != told["epoch_of_backup"] and told["aside"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "soon"}, "--from"),
        ({"start": "now", "end": "-1h"}, "before"),
        ({"match": ["{"]}, "--match"),
        ({"format": "parquet"}, "file"),
        ({"json": True}, "--json"),
    ],
)
def test_bad_usage_of_export(care, tmp_path, asked, words):
    """It is refused before anything is read."""
    with pytest.raises(BadDial, match=words):
        care("export", **{"format": "csv", **asked})


def test_an_incident_is_one_file(care, tmp_path):
    """Named by its span; the host is the one that recorded, and a file that is there is not replaced."""
    fill(tmp_path / "playhead.db")
    file = tmp_path / "night.playhead"
    asked = {"words": ["incident", str(file)], "start": "-1h", "format": "parquet"}
    code, out, err = care("export", **asked, title="Night", end="+1h")
    assert (code, err) == (0, "") and "playhead open" in out
    with pytest.raises(BadDial, match="there already"):
        care("export", **asked)
    code, out, _ = care("export", **asked, end="+1h", force=True, json=True)
    told = json.loads(out)
    assert code == 0 and told["format"] == 1 and told["source"] == "one"
    assert told["files"]["playhead.db"]["bytes"] > 0
    code, _, err = care(
        "export", **{**asked, "words": ["incident", "x"], "start": "+2h"}, end="+3h"
    )
    assert code == 1 and "nothing was recorded" in err


@pytest.mark.parametrize("name", ["playhead.db", "link", "playhead.db-wal"])
@pytest.mark.parametrize("command", ["backup", "incident", "export"])
def test_the_log_is_not_written_over(care, tmp_path, command, name):
    """Not even by force, and by whatever name it is called."""
    path = tmp_path / "playhead.db"
    fill(path)
    (tmp_path / "link").symlink_to(path)
    file, before = str(tmp_path / name), path.read_bytes()
    asked: dict[str, dict[str, object]] = {
        "backup": {"file": file},
        "incident": {"words": ["incident", file], "start": "-1h", "end": "+1h"},
        "export": {"out": file, "format": "csv"},
    }
    with pytest.raises(BadDial, match="is the log itself"):
        care("export" if command == "incident" else command, force=True, **asked[command])
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["none/x.playhead", "file/x.playhead"])
def test_an_incident_has_a_place_to_go(care, tmp_path, place):
    """It is the target of which the sentence speaks, not the log."""
    fill(tmp_path / "playhead.db")
    (tmp_path / "file").touch()
    asked = {"words": ["incident", str(tmp_path / place)], "start": "-1h", "end": "+1h"}
    code, _, err = care("export", format="csv", **asked)
    assert code == 1 and "x.playhead cannot be written" in err


@pytest.mark.parametrize(
    "asked",
    [
        {"words": ["incident"], "start": "-1h"},
        {"words": ["incident", "x"]},
        {"words": ["samples", "x"], "start": "-1h"},
        {"words": ["incident", "x", "y"], "start": "-1h"},
    ],
)
def test_bad_words_of_export(care, asked):
    """They are told how it is said."""
    with pytest.raises(BadDial) as told:
        care("export", format="csv", **asked)
    assert "export incident --from" in told.value.hint


def test_export_of_some_series(care, tmp_path):
    """By name, by selector, or both: any is enough."""
    fill(tmp_path / "playhead.db")
    out = tmp_path / "x.csv"
    asked = {"format": "csv", "out": str(out), "force": True, "json": True}
    for words, series in (
        ({}, 4),
        ({"series": ['x{mode="a"}']}, 1),
        ({"match": ['{source="one"}']}, 3),
        ({"match": ['{mode=~"a|b"}'], "series": ["z"]}, 2),
    ):
        code, said, _ = care("export", **asked, **words)
        told = json.loads(said)
        assert (code, told["series"]) == (0, series)
        assert told["bytes"] == out.stat().st_size
        assert len(out.read_text().splitlines()) == told["samples"] + 1


def test_export_says_what_was_given_up(care, tmp_path):
    """Where the range begins before the samples are whole, since when they are; in a pipe on standard error;
    a Parquet file says so itself."""
    fill(tmp_path / "playhead.db")
    change(tmp_path / "playhead.db", "DELETE FROM horizons")
    asked = {"format": "csv", "out": str(tmp_path / "x.csv"), "force": True}
    code, said, _ = care("export", **asked)
    assert code == 0 and "given up" not in said
    since = NOW + 300 * 1_000_000
    row = (0, since, crc(0, since))
    change(tmp_path / "playhead.db", "INSERT INTO horizons (tier, at, crc) VALUES (?, ?, ?)", *row)
    code, said, _ = care("export", **asked)
    assert code == 0 and f"samples before {rfc3339(since)} were given up" in said
    for start, told in ((since - 1, rfc3339(since)), (since, None)):
        code, said, _ = care("export", **asked, json=True, start=rfc3339(start))
        assert (code, json.loads(said)["samples_since"]) == (0, told)
    itself = {b"playhead.samples_since": rfc3339(since).encode()}
    for start, metadata in ((since - 1, itself), (since, {})):
        file = str(tmp_path / "x.parquet")
        asked = {"format": "parquet", "out": file, "force": True, "start": rfc3339(start)}
        assert care("export", **asked)[0] == 0
        assert read_parquet(file).schema.metadata == metadata
    asked = {"format": "csv", "out": str(tmp_path / "x.csv"), "force": True}
    change(tmp_path / "playhead.db", "UPDATE horizons SET at = at + 1")
    code, said, _ = care("export", **asked)
    assert code == 1 and "damaged: horizons 0: " in said


def test_stats(care, tmp_path):
    """Times are RFC 3339 for machines, sentences for people."""
    log = fill(tmp_path / "playhead.db")
    told = json.loads(care("stats", json=True)[1])
    assert told["samples"] == log.samples and told["oldest"].endswith("Z")
    code, out, _ = care("stats")
    assert code == 0 and f"{log.samples:,}" in out and "strips" in out
