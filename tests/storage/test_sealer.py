"""Sealing moves ticks from rows into segments, and nobody can tell by what they read."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

import aiosqlite
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import codec, tiers
from storage.engine import driver_of
from storage.events import Draft, Metrics, Notification, System, canonical
from storage.log import Log
from storage.migrate import migrate
from storage.rollups import differing, fold_all
from storage.sealer import Sealer
from tests.storage.conftest import NOW, tick

SECOND = 1_000_000
SPAN = 10 * SECOND
BEGIN = NOW // (3600 * SECOND) * 3600 * SECOND


@contextlib.asynccontextmanager
async def logged(path: Path, span_us: int = SPAN):
    migrate(path)
    log = Log(path, span_us=span_us)
    await log.open(NOW)
    try:
        yield log
    finally:
        await log.close()


def rows(path, question="SELECT count(*) FROM events WHERE type = 'metrics'"):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchone()[0]


def write(path, sql, *values):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


IDS = {"a": range(1, 7), "b": range(11, 17), "c": range(21, 22)}
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.1, -0.0, 2.0**53, 2.0**53 + 2, 1e17, -(2.0**70), 5e-324, 1.7e308]).map(
        canonical
    ),
    st.floats(allow_nan=False, allow_infinity=False).map(canonical),
)
moments = st.integers(0, 60).map(lambda second: BEGIN + second * SECOND)
ticks = st.tuples(
    moments,
    st.sampled_from("ab"),
    st.lists(st.integers(1, 6), unique=True, max_size=4).flatmap(
        lambda ids: st.lists(numbers, min_size=len(ids), max_size=len(ids)).map(
            lambda values: Metrics(tuple(ids), tuple(values))
        )
    ),
)


def own(made):
    """Series belong to one source: those of b begin with 11."""
    at, source, data = made
    if source == "b" and isinstance(data, Metrics):
        data = Metrics(tuple(id_ + 10 for id_ in data.ids), data.values)
    return Draft(at, source, data)


facts = st.tuples(
    moments,
    st.sampled_from("ab"),
    st.sampled_from([System("started"), Notification("n", "info", "words")]),
)
stories = st.lists(st.one_of(ticks, ticks, ticks, facts).map(own), max_size=40)
bounds = st.none() | moments


def bits(columns):
    return {
        id_: (ats.tolist(), values.astype(np.float64).tobytes())
        for id_, (ats, values) in columns.items()
    }


@settings(max_examples=40)
@given(
    stories,
    st.lists(st.integers(0, 40), max_size=3),
    st.booleans(),
    st.lists(
        st.tuples(
            st.integers(0, 41),
            st.integers(1, 41),
            st.none() | st.integers(0, 41),
            bounds,
            bounds,
            st.none() | st.lists(st.sampled_from(["metrics", "system", "notification"])),
            st.none() | st.sampled_from("abc"),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_nobody_can_tell_what_is_sealed(story, points, whole, questions):
    """Events by every filter, columns and buckets of every tier are the same, to the bit and in their
    spelling, before and after sealing up to any point, and after a restart."""

    async def told(log):
        events = [
            repr(
                await log.read(
                    after, limit, until=until, start=start, end=end, types=types, source=source
                )
            )
            for after, limit, until, start, end, types, source in questions
        ]
        columns = [
            bits(await log.columns(source, IDS[source], start or 0, end or 2**62))
            for _, _, _, start, end, _, source in questions
            if source
        ]
        buckets = [
            {
                id_: [column.tolist() for column in (*found.columns, found.sum)]
                for id_, found in (
                    await log.buckets(
                        [*IDS["a"], *IDS["b"]], start or BEGIN, end or BEGIN + 7200 * SECOND, tier
                    )
                ).items()
            }
            for _, _, _, start, end, _, _ in questions[:2]
            for tier in (10, 60, 3600)
        ]
        return events, columns, buckets

    async def go():
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "playhead.db"
            async with logged(path) as log:
                if story:
                    await log.append(story)
                before = await told(log)
                for point in points:
                    await log.seal(min(point, log.head), all_of_it=whole)
                    assert await told(log) == before
                await log.seal(log.head, all_of_it=True)
                assert rows(path) == 0
                assert await told(log) == before
                samples, head = log.samples, log.head
            async with logged(path) as log:
                assert (log.samples, log.head) == (samples, head)
                assert await told(log) == before

    asyncio.run(go())


@pytest.mark.gen_test
async def test_only_closed_spans_are_sealed(tmp_path):
    """A span ends with the clock of its samples; the last one waits, for more may belong to it."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND) for n in range(25)])
        assert await log.seal(0) == 0
        assert await log.seal(10) == 0, (
            "the tenth tick is the last of its span, but only the next tells"
        )
        assert await log.seal(11) == 1
        assert await log.seal(log.head) == 1
        assert await log.seal(log.head) == 0
        assert rows(log.path) == 5
        await log.append([tick(BEGIN + 2 * SECOND), tick(BEGIN + 30 * SECOND)])
        assert await log.seal(log.head) == 1, "a late tick goes with those beside it"
        assert rows(log.path) == 1
        assert await log.seal(log.head, all_of_it=True) == 1
        bounds = rows(log.path, "SELECT group_concat(first_seq || '-' || last_seq) FROM segments")
        assert bounds == "1-10,11-20,21-26,27-27"


@pytest.mark.gen_test
async def test_a_span_ends_before_it_is_too_much(tmp_path, monkeypatch):
    """Neither memory nor the commits behind it have to bear an endless one."""
    monkeypatch.setattr("storage.sealer.MOST_SAMPLES", 20)
    monkeypatch.setattr("storage.sealer.MOST_TICKS", 15)
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN, s1=n, s2=n, s3=n) for n in range(13)])
        assert await log.seal(log.head) == 2
        await log.append([tick(BEGIN) for n in range(40)])
        assert await log.seal(log.head) == 2
        sizes = rows(log.path, "SELECT group_concat(samples) FROM segments")
        assert sizes == "18,18,17,15"


@pytest.mark.gen_test
async def test_a_row_is_looked_at_once(tmp_path, monkeypatch):
    """While a span is open, each look at it begins where the last one ended."""
    async with logged(tmp_path / "a.db", 3600 * SECOND) as log:
        looked: list[bytes] = []

        count = codec.named

        def named(begin):
            looked.append(begin)
            return count(begin)

        monkeypatch.setattr("storage.codec.named", named)
        for n in range(5):
            await log.append([tick(BEGIN + n * SECOND)] * 3)
            assert await log.seal(log.head) == 0
        assert len(looked) == 15


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET body = CAST(substr(body, 1, length(body) - 1) || x'07' AS BLOB) WHERE seq = ?"
    ]
    + [
        f"UPDATE events SET body = {body}, crc = NULL WHERE seq = ?"
        for body in ("x'c1'", "x'90'", "x'929101'")
    ]
    + ["UPDATE events SET body = x'9292010192c0c0', crc = NULL WHERE seq = ?"]
    + [
        "UPDATE events SET source = CAST(x'ff' AS TEXT) WHERE seq = ?",
        "UPDATE events SET at = 'x' WHERE seq = ?",
    ]
    + ["UPDATE events SET body = x'92920101920102', crc = NULL WHERE seq = ?"],
)
@pytest.mark.parametrize("at", [1, 5, 10, 11])
@pytest.mark.gen_test
async def test_what_cannot_be_sealed_stays_and_holds_up_nothing(tmp_path, logs, damage, at):
    """A damaged tick stays a row, for salvage; what is before and behind it is sealed; it is said once."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(25)])
        write(log.path, damage, at)
        await log.seal(15)
        for _ in range(3):
            await log.seal(log.head)
        logs.expect(f"damaged.*event {at} ")
        assert not logs.lines
        with contextlib.closing(sqlite3.connect(log.path)) as connection:
            left = connection.execute("SELECT seq FROM events ORDER BY seq").fetchall()
        assert [seq for (seq,) in left] == [at, *range(21, 26)]
        others = [e.seq for e in await log.read(at, 100)]
        assert others == list(range(at + 1, 26))
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + 40 * SECOND)])
        assert await log.seal(log.head) == 1
        assert not logs.lines, "a damaged tick behind sealed ones is not looked at again"


@pytest.mark.gen_test
async def test_a_damaged_rollup_does_not_stop_sealing(tmp_path, logs):
    """The block stays as it is, so that a reader is told of damage and of nothing wrong."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND) for n in range(25)])
        await log.seal(11)
        write(log.path, "UPDATE rollups SET body = x'00'")
        assert await log.seal(log.head) == 1
        logs.expect("60 s rollups")
        logs.expect("3600 s rollups")
        await log.append([tick(BEGIN + 25 * SECOND)])
        coarse = (await log.buckets([1], BEGIN, BEGIN + 3600 * SECOND, 60))[1]
        assert coarse.count.tolist() == [], "the rest of a minute is not told for the whole of it"
        logs.expect("damaged place='rollup")
        assert len(log.damaged(BEGIN, BEGIN + SECOND)) == 1
        fine = (await log.buckets([1], BEGIN, BEGIN + 3600 * SECOND, 10))[1]
        assert fine.count.tolist() == [10, 10, 6]


class Cut(Exception):
    """The power fails."""


STATEMENTS = (
    "INSERT INTO segments",
    "INSERT INTO strips",
    "DELETE FROM events",
    "INSERT INTO rollups",
    "INSERT INTO tiers",
    "COMMIT",
)


@pytest.mark.parametrize("where", STATEMENTS)
@pytest.mark.gen_test
async def test_a_sealing_that_fails_leaves_everything_as_it_was(tmp_path, monkeypatch, where):
    """Whichever statement is the last: rows or segment, never both and never neither; then it is made good."""
    from sqlalchemy import event

    async with logged(tmp_path / "a.db") as log:
        events = await log.append([tick(BEGIN + n * SECOND, s1=n, s2=n * n) for n in range(25)])

        def fail(_connection, _cursor, statement, *_rest):
            if statement.startswith(where):
                raise Cut

        engine = log._engine._write_engine.sync_engine
        execute = aiosqlite.Connection.execute

        def below(connection, statement, *values):
            # Transactions are spelled out to the driver, beneath what the event hears.
            fail(connection, None, statement)
            return execute(connection, statement, *values)

        event.listen(engine, "before_cursor_execute", fail)
        with monkeypatch.context() as patched, pytest.raises(Cut):
            if where == "COMMIT":
                driver = await driver_of(log._engine.writer)
                patched.setattr(driver, "execute", lambda *given: below(driver, *given))
            await log.seal(log.head)
        event.remove(engine, "before_cursor_execute", fail)
        assert (rows(log.path), rows(log.path, "SELECT count(*) FROM segments")) == (25, 0)
        assert rows(log.path, "SELECT count(*) FROM rollups") == 0
        assert await log.read(0) == events
        assert await log.seal(log.head) == 2
        assert await log.read(0) == events


CHILD = """
from storage.sqlite import prefer_bundled
prefer_bundled()
import asyncio, sys
from pathlib import Path
from storage.log import Log
async def main():
    log = Log(Path(sys.argv[1]), span_us=10_000_000)
    await log.open(1)
    print("ready", flush=True)
    await log.seal(log.head)
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.gen_test(timeout=240)
async def test_kill_9_while_sealing(tmp_path):
    """Killed again and again at any moment: each tick is there once, and in the end all are sealed."""
    path = tmp_path / "a.db"
    async with logged(path) as log:
        drafts = [
            Draft(
                BEGIN + n * SECOND,
                "a",
                Metrics(tuple(range(1, 51)), tuple(n * k for k in range(50))),
            )
            for n in range(1001)
        ]
        events = await log.append(drafts)
    kills = 0
    while rows(path) > 10 and kills < 30:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CHILD,
            str(path),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        await asyncio.sleep(0.01 * (1 + kills % 9))
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGKILL)
        await child.wait()
        kills += 1
        async with logged(path) as log:
            held = rows(path) + (rows(path, "SELECT sum(ticks) FROM segments") or 0)
            assert held == 1001
            assert await log.read(0, 2000) == events
    assert kills > 2
    async with logged(path) as log:
        await log.seal(log.head)
        assert rows(path) == 1
        assert await log.read(0, 2000) == events
        async with log._engine.snapshot() as connection:
            columns = await log.columns("a", range(1, 51), 0, BEGIN + 1000 * SECOND)
            end = BEGIN + 960 * SECOND
            within = {i: (a[a < end], v[a < end]) for i, (a, v) in columns.items()}
            stored = await tiers.read(connection, within, BEGIN, end, 60)
            counted = fold_all(within, 60).split()
            assert all(differing(stored[i], counted[i]) == [] for i in within)


@pytest.mark.gen_test(timeout=30)
async def test_append_read_and_seal_at_once(tmp_path):
    """Readers that page through while rows turn into segments see every seq once, in order."""
    async with logged(tmp_path / "a.db") as log:
        done = asyncio.Event()

        async def append():
            for n in range(60):
                await log.append([tick(BEGIN + (5 * n + k) * SECOND, s1=n) for k in range(5)])
            done.set()

        async def seal():
            made = 0
            while not done.is_set():
                made += await log.seal(log.head)
                await asyncio.sleep(0)
            return made + await log.seal(log.head)

        async def page(limit):
            seen: list[int] = []
            while len(seen) < 300:
                seen += [e.seq for e in await log.read(seen[-1] if seen else 0, limit)]
                await asyncio.sleep(0)
            return seen

        async def watch():
            while not done.is_set():
                head = log.head
                ats, _ = (await log.columns("a", [1], 0, 2**62))[1]
                assert head <= len(ats) <= log.head + 5
                assert (np.diff(ats) > 0).all()
                await asyncio.sleep(0)  # what is known to be sealed is answered without a wait

        _, made, *pages, _ = await asyncio.gather(append(), seal(), page(7), page(64), watch())
        assert made == 29
        assert all(seen == list(range(1, 301)) for seen in pages)


@pytest.mark.gen_test
async def test_two_that_seal_at_once_take_their_turns(tmp_path):
    """No span is sealed twice."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND) for n in range(45)])
        assert sum(await asyncio.gather(*(log.seal(log.head) for _ in range(3)))) == 4
        assert isinstance(log._sealer, Sealer)


@pytest.mark.gen_test
async def test_a_tick_from_the_future_does_not_put_off_sealing(tmp_path):
    """It is sealed among its neighbours, some minutes late at most; the spans behind it are as ever."""
    async with logged(tmp_path / "a.db", 600 * SECOND) as log:
        await log.append([tick(BEGIN + 86_400 * SECOND)])
        await log.append([tick(BEGIN + n * SECOND) for n in range(2000)])
        assert await log.seal(log.head) == 4
        assert rows(log.path, "SELECT group_concat(ticks) FROM segments") == "301,300,600,600"
        assert rows(log.path) == 2001 - 1801
