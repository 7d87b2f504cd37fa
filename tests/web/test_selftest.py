"""The self-test passes on a server that works, and says what is wrong with one that does not."""

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from realtime.collect.lineup import default_collectors
from tests.app import house
from web import selftest
from web.selftest import SelfTestFailed


@pytest.mark.gen_test
async def test_a_server_that_measures_passes(tmp_path):
    """Page, API and a first tick of the CPU: that is what a user would look for."""
    async with house(tmp_path, collectors=default_collectors()) as it:
        await selftest.selftest(it.url)


@pytest.mark.gen_test
async def test_a_server_that_measures_nothing_fails(tmp_path, monkeypatch):
    """Without a tick the test gives up in time, and says which one was wanted."""
    monkeypatch.setattr(selftest, "PATIENCE_S", 0.5)
    async with house(tmp_path) as it:
        with pytest.raises(SelfTestFailed, match="CPU"):
            await selftest.selftest(it.url)


@pytest.mark.gen_test
async def test_a_server_without_its_page_fails(logs):
    """A binary that was built without the pages is found out."""

    class Bare(RequestHandler):
        def get(self) -> None:
            self.write("nothing here")

    sock, port = bind_unused_port()
    server = HTTPServer(Application([(r"/analytics", Bare)]))
    server.add_sockets([sock])
    try:
        with pytest.raises(SelfTestFailed, match="title"):
            await selftest.selftest(f"http://127.0.0.1:{port}/")
        with pytest.raises(SelfTestFailed, match="did not answer"):
            await selftest.selftest(f"http://127.0.0.1:{port}/nowhere/")
        logs.expect("404 GET /nowhere/analytics")
    finally:
        server.stop()
        await server.close_all_connections()
