"""This process as the operating system sees it."""

import os
import time

from web.process import read_process


def test_the_figures_are_this_process_s():
    """Sane, in base units, and moving the right way."""
    first = read_process()
    assert first.started_s < time.time()
    assert 1_000_000 < first.resident_bytes < first.virtual_bytes
    assert first.threads >= 1
    assert first.open_fds is not None
    with open(os.devnull):
        assert (read_process().open_fds or 0) == first.open_fds + 1
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    assert read_process().cpu_s > first.cpu_s
