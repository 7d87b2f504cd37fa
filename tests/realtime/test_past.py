"""The view as it was is what folding every event up to there comes to, whatever has come since."""

import asyncio
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import past, reel
from realtime.core.views import View, evolve
from realtime.past import Past
from realtime.reel import Reel
from realtime.shelf import Shelf
from storage.events import Alert, Declared, Draft, Metrics, Notification, Series
from storage.log import Log
from storage.migrate import migrate
from storage.retention import Keep
from tests.realtime.test_refold import BEGIN, S, lived, opened, told

POOL = ThreadPoolExecutor(1)
LATER = BEGIN + 10_000_000 * S


async def folded(log: Log, span: int, until: int) -> View:
    view = View(window_us=span, window_points=200)
    while page := await log.read(view.seq, 500, until=until):
        for event in page:
            evolve(view, event)
    return view


def looking(log: Log, now: View, span: int, host: str = "z") -> Past:
    shelf: Shelf[Any] = Shelf(lambda: 0.0, lambda one: one.size)
    new = lambda: View(window_us=span, window_points=200)  # noqa: E731
    return Past(log, now, new, host, POOL, shelf, 100_000, lambda: LATER)


def without_turns(view: View) -> Any:
    """Of a source that has been silent for a while it is not known whether its last tick was a late one; nothing
    shows it, but for the host's own, which is not silent."""
    for source, state in view.sources.items():
        if source != "z":
            state.at = 0
    return told(view)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.gen_test(timeout=60)
async def test_it_comes_to_what_every_event_up_to_there_comes_to(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With late samples before and behind the place, sources that fell silent, with all sealed, some, and
    nothing; with rungs, and off the rungs of earlier questions (law views-are-disposable)."""
    monkeypatch.setattr(past, "RUNG", 7)
    monkeypatch.setattr(past, "PAGE", 5)
    log = await opened(tmp_path)
    random = Random(seed)
    drafts = lived(random, 700)
    for first in range(0, len(drafts), 40):
        await log.append(drafts[first : first + 40])
    for sealed, everything in ((0, False), (log.head * 2 // 3, False), (log.head, True)):
        await log.seal(sealed, all_of_it=everything)
        span = random.choice([30, 300]) * S
        now = await folded(log, span, log.head)
        looked = looking(log, now, span)
        for seq in (*random.sample(range(1, log.head), 8), 1, log.head):
            wanted, found = await folded(log, span, seq), await looked.view(seq)
            assert without_turns(found) == without_turns(wanted), seq
    await log.close()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.gen_test(timeout=60)
async def test_the_place_of_a_moment_is_before_all_that_had_not_come(
    tmp_path: Path, seed: int
) -> None:
    """Whatever time it bears: what came late, from others or under the host's own name, is not mixed in; what is
    dated ahead of its time is not left out; and the host may be silent for a while."""
    log = await opened(tmp_path)
    random = Random(seed)
    names = [Series(1, "own", {}), Series(2, "sent", {})]
    drafts = [Draft(BEGIN, "z", Declared(names)), Draft(BEGIN, "b", Declared([Series(3, "c", {})]))]
    came = [0, 0]
    for n in range(600):
        at = BEGIN + n * S
        if not 300 <= n < 360:
            drafts.append(Draft(at, "z", Metrics([1], [n])))
            came.append(n)
            sent = Metrics([2], [n])
            if n == 450:  # a clock that leapt for one tick
                drafts.append(Draft(at + 10_000 * S, "z", Metrics([1], [n])))
            elif random.random() < 0.05:
                drafts.append(Draft(at - random.randrange(20, 250) * S, "z", sent))
            else:
                drafts.append(Draft(at - random.choice([0, 1, 7, 100]) * S, "b", Metrics([3], [n])))
            came.append(n)
    for first in range(0, len(drafts), 40):
        await log.append(drafts[first : first + 40])
    now = await folded(log, 30 * S, log.head)
    looked = looking(log, now, 30 * S)
    for sealed in (False, True):
        if sealed:
            await log.seal(log.head, all_of_it=True)
        for n in range(0, 599, 7):
            if n == 450:  # what is dated ahead in between is taken for what had not come yet
                continue
            place = await looked.place(BEGIN + n * S + S // 2)
            wanted = max(seq for seq, second in enumerate(came, 1) if second <= n)
            assert place == (wanted, True), n
    assert await looked.place(BEGIN - S) == (0, True)
    assert await looked.place(BEGIN + 20_000 * S) == (log.head, False)
    await log.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "playhead.db"
    migrate(path)
    return path


NAMES = [Series(1, "own", {}), Series(2, "sent", {})]
NEARLY = st.integers(-900_000, 900_000)
FAR_OFF = st.integers(-300, 300).map(lambda seconds: seconds * S + 1)
SKEWED = st.one_of(NEARLY, FAR_OFF)
SECONDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["other", "other before", "alert", "own", "own before"]), SKEWED),
        st.tuples(st.just("word"), NEARLY),
        st.tuples(st.just("word before"), NEARLY),
        st.tuples(st.just("jump"), st.integers(-900, 5_000).map(lambda seconds: seconds * S)),
        st.tuples(st.just("tick"), st.integers(0, 300_000)),
        st.tuples(st.just("crowd"), st.integers(0, 60)),
    ),
    min_size=1,
    max_size=40,
)


def happened(seconds: list[tuple[str, int]]) -> list[Draft]:
    """A tick a second, and with each what its word says: something dated before or after it, ahead of it or behind it
    in the log, by this server or by others, and a clock that jumps."""
    first = BEGIN - 100_000 * S
    drafts = [Draft(first, "z", Declared(NAMES)), Draft(first, "b", Declared([Series(3, "c", {})]))]
    at = BEGIN
    for n, (word, shift) in enumerate(seconds):
        at += S + (shift if word in ("jump", "tick") else 0)
        said = {
            "other": Draft(at + shift, "b", Metrics([3], [n])),
            "alert": Draft(at + shift, "b", Alert("f", "r", "firing", "warning", 3, n, 0, at, "")),
            "own": Draft(at + shift, "z", Metrics([2], [n])),
            "word": Draft(at + shift, "z", Notification(str(n), "info", "a word")),
        }.get(word.removesuffix(" before"))
        tick = Draft(at, "z", Metrics([1], [n]))
        both = [said, tick] if word.endswith("before") else [tick, said]
        drafts += [draft for draft in both if draft is not None]
        if word == "crowd":
            drafts += [Draft(at + k * 900, "b", Metrics([3], [k])) for k in range(shift)]
    return drafts


@settings(max_examples=60, deadline=None)
@given(SECONDS, st.integers(1, 30), st.integers(0, 100), st.booleans())
def test_what_stands_where_it_is_paused_is_what_stood_then(
    empty: Path, seconds: list[tuple[str, int]], most: int, start: int, sealed: bool
) -> None:
    """Wherever a replay begins and stands, it has told what `state?at=` of that moment knows, to the event, whatever
    the events are dated, however they are read, and wherever the clock was set. Of a moment that came twice, because
    the clock was set back, that is what was known at one of both."""

    async def held(log: Log) -> None:
        await log.append(happened(seconds))
        if sealed:
            await log.seal(log.head, all_of_it=True)
        view = await folded(log, 30 * S, log.head)
        looked = looking(log, view, 30 * S)

        async def played(seq: int, at: int) -> list[tuple[int, int]]:
            reading = Reel(log, view, "z", lambda: log.head, lambda: LATER)
            reading.wind(seq, at)
            told = [(seq, at)]
            while not reading.is_over:
                told += [(one.entry.event.seq, one.at) for one in await reading.read()]
            return told

        told = await played(0, BEGIN - 100_001 * S)
        assert [seq for seq, _ in told] == list(range(log.head + 1))
        stands: list[tuple[int, int, int]] = [
            (seq, at, then) for (seq, at), (_, then) in pairwise(told) if then > at
        ] + [(*told[-1], LATER)]
        for seq, at, then in stands:
            for moment in {at, (at + then) // 2, then - 1}:
                place = await looked.place(moment)
                known = {one for one, begin, end in stands if begin <= moment < end}
                assert place.seq in known, (seq, moment - BEGIN)
                assert place.settled == (place.seq < log.head)
        seq, at, then = stands[start % len(stands)]
        if sum(begin <= at < end for _, begin, end in stands) == 1:
            assert (await played(seq, (at + then) // 2))[1:] == told[seq + 1 :]
            assert seq == 0 or await looked.moment(seq) == at

    async def story() -> None:
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            patch.setattr(reel, "PAGE", most)
            path = Path(directory) / "playhead.db"
            shutil.copy(empty, path)
            log = Log(path, 60 * S)
            await log.open(BEGIN)
            try:
                await held(log)
            finally:
                await log.close()

    asyncio.run(story())


@pytest.mark.gen_test(timeout=60)
async def test_where_samples_are_gone_the_rollups_say_what_was(tmp_path: Path) -> None:
    """The last value of the last whole bucket; facts as they were known."""
    begin = 1_764_028_800 * S
    log = await opened(tmp_path)
    names = [Series(1, "x", {}), Series(2, "y", {})]
    drafts = [Draft(begin, "z", Declared(names))]
    for second in range(0, 3_600, 5):
        ids, values = ((1, 2), (second, 1)) if second < 60 else ((1,), (second,))
        drafts.append(Draft(begin + second * S, "z", Metrics(ids, values)))
        if second % 600 == 0:
            note = Notification(str(second), "info", f"at {second}")
            drafts.append(Draft(begin + second * S, "z", note))
    for first in range(0, len(drafts), 500):
        await log.append(drafts[first : first + 500])
    now = await folded(log, 900 * S, log.head)
    await log.seal(log.head, all_of_it=True)
    await log.forget(Keep(0.25 / 24, 60, 400, 3650, 0), begin + 3_600 * S)
    looked = looking(log, now, 900 * S)
    for second in (603, 1_205, 2_399):
        at = begin + second * S
        assert at < log.since(0)
        view = (await looked.standing(await looked.place(at), at)).view
        whole = second // 10 * 10 - 5
        assert view.latest[1] == (begin + whole * S, whole)
        assert view.latest[2] == (begin + 55 * S, 1)
        noted = [n.data.id for n in view.notifications if isinstance(n.data, Notification)]
        assert noted == [str(n) for n in range(0, second + 1, 600)]
        assert view.sources["z"].last_seen == begin + whole * S
    await log.close()
