"""Descriptors are divided so that the log and those who ask keep theirs."""

import subprocess
import sys

import pytest

from realtime.files import ASKING, KEPT, for_sockets, for_streams

RAISED = """
import resource
from realtime.files import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
assert raise_limit() == 300
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, 300)
assert raise_limit() == 300
"""


def test_the_soft_limit_is_raised_to_the_hard_one():
    """What a shell gives by custom is not what the system allows."""
    subprocess.run([sys.executable, "-c", RAISED], check=True)


@pytest.mark.parametrize(
    ("files", "wanted", "streams"),
    [
        (1024, 10_000, 1024 - KEPT - 128),
        (20_000, 10_000, 10_000),
        (200, 10_000, 200 - KEPT - ASKING),
        (20_000, 5, 5),
        (16, 10_000, 1),
    ],
)
def test_streams_leave_room(files, wanted, streams):
    """The dial is kept where there is room for it; otherwise the log and those who ask come first."""
    assert for_streams(files, wanted) == streams
    assert for_streams(files, wanted) < for_sockets(files)
