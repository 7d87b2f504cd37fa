"""The installed command."""

import subprocess
import sys

from tests.app import PATIENCE_S, ROOT


def test_it_is_the_program():
    """It takes the words that `run.py` takes and ends with its code; it loads as quickly, the collector at rest."""
    done = subprocess.run(
        [sys.executable, "-c", "from playhead import main; main()", "--interval-s=never"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    asked = subprocess.run(
        [sys.executable, "run.py", "--interval-s=never"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert (done.returncode, done.stdout, done.stderr) == (
        asked.returncode,
        asked.stdout,
        asked.stderr,
    )
