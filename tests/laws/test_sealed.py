"""What is sealed is told in the words it was told in before."""

import json
import sqlite3

import pytest

from realtime.core.cursor import Reset
from storage.events import Draft, Metrics
from storage.log import Log
from storage.migrate import migrate
from storage.retention import Keep
from tests import clients
from tests.app import house
from tests.laws.test_laws import API, S, Still, client, post

ASKED = (
    "events?limit=1000",
    "events?limit=7&after=20",
    "events?type=metrics&source=b&limit=500",
    "query?series=system_cpu_utilization_ratio&from=-2h",
    "query?series=huge&from=-2h",
    "query?series=huge&from=-2h&step=60&fn=max",
    "query?series=system_cpu_utilization_ratio&from=-2h&step=10&fn=avg",
    "query?series=system_cpu_utilization_ratio&from=-2h&step=3600&fn=avg",
    "dashboard/live",
    "dashboard/live?hours=24",
)


def rows(path):
    connection = sqlite3.connect(path / "playhead.db")
    found = connection.execute("SELECT count(*) FROM events WHERE type = 'metrics'").fetchone()[0]
    connection.close()
    return found


async def fill(it, web, clock):
    ats = [clock.at / S - 10 * n for n in range(360, 0, -1)]
    columns = {
        "system_cpu_utilization_ratio": [n / 360 for n in range(360)],
        'system_load{period="1m"}': [n % 7 + 0.5 for n in range(360)],
        "huge": [
            [2**53 + 2, 2**60, 1e17, -0.0, 0.1, 2**53, 12345678901234567890 // 2048 * 2048][n % 7]
            for n in range(360)
        ],
    }
    for source in ("here", "b"):
        await post(web, "metrics", {"source": source, "at": ats, "series": columns})
    await post(web, "notifications", {"type": "warning", "message": "words"})


async def told(it, web):
    it.shelf.clear()
    heard = []
    for path in ASKED:
        answer = await web.get(f"/{API}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        heard.append((path, json.dumps(answer.json()["data"])))
    polled = await clients.poll(it.url, cursor=f"{it.log.epoch}:3")
    return heard, [repr(one) for one in polled["frames"]]


@pytest.mark.gen_test(timeout=60)
async def test_same_frames_after_sealing(tmp_path):
    """Every HTTP road tells the same before and after sealing, and after a start from nothing but segments."""
    clock = Still()
    async with house(tmp_path, clock, alert_cpu_hold_s=0) as it, client(it) as web:
        await fill(it, web, clock)
        before = await told(it, web)
        assert await it.log.seal(it.log.head // 2) > 0
        assert await told(it, web) == before
        await it.log.seal(it.log.head, all_of_it=True)
        assert rows(tmp_path) == 0
        assert await told(it, web) == before
        view = (await web.get(f"/{API}/metrics/live")).json()["data"]
    connection = sqlite3.connect(tmp_path / "playhead.db")
    connection.execute("DELETE FROM checkpoints")
    connection.commit()
    connection.close()
    async with house(tmp_path, clock, alert_cpu_hold_s=0) as it, client(it) as web:
        again = (await web.get(f"/{API}/metrics/live")).json()["data"]
        assert again.pop("cursor") != view.pop("cursor")
        assert again == view


@pytest.mark.gen_test(timeout=60)
async def test_a_cursor_below_the_floor_is_truncated(tmp_path):
    """Raw ticks that retention gave up are never passed over in silence."""
    clock = Still()
    async with house(tmp_path, clock) as it, client(it) as web:
        await fill(it, web, clock)
        await it.log.seal(it.log.head, all_of_it=True)
        keep = it.upkeep._keep._replace(raw_days=0)
        gone = await it.log.forget(keep, clock.at + S)
        assert gone.segments > 0
        assert it.log.floor == gone.floor > 3
        frames = (await clients.poll(it.url, cursor=f"{it.log.epoch}:3"))["frames"]
        assert [frame["event"] for frame in frames] == ["reset", "snapshot"]
        assert frames[0]["data"]["reason"] == "truncated"
        assert (await web.get(f"/{API}/dashboard/live?hours=24")).status_code == 200


@pytest.mark.gen_test(timeout=60)
async def test_a_page_with_a_hole_is_a_reset(tmp_path):
    """Facts outlive the ticks between them: what is left of a gap is never told as the whole of it."""
    clock = Still()
    async with house(tmp_path, clock, ring_events=1) as it, client(it) as web:
        await post(web, "notifications", {"type": "info", "message": "before"})
        await fill(it, web, clock)
        told = [event.seq for event in await it.log.read(0, 1000) if event.type == "notification"]
        await it.log.seal(it.log.head, all_of_it=True)
        gone = await it.log.forget(Keep(0.0001, 1000, 1000, 1000, 0), clock.now())
        assert gone.segments
        # The first event of the page follows the cursor without a gap; further on the ticks are missing.
        answer = await it.hub.entries(told[0] - 1)
        assert isinstance(answer, Reset) and answer.reason == "truncated"


@pytest.mark.gen_test(timeout=60)
async def test_a_start_ends_though_the_newest_events_were_forgotten(tmp_path):
    """A log whose last events were ticks, all dropped since, is folded to its head."""
    path = tmp_path / "playhead.db"
    migrate(path)
    log = Log(path)
    await log.open(1)
    await log.append([Draft(n * S, "a", Metrics((1,), (n,))) for n in range(1, 20)])
    await log.seal(log.head, all_of_it=True)
    await log.forget(Keep(0.0001, 1000, 1000, 1000, 0), 10**15)
    assert log.floor == log.head + 1
    await log.close()
    async with house(tmp_path, Still()) as it:
        assert it.tail.edge == it.log.head > 19
