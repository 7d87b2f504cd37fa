"""Each command understands its own words, and no others."""

import pytest

from realtime.care.arguments import COMMANDS
from realtime.errors import BadDial
from realtime.settings import load

WORDS = {"backup": ["file"], "restore": ["file"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_words_arrive(command):
    """Beside the dials, under their own names."""
    got = load([command, *WORDS.get(command, []), "--data", "/x", "--json"], {})
    assert (got.command, got.data, got.asked["json"]) == (command, "/x", True)
    assert got.asked.get("file") == ("file" if command in WORDS else None)


def test_an_incident_to_export():
    """The words may stand before, between or after the flags."""
    for words in (
        ["incident", "--from=-1h", "--to=now", "x.playhead", "--title=Night"],
        ["incident", "x.playhead", "--from", "-1h", "--to", "now", "--title", "Night"],
        ["--from", "-1h", "--title", "Night", "--to=now", "incident", "x.playhead"],
    ):
        asked = load(["export", *words], {}).asked
        assert asked["words"] == ["incident", "x.playhead"]
        assert (asked["start"], asked["end"], asked["title"]) == ("-1h", "now", "Night")


def test_a_range_to_export():
    """Series and selectors may be given again."""
    words = ["--from=-1h", "--to", "now", "--series=a", "--series=b", "--match={}", "--out=x"]
    asked = load(["export", *words], {}).asked
    assert asked["series"] == ["a", "b"] and asked["match"] == ["{}"]
    assert (asked["start"], asked["end"], asked["format"], asked["out"]) == (
        "-1h",
        "now",
        "parquet",
        "x",
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["backup"],
        ["verify", "file"],
        ["stats", "--port", "1"],
        ["export", "--format", "xml"],
        ["compact", "--force"],
    ],
)
def test_other_words_are_refused(argv):
    """With exit code 2, not with a guess."""
    with pytest.raises(BadDial):
        load(argv, {})


def test_other_dials_do_not_matter():
    """A log can be cared for whatever is wrong with a dial of the server."""
    got = load(["verify"], {"PLAYHEAD_PORT": "many", "PLAYHEAD_DATA": "/y"})
    assert got.data == "/y"


@pytest.mark.parametrize("said", [["--from", "-1h", "--to", "-5m"], ["--from=-1h", "--to=-5m"]])
def test_a_time_in_the_past_is_no_flag(said):
    """`--from -1h` is understood, though it begins like a flag."""
    asked = load(["export", *said], {}).asked
    assert (asked["start"], asked["end"]) == ("-1h", "-5m")
