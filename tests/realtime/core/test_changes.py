"""What changed most, of plain columns."""

import math

import numpy as np
import pytest

from realtime.core.changes import BINS, Bins, ranked
from realtime.core.columns import Column

S = 1_000_000
START, END = 1_000 * S, 1_600 * S
AT = np.arange(400, 1600) * S
DICE = np.random.default_rng(7)


def changed(values, kind="gauge", at=AT):
    bins = Bins(START, END, kind)
    for piece in np.array_split(np.arange(len(at)), 7):
        bins.add(Column(at[piece], np.asarray(values, float)[piece]))
    return bins.change(1)


def test_a_spike_is_found_where_it_is():
    """Its size in usual deviations, its moment, and what it was before and during."""
    values = 10 + DICE.normal(0, 0.5, len(AT))
    values[900:910] += 50
    one = changed(values)
    assert one is not None
    assert one.at == 1300 * S
    assert one.score > 50
    assert one.before == pytest.approx(10, abs=0.3) and one.during == pytest.approx(10, abs=0.3)
    assert one.peak == pytest.approx(60, abs=1)
    assert len(one.line) == 2 * BINS


def test_what_spiked_before_as_well_is_usual():
    """One outlier of before does not move what is usual, a series that is wild all along is no news."""
    steady = 10 + DICE.normal(0, 0.5, len(AT))
    once = steady.copy()
    once[100:105] += 1_000
    wild = DICE.normal(0, 500, len(AT))
    for values in (steady, once, wild):
        values[900:910] += 100
    scores = [one.score for one in map(changed, (steady, once, wild)) if one]
    assert scores[0] == pytest.approx(scores[1], rel=0.5)
    assert scores[2] < 10 < scores[0]


def test_a_spike_now_and_then_is_usual_for_what_is_mostly_still():
    """As much as before, though half of the time there is nothing."""
    values = np.where(np.arange(len(AT)) % 100 == 0, 50.0, 0.0)
    usual = changed(values)
    values[900] = 5_000
    unusual = changed(values)
    assert usual and unusual and usual.score < 10 < 100 < unusual.score


def test_a_level_that_shifts_is_a_change_however_still_it_was():
    """From one constant to another; from nothing to something as well."""
    for low, high in ((5, 6), (0, 3)):
        one = changed(np.where(AT < 1200 * S, low, high))
        assert one is not None and math.isfinite(one.score) and one.score > 10
        assert (one.before, one.during, one.at) == (low, high, 1200 * S)


def test_what_does_not_change_is_not_told():
    """Constant, moved by less than a hundredth, or too short a record to compare with."""
    assert changed(np.full(len(AT), 7.5)) is None
    assert changed(np.where(AT < 1200 * S, 1000, 1001)) is None
    late = AT >= 980 * S
    assert changed(np.arange(len(AT))[late], at=AT[late]) is None
    early = AT < START
    assert changed(np.arange(len(AT))[early], at=AT[early]) is None


def test_a_counter_is_told_by_its_growth():
    """That it grows is nothing new; that it grows faster is, and a restart is no negative growth."""
    steady = np.arange(len(AT)) * 10.0
    assert changed(steady, "counter") is None
    restarted = np.where(np.arange(len(AT)) < 800, steady, steady - steady[800] + 10)
    assert changed(restarted, "counter") is None
    faster = np.cumsum(np.where(AT < 1200 * S, 10.0, 30.0))
    one = changed(faster, "counter")
    assert one is not None and one.during / one.before == pytest.approx(2.0, abs=1.1)


def test_the_most_unusual_come_first():
    """As many as are asked for; what did not change is left out."""
    small = changed(np.where(AT < 1300 * S, 10, 11))
    large = changed(np.where(AT < 1300 * S, 10, 90))
    assert small and large
    found = [None, small._replace(series=4), large._replace(series=2)]
    assert [one.series for one in ranked(found, 5)] == [2, 4]
    assert [one.series for one in ranked(found, 1)] == [2]


def test_sums_of_many_readings_say_what_the_readings_say():
    """With how many each is of; those outside both stretches count for nothing."""
    values = 10 + DICE.normal(0, 0.5, len(AT))
    values[900:910] += 50
    bins = Bins(START, END)
    tens = values.reshape(-1, 10).sum(axis=1)
    ats, counts = AT[::10], np.full(len(tens), 10)
    outside = np.array([0, START * 9])
    bins.add(
        Column(np.append(outside, ats), np.append([9e9, 9e9], tens)), np.append([1, 1], counts)
    )
    one, other = bins.change(1), changed(values)
    assert one is not None and other is not None
    assert one.line == pytest.approx(other.line) and one.score == pytest.approx(other.score)
