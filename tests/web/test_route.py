"""A route as data."""

from web.handler import Border, Handler
from web.route import Operation, Route


def test_allow_names_head_beside_get():
    """RFC 9110: HEAD goes wherever GET goes, but not where an answer never ends."""
    both = {"POST": Operation("b"), "GET": Operation("a")}
    assert Route("/a", Handler, both).allow == "GET, POST, HEAD"
    assert Route("/a", Border, both).allow == "GET, POST"
    assert Route("/a", Handler, {"POST": Operation("b")}).allow == "POST"
