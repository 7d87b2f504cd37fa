"""A replay of a running server, as its client hears it."""

from typing import Any

import pytest

from tests.realtime.test_replay import at, recorded
from web.viewer import NotPlayed, view


@pytest.mark.gen_test(timeout=30)
async def test_it_shows_every_frame_until_the_end(tmp_path):
    """Of the series that were asked for, and all facts; nothing of now before or after."""
    heard: list[tuple[str, Any]] = []
    async with recorded(tmp_path, 30) as it:
        ask = {"from": at(8.5), "to": at(12.5), "speed": "max"}
        await view(it.url, ask, ("load",), lambda event, data: heard.append((event, data)))
    ticks = [data for event, data in heard if event == "metrics"]
    assert [one["at"] for one in ticks] == [at(n) for n in (9, 10, 11, 12)]
    assert all(list(one["values"]) == ['load{of="a"}'] for one in ticks)
    assert heard[0][0] == "replaying" and heard[-1][1]["state"] == "ended"


@pytest.mark.gen_test(timeout=30)
async def test_what_is_refused_and_who_does_not_answer_is_said(tmp_path):
    """In the server's own words, or with what to look for."""
    async with recorded(tmp_path, 3) as it:
        with pytest.raises(NotPlayed, match="not over yet"):
            await view(it.url, {"from": "2199-01-01T00:00:00Z"}, (), lambda event, data: None)
        url = it.url
    with pytest.raises(NotPlayed, match="does not answer") as refused:
        await view(url, {"from": "-1m"}, (), lambda event, data: None)
    assert "running" in refused.value.hint
