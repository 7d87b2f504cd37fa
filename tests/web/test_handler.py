"""What every answer has in common."""

import asyncio
import gzip
import re
import threading
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from tests.app import house
from tests.web.conftest import MAX_BODY
from web.handler import OFF_LOOP, off_loop

LIVE = "/api/realtime/metrics/live"
POST = "/api/realtime/metrics"


@pytest.mark.gen_test
async def test_an_answer_is_in_the_envelope_and_guarded(site):
    """Envelope, security headers, no trace of what serves it."""
    answer = await site.ask(LIVE)
    assert answer.data
    headers = answer.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "Playhead"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.gen_test
async def test_a_request_has_a_name(site):
    """A plain X-Request-Id is kept; anything else is replaced, so that no log line can be forged."""
    assert (await site.ask(LIVE, headers={"X-Request-Id": "abc-1"})).headers[
        "X-Request-Id"
    ] == "abc-1"
    given = (await site.ask(LIVE, headers={"X-Request-Id": "a b"})).headers["X-Request-Id"]
    assert given != "a b"
    assert len(given) == 16


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "path", ["/nothing", "/api/realtime/", "/api/realtime/events/", "/%00", "/assets/", "//"]
)
async def test_an_unknown_path_is_a_problem(site, path):
    """404 as problem+json, never an HTML page."""
    answer = await site.ask(path)
    assert answer.status == 404
    assert answer.errors == {}


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        (LIVE, "POST", "GET, HEAD"),
        (LIVE, "DELETE", "GET, HEAD"),
        (LIVE, "OPTIONS", "GET, HEAD"),
        (LIVE, "BREW", "GET, HEAD"),
        (POST, "GET", "POST"),
        (POST, "HEAD", "POST"),
        ("/api/realtime/notifications", "PUT", "GET, POST, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(site, path, method, allow):
    """405 with Allow, whatever the method."""
    answer = await site.ask(path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == allow
    if method != "HEAD":
        assert answer.errors == {}


@pytest.mark.gen_test
async def test_head_is_get_without_its_body(site):
    """The same status and headers, no bytes."""
    answer = await site.ask(LIVE, method="HEAD")
    assert (answer.status, answer.raw) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 50


@pytest.mark.gen_test
async def test_a_foreign_host_is_misdirected(site):
    """DNS rebinding: another name for our address gets 421, pages and unknown paths included."""
    for path in (LIVE, "/analytics", "/nothing", "/healthz"):
        answer = await site.ask(path, headers={"Host": "evil.example"})
        assert answer.status == 421
        assert "allowed_hosts" in answer.errors["Host"]
    assert (await site.ask(LIVE, headers={"Host": "play.example.org"})).status == 200


@pytest.mark.gen_test
async def test_a_foreign_page_reads_and_writes_nothing(site):
    """Origin and Sec-Fetch-Site are judged on every method; nothing reaches the log."""
    before = site.spine.edge
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in (LIVE, POST):
            method = "GET" if path == LIVE else "POST"
            answer = await site.ask(
                path,
                method=method,
                body=None if method == "GET" else b'{"name":"a","value":1}',
                headers={"Content-Type": "application/json", **headers},
            )
            assert answer.status == 403
            assert list(answer.errors) == list(headers)
    assert site.spine.edge == before
    own = {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
    assert (await site.ask(LIVE, headers=own)).status == 200


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("line", "more", "status"),
    [
        ("POST /api/realtime/metrics", "Origin: http://evil.example\r\n", 403),
        ("PUT /api/realtime/metrics", "", 405),
        ("POST /api/realtime/metrics?x=1", "", 400),
        ("GET /api/realtime/annotations?limit=no", "", 400),
        ("BREW /api/realtime/metrics", "", 405),
        ("POST /api/realtime/metrics?x=1", "Expect: 100-continue\r\n", 400),
    ],
)
async def test_a_refused_client_keeps_its_connection_or_hears_of_its_end(site, line, more, status):
    """RFC 9112, 9.6: what is read to its end is answered on a connection that stays; where it is
    not, the answer says that it is the last one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    body = b"x" * 1000 if not line.startswith("GET") else b""
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode())
    if "Expect" not in more:
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(body)
    answered = await reader.readuntil(b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 %d " % status)
    if b"Connection: close" in answered:
        assert "Expect" in more or line.startswith("BREW")
        await reader.read()
        assert reader.at_eof()
    else:
        length = int(re.findall(rb"Content-Length: (\d+)", answered)[0])
        await reader.readexactly(length)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.gen_test
async def test_a_link_to_a_page_may_be_followed(site):
    """A cross-site navigation opens the page; its data stays closed."""
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await site.ask("/analytics", headers=followed)).status == 200
    assert (await site.ask(LIVE, headers=followed)).status == 403


@pytest.mark.gen_test
async def test_a_request_without_a_host_is_refused(site):
    """HTTP/1.0 may leave Host out; then nobody knows whom it meant."""
    answer = await site.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"names no host" in answer


@pytest.mark.gen_test
async def test_too_long_a_body_is_413_and_is_seen(site):
    """The refusal reaches a client that is still writing: its body is read to the end first."""
    answer = await site.post(POST, b"x" * (MAX_BODY + 1))
    assert answer.status == 413
    assert f"{MAX_BODY:,}" in answer.json["detail"]
    assert (await site.ask("/healthz")).status == 200


@pytest.mark.gen_test
async def test_an_enormous_body_is_refused_before_it_comes(site):
    """A length far beyond the bound, or a client that asks first, is answered at once."""
    for announced, more in ((MAX_BODY * 100, b""), (MAX_BODY + 1, b"Expect: 100-continue\r\n")):
        answer = await site.raw(
            b"POST /api/realtime/metrics HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (more, announced)
        )
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:80]
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.gen_test
async def test_a_body_without_a_length_is_bounded_too(site):
    """Chunks are counted as they come; the answer is still a problem, and the only one."""
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = (
        b"POST /api/realtime/metrics HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for chunks in (20, 70):
        answer = await site.raw(head + chunk * chunks + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:80]
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.gen_test
async def test_a_client_that_leaves_in_the_middle_costs_nothing(site):
    """Half a body and a closed connection: no error, no log line, the next one is served."""
    await site.raw(
        b"POST /api/realtime/metrics HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    assert (await site.ask("/healthz")).status == 200


@pytest.mark.gen_test
@pytest.mark.parametrize("media", ["text/plain", "", "application/x-www-form-urlencoded", "json"])
async def test_another_content_type_is_415(site, media):
    """What a cross-site form can send is never taken; the answer names what is."""
    answer = await site.post(POST, {"name": "a", "value": 1}, media)
    assert answer.status == 415
    assert "application/json" in answer.json["detail"]
    assert "application/msgpack" in answer.headers["Accept-Post"]


@pytest.mark.gen_test
async def test_a_coded_body_is_415(site):
    """A compressed body could unfold into anything; it is not read."""
    answer = await site.post(POST, b"x", Content_Encoding="gzip")
    assert answer.status == 415
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.gen_test
async def test_what_we_did_not_foresee_is_logged_and_says_nothing(site, logs, monkeypatch):
    """A bug answers 500 with a name to look up, and no traceback, path or value of ours."""

    def broken():
        raise RuntimeError("secret words")

    monkeypatch.setattr(site.services.shelf, "stats", broken)
    answer = await site.ask("/api/realtime/performance/stats")
    assert answer.status == 500
    assert b"secret" not in answer.raw
    assert b"Traceback" not in answer.raw
    assert answer.headers["X-Request-Id"] in answer.json["detail"]
    assert "secret words" in str(logs.expect("request failed"))


@pytest.mark.gen_test
async def test_long_work_leaves_the_loop():
    """Law loop-never-blocks: a long body is handled in a thread, a short one here."""
    where = await off_loop(lambda body: threading.current_thread(), b"x", OFF_LOOP)
    assert where is not threading.current_thread()
    assert await off_loop(lambda body: threading.current_thread(), b"x", 1) is (
        threading.current_thread()
    )


@pytest.mark.gen_test
async def test_long_answers_are_compressed_where_that_is_taken(site):
    """Only for who takes it, only where it pays, and the same bytes inside."""
    await site.tick({f"metric_{n}": n for n in range(40)})
    plain = await site.ask(LIVE)
    packed = await site.ask(LIVE, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert (
        msgspec.json.decode(gzip.decompress(packed.raw))["data"]["series"] == (plain.data["series"])
    )
    series = await site.ask("/api/realtime/series", headers={"Accept-Encoding": "gzip"})
    assert len(msgspec.json.decode(gzip.decompress(series.raw))["data"]["series"]) == 40
    small = await site.ask("/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


@pytest.mark.gen_test
async def test_who_is_under_way_when_the_server_stops_is_asked_back(tmp_path):
    """503 with Retry-After, and no error in the log: the threads that would have worked for it have gone."""
    async with house(tmp_path) as it, httpx.AsyncClient(base_url=it.url) as client:
        batch = {"source": "here", "samples": [{"name": "load", "value": 1}]}
        await client.post("/api/realtime/metrics", json=batch)
        at = {"at": datetime.now(UTC).isoformat(), "hours": "0.01"}
        assert (await client.get("/api/realtime/state", params=at)).status_code == 200
        it.hub.closing = True
        it._pool.shutdown()
        it.log._engine._is_closed = True
        found = await client.get("/api/realtime/state", params=at | {"hours": "0.02"})
        it.log._engine._is_closed = False
        later = await client.get("/api/realtime/state", params=at | {"hours": "0.03"})
        for answer in (found, later):
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= 31
            assert "stopping" in answer.json()["detail"]
