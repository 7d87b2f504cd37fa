"""A stretch that is sealed throughout is known without a look, until a late tick or a gap makes it untrue."""

import pytest

from storage.archive import Segment
from storage.quiet import KEPT, SEGMENTS, Quiet, Stretch
from tests.storage.conftest import tick
from tests.storage.test_retention import ALL
from tests.storage.test_sealer import BEGIN, SECOND, logged, write

FIVE = [Segment(n, 10 * n, 10 * n + 9, 100 * n, 100 * n + 90) for n in range(1, 6)]


def learn(quiet, stretch, *came):
    with quiet.learning() as learnt:
        learnt.append(stretch)
        for span in came:
            quiet.came(*span)


def test_what_is_known_answers_for_every_part_of_it():
    """The segments that may hold something of the part; nothing is said beyond the ends or of others."""
    quiet = Quiet()
    learn(quiet, Stretch("a", 100, 600, FIVE))
    assert quiet.segments("a", 100, 600) == FIVE
    assert quiet.segments("a", 190, 300) == FIVE[:2]
    assert quiet.segments("a", 191, 200) == []
    assert quiet.segments("a", 99, 200) is None
    assert quiet.segments("a", 500, 601) is None
    assert quiet.segments("b", 190, 300) is None
    assert quiet.segments(None, 190, 300) is None


@pytest.mark.parametrize(
    ("came", "known"), [((600, 700), True), ((599, 599), False), ((0, 100), False)]
)
def test_a_tick_inside_ends_it(came, known):
    """Before it was learnt, while it is learnt or after: only what came meanwhile or later counts."""
    quiet = Quiet()
    quiet.came(*came)
    learn(quiet, Stretch("a", 100, 600, FIVE))
    assert quiet.segments("a", 100, 200) is not None
    quiet.came(*came)
    assert (quiet.segments("a", 100, 200) is not None) is known
    meanwhile = Quiet()
    learn(meanwhile, Stretch("a", 100, 600, FIVE), came)
    assert (meanwhile.segments("a", 100, 200) is not None) is known


def test_few_are_remembered():
    """The latest."""
    quiet = Quiet()
    for n in range(KEPT + 1):
        learn(quiet, Stretch(str(n), 0, 9, []))
    assert quiet.segments("0", 0, 9) is None
    assert quiet.segments("1", 0, 9) == quiet.segments(str(KEPT), 0, 9) == []


def test_a_stretch_is_remembered_once():
    """However often it is learnt, it takes the place of none but itself and what it covers."""
    quiet = Quiet()
    learn(quiet, Stretch("b", 0, 9, []))
    for n in range(KEPT + 1):
        learn(quiet, Stretch("a", 5, 8 + n, []))
    assert quiet.segments("b", 0, 9) == quiet.segments("a", 5, 8 + KEPT) == []


def test_few_segments_are_remembered():
    """All stretches together hold so many and no more; the ones learnt first go."""
    quiet = Quiet()
    half = [Segment(n, n, n, n, n) for n in range(SEGMENTS // 2)]
    for source in "abc":
        learn(quiet, Stretch(source, 0, SEGMENTS, half))
    assert quiet.segments("a", 0, 9) is None
    assert quiet.segments("b", 0, SEGMENTS) == quiet.segments("c", 0, SEGMENTS) == half
    learn(quiet, Stretch("d", 0, SEGMENTS, [*half, *half, half[0]]))
    assert quiet.segments("d", 0, 9) is None
    assert quiet.segments("c", 0, SEGMENTS) == half


@pytest.mark.gen_test
async def test_the_log_answers_from_memory_and_is_never_behind(tmp_path):
    """Asked again the file is not read; late ticks, their sealing and what is given up are told at once."""
    async with logged(tmp_path / "a.db") as log:

        async def told(first, end):
            at, value = (await log.columns("a", [1], BEGIN + first * SECOND, BEGIN + end * SECOND))[
                1
            ]
            return list(zip(((at - BEGIN) / SECOND).tolist(), value.tolist(), strict=True))

        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(40)])
        await log.seal(log.head, all_of_it=True)
        wanted = [(n, n) for n in range(5, 25)]
        assert await told(5, 25) == wanted
        write(log.path, "CREATE TABLE hidden AS SELECT * FROM segments")
        write(log.path, "DELETE FROM segments")
        assert await told(5, 25) == wanted
        assert await told(8, 12) == wanted[3:7]
        write(log.path, "INSERT INTO segments SELECT * FROM hidden")
        await log.append([tick(BEGIN + 10 * SECOND + 1, s1=77)])
        assert (10.000001, 77) in await told(5, 25)
        await log.seal(log.head, all_of_it=True)
        for _ in range(2):
            assert (10.000001, 77) in await told(5, 25)
        await log.append([tick(BEGIN + 100 * SECOND, s1=1)])
        assert (100, 1) in await told(5, 101)
        assert (100, 1) not in await told(5, 100)
        assert len(await told(5, 25)) == len(await told(5, 25)) == 21
        await log.forget(ALL._replace(raw_days=1), BEGIN + 10 * 86_400 * SECOND)
        assert await told(5, 25) == []


@pytest.mark.gen_test
async def test_what_is_dropped_while_it_is_read_is_not_remembered(tmp_path, monkeypatch):
    """The reader's look is of before, and may be told; who asks afterwards is told what is left."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(40)])
        await log.seal(log.head, all_of_it=True)
        asked = ("a", [1], BEGIN + 5 * SECOND, BEGIN + 25 * SECOND)
        look = log._engine.look

        async def late(plan):
            monkeypatch.setattr(log._engine, "look", look)
            found = await look(plan)
            gone = await log.forget(ALL._replace(raw_days=1), BEGIN + 10 * 86_400 * SECOND)
            assert gone.segments
            return found

        monkeypatch.setattr(log._engine, "look", late)
        assert len((await log.columns(*asked))[1][0]) == 20
        assert log.since(0) > BEGIN + 25 * SECOND  # who was told so asks another tier
        for _ in range(2):
            assert not len((await log.columns(*asked))[1][0])


@pytest.mark.gen_test
async def test_a_late_tick_that_is_sealed_while_it_is_read_is_not_missed(tmp_path, monkeypatch):
    """Committed and sealed between the look and what is remembered of it."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n) for n in range(40)])
        await log.seal(log.head, all_of_it=True)
        asked = ("a", [1], BEGIN + 5 * SECOND, BEGIN + 25 * SECOND)
        look = log._engine.look

        async def late(plan):
            monkeypatch.setattr(log._engine, "look", look)
            found = await look(plan)
            await log.append([tick(BEGIN + 10 * SECOND + 1, s1=77)])
            await log.seal(log.head, all_of_it=True)
            return found

        monkeypatch.setattr(log._engine, "look", late)
        assert len((await log.columns(*asked))[1][0]) == 20
        for _ in range(2):
            assert 77 in (await log.columns(*asked))[1][1]


@pytest.mark.gen_test
async def test_what_is_damaged_in_a_known_stretch_is_named(tmp_path, logs):
    """What is in memory is told as it was; what has to be read is found to be damaged, and not told wrongly."""
    async with logged(tmp_path / "a.db") as log:
        await log.append([tick(BEGIN + n * SECOND, s1=n, s2=n * n) for n in range(40)])
        await log.seal(log.head, all_of_it=True)
        begin, end = BEGIN + 5 * SECOND, BEGIN + 25 * SECOND
        whole = (await log.columns("a", [1], begin, end))[1][1].tolist()
        write(log.path, "UPDATE strips SET body = zeroblob(length(body))")
        assert log._ranges._quiet.segments("a", begin, end)
        found = await log.columns("a", [1, 2], begin, end)
        assert found[1][1].tolist() == whole and not len(found[2][0])
        assert log.damaged(begin, end)
        assert logs.lines
        while logs.lines:  # one a segment
            logs.expect("part of the log is damaged")


@pytest.mark.gen_test
async def test_a_restored_log_remembers_nothing_of_the_other(tmp_path):
    """Another log opened under the name of the first, with other ticks at the same seqs, tells its own."""
    for value in (1, 2):
        async with logged(tmp_path / f"{value}.db") as log:
            await log.append([tick(BEGIN + n * SECOND, s1=value * n) for n in range(40)])
            await log.seal(log.head, all_of_it=True)
    (tmp_path / "2.db").replace(tmp_path / "other.db")
    async with logged(tmp_path / "1.db") as log:
        found = await log.columns("a", [1], BEGIN, BEGIN + 9 * SECOND)
        assert found[1][1].tolist() == list(range(9))
    (tmp_path / "other.db").replace(tmp_path / "1.db")
    async with logged(tmp_path / "1.db") as log:
        found = await log.columns("a", [1], BEGIN, BEGIN + 9 * SECOND)
        assert found[1][1].tolist() == list(range(0, 18, 2))
