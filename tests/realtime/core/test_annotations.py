"""What is asked of annotations, without a server."""

import pytest

from realtime.core.annotations import Search, Wish, found, since
from storage.events import Annotation, Event, Notification


def event(seq=1, text="Deploy", begin=100, until=None, tags=(), source="a"):
    return Event(seq, 999, source, Annotation(str(seq), "noted", text, begin, until, list(tags)))


def test_a_wish_leaves_alone_what_it_does_not_name():
    """Null is said, and is something else than nothing."""
    before = Annotation("i", "noted", "a", 1, 5, ["t"], "eva")
    assert Wish().over(before) == before
    assert Wish(text="b", until=None).over(before) == Annotation(
        "i", "noted", "b", 1, None, ["t"], "eva"
    )
    assert Wish(tags=[], since=2, author="").over(before) == Annotation(
        "i", "noted", "a", 2, 5, [], ""
    )


@pytest.mark.parametrize(
    ("search", "meant"),
    [
        (Search(), True),
        (Search(start=100), True),
        (Search(start=101), False),
        (Search(end=101), True),
        (Search(end=100), False),
        (Search(tags=("prod",)), True),
        (Search(tags=("prod", "x")), False),
        (Search(text="PLOY"), True),
        (Search(text="zebra"), False),
        (Search(source="a"), True),
        (Search(source="b"), False),
    ],
)
def test_a_search_means_a_moment(search, meant):
    """Each condition by itself; the range takes its first moment and not its last."""
    assert search.means(event(tags=["prod", "shop"])) is meant


def test_a_search_means_a_span_by_any_part_of_it():
    """From the first to the last moment, both inside."""
    one = event(begin=100, until=200)
    assert [Search(start, start + 1).means(one) for start in (99, 100, 150, 200, 201)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_only_annotations_are_found():
    """In the order in which they are given."""
    events = [event(3, begin=5), Event(2, 1, "", Notification("n", "info", "Deploy")), event(1)]
    assert [one.seq for one in found(events, Search(text="deploy"))] == [3, 1]
    assert [since(one) for one in (events[0], events[2])] == [5, 100]
