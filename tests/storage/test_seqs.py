"""Runs of seqs say what a set of them would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.seqs import Seqs


@given(st.lists(st.sets(st.integers(1, 30), min_size=1)), st.integers(1, 30), st.integers(0, 40))
def test_as_a_set_would(segments, floor, head):
    """Missing, newest, twice and held, in whatever order segments come."""
    seqs = Seqs()
    for some in segments:
        seqs.take(np.array(sorted(some), np.int64))
    every = [seq for some in segments for seq in some]
    spread = lambda runs: {seq for first, last in runs for seq in range(first, last + 1)}  # noqa: E731
    assert spread(seqs.missing(floor, head)) == set(range(floor, head + 1)) - set(every)
    assert spread(seqs.twice()) == {seq for seq in every if every.count(seq) > 1}
    assert seqs.newest == max(every, default=0)
    held = Seqs()
    held.merge(seqs)
    if not seqs.twice():
        assert {seq for seq in range(45) if held.holds(seq)} == set(every)
