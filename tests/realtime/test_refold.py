"""A fold that decodes next to nothing comes to what the fold of every event comes to."""

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from realtime.core import views
from realtime.core.views import View, evolve
from realtime.refold import refill, refold
from storage.events import Declared, Draft, Metrics, Notification, Series, System
from storage.log import Log
from storage.migrate import migrate
from tests.conftest import Logs
from tests.storage.test_sealer import write

S = 1_000_000
BEGIN = 1_764_000_000 * S
SPAN = 60 * S


async def opened(directory: Path) -> Log:
    path = directory / "playhead.db"
    migrate(path)
    log = Log(path, SPAN)
    await log.open(BEGIN)
    return log


def lived(random: Random, count: int) -> list[Draft]:
    """Sources that come, go silent and return, series declared on the way, late and early readings, facts."""
    drafts: list[Draft] = []
    known: dict[str, list[int]] = {}
    last_id = 0
    for n in range(count):
        at = BEGIN + n * S
        for source, begin, end, pace in (
            ("z", 0, count, 1),
            ("b", 100, 400, 3),
            ("a", 350, 360, 1),
            ("m", 500, count, 7),
        ):
            if not begin <= n < end or n % pace:
                continue
            if source not in known:
                drafts.append(Draft(at, source, System("source_seen", {"facts": {"n": n}})))
            if source not in known or random.random() < 0.01:
                named = [Series(last_id + k, f"s{last_id + k}", {}) for k in (1, 2, 3)]
                last_id += 3
                drafts.append(Draft(at, source, Declared(named)))
                known.setdefault(source, []).extend(one.id for one in named)
            ids = sorted(random.sample(known[source], random.randint(1, len(known[source]))))
            moved = random.choice([0] * 20 + [-200 * S, -5 * S, -5 * S])
            values = [random.choice([1, 0.5, random.random()]) for _ in ids]
            drafts.append(Draft(at + moved, source, Metrics(ids, values)))
        if n == 420:
            drafts.append(Draft(at, "b", System("source_lost", {})))
        if n % 50 == 0:
            drafts.append(Draft(at, "z", Notification(str(n), "info", "", f"at {n}", "dashboard")))
    return drafts


async def by_tick(log: Log, span: int) -> View:
    view = View(window_us=span, window_points=200)
    while page := await log.read(view.seq, 500):
        for event in page:
            evolve(view, event)
    return view


async def anew(log: Log, span: int) -> tuple[View, bool]:
    view = View(window_us=span, window_points=200)
    whole = await refold(view, log)
    while page := await log.read(view.seq, 500):
        for event in page:
            evolve(view, event)
    return view, whole


def told(view: View) -> Any:
    windows = {
        id_: [column.tolist() for column in view.windows.columns(id_)] for id_ in view.series
    }
    return (
        {**vars(view), "windows": None, "first": dict(sorted(view.first.items()))},
        list(view.sources),
        dict(sorted(view.latest.items())),
        windows,
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.gen_test(timeout=30)
async def test_it_comes_to_what_every_tick_comes_to(tmp_path: Path, seed: int) -> None:
    """With all sealed, with some, with nothing; windows shorter and longer than what is not sealed."""
    log = await opened(tmp_path)
    drafts = lived(Random(seed), 700)
    if seed % 2:  # one that is dated ahead of all
        ahead = next(place for place, one in enumerate(drafts) if isinstance(one.data, Metrics))
        one = drafts[ahead]
        drafts[ahead] = Draft(BEGIN + 9_000 * S, one.source, one.data)
    for first in range(0, len(drafts), 40):
        await log.append(drafts[first : first + 40])
    for sealed, everything in ((0, False), (log.head * 2 // 3, False), (log.head, True)):
        assert bool(await log.seal(sealed, all_of_it=everything)) is bool(sealed)
        for span in (30 * S, 300 * S):
            wanted = await by_tick(log, span)
            found, whole = await anew(log, span)
            assert told(found) == told(wanted) and whole
    await log.close()


@pytest.mark.gen_test(timeout=30)
async def test_a_tick_that_stands_as_a_row_among_what_is_sealed_counts(tmp_path: Path) -> None:
    """Also where it is the last of a series that nobody has heard of since."""
    log = await opened(tmp_path)
    await log.append([Draft(BEGIN, "a", Declared([Series(1, "x", {}), Series(2, "y", {})]))])
    await log.append([Draft(BEGIN, "a", Metrics([1, 2], [1, 2]))])
    await log.append([Draft(BEGIN + n * S, "a", Metrics([1], [n])) for n in range(1, 400)])
    await log.seal(log.head, all_of_it=True)
    seq = log.head + 1
    await log.append([Draft(BEGIN + 10 * S, "a", Metrics([2], [77]))])
    await log.append([Draft(BEGIN + n * S, "a", Metrics([1], [n])) for n in range(400, 500)])
    write(log.path, f"CREATE TABLE hidden AS SELECT * FROM events WHERE seq = {seq}")
    write(log.path, f"DELETE FROM events WHERE seq = {seq}")
    await log.seal(log.head, all_of_it=True)
    write(log.path, "INSERT INTO events SELECT * FROM hidden")
    wanted = await by_tick(log, 30 * S)
    found, whole = await anew(log, 30 * S)
    assert told(found) == told(wanted) and whole
    assert found.latest[2] == (BEGIN + 10 * S, 77)
    await log.close()


@pytest.mark.gen_test(timeout=30)
async def test_a_last_reading_that_cannot_be_read_is_told(tmp_path: Path, logs: Logs) -> None:
    """So that the start asks the rollups for it; everything else comes as ever."""
    log = await opened(tmp_path)
    await log.append([Draft(BEGIN, "a", Declared([Series(1, "x", {}), Series(2, "y", {})]))])
    await log.append([Draft(BEGIN + n * S, "a", Metrics([1, 2], [n, n * n])) for n in range(50)])
    await log.append([Draft(BEGIN + n * S, "a", Metrics([1], [n])) for n in range(60, 400)])
    await log.seal(log.head, all_of_it=True)
    write(log.path, "UPDATE strips SET body = zeroblob(length(body)) WHERE place >> 32 = 1")
    found, whole = await anew(log, 30 * S)
    assert not whole
    assert found.latest[1] == (BEGIN + 399 * S, 399) and 2 not in found.latest
    assert found.first[2] == BEGIN
    logs.expect("part of the log is damaged")
    await log.close()


@pytest.mark.gen_test(timeout=30)
async def test_ticks_are_found_past_one_that_is_dated_ahead(tmp_path: Path) -> None:
    """Those of the last minutes alone, though the oldest tick of all is of next year."""
    log = await opened(tmp_path)
    await log.append([Draft(BEGIN + 9_000 * S, "a", Metrics([1], [1]))])
    await log.append([Draft(BEGIN + n * S, "a", Metrics([1], [n])) for n in range(300)])
    await log.seal(log.head // 2)
    view = View(1000, 10_000 * S)
    await refill(view, log, BEGIN + 10_290 * S, log.head)
    at, value = view.windows.columns(1)
    assert sorted(value.tolist()) == [1, *range(290, 300)]
    assert sorted(((at - BEGIN) // S).tolist()) == [*range(290, 300), 9_000]
    empty = View(1000, 10_000 * S)
    await refill(empty, log, BEGIN + 19_001 * S, log.head)
    assert 1 not in empty.windows
    await log.close()


@pytest.mark.gen_test(timeout=60)
async def test_the_time_it_takes_goes_by_segments_and_not_by_ticks(tmp_path: Path) -> None:
    """Of all that is sealed next to nothing is decoded: many times quicker than one tick after the other."""
    log = await opened(tmp_path)
    ids = list(range(1, 51))
    await log.append([Draft(BEGIN, "a", Declared([Series(id_, f"s{id_}", {}) for id_ in ids]))])
    for first in range(0, 6_000, 500):
        moments = range(first, first + 500)
        await log.append(
            [Draft(BEGIN + n * S, "a", Metrics(ids, [n % 97 + k for k in ids])) for n in moments]
        )
    await log.seal(log.head, all_of_it=True)
    begun = time.process_time()
    found, _ = await anew(log, 30 * S)
    spent = time.process_time() - begun
    begun = time.process_time()
    wanted = await by_tick(log, 30 * S)
    assert spent < (time.process_time() - begun) / 2
    assert told(found) == told(wanted)
    assert views.save(found) == views.save(wanted)
    await log.close()


@pytest.mark.gen_test
async def test_an_empty_log_is_an_empty_view(tmp_path: Path) -> None:
    """Nothing sealed, nothing to fold."""
    log = await opened(tmp_path)
    found, whole = await anew(log, 30 * S)
    assert whole and found.seq == 0 and not found.series
    await log.close()
