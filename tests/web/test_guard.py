"""Who may ask."""

import pytest

from web.guard import Guard, parse_origin, parse_place

HERE = "127.0.0.1:8765"


def judge(guard, host=HERE, origin=None, site=None, page=False):
    refusal = guard.check(host, origin, site, page=page)
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8765",
        "127.9.9.9:1",
        "localhost",
        "LOCALHOST:8765",
        "localhost.",
        "play.localhost:80",
        "[::1]:8765",
        "[::1]",
        "[::ffff:127.0.0.1]:8765",
    ],
)
def test_loopback_in_any_spelling_is_us(host):
    """Whoever names the loopback, by name or number and with any port, means this machine."""
    assert judge(Guard("127.0.0.1"), host) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8765",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.9:8765",
        "[fe80::1]",
        "a@localhost",
        "localhost/x",
        "localhost:",
        ":80",
        "localhost:port",
        "localhost:99999",
        "localhost, evil.example",
        "[::1",
        "local host",
        "2130706433",
        "x" * 400,
    ],
)
def test_a_host_that_is_not_ours_is_misdirected(host):
    """A name that merely resolves to us (DNS rebinding) gets 421 and learns nothing."""
    assert judge(Guard("127.0.0.1"), host) == 421


def test_refusal_names_what_came_and_the_dial():
    """The operator reads in the answer which value came and which dial would allow it."""
    refusal = Guard("127.0.0.1").check("evil.example", None, None, page=False)
    assert refusal is not None
    assert "evil.example" in refusal.detail
    assert "allowed_hosts" in refusal.detail
    assert refusal.header == "Host"


def test_the_bound_address_is_ours():
    """Bound to an address or a name, that one is answered with any port."""
    assert judge(Guard("192.168.1.9"), "192.168.1.9:80") is None
    assert judge(Guard("192.168.1.9"), "192.168.1.8") == 421
    assert judge(Guard("play.lan"), "play.lan:8765") is None
    assert judge(Guard("fd00::5"), "[fd00::5]:8765") is None


def test_bound_everywhere_numbers_pass_and_names_do_not():
    """Rebinding needs a name: on every address, numbers are let in and unknown names are not."""
    guard = Guard("0.0.0.0")
    assert judge(guard, "10.1.2.3:8765") is None
    assert judge(guard, "[2001:db8::1]") is None
    assert judge(guard, "evil.example") == 421


def test_the_dial_lets_names_in():
    """Entries are a name (any port), a name with its port, or everything below a name."""
    guard = Guard("127.0.0.1", ["Play.Example.org", "one.example:444", "*.deep.example"])
    assert judge(guard, "play.example.org") is None
    assert judge(guard, "play.example.org:9") is None
    assert judge(guard, "one.example:444") is None
    assert judge(guard, "one.example:445") == 421
    assert judge(guard, "a.b.deep.example") is None
    assert judge(guard, "deep.example") == 421
    assert judge(guard, "notdeep.example") == 421


@pytest.mark.parametrize("entry", ["", "http://a.example", "a b", "a.example/x", "a:b:c"])
def test_a_bad_entry_of_the_dial_is_refused_at_start(entry):
    """A dial that cannot work is an error at start, never a silent hole or a silent lock."""
    with pytest.raises(ValueError, match="allowed_hosts"):
        Guard("127.0.0.1", [entry])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (HERE, "http://127.0.0.1:8765"),
        (HERE, "HTTP://127.0.0.1:8765"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "http://localhost:80"),
        ("localhost", "https://localhost:443"),
        ("localhost:443", "https://localhost"),
        ("[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_our_own_page_may_ask(host, origin):
    """Same host and port: the usual port of a scheme may be written or not."""
    assert judge(Guard("127.0.0.1"), host, origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "http://localhost:8765",
        "file://",
        "chrome-extension://abcdef",
        "127.0.0.1:8765",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8765@evil.example",
        "http://127.0.0.1:8765/",
    ],
)
def test_another_page_may_not_ask(origin):
    """Every other origin is refused, another port of this very machine among them."""
    assert judge(Guard("127.0.0.1"), HERE, origin) == 403
    assert judge(Guard("127.0.0.1"), HERE, origin, page=True) == 403


def test_an_invited_page_may_ask():
    """Behind a proxy that rewrites Host, the page's own origin is let in by the dial."""
    guard = Guard("127.0.0.1", ["play.example.org"])
    assert judge(guard, HERE, "https://play.example.org") is None
    assert judge(guard, HERE, "https://play.example.org", "cross-site") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_reads_no_api_and_may_link_to_a_page(site):
    """Sec-Fetch-Site closes the requests that carry no Origin; following a link to a page is fine."""
    assert judge(Guard("127.0.0.1"), site=site) == 403
    assert judge(Guard("127.0.0.1"), site=site, page=True) is None


@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_programs_and_our_own_page_pass(site):
    """No browser, an address typed by hand, or our own page."""
    assert judge(Guard("127.0.0.1"), site=site) is None


def test_places_are_compared_in_one_spelling():
    """Case, brackets, a final dot and a scheme's usual port do not make another place."""
    assert parse_place("[::1]:80") == ("::1", 80)
    assert parse_place("A.Example.") == ("a.example", None)
    assert parse_origin("https://A.example:443") == ("a.example", None)
    assert parse_origin("https://a.example:80") == ("a.example", 80)
    assert parse_origin("https://") is None
