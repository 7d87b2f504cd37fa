"""What is damaged is told once, counted, and forgotten by nobody who asks for its time."""

from storage import damages
from storage.damages import Damages


def test_a_part_is_told_once(logs):
    """However often it is met; the line says where, what, and what to do."""
    met = Damages()
    for _ in range(3):
        met.note("event 7", "it is not as it was written")
    assert met.count == 1
    line = str(logs.expect("event 7"))
    assert "not as it was written" in line and "salvage" in line
    assert logs.lines == []


def test_a_range_is_told_of_its_own(logs):
    """Both ends of a part are inside it; the end of a range is not. A part without a time is of every range."""
    met = Damages()
    met.note("segment 1", "torn", 100, 200)
    met.note("event 7", "torn")
    assert met.within(0, 100) == ["event 7"]
    assert met.within(0, 101) == met.within(200, 300) == ["segment 1", "event 7"]
    assert met.within(201, 300) == ["event 7"]
    logs.lines.clear()


def test_many_are_counted_to_a_bound(logs, monkeypatch):
    """Beyond it one line says that there are more."""
    monkeypatch.setattr(damages, "MOST", 3)
    met = Damages()
    for seq in range(9):
        met.note(f"event {seq}", "torn")
    assert met.count == 4
    assert len(met.within(0, 1)) == 3
    assert len(logs.lines) == 4
    logs.expect("more of the log is damaged")
    logs.lines.clear()
