"""The order of the log beside its times, the same for what is sealed and what is not."""

from pathlib import Path

import pytest

from storage.arrivals import joined
from storage.events import Metrics
from storage.log import Log
from tests.storage.filled import SECOND, fill


async def reopened(path: Path) -> Log:
    log = Log(path, span_us=600 * SECOND)
    await log.open(0)
    return log


def filled(tmp_path: Path) -> Path:
    path = tmp_path / "playhead.db"
    fill(path, forget=False)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filled(tmp_path)


@pytest.mark.gen_test
async def test_what_follows_is_what_reading_gives_without_its_values(path: Path) -> None:
    """In pages of any size, from segments and from rows alike."""
    log = await reopened(path)
    events = await log.read(0, 5_000)
    wanted = [(event.seq, event.at, event.source, event.type) for event in events]
    for most in (7, 100, 5_000):
        told: list[tuple[int, int, str, str]] = []
        while page := await log.following(told[-1][0] if told else 0, log.head, most):
            told += [(one.seq, one.at, one.source, one.type) for one in page]
            assert len(page) <= most
        assert told == wanted
    await log.close()


@pytest.mark.gen_test
async def test_as_of_a_seq_nothing_behind_it_counts(path: Path) -> None:
    """The newest time, who was heard last, and where late samples lie, at every place of the log."""
    log = await reopened(path)
    events = await log.read(0, 5_000)
    for until in range(3, log.head, 41):
        before = [e for e in events if e.seq <= until and isinstance(e.data, Metrics)]
        behind = [e for e in events if e.seq > until and isinstance(e.data, Metrics)]
        found = await log.as_of(until)
        newest = max((e.at for e in before), default=0)
        assert found.newest == newest
        for source, at in found.ats.items():
            assert at == [e.at for e in before if e.source == source][-1]
        for event in behind:
            if event.at <= newest:
                assert any(start <= event.at <= end for start, end in found.late)
    await log.close()


@pytest.mark.gen_test
async def test_columns_and_buckets_end_at_a_seq(path: Path) -> None:
    """With late samples before it and behind it."""
    log = await reopened(path)
    events = await log.read(0, 5_000)
    ticks = [e for e in events if isinstance(e.data, Metrics) and e.source == "one"]
    first, last = min(e.at for e in ticks), max(e.at for e in ticks)
    for until in range(3, log.head, 41):
        samples = sorted(
            (e.at, e.seq, e.data.values[0])
            for e in ticks
            if e.seq <= until and isinstance(e.data, Metrics)
        )
        at, values = (await log.columns("one", [1], first, last + 1, until=until))[1]
        assert at.tolist() == [one[0] for one in samples]
        assert values.tolist() == [one[2] for one in samples]
        for tier in (10, 60, 3_600):
            found = (await log.buckets([1], first // 10**10, last + 1, tier, until=until))[1]
            counts: dict[int, int] = {}
            for one in samples:
                begin = one[0] // (tier * SECOND) * tier * SECOND
                counts[begin] = counts.get(begin, 0) + 1
            assert dict(zip(found.at.tolist(), found.count.tolist(), strict=True)) == counts
    await log.close()


def test_spans_that_meet_are_one() -> None:
    """In whatever order they come."""
    assert joined([(5, 6), (1, 2), (3, 4), (9, 9), (5, 7)]) == [(1, 7), (9, 9)]
    assert joined([]) == []
