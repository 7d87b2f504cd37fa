"""Every goodbye has a number, a name and a meaning, the same on every road."""

from realtime.core.goodbyes import GOODBYES


def test_codes_and_reasons_tell_goodbyes_apart():
    """A browser that sees only the close code knows as much as one that read the frame."""
    assert len({one.code for one in GOODBYES}) == len(GOODBYES)
    assert len({one.reason for one in GOODBYES}) == len(GOODBYES)


def test_codes_may_be_sent():
    """RFC 6455 section 7.4: 1001, 1009 and 1011 as registered there, ours among the private 4000 to 4999.
    Reasons fit into a close frame, which has 123 bytes for them (section 5.5)."""
    for one in GOODBYES:
        assert one.code in (1001, 1009, 1011) or 4000 <= one.code <= 4999
        assert 0 < len(one.reason.encode()) <= 123
        assert one.reason.isidentifier()


def test_who_meant_no_harm_may_come_back():
    """Stopping, slowness and crowds pass; what would happen again at once is not asked for."""
    assert {one.reason: one.may_return for one in GOODBYES} == {
        "stopping": True,
        "slow": True,
        "crowded": True,
        "failed": True,
        "abuse": False,
        "too_big": False,
    }


def test_each_is_explained():
    """A sentence a person can read."""
    assert all(one.detail.endswith(".") and " " in one.detail for one in GOODBYES)
