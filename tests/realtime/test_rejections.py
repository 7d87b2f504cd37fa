from realtime.core.batch import Rejection
from realtime.rejections import Refused, Rejections, field_of


def test_lists_what_was_not_taken():
    """Each rejection is told with its place, its field and its reason, in order."""
    rejections = Rejections(10)
    rejections.add(3, "[3].value", ValueError("too big"))
    rejections.add(None, "series.x", "has 2 values for 3 times", 2)
    assert rejections.all() == [
        Rejection(3, "[3].value", "too big", 1),
        Rejection(None, "series.x", "has 2 values for 3 times", 2),
    ]


def test_a_long_list_is_summed_up():
    """Past the limit they are counted, so the samples of all lines are all that was rejected."""
    rejections = Rejections(2)
    for place in range(5):
        rejections.add(place, "at", "bad", place)
    told = rejections.all()
    assert len(told) == 3
    assert told[2] == Rejection(
        None, "", "and 3 more like these, which are not listed one by one", 9
    )
    assert sum(line.samples for line in told) == 10


def test_field_of():
    """Names of fields that came from outside are short, printable ASCII."""
    assert field_of("series", 'a{b="c"}') == 'series.a{b="c"}'
    assert field_of("", "x") == "x"
    for odd in ("ü", "a\nb", "x" * 10_000, "\ud800", 5, b"x"):
        shown = field_of("labels", odd)
        assert shown.startswith("labels.") and shown.isascii() and len(shown) < 80


def test_refused_carries_field_and_detail():
    """A refusal inside an item knows which part of it is at fault."""
    refused = Refused("value", ValueError("no"))
    assert (refused.field, refused.detail) == ("value", "no")
