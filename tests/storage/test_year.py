"""A year in half a minute: time is an argument, so it can be had for less."""

import numpy as np
import pytest

from storage.events import Draft, Metrics, System
from storage.retention import Keep
from storage.rollups import fold
from tests.storage.test_sealer import BEGIN, SECOND, logged

DAY = 86_400 * SECOND
EVERY = 600 * SECOND
SERIES = range(1, 5)
KEEP = Keep(raw_days=14, fine_days=60, minute_days=200, hour_days=3650, bytes=0)


def value(series, at):
    n = (at - BEGIN) // EVERY
    return float(n) if series == 1 else round(float(np.sin(n / (20 * series))), 3)


@pytest.mark.slow
@pytest.mark.gen_test(timeout=120)
async def test_a_year(tmp_path):
    """Ticks, sealing, rollups and retention day by day: the log stays within bounds, the floor moves, space
    comes back, and every range is answered in full from each tier that still reaches so far."""
    per_day = DAY // EVERY
    sizes, wals = [], []
    async with logged(tmp_path / "a.db", span_us=DAY // 4) as log:
        for day in range(365):
            begin = BEGIN + day * DAY
            drafts = [
                Draft(at, "a", Metrics(tuple(SERIES), tuple(value(id_, at) for id_ in SERIES)))
                for at in range(begin, begin + DAY, EVERY)
            ]
            await log.append([*drafts, Draft(begin, "a", System("started"))])
            await log.seal(log.head)
            if day % 5 == 4:
                await log.forget(KEEP, begin + DAY)
            stats = await log.stats()
            sizes.append(stats.bytes - stats.wal_bytes)
            wals.append(stats.wal_bytes)
        now = BEGIN + 365 * DAY
        assert 14 * per_day * 4 <= log.samples <= 16 * per_day * 4
        assert log.floor > 348 * per_day
        assert log.since(0) <= now - 14 * DAY
        assert max(wals) < 64 * 1024 * 1024
        # From day 220 on no tier but the hours grows.
        assert sizes[-1] - sizes[220] < 0.3 * sizes[220]
        facts = await log.read(0, 1000, types=["system"])
        assert len(facts) == 365

        def wanted(series, start, end, tier):
            ats = np.arange(start, end, EVERY)
            return fold(ats, np.array([value(series, at) for at in ats.tolist()]), tier)

        for tier, days in (
            (10, (1, 13, 30, 55)),
            (60, (1, 13, 55, 100, 190)),
            (3600, (1, 20, 100, 300, 364)),
        ):
            for ago in days:
                start = now - ago * DAY
                end = min(now, start + DAY)
                for series in SERIES:
                    found = (await log.buckets(SERIES, start, end, tier))[series]
                    exact = wanted(series, start, end, tier)
                    for one, other in zip(
                        (*found.columns, found.sum), (*exact.columns, exact.sum), strict=True
                    ):
                        assert (one == other).all(), (tier, ago, series)
            assert log.since(tier) <= now - days[-1] * DAY
        raw = (await log.columns("a", [1], now - 13 * DAY, now))[1]
        assert len(raw[0]) == 13 * per_day
        await log._engine.truncate_wal()
        before = (await log.stats()).bytes
        # Whoever wants it smaller gets it smaller.
        budget = await log._retention.used() // 2
        await log.forget(KEEP._replace(bytes=budget), now)
        assert await log._retention.used() <= budget
        await log._engine.truncate_wal()
        assert (await log.stats()).bytes < 0.7 * before
    async with logged(tmp_path / "a.db") as log:
        assert log.head == 365 * (per_day + 1)
