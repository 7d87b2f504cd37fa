"""The verbs of the house: what make, CI and the pages say of them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
VERBS = set(re.findall(r"^([a-z]+):.*  ## ", MAKEFILE, re.M))


def test_every_verb_is_explained():
    """CONTRIBUTING.md names each verb of the Makefile, and none that is not there."""
    told = set(re.findall(r"`make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text()))
    assert told == VERBS


def test_help_says_them_all():
    """`make` alone lists every verb."""
    said = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([a-z]+) ", said.stdout, re.M)) == VERBS


def test_verbs_are_no_files():
    """A file that happens to be called like a verb cannot silence it."""
    assert set(re.findall(r"^\.PHONY: ([a-z]+)$", MAKEFILE, re.M)) >= VERBS


def test_ci_runs_every_gate():
    """CI runs what a developer runs, and that is every gate, the quick ones first."""
    assert re.search(r"^make check$", (ROOT / ".ci/run").read_text(), re.M)
    gates = re.search(r"^check: (.*?)  ##", MAKEFILE, re.M)
    assert gates and gates[1].split() == ["lint", "types", "arch", "test", "selftest"]
