"""Progress is for people: one line, gone at the end."""

import io

from realtime.care import progress
from realtime.care.progress import ProgressLine


def test_one_line_that_goes_away(monkeypatch):
    """The longer of two lines is covered, and nothing is left at the end."""
    monkeypatch.setattr(progress, "PACE_S", 0)
    out = io.StringIO()
    line = ProgressLine(out)
    line("segments", 1000, 2000)
    line("rows", 0, 0)
    line.end()
    assert out.getvalue() == f"\rsegments 1,000 of 2,000\r{'rows'.ljust(23)}\r    \r"


def test_silence_where_nobody_looks():
    """A pipe gets the answer alone."""
    line = ProgressLine(None)
    line("segments", 1, 2)
    line.end()


def test_not_faster_than_eyes():
    """A million calls are a few lines."""
    out = io.StringIO()
    line = ProgressLine(out)
    for done in range(1000):
        line("rows", done, 1000)
    assert out.getvalue().count("\r") < 100
