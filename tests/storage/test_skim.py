"""A head tells who was heard, when and of what, as its ticks do."""

from random import Random

import pytest

from storage.segments import Head, Tick, seal, unseal
from storage.skim import Heard, skim

SECOND = 1_000_000


def ticks(random: Random) -> list[Tick]:
    """Sources and series in turn, times out of order, seqs with holes."""
    told, seq = [], 0
    for _ in range(200):
        seq += random.randint(1, 3)
        source = random.choice("abc")
        base = 10 * "abc".index(source)
        ids = sorted(random.sample(range(base + 1, base + 9), random.randint(1, 4)))
        at = 10**15 + random.randint(0, 99) * SECOND
        told.append(Tick(seq, at, source, ids, [random.random() for _ in ids]))
    return told


@pytest.mark.parametrize("seed", range(5))
def test_what_is_told_of_a_segment_is_what_its_ticks_tell(seed: int) -> None:
    """Counted over the ticks, one by one."""
    sealed = seal(ticks(Random(seed)))
    head = Head.read(sealed.head)
    found = skim(7, head)
    told = unseal(head, sealed.columns)
    assert (found.segment, found.last_seq) == (7, told[-1].seq)
    heard = []
    for source in {tick.source: 0 for tick in told}:
        theirs = [tick for tick in told if tick.source == source]
        ats = [tick.at for tick in theirs]
        heard.append(Heard(theirs[0].seq, source, min(ats), max(ats), ats[-1]))
    assert found.heard == heard
    series: dict[int, list[Tick]] = {}
    for tick in told:
        for id_ in tick.ids:
            series.setdefault(id_, []).append(tick)
    assert found.ids.tolist() == sorted(series)
    for id_, owner, first, last in zip(*(column.tolist() for column in found[3:]), strict=True):
        assert {tick.source for tick in series[id_]} == {heard[owner].source}
        assert min(tick.at for tick in series[id_]) == first
        assert max(tick.at for tick in series[id_]) == last


def test_ticks_that_name_nothing_are_heard() -> None:
    """A source that says nothing was there."""
    found = skim(1, Head.read(seal([Tick(5, 10**15, "a", [], [])]).head))
    assert found.heard == [Heard(5, "a", 10**15, 10**15, 10**15)]
    assert not len(found.ids)
