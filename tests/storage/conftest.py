"""A real log in a real file, and strategies that make any fact the log can hold."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import strategies as st

from storage.events import (
    Alert,
    Annotation,
    Declared,
    Draft,
    Fact,
    Layout,
    Metrics,
    Notification,
    Series,
    System,
    canonical,
)
from storage.log import Log
from storage.migrate import migrate

NOW = 1_795_403_506_000_000
"""2026-11-23T03:11:46Z"""

Opened = Callable[[], AbstractAsyncContextManager[Log]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """`async with opened() as log`: the same file each time."""

    @contextlib.asynccontextmanager
    async def open_log() -> AsyncIterator[Log]:
        path = tmp_path / "playhead.db"
        migrate(path)
        log = Log(path)
        await log.open(NOW)
        try:
            yield log
        finally:
            await log.close()

    return open_log


def tick(at: int = NOW, source: str = "a", **values: float) -> Draft:
    """`tick(s1=0.5, s7=2)` is a tick of series 1 and 7."""
    given = values or {"s1": 1}
    return Draft(at, source, Metrics(tuple(int(name[1:]) for name in given), tuple(given.values())))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False).map(canonical),
)
series = st.builds(
    Series,
    id=st.integers(1, 2**31),
    name=texts,
    labels=st.dictionaries(texts, texts, max_size=3),
    unit=texts,
    kind=st.sampled_from(["gauge", "counter"]),
    help=texts,
)
plain = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Declared, series=st.lists(series, max_size=4)),
    st.lists(st.tuples(st.integers(1, 2**31), numbers), max_size=8).map(
        lambda pairs: Metrics(tuple(id_ for id_, _ in pairs), tuple(value for _, value in pairs))
    ),
    st.builds(
        Alert,
        id=texts,
        rule=texts,
        state=st.sampled_from(["firing", "resolved"]),
        severity=st.sampled_from(["warning", "critical"]),
        series=st.integers(1, 2**31),
        value=numbers,
        threshold=numbers,
        since=st.integers(0, 2**62),
        message=texts,
        unit=texts,
    ),
    st.builds(
        Notification,
        id=texts,
        kind=st.sampled_from(["info", "success", "warning", "error"]),
        message=texts,
        title=texts,
        room=texts,
    ),
    st.builds(
        Annotation,
        id=texts,
        state=st.sampled_from(["noted", "changed", "removed"]),
        text=texts,
        since=st.integers(0, 2**62),
        until=st.none() | st.integers(0, 2**62),
        tags=st.lists(texts, max_size=3),
        author=texts,
    ),
    st.builds(
        Layout,
        id=texts,
        state=st.sampled_from(["saved", "removed"]),
        title=texts,
        panels=st.lists(st.dictionaries(texts, plain, max_size=3), max_size=3),
        tags=st.lists(texts, max_size=3),
        author=texts,
        provisioned=texts,
    ),
    st.builds(
        System,
        what=st.sampled_from(
            [
                "started",
                "stopped",
                "source_seen",
                "source_lost",
                "collector_failed",
                "collector_recovered",
            ]
        ),
        detail=st.dictionaries(texts, plain, max_size=3),
    ),
)
drafts = st.tuples(st.integers(0, 2**62 - 1), st.text("abcä", min_size=1), facts).map(
    lambda made: Draft(*made)
)
