"""What is shipped: the package, its lock, its licences."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import RawConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools.lock import ranges

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(
    r"^([\w.-]+)==(\S+)(?: ; ([^\\]+))? \\((?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)+)", re.M
)


@pytest.fixture(scope="module")
def config() -> RawConfigParser:
    config = RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def lines(config: RawConfigParser, section: str, option: str) -> list[str]:
    return [line for line in config.get(section, option).split("\n") if line]


def pins() -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for name, version, *_ in PIN.findall((ROOT / "requirements.txt").read_text()):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def test_every_room_is_packaged(config):
    """A package is shipped if and only if it is a directory of ours with an __init__.py."""
    rooms = ("storage", "realtime", "web", "migrations")
    there = {path.parent for room in rooms for path in (ROOT / room).rglob("__init__.py")}
    assert sorted(lines(config, "options", "packages")) == sorted(
        ".".join(path.relative_to(ROOT).parts) for path in there
    )


def test_pyproject_agrees(config):
    """The one thing said twice is said alike."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == config.get("metadata", "name")
    assert project["requires-python"] == config.get("options", "python_requires")


def test_the_program_says_the_same_version(config):
    """The version is the same in the program and in the package."""
    said = re.search(r'^VERSION = "(.+)"$', (ROOT / "run.py").read_text(), re.M)
    assert said and said[1] == config.get("metadata", "version")


def test_changelog_knows_the_version(config):
    """A version has its words."""
    version = config.get("metadata", "version")
    assert re.search(rf"^## .*\b{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


@pytest.mark.parametrize(
    "wanted", ranges("socketio", "test", "dev"), ids=lambda text: Requirement(text).name
)
def test_lock_fits_the_ranges(wanted):
    """What setup.cfg asks for is locked at a version within the range, on every Python."""
    requirement = Requirement(wanted)
    versions = pins()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_every_pin_has_hashes_and_no_address():
    """pip is told what to trust, never where to get it: that is the machine's own affair."""
    text = (ROOT / "requirements.txt").read_text()
    assert len(PIN.findall(text)) == len(re.findall(r"^[\w.-]+(?:\[.*\])?==", text, re.M))
    assert "://" not in text and "--index" not in text and "--find-links" not in text


def test_browser_lock():
    """The browser gets one library; it and what the tests need are pinned by their bytes, from wherever npm looks."""
    asked = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert asked["dependencies"] == {"uplot": "1.6.32"}
    shipped = {name for name, one in locked.items() if name and not one.get("dev")}
    assert shipped == {"node_modules/uplot"}
    for name, one in locked.items():
        assert not name or one["integrity"].startswith("sha512-"), name
        assert "resolved" not in one, name


def test_third_party_files_are_copied_with_their_licence():
    """What `make setup` puts before the browser is what the lock names, and carries its licence."""
    vendor = ROOT / "web/static/vendor"
    assert "1.6.32" in (vendor / "uPlot.esm.js").read_text()[:400]
    assert (vendor / "uPlot.min.css").stat().st_size > 0
    assert "Permission is hereby granted" in (vendor / "uPlot.LICENSE.txt").read_text()


@pytest.mark.parametrize("wanted", ranges(), ids=lambda text: Requirement(text).name)
def test_each_dependency_has_its_reason(wanted):
    """ARCHITECTURE.md says why each thing we depend on is here."""
    name = Requirement(wanted).name
    assert re.search(rf"\b{re.escape(name)}\b", (ROOT / "ARCHITECTURE.md").read_text(), re.I)


@pytest.mark.slow
def test_wheel_carries_everything(tmp_path):
    """Installed from a wheel it has its pages, the browser's third-party files and its migrations."""
    elsewhere = tmp_path / "tree"
    shutil.copytree(
        ROOT,
        elsewhere,
        ignore=shutil.ignore_patterns(".*", "node_modules", "build", "dist", "data", "*.egg-info"),
    )
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, elsewhere], check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("playhead-*.whl"))) as wheel:
        carried = set(wheel.namelist())
    wanted = {"playhead.py", "run.py"}
    for room in ("storage", "realtime", "web", "migrations"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wanted.add(str(path.relative_to(ROOT)))
    assert wanted <= carried, sorted(wanted - carried)
    assert "web/static/vendor/uPlot.esm.js" in carried
    assert not any(name.startswith(("tests", "tools")) for name in carried)
