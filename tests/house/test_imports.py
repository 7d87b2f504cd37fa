"""Who may know whom, and what an import may do."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("storage", "realtime", "web")
EXTRAS = {"web.socketio": "engineio"}
"""Modules that only an extra makes work, and what it brings."""

LAZY = """
import gc, importlib, os, sys, threading
before = set(os.listdir())
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert threading.active_count() == 1, f"{name} starts a thread"
    assert gc.isenabled() and not gc.get_freeze_count(), f"{name} touches the collector"
assert set(os.listdir()) == before, set(os.listdir()) - before
"""


def modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def test_contracts_hold():
    """Imports point one way: the contracts of setup.cfg are kept."""
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--config", "setup.cfg"]
    done = subprocess.run([*lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_does_nothing(tmp_path):
    """No module speaks, starts a thread, leaves a file or freezes the heap because it was imported."""
    names = ["playhead", "run", *(".".join(path.with_suffix("").parts) for path in modules())]
    names = [name for name in names if find_spec(EXTRAS.get(name, name))]
    command = [sys.executable, "-W", "error", "-c", LAZY]
    done = subprocess.run(
        [*command, *(name.removesuffix(".__init__") for name in names)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns", "monotonic_ns"}


@pytest.mark.parametrize(
    "path", [path for path in modules() if path.parts[:2] == ("realtime", "core")], ids=str
)
def test_core_has_no_clock(path):
    """Law core-has-no-clock: nothing in the core asks what time it is, of any module."""
    calls = [
        node.func
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Call)
    ]
    asked = {call.attr for call in calls if isinstance(call, ast.Attribute)} & CLOCKS
    assert not asked


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "base", "manager"])
def test_files_are_nouns(word):
    """A reader can guess the file from the noun, so no file is called after nothing."""
    assert not [path for path in modules() if path.stem == word]
