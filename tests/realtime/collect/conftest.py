"""A vocabulary: moments a second apart, and what a collector told in them."""

from types import SimpleNamespace

import pytest

from realtime.collect.collector import Moment

NOON_S = 1_795_435_200.0


@pytest.fixture
def moment():
    """moment(3) is three seconds into the story; `slept_s` passed on the wall clock alone."""

    def at(second, slept_s=0.0):
        return Moment(NOON_S + second + slept_s, 5000.0 + second)

    return at


@pytest.fixture
def told(moment):
    """told(collector, second) collects and gives {series text: value}; each is described."""

    def tell(collector, second, slept_s=0.0):
        readings = collector.collect(moment(second, slept_s))
        assert {r.key.name for r in readings} <= set(collector.descriptors)
        values = {r.key.text: r.value for r in readings}
        assert len(values) == len(readings), "a series was told twice"
        return values

    return tell


@pytest.fixture
def record(monkeypatch):
    """record("cpu_stats", a=1) makes psutil answer as recorded elsewhere; None takes it away."""
    import psutil

    def answer(function, result):
        if result is None:
            monkeypatch.delattr(psutil, function, raising=False)
        else:
            # psutil's own mending of wraps would hide resets from ours.
            def told(*_, nowrap=False, **__):
                assert not nowrap
                return result

            monkeypatch.setattr(psutil, function, told, raising=False)

    return answer


@pytest.fixture
def tuple_of():
    return SimpleNamespace
