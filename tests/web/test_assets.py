"""The page's own files."""

import gzip
import json
from html.parser import HTMLParser

import pytest

from tests.web.conftest import PAGE
from web.assets import lean, read_assets


def test_the_build_is_the_content(static):
    """Equal files make an equal build id; one changed byte or name makes another."""
    first = read_assets(static).build
    assert read_assets(static).build == first
    (static / "js" / "main.js").write_bytes(b"export const answer = 43;\n")
    second = read_assets(static).build
    assert second != first
    (static / "js" / "main.js").rename(static / "js" / "other.js")
    assert read_assets(static).build not in (first, second)


def test_only_what_was_put_there_on_purpose_is_read(static, tmp_path):
    """No hidden file, no link out of the directory, no kind that a page does not need."""
    (tmp_path / "outside.js").write_bytes(b"secret")
    (static / "link.js").symlink_to(tmp_path / "outside.js")
    assert set(read_assets(static).files) == {
        "analytics.html",
        "docs.html",
        "favicon.svg",
        "js/main.js",
        "js/worker.js",
    }


def test_what_only_people_read_stays_here():
    """Indents, and comments with lines to themselves; the other lines keep their numbers."""
    script = b"// one\n  // two\nlet a = 1; // three\n/** four\n * five */\n  let b = `//${a}`;\n"
    assert lean(script, ".js") == b"\n\nlet a = 1; // three\n\n\nlet b = `//${a}`;\n"
    style = b"/* one */\na { b: c; } /* two */\n  // no comment\n"
    assert lean(style, ".css") == b"\na { b: c; } /* two */\n// no comment\n"
    assert lean(b"// text\n", ".txt") == b"// text\n"


def test_a_sheet_brings_what_it_imports(static):
    """In its place and from where it says, as a browser would have it; what is not there stays as it was written."""
    (static / "css").mkdir()
    (static / "vendor").mkdir()
    (static / "vendor" / "one.css").write_bytes(b"/* 1 */\na{}\n")
    (static / "css" / "two.css").write_bytes(b"b{}\n")
    sheet = b'@import "../vendor/one.css";\n@import "two.css";\n@import "none.css";\nc{}\n'
    (static / "css" / "all.css").write_bytes(sheet)
    files = read_assets(static).files
    assert files["css/all.css"].body.split() == [b"a{}", b"b{}", b"@import", b'"none.css";', b"c{}"]
    assert files["css/two.css"].body == b"b{}\n"


def test_what_is_compressed_already_is_left_alone(static):
    """Pictures and fonts are not squeezed twice; nor is what would only grow."""
    (static / "a.png").write_bytes(b"x" * 1000)
    (static / "tiny.css").write_bytes(b"a{}")
    files = read_assets(static).files
    assert files["a.png"].gzipped is None
    assert files["tiny.css"].gzipped is None
    assert files["js/main.js"].gzipped


def test_a_directory_that_is_not_there_is_empty(tmp_path):
    """A build without pages still starts."""
    assert read_assets(tmp_path / "none").files == {}


@pytest.mark.gen_test
async def test_a_file_is_kept_for_ever(site):
    """Right type, immutable, an ETag, and 304 for who has it."""
    path = f"/assets/{site.services.assets.build}/js/main.js"
    answer = await site.ask(path)
    assert answer.status == 200
    assert answer.raw == b"export const answer = 42;\n" * 100
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in answer.headers
    again = await site.ask(path, headers={"If-None-Match": answer.headers["Etag"]})
    assert (again.status, again.raw) == (304, b"")
    packed = await site.ask(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw) == answer.raw
    head = await site.ask(path, method="HEAD")
    assert (head.status, head.raw) == (200, b"")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "path",
    [
        "js/none.js",
        "../conftest.py",
        "..%2f..%2fetc%2fpasswd",
        "js/../../notes.py",
        "js/.hidden.js",
        "notes.py",
        "/etc/passwd",
        "js",
        "js/main.js%00",
        "js%5cmain.js",
    ],
)
async def test_nothing_else_is_served(site, path):
    """The path is looked up in a table: there is no way out of it."""
    answer = await site.ask(f"/assets/{site.services.assets.build}/{path}")
    assert answer.status == 404
    assert answer.errors == {}


@pytest.mark.gen_test
async def test_another_build_is_gone(site):
    """Old and new modules never mix."""
    assert (await site.ask("/assets/000000000000/js/main.js")).status == 404


@pytest.mark.gen_test
async def test_pages_name_their_build_and_are_asked_again(site):
    """The mark is replaced, the policy is strict, and a new build shows at once."""
    prefix = f"/assets/{site.services.assets.build}"
    for path in ("/analytics", "/api/docs"):
        answer = await site.ask(path)
        assert answer.raw == PAGE.replace(b"{{ assets }}", prefix.encode())
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        seen = {"If-None-Match": answer.headers["Etag"]}
        assert (await site.ask(path, headers=seen)).status == 304


@pytest.mark.gen_test
async def test_a_worker_has_a_policy_of_its_own(site):
    """It may load our modules and talk to us, and nothing else; what is no worker may do nothing by itself."""
    prefix = f"/assets/{site.services.assets.build}/js"
    policy = (await site.ask(f"{prefix}/worker.js")).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; script-src 'self'; connect-src 'self'"
    policy = (await site.ask(f"{prefix}/main.js")).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'"


@pytest.mark.gen_test
async def test_the_root_leads_to_the_dashboard(site):
    """`/` is the address people type."""
    answer = await site.ask("/")
    assert answer.status == 302
    assert answer.headers["Location"] == "/analytics"


@pytest.mark.gen_test
async def test_an_icon(site):
    """Browsers ask for it unasked."""
    answer = await site.ask("/favicon.ico")
    assert answer.headers["Content-Type"] == "image/svg+xml"


@pytest.mark.gen_test
async def test_a_server_without_its_pages_says_so(site):
    """404 that names the missing part, not a crash."""
    object.__setattr__(site.services.assets, "pages", {})
    object.__setattr__(site.services.assets, "files", {})
    for path in ("/analytics", "/api/docs", "/favicon.ico"):
        answer = await site.ask(path)
        assert answer.status == 404
        assert "built without" in answer.json["detail"]


def test_a_page_is_told_which_incident_it_shows(static):
    """As an attribute, whatever its title; a page of a server that records has nothing there."""
    (static / "analytics.html").write_bytes(b'<html lang="en"{{ incident }}>{{ assets }}')
    plain = read_assets(static)
    assert plain.pages["analytics.html"].body.startswith(b'<html lang="en">/assets/')
    told = {"title": "\"><script>&' {{ assets }}", "from": "2026-11-23T03:00:00.000000Z"}
    shown = read_assets(static, told)
    heard = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            heard.append((tag, dict(attrs)))

    Reader().feed(shown.pages["analytics.html"].body.decode())
    assert [tag for tag, _ in heard] == ["html"]
    assert json.loads(heard[0][1]["data-incident"]) == told
    assert shown.build == plain.build
