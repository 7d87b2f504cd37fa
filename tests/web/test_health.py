"""Alive, and ready."""

import pytest


@pytest.mark.gen_test
async def test_alive_says_what_runs(site):
    """Liveness names the version and the SQLite beneath, under both names."""
    for path in ("/healthz", "/livez"):
        answer = await site.ask(path)
        assert answer.status == 200
        assert answer.data == {
            "status": "ok",
            "version": "1.2.3",
            "sqlite_version": "3.99.0",
            "loop_lag_s": 0.0,
            "uptime_s": 12.5,
        }


@pytest.mark.gen_test
async def test_ready_until_there_is_a_reason_not_to_be(site):
    """503 with every reason while readings cannot be taken; 200 again by itself."""
    assert (await site.ask("/readyz")).data["ready"] is True
    site.unready.append("the disk is full")
    answer = await site.ask("/readyz")
    assert answer.status == 503
    assert answer.data["reasons"] == ["the disk is full"]
    site.unready.clear()
    assert (await site.ask("/readyz")).status == 200
