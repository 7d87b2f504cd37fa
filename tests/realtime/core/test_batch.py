from realtime.core.batch import Batch, Columns, Descriptor, Key

LOAD = Key("load", (), "load")
CORE = Key("core", (("cpu", "0"),), 'core{cpu="0"}')


def columns(*values):
    return Columns("host", [1, 2], [LOAD, CORE][: len(values)], list(values))


def test_size_counts_samples_not_places():
    """A place without a sample is not counted, a zero is."""
    assert columns([1.5, None], [0, 0.0]).size == 3


def test_a_batch_is_the_sum_of_its_columns():
    """Several sources may travel in one batch."""
    assert Batch([columns([1, 2]), columns([None, None])], {}).size == 2
    assert Batch([], {}).size == 0


def test_what_is_not_described_is_a_plain_gauge():
    """An unknown metric is a gauge without a unit."""
    assert Descriptor() == Descriptor(unit="", kind="gauge", help="")
