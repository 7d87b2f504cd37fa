import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.requests import (
    ENDPOINTS_MAX,
    ERROR,
    OTHER,
    Histogram,
    RequestStats,
)

S = 1_000_000
NOON = 1_795_435_200 * S

durations = st.lists(st.floats(1e-5, 1e3), min_size=1, max_size=300)


def noted(values):
    histogram = Histogram()
    for value in values:
        histogram.note(value)
    return histogram


class TestHistogram:
    @given(durations, st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
    def test_quantiles_are_within_the_stated_error(self, values, share):
        """A quantile is within 4 % of the true one by rank, for any durations."""
        true = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
        assert noted(values).quantile(share) == pytest.approx(true, rel=ERROR + 1e-9)

    @given(durations, durations)
    def test_merging_is_exact(self, left, right):
        """Two merged histograms are the histogram of both: nothing is averaged."""
        merged = noted(left)
        merged.merge(noted(right))
        whole = noted(left + right)
        assert merged.buckets == whole.buckets
        assert merged.count == whole.count
        assert (merged.shortest_s, merged.longest_s) == (whole.shortest_s, whole.longest_s)
        assert merged.total_s == pytest.approx(whole.total_s)

    @given(st.lists(st.floats(0, 1e9, allow_subnormal=True), min_size=1, max_size=200))
    def test_memory_is_bounded_whatever_comes(self, values):
        """Even absurd durations fall into a fixed range of buckets."""
        histogram = noted([*values, -1.0, 0.0, 1e300])
        assert set(histogram.buckets) <= set(range(-180, 120))
        assert 0 <= histogram.quantile(0.5) <= 1e300

    def test_nothing_noted_has_no_quantile(self):
        """An endpoint nobody asked has no latency, not a latency of nought."""
        assert Histogram().quantile(0.95) is None


class TestEndpoints:
    def test_each_endpoint_has_its_own_numbers(self):
        """Counts, 5xx, 4xx and quantiles are per endpoint; the total is merged, not averaged."""
        stats = RequestStats()
        for _ in range(98):
            stats.note("/fast", 200, 0.001, NOON)
        stats.note("/fast", 404, 0.001, NOON)
        stats.note("/fast", 503, 0.001, NOON)
        stats.note("/slow", 200, 2.0, NOON)
        fast, slow = stats.endpoints()
        assert (fast.endpoint, fast.count, fast.errors, fast.refused) == ("/fast", 100, 1, 1)
        assert fast.p99_ms == pytest.approx(1.0, rel=ERROR)
        assert (slow.count, slow.p50_ms, slow.max_ms) == (1, 2000.0, 2000.0)
        total = stats.total()
        assert (total.endpoint, total.count, total.errors) == ("*", 101, 1)
        assert total.mean_ms == pytest.approx(2100 / 101)
        assert total.max_ms == 2000.0

    def test_invented_endpoints_share_one_place(self):
        """Beyond the bound new endpoints are counted together; the known ones stay themselves."""
        stats = RequestStats()
        for number in range(ENDPOINTS_MAX + 50):
            stats.note(f"/{number:04}", 200, 0.01, NOON)
        stats.note("/0000", 200, 0.01, NOON)
        counts = {e.endpoint: e.count for e in stats.endpoints()}
        assert len(counts) == ENDPOINTS_MAX + 1
        assert (counts[OTHER], counts["/0000"]) == (50, 2)

    def test_before_the_first_request_there_are_no_durations(self):
        """A fresh server says it knows nothing."""
        total = RequestStats().total()
        assert (total.count, total.mean_ms, total.p95_ms, total.max_ms) == (0, None, None, None)


class TestLastMinute:
    def test_the_window_slides(self):
        """What is older than sixty seconds no longer counts."""
        stats = RequestStats()
        stats.note("/", 500, 3.0, NOON)
        for second in range(1, 60):
            stats.note("/", 200, 0.01, NOON + second * S)
        early = stats.recent(NOON + 59 * S)
        for second in range(60, 70):
            stats.note("/", 200, 0.01, NOON + second * S)
        assert (early.count, early.errors) == (60, 1)
        late = stats.recent(NOON + 69 * S)
        assert (late.count, late.errors, late.error_ratio) == (60, 0, 0.0)
        assert late.p95_s == pytest.approx(0.01, rel=ERROR)

    def test_rate_and_ratio(self):
        """Requests per second and the share of 5xx are those of the window."""
        stats = RequestStats()
        for tenth in range(600):
            stats.note("/", 500 if tenth % 10 == 0 else 200, 0.2, NOON + tenth * S // 10)
        recent = stats.recent(NOON + 60 * S - 1)
        assert recent.per_second == pytest.approx(10, rel=0.02)
        assert recent.error_ratio == pytest.approx(0.1)

    def test_a_young_server_divides_by_its_age(self):
        """Ten requests in the first two seconds are five a second, not a sixth of one."""
        stats = RequestStats()
        for fifth in range(10):
            stats.note("/", 200, 0.1, NOON + fifth * S // 5)
        assert stats.recent(NOON + 2 * S).per_second == pytest.approx(5)

    def test_silence_is_not_an_error(self):
        """With nothing asked there is no p95, no failing share and no rate."""
        stats = RequestStats()
        stats.note("/", 500, 1.0, NOON)
        silent = stats.recent(NOON + 100 * S)
        assert (silent.count, silent.p95_s, silent.error_ratio) == (0, None, 0.0)
        assert silent.per_second == 0
        assert RequestStats().recent(NOON).per_second == 0

    def test_a_clock_set_back_does_not_blind_it(self):
        """After the clock was set back an hour the window follows it."""
        stats = RequestStats()
        stats.note("/", 500, 1.0, NOON)
        earlier = NOON - 3600 * S
        stats.note("/", 200, 0.1, earlier)
        recent = stats.recent(earlier)
        assert (recent.count, recent.errors) == (1, 0)

    @given(st.lists(st.integers(-(10**6), 10**6), max_size=300))
    def test_the_window_never_holds_more_than_its_seconds(self, offsets):
        """Memory is bounded for any order of times."""
        stats = RequestStats()
        for offset in [*range(200), *offsets]:
            stats.note("/", 200, 0.1, NOON + offset * S)
        assert len(stats._seconds) <= 60
