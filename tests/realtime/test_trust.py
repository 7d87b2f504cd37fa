"""A clock that leaps is not believed at once; one that goes on is."""

import msgspec
import pytest
from structlog.testing import capture_logs

from realtime.trust import LEAP_US, PATIENCE_S, Known, Now, Trust, load, save

SECOND = 1_000_000
THEN = 1_764_000_000 * SECOND
YEARS = 5 * 365 * 86_400 * SECOND


def test_time_goes_on():
    """Small steps of the clock, ahead and back, are what clocks do."""
    trust = Trust(Known(THEN), 100.0)
    for now, monotonic in (
        (THEN + 60 * SECOND, 160.0),
        (THEN + LEAP_US, 200.0),
        (THEN + 60 * SECOND, 260.0),
    ):
        assert trust.look(now, monotonic) == Now(now, now)


@pytest.mark.parametrize("leap", [YEARS, -YEARS])
def test_a_leap_is_believed_when_it_has_stood(leap):
    """Until then ages are told by the lesser time, and only what is beyond both is dated ahead."""
    trust = Trust(Known(THEN), 0.0)
    with capture_logs() as said:
        for hour in range(24):
            passed = hour * 3600 * SECOND
            told = trust.look(THEN + leap + passed, hour * 3600.0)
            assert told == (*sorted((THEN + passed, THEN + leap + passed)),)
    assert [line["leap_s"] for line in said] == [leap // SECOND], "it is said once"
    now = THEN + leap + int(PATIENCE_S) * SECOND
    assert trust.look(now, PATIENCE_S) == Now(now, now)


def test_a_leap_that_is_taken_back_leaves_nothing():
    """The next one has to stand as long."""
    trust = Trust(Known(THEN), 0.0)
    trust.look(THEN + YEARS, 0.0)
    assert trust.look(THEN + 80_000 * SECOND, 80_000.0).most == THEN + 80_000 * SECOND
    assert trust.look(THEN + YEARS, 90_000.0).least == THEN + 90_000 * SECOND


def test_a_start_goes_on_doubting():
    """Neither does a restart make a wrong clock right, nor begin the day anew."""
    trust = Trust(Known(THEN), 0.0)
    trust.look(THEN + YEARS, 10.0)
    trust.look(THEN + YEARS, 50_010.0)
    again = Trust(load(save(trust.known)), 7.0)
    assert again.look(THEN + YEARS, 8.0).least == THEN + 50_011 * SECOND
    assert again.look(THEN + YEARS, 40_000.0).least == THEN + YEARS
    with pytest.raises(msgspec.DecodeError):
        load(b"rubbish")
