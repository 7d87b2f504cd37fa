import dataclasses
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import settings
from realtime.errors import BadDial
from realtime.settings import default_data, is_loopback, load, markdown, table

ROWS = table()


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "playhead.toml"
        path.write_text(text)
        return str(path)

    return write


def refused(argv=(), environ=None):
    with pytest.raises(BadDial) as caught:
        load(list(argv), environ or {})
    return caught.value


def test_defaults():
    """Without a word Playhead listens on loopback only, and knows its host and its directory."""
    got = load([], {"XDG_DATA_HOME": "/x"})
    assert (got.command, got.host, got.port, got.auth) == ("serve", "127.0.0.1", 8765, "off")
    assert got.data == "/x/playhead"
    assert got.source == socket.gethostname()
    assert got.warnings == () and not got.selftest
    for name, row in ROWS.items():
        if name not in ("data", "source"):
            assert getattr(got, name) == row.default


def test_defaults_obey_their_own_rules():
    """Every default is a value the dial would accept from anybody, and of its type."""
    for row in ROWS.values():
        assert isinstance(row.default, row.type)
        if isinstance(row.default, int | float):
            assert row.dial.low <= row.default <= row.dial.high
        if row.dial.choices:
            assert row.default in row.dial.choices


def test_every_setting_is_a_dial():
    """Nothing can be set that is not in the table, apart from what to do."""
    fields = {field.name for field in dataclasses.fields(settings.Settings)}
    assert fields - set(ROWS) == {"command", "asked", "selftest", "warnings"}
    assert all(row.dial.help for row in ROWS.values())


def test_order_of_strength(toml):
    """Default < file < environment < flag."""
    path = toml("port = 1\nstall_s = 1\npoll_s = 1\n")
    environ = {"PLAYHEAD_PORT": "2", "PLAYHEAD_STALL_S": "2"}
    got = load(["--config", path, "--port", "3"], environ)
    assert (got.port, got.stall_s, got.poll_s, got.heartbeat_s) == (3, 2.0, 1.0, 15.0)
    assert load([], {**environ, "PLAYHEAD_CONFIG": path}).poll_s == 1.0


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.name != "config"], ids=lambda row: row.name
)
def test_every_dial_by_every_road(row, tmp_path):
    """Each dial can be set by flag, by variable and by file, with the same outcome."""
    given_ = {str: "x1", tuple: "a.example, b.example"}.get(row.type)
    if row.dial.choices:
        given_ = row.dial.choices[-1]
    elif row.name == "host":
        given_ = "::1"
    elif row.name == "data":
        given_ = "/srv/x"
    elif given_ is None:
        given_ = settings._written(row.default)
    by_flag = load([f"{row.flag}={given_}"], {})
    by_variable = load([], {row.variable: given_})
    path = tmp_path / "dials.toml"
    bare = row.type in (int, float)
    path.write_text(f"{row.name} = {given_}\n" if bare else f'{row.name} = "{given_}"\n')
    by_file = load(["--config", str(path)], {})
    assert by_flag == by_variable == dataclasses.replace(by_file, config="")
    if row.type is str:
        assert getattr(by_flag, row.name) == given_


def test_lists():
    """A list is separated by commas, or a list in the file."""
    assert load(["--allowed-hosts", "a, b,"], {}).allowed_hosts == ("a", "b")
    assert load(["--allowed-hosts="], {}).allowed_hosts == ()


def test_file_tables_and_dashes(toml):
    """The file may group dials in tables and write them with dashes."""
    path = toml('allowed-hosts = ["a"]\n[alert.cpu]\nabove = 90\nclear = 70.5\n')
    got = load(["--config", path], {})
    assert got.allowed_hosts == ("a",)
    assert got.alerts["cpu"] == settings.Thresholds(90.0, 70.5, 10.0)
    assert got.alerts["response_time"] == settings.Thresholds(1000.0, 800.0, 10.0)


@pytest.mark.parametrize(
    ("row", "bad"),
    [
        (row, bad)
        for row in ROWS.values()
        for bad in ("", "abc", "nan", "inf", "1e999", "-1", "1_0_0_x", str(row.dial.high + 1))
        if row.type in (int, float)
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_bad_numbers(row, bad):
    """A bad value is answered with the dial, where it came from, the value and what would do."""
    error = refused([f"{row.flag}={bad}"])
    assert (error.dial, error.origin, error.value) == (row.name, row.flag, bad)
    assert row.flag in error.detail and repr(bad) in error.detail
    assert row.accepted in error.detail and row.accepted in error.hint
    if bad:
        assert refused([], {row.variable: bad}).origin == row.variable


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 'x'", "port is 'x', but port must be a whole number from 0 to 65,535"),
        ("port = true", "port is True"),
        ("port = 1.5", "port is 1.5"),
        ("port = [1]", "port is [1]"),
        ("host = 1", "host is 1, but host must be a text"),
        ("allowed_hosts = [1]", "must be a list of texts"),
        ("allowed_hosts = 1", "must be a list of texts"),
        ("interval_s = inf", "must be a number of seconds from 0.1 to 60"),
        ("log_level = 'loud'", "must be one of debug, info, warning, error"),
        ("prot = 1", "prot is not a dial (did you mean port?)"),
        ("alert.cpu.abov = 1", "alert_cpu_abov is not a dial (did you mean alert_cpu_above?)"),
        ("xyzzy = 1", "xyzzy is not a dial."),
        ("config = 'x'", "config is not a dial"),
        ("port =", "cannot be read"),
    ],
)
def test_bad_file(toml, text, words):
    """A mistake in the file names the file, the key and what would do."""
    path = toml(text)
    error = refused(["--config", path])
    assert words in error.detail and path in error.detail and error.hint


def test_missing_file(tmp_path):
    """A file that is not there or is not text is a clear error, not a silent default."""
    assert "No such file" in refused(["--config", str(tmp_path / "none.toml")]).detail
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "cannot be read" in refused([], {"PLAYHEAD_CONFIG": str(tmp_path / "binary")}).detail


def test_unknown_variable_warns():
    """A mistyped variable is told of with the nearest name; it is no error, for others set some."""
    got = load([], {"PLAYHEAD_PROT": "1", "PLAYHEAD_XYZZY": "1", "OTHER": "1"})
    assert got.warnings == (
        "PLAYHEAD_PROT is not a dial and changes nothing (did you mean PLAYHEAD_PORT?).",
        "PLAYHEAD_XYZZY is not a dial and changes nothing.",
    )


def test_empty_variable_is_unset():
    """Compose files pass empty variables on; they change nothing."""
    assert load([], {"PLAYHEAD_PORT": ""}).port == 8765


def test_variable_of_kubernetes():
    """The famous PLAYHEAD_PORT=tcp://… of a pod is explained."""
    error = refused([], {"PLAYHEAD_PORT": "tcp://10.0.0.1:8765"})
    assert "enableServiceLinks" in error.hint


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.5", "example.org", "127.0.0.1.nip.io"]
)
def test_open_to_the_world_is_refused(host):
    """Without sign-in only a loopback address is allowed, and the hint says what to do instead."""
    error = refused(["--host", host])
    assert error.dial == "host" and repr(host) in error.detail
    assert "reverse proxy" in error.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback(host):
    """Every way to say this machine is fine."""
    assert is_loopback(host)
    assert load(["--host", host], {}).host == host


@pytest.mark.parametrize(
    ("argv", "dial", "words"),
    [
        (
            ["--alert-cpu-clear=80"],
            "alert_cpu_clear",
            "alert_cpu_clear must be below alert_cpu_above",
        ),
        (["--alert-disk-above=50"], "alert_disk_above", "alert_disk_clear is 88"),
        (["--queue-events=10"], "queue_events", "flush_events must be at most queue_events"),
        (["--flush-bytes=1000000000"], "flush_bytes", "at most queue_bytes"),
        (["--retain-raw-days=61"], "retain_raw_days", "is 61 and retain_10s_days is 60, but"),
        (["--retain-10s-days=13"], "retain_10s_days", "retain_raw_days must be at most"),
        (["--retain-1h-days=100"], "retain_1h_days", "retain_1m_days is 400"),
    ],
)
def test_dials_that_contradict(argv, dial, words):
    """Dials that make no sense together are refused, and the one that was turned is named."""
    error = refused(argv)
    assert error.dial == dial and words in error.detail
    assert error.origin == argv[0].partition("=")[0]


def test_equal_bounds_are_fine():
    """A queue may be as small as one flush."""
    assert load(["--queue-events=500"], {}).queue_events == 500


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--prot", "1"], "unrecognized arguments: --prot (did you mean --port?)."),
        (["serve", "--hots", "127.0.0.1"], "--hots (did you mean --host?)."),
        (["serve", "--hots=127.0.0.1"], "--hots (did you mean --host?)."),
        (["export", "incident", "--url", "http://x/", "a"], "unrecognized arguments: --url."),
        (["--xyzzy"], "unrecognized arguments: --xyzzy."),
        (["--port"], "expected one argument"),
        (["serv"], "'serv' is not a command (did you mean serve?)"),
        (["xyzzy"], "'xyzzy' is not a command."),
        (["version", "--port", "1"], "unrecognized arguments"),
        (["serve", "x"], "unrecognized arguments: x"),
    ],
)
def test_bad_command_line(argv, words):
    """A bad command line is an error of ours with a way out, not a stack trace or an exit."""
    error = refused(argv)
    assert words in error.detail and error.hint


def test_commands():
    """Commands that are not a server read no dials, so a bad one cannot stop them."""
    assert load(["serve", "--selftest"], {}).selftest
    assert load(["version"], {"PLAYHEAD_PORT": "x"}).command == "version"
    assert load(["--version"], {}).command == "version"
    assert load(["openapi"], {}).command == "openapi"


def test_an_incident_is_opened_with_what_a_server_needs():
    """The file, and the dials of listening, memory and clients; its port is free unless the flag says one, and
    what records has no dial here."""
    opened = load(["open", "x.playhead"], {"PLAYHEAD_PORT": "1234", "PLAYHEAD_INTERVAL_S": "x"})
    assert (opened.command, opened.asked, opened.port) == ("open", {"file": "x.playhead"}, 0)
    assert load(["open", "--port", "9000", "x"], {}).port == 9000
    for argv in (["open"], ["open", "x", "--interval-s=1"], ["open", "x", "--data=y"]):
        assert refused(argv).hint


def test_help(capsys):
    """--help lists every dial and every command."""
    with pytest.raises(SystemExit) as caught:
        load(["--help"], {})
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for row in ROWS.values():
        assert f"{row.flag} " in text
    for command in settings.COMMANDS:
        assert f"  {command} " in text
    with pytest.raises(SystemExit):
        load(["version", "--help"], {})
    assert "print the version" in capsys.readouterr().out


def test_markdown():
    """The table for the docs has a row for every dial, and no cell breaks it."""
    lines = markdown()
    assert len(lines) == len(ROWS) + 2
    assert {line.count("|") for line in lines} == {6}
    assert any("`port`" in line and "`8765`" in line for line in lines)


@pytest.mark.parametrize(
    ("environ", "platform", "root", "path"),
    [
        ({"HOME": "/h"}, "linux", False, "/h/.local/share/playhead"),
        ({"HOME": "/root"}, "linux", True, "/var/lib/playhead"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "linux", False, "/x/playhead"),
        ({"STATE_DIRECTORY": "/var/lib/p:/other"}, "linux", True, "/var/lib/p"),
        ({"HOME": "/h"}, "darwin", False, "/h/Library/Application Support/playhead"),
        ({"HOME": "/h", "LOCALAPPDATA": "/l"}, "win32", False, "/l/playhead"),
        ({"USERPROFILE": "/u"}, "win32", False, "/u/AppData/Local/playhead"),
    ],
)
def test_default_data(environ, platform, root, path):
    """Data goes where the platform keeps data; systemd's word goes first."""
    assert default_data(environ, platform, root).as_posix() == path


def test_data_is_absolute(monkeypatch, tmp_path):
    """The data directory does not move when the process changes its own."""
    monkeypatch.chdir(tmp_path)
    assert load(["--data", "d"], {}).data == os.path.join(tmp_path, "d")
    monkeypatch.setenv("HOME", "/h")
    assert load(["--data", "~/d"], {}).data == "/h/d"


def test_source(monkeypatch):
    """A source that could not be stored is refused at start; a host without a name is localhost."""
    error = refused(["--source", "a\nb"])
    assert (error.dial, error.origin) == ("source", "--source")
    monkeypatch.setattr(socket, "gethostname", lambda: "")
    assert load([], {}).source == "localhost"


@given(
    st.dictionaries(st.sampled_from([row.variable for row in ROWS.values()]), st.text(max_size=9))
)
def test_any_environment(environ):
    """Whatever the environment holds, there are settings or a BadDial that says what to do."""
    try:
        got = load([], environ)
    except BadDial as error:
        assert error.detail and error.hint and error.dial
    else:
        assert 0 <= got.port <= 65_535
