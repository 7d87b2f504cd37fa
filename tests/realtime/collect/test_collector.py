from realtime.collect.collector import Collector, Moment


def test_both_clocks_are_told_apart():
    """A moment is read off two clocks, and the wall clock is the one that may be set."""
    assert Moment(wall_s=1.0, steady_s=2.0) == (1.0, 2.0)


def test_a_collector_is_what_it_can_do():
    """The protocol asks for a name, a pace, where it runs, a table and one verb, no ancestor."""
    assert {n for n in vars(Collector) if not n.startswith("_")} == {
        "name",
        "pace_s",
        "on_loop",
        "descriptors",
        "collect",
    }
