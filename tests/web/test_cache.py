"""The shelf by hand."""

import pytest

DASHBOARD = "/api/realtime/dashboard/live"


@pytest.mark.gen_test
async def test_preload_makes_the_next_visitor_s_answer_warm(site):
    """Entries come and are counted; the ranges preloaded are then served from the shelf."""
    await site.tick({"a": 1})
    answer = await site.ask("/api/realtime/cache/preload", method="POST", body=b"")
    assert answer.data["preloaded"] > 0
    assert answer.data["entries"] == site.services.shelf.stats().entries
    assert answer.data["hours"] == [1, 6, 24, 72, 168]
    for hours in (1, 6, 24, 72, 168):
        assert (await site.ask(f"{DASHBOARD}?hours={hours}")).data["cached"] is True
    again = await site.ask("/api/realtime/cache/preload", method="POST", body=b"")
    assert again.data["preloaded"] == 0


@pytest.mark.gen_test
async def test_clear_empties_it_and_says_how_much_went(site):
    """Afterwards nothing is cached, and nothing but time is lost."""
    await site.ask(DASHBOARD)
    held = site.services.shelf.stats().entries
    answer = await site.ask("/api/realtime/cache/clear", method="POST", body=b"")
    assert answer.data == {"cleared": held}
    assert held > 0
    assert (await site.ask(DASHBOARD)).data["cached"] is False


@pytest.mark.gen_test
async def test_neither_is_done_by_a_link(site):
    """A GET changes nothing."""
    for path in ("/api/realtime/cache/clear", "/api/realtime/cache/preload"):
        assert (await site.ask(path)).status == 405
