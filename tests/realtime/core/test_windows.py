"""The recent window of each series: complete within its bounds, in order, never more than they allow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.windows import SLACK, Windows
from storage.events import canonical

numbers = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False).map(canonical)
)
samples = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 60), numbers), max_size=150)


def filled(points, span, given_samples):
    windows = Windows(points, span)
    for id_, at, value in given_samples:
        windows.add(id_, at, value)
    return windows


@given(st.integers(1, 12), st.integers(0, 70), samples, st.integers(0, 70))
def test_columns_are_the_newest_samples_in_order_of_time(points, span, given_samples, since):
    """Against a naive model: by time, late ones in their place, equal times as they came; at most
    `points`, none before `since` nor older than `span` before the newest of all."""
    windows = filled(points, span, given_samples)
    newest = max((at for _, at, _ in given_samples), default=0)
    for id_ in (1, 2, 3):
        mine = sorted(
            ((at, value) for i, at, value in given_samples if i == id_), key=lambda pair: pair[0]
        )
        wanted = [pair for pair in mine[-points:] if pair[0] >= max(since, newest - span)]
        ats, values = windows.columns(id_, since)
        assert (ats.dtype, values.dtype) == (np.int64, np.float64)
        assert [*zip(ats.tolist(), map(repr, values.tolist()), strict=True)] == [
            (at, repr(float(value))) for at, value in wanted
        ]


@given(st.integers(1, 12), st.integers(0, 70), samples)
def test_the_latest_is_never_forgotten(points, span, given_samples):
    """However old: a series that fell silent still shows what it said last, exactly."""
    windows = filled(points, span, given_samples)
    latest: dict[int, tuple[int, int | float]] = {}
    for id_, at, value in given_samples:
        if id_ not in latest or at >= latest[id_][0]:
            latest[id_] = (at, value)
    assert repr(sorted(windows.items())) == repr(sorted(latest.items()))
    assert len(windows) == len(latest)


@given(
    st.integers(1, 12),
    st.integers(0, 70),
    st.lists(
        st.tuples(st.integers(1, 60), st.dictionaries(st.integers(1, 3), numbers, min_size=1)),
        max_size=60,
    ),
)
def test_a_tick_is_its_samples(points, span, ticks):
    """Added at once or one by one, the windows are the same; told are the ids that were new or late."""
    whole, single = Windows(points, span), Windows(points, span)
    for at, told in ticks:
        unusual = [id_ for id_ in told if id_ not in single or at < single[id_][0]]
        for id_, value in told.items():
            single.add(id_, at, value)
        assert whole.add_tick(at, [*told], [*told.values()]) == unusual
    assert repr([*whole.items()]) == repr([*single.items()])
    assert whole.newest == single.newest
    for id_ in whole:
        for ours, theirs in zip(whole.columns(id_), single.columns(id_), strict=True):
            assert ours.tobytes() == theirs.tobytes()


@given(st.integers(1, 12), st.integers(0, 70), samples)
def test_since_is_when_everything_is_still_here(points, span, given_samples):
    """From that moment on no reading of these series is missing, and never earlier than the window goes."""
    windows = filled(points, span, given_samples)
    since = windows.since((1, 2, 9))
    assert since >= windows.newest - span
    for id_ in (1, 2):
        wanted = sorted(at for one, at, _ in given_samples if one == id_ and at > since)
        assert [at for at in windows.columns(id_)[0].tolist() if at > since] == wanted
    plenty = filled(1_000, span, given_samples)
    assert plenty.since((1, 2)) == plenty.newest - span


def test_memory_is_bounded():
    """A series holds its points and some slack, however long it runs."""
    windows = filled(100, 10**9, [(1, n, n) for n in range(10_000)])
    assert len(windows._ats[1]) <= 100 * SLACK
    assert len(windows._ats[1]) == len(windows._values[1])


def test_columns_are_a_copy():
    """Who draws a chart cannot change what is remembered, and is not changed while drawing."""
    windows = filled(10, 100, [(1, 5, 0.5), (1, 6, 1)])
    ats, values = windows.columns(1)
    ats[:] = 0
    values[:] = 9
    windows.add(1, 7, 2)
    assert len(ats) == 2
    assert windows.columns(1)[0].tolist() == [5, 6, 7]
    assert windows.columns(1)[1].tolist() == [0.5, 1, 2]


def test_a_series_never_seen_has_empty_columns():
    """And no latest value."""
    windows = Windows(10, 100)
    ats, values = windows.columns(1)
    assert (len(ats), len(values)) == (0, 0)
    assert 1 not in windows
    assert windows.newest == 0


def test_the_newest_of_all_are_a_copy():
    """One place a series in each of the three lists, which stand still while the windows move on."""
    windows = Windows(5, 100)
    windows.add_tick(10, (1, 2), (1, 0.5))
    windows.add_tick(20, (2,), (7,))
    lasts = windows.lasts()
    windows.add_tick(30, (1, 2, 3), (8, 8, 8))
    assert lasts == ([1, 2], [10, 20], [1.0, 7.0])


def test_the_newest_time_of_some():
    """Of those that were ever seen; None when none was."""
    windows = filled(10, 100, [(1, 5, 0.5), (2, 9, 1), (1, 6, 1)])
    assert windows.last_at([1, 7]) == 6
    assert windows.last_at([1, 2]) == 9
    assert windows.last_at([7]) is None
