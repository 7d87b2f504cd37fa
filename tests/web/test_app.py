"""The route table as a site."""

import pytest
from tornado.web import RequestHandler

from web.app import ROUTES, serve_options

CONTRACT = {
    "/",
    "/analytics",
    "/api/realtime/dashboard/live",
    "/api/realtime/dashboard/stream",
    "/api/realtime/dashboard/poll",
    "/api/realtime/metrics/live",
    "/api/realtime/metrics",
    "/api/realtime/notifications",
    "/api/realtime/alerts",
    "/api/realtime/performance/stats",
    "/api/realtime/cache/clear",
    "/api/realtime/cache/preload",
    "/api/realtime/series",
    "/api/realtime/query",
    "/api/realtime/events",
    "/api/realtime/ws",
    "/metrics",
    "/healthz",
    "/readyz",
    "/api/openapi.json",
    "/api/docs",
}


def test_the_contract_is_served():
    """Every address that is promised is in the table, once."""
    paths = [route.path for route in ROUTES]
    assert set(paths) >= CONTRACT
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("route", ROUTES, ids=[route.path for route in ROUTES])
def test_each_operation_has_its_method(route):
    """What the table promises the handler does; what it does not, it does not do."""
    does = {
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if getattr(route.handler, method.lower()) is not getattr(RequestHandler, method.lower())
    }
    assert does == set(route.operations)


@pytest.mark.gen_test
async def test_requests_count_under_their_route(site):
    """A path someone made up is no endpoint of its own; a stream's length is no response time."""
    await site.ask("/api/realtime/dashboard/poll?cursor=x")
    for n in range(5):
        await site.ask(f"/made/up/{n}")
        await site.ask(f"/assets/none/{n}.js")
    counts = {one.endpoint: one.count for one in site.services.requests.endpoints()}
    assert counts["(nowhere)"] == 5
    assert sum(counts.values()) == 10
    assert len(counts) == 2


@pytest.mark.gen_test
async def test_headers_are_bounded(site):
    """A request of endless headers is cut off, and its neighbours are served."""
    answer = await site.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000)
    assert not answer.startswith(b"HTTP/1.1 200")
    assert (await site.ask("/healthz")).status == 200


def test_the_listener_is_bounded():
    """Idle connections, slow bodies and unwanted bodies all end."""
    options = serve_options()
    assert 0 < options["idle_connection_timeout"] <= 120
    assert 0 < options["body_timeout"] <= 60
    assert options["max_header_size"] <= 256 * 1024
    assert options["max_body_size"] <= 1024 * 1024
