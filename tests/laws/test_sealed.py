"""What is sealed is told in the words it was told in before."""

import asyncio
import json
import sqlite3

import pytest

from realtime.core.cursor import Reset
from storage.events import Draft, Metrics
from storage.log import Log
from storage.look import look
from storage.migrate import migrate
from storage.retention import Keep
from storage.verify import verify
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


LEFT = (
    *(f"query?series={name}&from=-30h&to=-1s" for name in ("steady", "silent", "late", "c_total")),
    *(
        f"query?series={name}&from=-30h&to=-1s&step={step}&fn={fn}"
        for name, step, functions in (
            ("steady", 10, ("last", "max")),
            ("steady", 60, ("avg", "min", "max", "sum", "count", "last")),
            ("steady", 3600, ("avg", "min", "max", "sum", "count", "last")),
            ("silent", 3600, ("last",)),
            ("late", 3600, ("last",)),
            ("c_total", 60, ("rate",)),
            ("c_total", 3600, ("increase",)),
        )
        for fn in functions
    ),
    "query?series=steady&from=-20m&to=-1s",
    "metrics/live",
    "series?match=steady&match=silent&match=late",
    "events?limit=1000&type=notification",
)


async def lived(web, clock):
    """A day and some hours: a series that goes on, one that has fallen silent, one that came late, a counter."""
    now = clock.at / S
    ats = [now - 30 * 3600 + 60 * n for n in range(1800)]
    values = [round((n * 7919) % 101 / 7, 3) for n in range(1800)]
    values[700] = 1e6
    begun = len(ats) * 2 // 3
    pushed: list[tuple[str, dict[str, list[float]], list[float]]] = [
        ("here", {"steady": values, "c_total": [n % 1000 * 3 for n in range(1800)]}, ats),
        ("gone", {"silent": values[:600]}, ats[:600]),
        ("new", {"late": values[begun:]}, ats[begun:]),
    ]
    for source, series, some in pushed:
        for first in range(0, len(some), 300):
            part = {name: column[first : first + 300] for name, column in series.items()}
            body = {"source": source, "at": some[first : first + 300], "series": part}
            await post(web, "metrics", body)
    for n in range(3):
        await post(web, "notifications", {"type": "info", "message": f"words {n}"})


async def answers(it, web):
    it.shelf.clear()
    heard = {}
    for path in LEFT:
        answer = await web.get(f"/{API}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        data = answer.json()["data"]
        data.pop("cursor", None)
        heard[path] = data
    sources = (await web.get(f"/{API}/dashboard/live")).json()["data"]["sources"]
    heard["sources"] = [one for one in sources if one["source"] != "here"]
    # The start itself is a reading of nobody, but the newest of events.
    heard["metrics/live"] = {
        id_: one for id_, one in heard["metrics/live"].items() if id_ not in ("at", "cached")
    }
    return heard


@pytest.mark.parametrize("by", ["age", "bytes", "age and all of it"])
@pytest.mark.gen_test(timeout=120)
async def test_views_are_disposable_after_forgetting(tmp_path, by):
    """What was dropped is answered from the next tier to the bit; a start without checkpoints, from a log that
    was stopped in the middle of its upkeep, tells the same as before; the log is sound, facts and all."""
    # A stack trace for each of a hundred thousand callbacks is most of the time, and nothing of what is proven.
    asyncio.get_running_loop().set_debug(False)
    clock = Still()
    async with house(tmp_path, clock) as it, client(it) as web:
        await lived(web, clock)
        await it.log.seal(it.log.head)
        whole = await answers(it, web)
        keep = Keep(10 / 24, 1000, 1000, 1000, 0)
        if by == "bytes":
            keep = Keep(1000, 1000, 1000, 1000, await it.log._retention.used() * 9 // 10)
        elif by == "age and all of it":
            await it.log.seal(it.log.head, all_of_it=True)
            keep = Keep(0.0001, 1000, 1000, 1000, 0)
        work = asyncio.create_task(it.log.forget(keep, clock.now() + 60 * S))
        while it.log.floor == 1:
            await asyncio.sleep(0.001)
        it.log.halt()
        await work
        it.log._retention.halted = False
        gone = await it.log.forget(keep, clock.now() + 60 * S)
        assert by != "age" or gone.segments or it.log.floor > 1000
        it.spine.forgot()
        floor = it.log.floor
        before = await answers(it, web)
        told = {path: before[path]["tier"] for path in LEFT if "tier" in before[path]}
        assert set(told.values()) >= {"10s", "60s", "3600s"} and all(
            before[path]["series"][0]["value"]
            for path in told
            if "rate" not in path and "-20m" not in path
        )
        for path in LEFT:
            if "step=3600" in path and "rate" not in path and "increase" not in path:
                assert before[path]["series"] == whole[path]["series"], path
        frames = (await clients.poll(it.url, cursor=f"{it.log.epoch}:3"))["frames"]
        assert frames[0]["data"]["reason"] == "truncated"
    with look(tmp_path / "playhead.db") as connection:
        report = verify(connection)
    assert report.damages == [] and report.floor == floor > 1
    connection = sqlite3.connect(tmp_path / "playhead.db")
    connection.execute("DELETE FROM checkpoints")
    connection.commit()
    connection.close()
    async with house(tmp_path, clock) as it, client(it) as web:
        assert it.log.floor == floor
        after = await answers(it, web)
        for path, told in before.items():
            assert after[path] == told, path
