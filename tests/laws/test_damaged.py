"""A bit flipped on the disk costs what it hits: it is named, and everything else is shown and recorded."""

import random
import shutil
from urllib.parse import quote

import msgspec
import pytest
from tornado.httpclient import AsyncHTTPClient

from storage.look import look
from storage.verify import verify
from tests.app import house
from tests.clients import sockets
from tests.storage.filled import change, flip_cell

API = "api/realtime"
X = quote('x{n="1"}')
ROUTES = [
    f"{API}/dashboard/live",
    f"{API}/dashboard/live?hours=24",
    f"{API}/metrics/live",
    f"{API}/performance/stats",
    f"{API}/notifications",
    f"{API}/alerts",
    f"{API}/series",
    f"{API}/series?match=x",
    f"{API}/query?series={X}&from=-2h&to=now",
    f"{API}/query?series=y&from=-2h&to=now&step=10s&fn=avg",
    f"{API}/query?series=y&from=-2h&to=now&step=60s&fn=sum",
    f"{API}/events?limit=1000",
    f"{API}/events?limit=1000&type=metrics",
    f"{API}/events?limit=1000&type=notification,series",
    f"{API}/events?limit=1000&source=app&from=-2h",
    f"{API}/dashboard/poll",
    "metrics",
    "healthz",
    "readyz",
    "analytics",
]


async def ask(url):
    answer = await AsyncHTTPClient().fetch(url, raise_error=False, request_timeout=20)
    return answer.code, answer.headers, answer.body


async def post(url, body):
    answer = await AsyncHTTPClient().fetch(
        url,
        method="POST",
        body=msgspec.json.encode(body),
        headers={"Content-Type": "application/json"},
        raise_error=False,
    )
    return answer.code


async def filled(directory, *, seal):
    """Some minutes of two sources, told at once, with messages and an alert between; gives the cursor of
    its middle."""
    async with house(directory) as it:
        for minute in range(4):
            ats = [f"-{600 - minute * 60 - s}s" for s in range(0, 60, 2)]
            for source, name in (("app", 'x{n="1"}'), ("other", "y")):
                columns = {
                    "source": source,
                    "at": ats,
                    "series": {name: [*range(30)], "z": [5] * 30},
                }
                assert await post(it.url + f"{API}/metrics", columns) == 200
            for source, value in (("app", 0.99), ("other", minute)):
                body = {"name": "system_memory_utilization_ratio", "source": source, "value": value}
                assert await post(it.url + f"{API}/metrics", body) == 200
            assert await post(it.url + f"{API}/notifications", {"message": f"m{minute}"}) == 200
        if seal:
            assert await it.log.seal(it.log.head, all_of_it=True)
        return it.spine.cursor().partition(":")[0] + f":{it.log.head // 2}"


async def every_page(it):
    """All that `events` tells, a small page at a time."""
    after, told = 0, []
    while after is not None:
        code, _, body = await ask(it.url + f"{API}/events?limit=37&after={after}")
        assert code == 200, body
        data = msgspec.json.decode(body)["data"]
        told += data["events"]
        assert data["next"] is None or data["next"] > after
        after = data["next"]
    return told


async def checked(directory, cursor, logs, what):
    """Every route answers, the whole log is told, a resume is whole or says why not, and what comes new is
    recorded. Gives what `events` calls damaged."""
    async with house(directory, resume_events=100_000, ring_events=1) as it:
        for route in ROUTES:
            code, _, body = await ask(it.url + route)
            assert code == 200, (what, route, code, body[:300])
        told = await every_page(it)
        assert [one["seq"] for one in told] == sorted({one["seq"] for one in told})
        damaged = [one for one in told if one["type"] == "damaged"]
        spans = [(one["data"]["first"], one["data"]["last"]) for one in damaged]
        covered = sorted(
            [one["seq"] for one in told if one["type"] != "damaged"]
            + [seq for first, last in spans for seq in range(first, last + 1)]
        )
        assert covered == [*range(1, told[-1]["seq"] + 1)], (what, spans)
        async with sockets(it.url, cursor=cursor, rooms="dashboard") as one:
            await one.until("hello")
            first = await one.next()
            if damaged and any(last > int(cursor.partition(":")[2]) for _, last in spans):
                assert (first.event, first.data["reason"]) == ("reset", "damaged"), what
                await one.until("snapshot")
            else:
                assert first.event in ("metrics", "notification", "system", "alert"), what
        head = it.log.head
        assert await post(it.url + f"{API}/notifications", {"message": "on it goes"}) == 200
        body = {"source": "app", "series": {'x{n="1"}': [7], "fresh": [8]}}
        assert await post(it.url + f"{API}/metrics", body) == 200
        assert it.log.head > head
        assert bool((await it.log.stats()).damaged) == bool(damaged), what
    for line in logs.lines:
        assert "part of the log is damaged" in str(line), (what, line)
        assert "verify" in str(line)
    assert bool(logs.lines) == bool(damaged), what
    logs.lines.clear()
    return damaged


@pytest.mark.slow
@pytest.mark.parametrize("view", ["saved", "folded anew"])
@pytest.mark.parametrize("column", ["seq", "at", "source", "type", "version", "body", "crc"])
@pytest.mark.gen_test(timeout=180)
async def test_a_bit_of_a_row_costs_its_event(tmp_path, logs, column, view):
    """Whichever column it hits, and whether the view is saved or has to be folded out of damaged rows."""
    sound = tmp_path / "sound"
    cursor = await filled(sound, seal=False)
    dice = random.Random(f"{column} {view}")
    for n in range(4):
        directory = shutil.copytree(sound, tmp_path / f"flipped{n}")
        path = directory / "playhead.db"
        if view != "saved":
            change(path, "DELETE FROM checkpoints")
        if (
            column == "seq"
        ):  # a bit beyond the head: on the others two rows would stand in one place
            bit = 1 << dice.randrange(9, 40)
            what = f"bit {bit} of seq"
            some = "SELECT seq FROM events ORDER BY random() LIMIT 1"
            assert change(path, f"UPDATE events SET seq = seq + {bit} WHERE seq = ({some})") == 1
        else:
            what = flip_cell(path, "events", column, dice)
        with look(path) as connection:
            assert any(one.table == "events" for one in verify(connection).damages), what
        assert await checked(directory, cursor, logs, what), what


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column"),
    [("segments", "head"), ("segments", "directory"), ("strips", "body"), ("rollups", "body")],
)
@pytest.mark.gen_test(timeout=180)
async def test_a_bit_of_a_segment_costs_its_part(tmp_path, logs, table, column):
    """What is sealed: a head takes its ticks with it, a column its series, a rollup no event at all."""
    sound = tmp_path / "sound"
    cursor = await filled(sound, seal=True)
    dice = random.Random(f"{table} {column}")
    for n in range(4):
        directory = shutil.copytree(sound, tmp_path / f"flipped{n}")
        path = directory / "playhead.db"
        change(path, "DELETE FROM checkpoints")
        what = flip_cell(path, table, column, dice)
        with look(path) as connection:
            assert verify(connection).damages, what
        if table == "rollups":
            async with house(directory) as it:
                for route in ROUTES:
                    code, _, body = await ask(it.url + route)
                    assert code == 200, (what, route, body[:300])
                assert all(one["type"] != "damaged" for one in await every_page(it))
            for line in logs.lines:
                assert "part of the log is damaged" in str(line), line
            logs.lines.clear()
        else:
            assert await checked(directory, cursor, logs, what), what


@pytest.mark.gen_test(timeout=60)
async def test_an_answer_says_what_it_lacks(tmp_path, logs):
    """`query` gives the rest, and names in a header what could not be read. A row's own time is as doubtful
    as the rest of it, so that every range may lack it."""
    await filled(tmp_path / "d", seal=False)
    path = tmp_path / "d" / "playhead.db"
    hit = "SELECT seq FROM events WHERE source = 'app' AND type = 'metrics' ORDER BY seq LIMIT 1"
    assert change(path, f"UPDATE events SET body = body || x'00' WHERE seq = ({hit})") == 1
    with look(path) as connection:
        ((seq,),) = connection.execute(hit)
    async with house(tmp_path / "d") as it:
        code, headers, body = await ask(it.url + f"{API}/query?series={X}&from=-2h&to=now")
        assert code == 200
        assert headers["Playhead-Damaged"] == f"event {seq}"
        values = msgspec.json.decode(body)["data"]["series"][0]["value"]
        assert len(values) == 4 * 30 - 1
    logs.expect(f"damaged place='event {seq}'.*no bytes")
