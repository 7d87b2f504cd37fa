import threading
import time
from types import SimpleNamespace

from realtime.collect.collector import Moment
from realtime.collect.reading import reading
from realtime.collect.round import Round, clocks, collected


def collector(name, act=lambda: None):
    def collect(moment):
        act()
        return [reading(name, moment.steady_s)]

    return SimpleNamespace(name=name, collect=collect)


def test_all_are_asked_in_order_each_at_its_own_moment():
    """A rate is over the time between two looks of that collector, not between two beats."""
    steady = iter([1.0, 2.0, 3.0])
    walk = Round([collector(n) for n in "abc"], lambda: Moment(0.0, next(steady)))
    walk.run()
    found = [r for outcome in walk.outcomes() for r in outcome.readings]
    assert [(r.key.name, r.value) for r in found] == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert walk.returned


def test_one_that_raises_costs_only_itself():
    """Its error is its outcome, and the next is asked."""
    walk = Round([collector("bad", lambda: 1 // 0), collector("good")], clocks)
    walk.run()
    bad, good = walk.outcomes()
    assert isinstance(bad.error, ZeroDivisionError) and bad.readings == []
    assert good.error is None and len(good.readings) == 1
    assert collected(collector("alone"), Moment(0.0, 7.0)).readings[0].value == 7.0


def test_one_that_hangs_can_be_left_behind():
    """What came before stays, what hangs is named, what was to come is handed back."""
    entered, gate = threading.Event(), threading.Event()

    def hang():
        entered.set()
        gate.wait(10)

    after = collector("after")
    walk = Round([collector("before"), collector("hung", hang), after], clocks)
    thread = threading.Thread(target=walk.run)
    thread.start()
    assert entered.wait(10)
    hung, waiting = walk.abandon()
    assert hung and hung.name == "hung" and waiting == [after]
    returned = [walk.returned]
    gate.set()
    thread.join(10)
    assert [*returned, walk.returned] == [False, True]
    assert [outcome.collector.name for outcome in walk.outcomes()] == ["before"]


def test_the_clocks_are_the_real_ones():
    """Wall clock and steady clock, as the system tells them."""
    moment = clocks()
    assert abs(moment.wall_s - time.time()) < 5
    assert abs(moment.steady_s - time.monotonic()) < 5
