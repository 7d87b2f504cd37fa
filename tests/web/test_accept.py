"""What a client would rather have."""

import pytest

from web.accept import chosen, coding, takes_gzip

OFFERS = ("application/json", "application/x-ndjson", "text/plain")


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("GZip", False),
        ("br, gzip;q=0.001", True),
    ],
)
def test_gzip_is_sent_only_where_it_is_taken(header, takes):
    """A weight of nought means not at all (RFC 9110 section 12.4.2)."""
    assert takes_gzip(header) is takes


@pytest.mark.parametrize(
    ("header", "best"),
    [
        ("", ""),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0", ""),
        ("*", "gzip"),
        ("zstd, *;q=0", "zstd"),
    ],
)
def test_the_better_coding_is_sent_to_whoever_names_it(header, best):
    """A bare `*` gets gzip, which any client can read."""
    assert coding(header, ("zstd", "gzip")) == best
    assert coding(header, ()) == ""


@pytest.mark.parametrize(
    ("header", "offer"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson;q=0.5, application/json;q=0.4", "application/x-ndjson"),
        ("text/*", "text/plain"),
        ("image/png", "application/json"),
        ("application/json;q=0, text/plain", "text/plain"),
        ("text/plain;q=high", "text/plain"),
    ],
)
def test_the_best_offer_is_chosen(header, offer):
    """The heaviest that we have; the first when the client names none of ours."""
    assert chosen(header, OFFERS) == offer
