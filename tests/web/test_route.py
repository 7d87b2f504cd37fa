"""A route as data."""

from tornado.web import RequestHandler

from web.route import Operation, Route


def test_allow_names_head_beside_get():
    """RFC 9110: HEAD goes wherever GET goes."""
    both = Route("/a", RequestHandler, {"POST": Operation("b"), "GET": Operation("a")})
    assert both.allow == "GET, POST, HEAD"
    assert Route("/a", RequestHandler, {"POST": Operation("b")}).allow == "POST"
