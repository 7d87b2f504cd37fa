import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.collect.collector import Moment
from realtime.collect.rates import WRAPS, Rates, elapsed, growth

counts = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))


class TestGrowth:
    @given(counts, counts)
    def test_is_never_negative(self, before, after):
        """Whatever a counter does, it has grown or it is not known how far."""
        grown = growth(before, after)
        assert grown is None or grown >= 0

    @given(counts, st.integers(0, 2**40))
    def test_is_exact_while_the_counter_goes_on(self, before, more):
        """Without a fall the growth is the difference, to the last unit."""
        assert growth(before, before + more) == more

    @given(st.sampled_from(WRAPS), st.integers(1, 2**27), st.integers(0, 2**27))
    def test_goes_on_across_a_wrap(self, width, short, past):
        """A counter that ran over its width has grown by what was left and what came after."""
        assert growth(width - short, past) == short + past

    @given(st.integers(0, 2**31), st.data())
    def test_a_reset_is_not_a_wrap(self, before, data):
        """A fall from the middle means a new beginning, and nobody knows how far it had come."""
        after = data.draw(st.integers(0, max(0, before - 1)))
        assert growth(before, after) is None or before == after


class TestElapsed:
    def test_is_measured_on_the_steady_clock(self):
        """A clock that is slewed does not change a rate."""
        assert elapsed(Moment(100.0, 5.0), Moment(101.5, 6.0), 30) == 1.0

    @pytest.mark.parametrize(
        ("after", "why"),
        [
            (Moment(3700.0, 6.0), "suspended, and the steady clock stood still"),
            (Moment(200.0, 105.0), "suspended, and the steady clock went on"),
            (Moment(50.0, 6.0), "the clock was set back"),
            (Moment(100.0, 5.0), "no time has passed"),
            (Moment(99.0, 4.0), "time went backwards"),
        ],
    )
    def test_is_unknown_unless_awake_from_beat_to_beat(self, after, why):
        """An interval with a sleep or a set clock in it is no interval."""
        assert elapsed(Moment(100.0, 5.0), after, 30) is None, why


class TestRates:
    def test_a_plain_story(self, moment):
        """First sight gives nothing, then growth per second."""
        rates = Rates(30)
        told = []
        for second, count in [(0, 100), (1, 150), (3, 250), (4, 250)]:
            rates.turn(moment(second))
            told.append(rates.rate("a", count))
        assert told == [None, 50, 50, 0]

    def test_a_reset_costs_one_rate(self, moment):
        """After a fall one rate is missing, and the next counts from there."""
        rates = Rates(30)
        told = []
        for second, count in enumerate([1000, 1010, 3, 13]):
            rates.turn(moment(second))
            told.append(rates.rate("a", count))
        assert told == [None, 10, None, 10]

    def test_a_suspend_costs_one_rate(self, moment):
        """What was counted around a sleep is not the rate of the second after it."""
        rates = Rates(30)
        told = []
        for second, slept_s, count in [(0, 0, 0), (1, 0, 10), (2, 3600, 9000), (3, 3600, 9010)]:
            rates.turn(moment(second, slept_s))
            told.append(rates.rate("a", count))
        assert told == [None, 10, None, 10]

    def test_what_is_gone_is_forgotten(self, moment):
        """A device that comes back is new, and those that never come back take no room."""
        rates = Rates(30)
        for second in range(100):
            rates.turn(moment(second))
            assert rates.growth(("device", second), 5) is None
        assert len(rates._before) + len(rates._after) == 2
        rates.turn(moment(100))
        assert rates.growth(("device", 5), 50) is None

    @given(st.lists(st.tuples(st.floats(0.01, 20), counts), max_size=30))
    def test_rates_are_never_negative(self, steps):
        """For any counts at any pace."""
        rates = Rates(30)
        at = 0.0
        for step, count in steps:
            at += step
            rates.turn(Moment(at, at))
            rate = rates.rate("a", count)
            assert rate is None or rate >= 0

    @given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 10**9)), min_size=1))
    def test_rates_add_up_to_what_was_counted(self, steps):
        """Rate times interval, summed, is the growth of the counter: nothing lost, nothing twice."""
        rates = Rates(30)
        rates.turn(Moment(0.0, 0.0))
        rates.rate("a", 0)
        at, count, summed = 0, 0, 0.0
        for seconds, more in steps:
            at += seconds
            count += more
            rates.turn(Moment(at, at))
            summed += rates.rate("a", count) * seconds
        assert summed == pytest.approx(count, rel=1e-9, abs=0.01 * len(steps))
