"""The page's pure modules under node's own runner."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime.core.goodbyes import GOODBYES

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.browser


def test_pure_modules_keep_their_promises() -> None:
    """Backoff, wire, store, series, format, the link's state machine and the exchange between tabs."""
    node = shutil.which("node")
    assert node, "node comes with npm, which `make setup` needs anyway"
    ran = subprocess.run(
        [node, "--test", str(HERE / "js")],
        capture_output=True,
        text=True,
        timeout=120,
        # The one table of goodbyes: the page has none of its own and goes by what the frame says.
        env={**os.environ, "GOODBYES": json.dumps([one._asdict() for one in GOODBYES])},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
