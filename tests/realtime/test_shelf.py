"""The shelf gives again what is still true, makes once what many ask for, and keeps its bounds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.shelf import Shelf


class Hand:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shelf_of(hand: Hand | None = None, **bounds: float) -> Shelf[bytes]:
    return Shelf(hand or Hand(), len, **bounds)  # type: ignore[arg-type]


def giving(value: bytes) -> Callable[[], Awaitable[bytes]]:
    async def make() -> bytes:
        await asyncio.sleep(0)
        return value

    return make


class Gate:
    """A computation that is under way until it is opened, and counts how often it was begun."""

    def __init__(self, value: bytes = b"made", error: Exception | None = None) -> None:
        self.value, self.error = value, error
        self.begun = 0
        self.cancelled = 0
        self.open = asyncio.Event()

    async def __call__(self) -> bytes:
        self.begun += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return self.value


async def ask(
    shelf: Shelf[bytes], gate: Gate, count: int, tags: Iterable[str] = ()
) -> list[asyncio.Task[tuple[bytes, bool]]]:
    asked = [asyncio.ensure_future(shelf.get("key", tags, gate)) for _ in range(count)]
    await asyncio.sleep(0.001)
    return asked


@pytest.mark.gen_test
async def test_the_second_asker_is_given_what_the_first_one_waited_for() -> None:
    """A value is made once, and then stands on the shelf."""
    shelf = shelf_of()
    assert await shelf.get("key", [], giving(b"one")) == (b"one", False)
    assert await shelf.get("key", [], giving(b"two")) == (b"one", True)
    stats = shelf.stats()
    assert (stats.hits, stats.misses, stats.hit_rate) == (1, 1, 0.5)
    assert (stats.entries, stats.bytes, stats.in_flight) == (1, 3, 0)


@pytest.mark.gen_test
async def test_a_look_makes_nothing() -> None:
    """It gives what stands there, which counts as a hit, and is used lately; what is not there is not asked for."""
    hand = Hand()
    shelf = shelf_of(hand, max_entries=2, ttl_s=10)
    assert shelf.look("a") is None
    for key in ("a", "b"):
        await shelf.get(key, [key], giving(key.encode()))
    assert shelf.look("a") == b"a"
    await shelf.get("c", [], giving(b"c"))
    assert (shelf.look("a"), shelf.look("b")) == (b"a", None)
    assert (shelf.stats().hits, shelf.stats().misses) == (2, 3)
    shelf.invalidate(["a"])
    assert shelf.look("a") is None
    hand.now = 11
    assert shelf.look("c") is None


@pytest.mark.gen_test
async def test_what_lasts_does_not_age() -> None:
    """An answer that time cannot change leaves by its tags or for want of room alone."""
    hand = Hand()
    shelf = shelf_of(hand, ttl_s=10.0, max_entries=2)
    await shelf.get("lasting", ["late"], giving(b"one"), lasting=True)
    await shelf.get("ageing", [], giving(b"two"))
    hand.now = 1e9
    assert shelf.stats().entries == 1
    assert await shelf.get("lasting", ["late"], giving(b"new")) == (b"one", True)
    assert shelf.invalidate(["late"]) == 1
    await shelf.get("lasting", ["late"], giving(b"new"), lasting=True)
    for key in ("a", "b"):
        await shelf.get(key, [], giving(b"three"))
    assert await shelf.get("lasting", [], giving(b"made anew")) == (b"made anew", False)


@pytest.mark.gen_test
async def test_concurrent_misses_share_one_computation() -> None:
    """Fifty who ask at once begin one computation, and none of them is told it was on the shelf."""
    shelf, gate = shelf_of(), Gate()
    asked = await ask(shelf, gate, 50)
    assert shelf.stats().in_flight == 1
    gate.open.set()
    assert await asyncio.gather(*asked) == [(b"made", False)] * 50
    assert gate.begun == 1
    assert (shelf.stats().misses, shelf.stats().joined, shelf.stats().in_flight) == (50, 49, 0)


@pytest.mark.gen_test
async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    """Every waiter gets the error; the next asker begins anew."""
    shelf, gate = shelf_of(), Gate(error=OSError("disk"))
    asked = await ask(shelf, gate, 3)
    gate.open.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    assert await shelf.get("key", [], giving(b"well")) == (b"well", False)


@pytest.mark.gen_test
async def test_one_who_leaves_does_not_take_the_others_along() -> None:
    """Cancelling one waiter, even the one who began it, leaves the computation to the rest."""
    shelf, gate = shelf_of(), Gate()
    first, second, third = await ask(shelf, gate, 3)
    first.cancel()
    third.cancel()
    await asyncio.sleep(0.001)
    gate.open.set()
    assert await second == (b"made", False)
    assert first.cancelled() and third.cancelled() and not gate.cancelled
    assert shelf.stats().entries == 1


@pytest.mark.gen_test
async def test_a_computation_nobody_waits_for_is_cancelled() -> None:
    """When the last waiter leaves, the work stops, and the next asker begins anew."""
    shelf, gate = shelf_of(), Gate()
    for waiter in await ask(shelf, gate, 2):
        waiter.cancel()
    await asyncio.sleep(0.001)
    assert gate.cancelled == 1
    assert shelf.stats().in_flight == 0
    assert await shelf.get("key", [], giving(b"new")) == (b"new", False)


@pytest.mark.gen_test
async def test_an_invalidation_drops_what_carries_the_tag_and_nothing_else() -> None:
    """Any one tag in common is enough; entries without one stay."""
    shelf = shelf_of()
    await shelf.get("a", ["alerts", "source:a"], giving(b"a"))
    await shelf.get("b", ["source:b"], giving(b"b"))
    assert shelf.invalidate(["source:a", "unheard of"]) == 1
    assert await shelf.get("a", [], giving(b"anew")) == (b"anew", False)
    assert await shelf.get("b", [], giving(b"anew")) == (b"b", True)
    assert shelf.invalidate(["alerts"]) == 0
    assert shelf.stats().invalidations == 1


@pytest.mark.gen_test
async def test_what_was_begun_before_an_invalidation_is_given_but_not_kept() -> None:
    """Its waiters asked before the event and are answered; who asks after it gets newer state."""
    shelf, older, newer = shelf_of(), Gate(b"older"), Gate(b"newer")
    before = await ask(shelf, older, 2, ["source:a"])
    shelf.invalidate(["source:b"])
    shelf.invalidate(["source:a"])
    after = await ask(shelf, newer, 2, ["source:a"])
    newer.open.set()
    assert await asyncio.gather(*after) == [(b"newer", False)] * 2
    older.open.set()
    assert await asyncio.gather(*before) == [(b"older", False)] * 2
    assert await shelf.get("key", [], giving(b"never")) == (b"newer", True)


@pytest.mark.gen_test
async def test_an_unrelated_invalidation_leaves_a_computation_alone() -> None:
    """Only the tags of its own make a computation stale."""
    shelf, gate = shelf_of(), Gate()
    asked = await ask(shelf, gate, 1, ["source:a"])
    shelf.invalidate(["source:b"])
    gate.open.set()
    await asked[0]
    assert await shelf.get("key", [], giving(b"never")) == (b"made", True)


@pytest.mark.gen_test
async def test_an_entry_grows_old() -> None:
    """After the time to live an entry is made again, and counted as expired."""
    hand = Hand()
    shelf = shelf_of(hand, ttl_s=300)
    await shelf.get("key", ["tag"], giving(b"old"))
    hand.now = 299.9
    assert await shelf.get("key", [], giving(b"new")) == (b"old", True)
    hand.now = 300.0
    assert shelf.invalidate(["tag"]) == 0
    assert await shelf.get("key", [], giving(b"new")) == (b"new", False)
    assert shelf.stats().expirations == 1


@pytest.mark.gen_test
async def test_the_least_lately_used_goes_first() -> None:
    """Too many entries push out the one that was asked for longest ago."""
    shelf = shelf_of(max_entries=2)
    for key in (b"a", b"b"):
        await shelf.get(key, [], giving(key))
    await shelf.get(b"a", [], giving(b"never"))
    await shelf.get(b"c", [], giving(b"c"))
    assert (await shelf.get(b"a", [], giving(b"x")))[1]
    assert not (await shelf.get(b"b", [], giving(b"b")))[1]
    assert shelf.stats().evictions == 2


@pytest.mark.gen_test
async def test_what_is_bigger_than_the_shelf_is_answered_and_not_kept() -> None:
    """An oversize value pushes nothing out."""
    shelf = shelf_of(max_bytes=10)
    await shelf.get("small", [], giving(b"1234"))
    assert await shelf.get("huge", [], giving(b"x" * 11)) == (b"x" * 11, False)
    assert (await shelf.get("small", [], giving(b"")))[1]
    assert (shelf.stats().oversize, shelf.stats().evictions) == (1, 0)


@pytest.mark.gen_test
async def test_clear_says_how_many_went_and_keeps_nothing_begun_before() -> None:
    """An emptied shelf is empty, though a computation was under way."""
    shelf, gate = shelf_of(), Gate()
    await shelf.get("a", ["tag"], giving(b"a"))
    await shelf.get("b", ["tag"], giving(b"b"))
    asked = await ask(shelf, gate, 1)
    assert shelf.clear() == 2
    gate.open.set()
    assert await asked[0] == (b"made", False)
    assert (shelf.stats().entries, shelf.stats().bytes, shelf.clear()) == (0, 0, 0)


@pytest.mark.gen_test
async def test_close_stops_what_is_under_way() -> None:
    """Nothing computes after the shelf is closed, not even what was outdated meanwhile."""
    shelf, gate = shelf_of(), Gate()
    asked = await ask(shelf, gate, 2, ["tag"])
    shelf.invalidate(["tag"])
    await shelf.close()
    await asyncio.gather(*asked, return_exceptions=True)
    assert gate.cancelled == 1
    assert all(waiter.cancelled() for waiter in asked)
    assert shelf.stats().in_flight == 0


class Bounds(RuleBasedStateMachine):
    """Whatever happens in whatever order, the bounds hold and a hit is never outdated."""

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.shelf: Shelf[tuple[int, int]] = Shelf(
            self.hand, lambda value: value[1], max_entries=3, max_bytes=20, ttl_s=5
        )
        self.loop = asyncio.new_event_loop()
        self.made = 0
        self.valid: dict[str, tuple[int, float, frozenset[str]]] = {}

    @rule(
        key=st.sampled_from("abcdef"),
        size=st.integers(0, 25),
        tags=st.frozensets(st.sampled_from("xyz")),
    )
    def get(self, key: str, size: int, tags: frozenset[str]) -> None:
        async def make() -> tuple[int, int]:
            self.made += 1
            return self.made, size

        value, cached = self.loop.run_until_complete(self.shelf.get(key, tags, make))
        if cached:
            number, until, _ = self.valid[key]
            assert value[0] == number
            assert self.hand.now < until
        else:
            self.valid[key] = (value[0], self.hand.now + 5, tags)

    @rule(tags=st.frozensets(st.sampled_from("xyz"), min_size=1))
    def invalidate(self, tags: frozenset[str]) -> None:
        self.shelf.invalidate(tags)
        for key, (_, _, carried) in list(self.valid.items()):
            if carried & tags:
                del self.valid[key]

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.hand.now += seconds

    @rule()
    def clear(self) -> None:
        assert self.shelf.clear() <= 3
        self.valid.clear()

    @invariant()
    def holds(self) -> None:
        stats = self.shelf.stats()
        assert stats.entries <= 3
        assert stats.bytes <= 20
        assert stats.in_flight == 0
        carried = {key for keys in self.shelf._tagged.values() for key in keys}
        assert len(carried) <= stats.entries

    def teardown(self) -> None:
        self.loop.close()


TestBounds = Bounds.TestCase
TestBounds.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
