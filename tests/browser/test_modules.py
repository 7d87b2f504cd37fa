"""The page's pure modules under node's own runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.browser


def test_pure_modules_keep_their_promises() -> None:
    """Backoff, wire, store, series, format and the link's state machine, without a browser."""
    node = shutil.which("node")
    assert node, "node comes with npm, which `make setup` needs anyway"
    ran = subprocess.run(
        [node, "--test", str(HERE / "js")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
