import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.batch import Key
from realtime.core.keys import OVERHEAD, Keys

USER = Key("cpu", (("core", "0"), ("mode", "user")), 'cpu{core="0",mode="user"}')


def test_one_key_however_it_is_written():
    """Labels in any order, or in the text: the same series has the same key."""
    keys = Keys()
    assert keys.of("cpu", {"mode": "user", "core": "0"}) == USER
    assert keys.of("cpu", {"core": "0", "mode": "user"}) == USER
    assert keys.of('cpu{mode="user", core="0"}') == USER
    assert keys.of(USER.text, {}) == USER
    assert keys.of("cpu", {"empty": ""}) == Key("cpu", (), "cpu")


def test_remembers():
    """A key asked for again is the very same object: it was not checked twice."""
    keys = Keys()
    assert keys.of("cpu", {"mode": "user"}) is keys.of("cpu", {"mode": "user"})
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("name", "labels"),
    [("", None), ("a-b", {"x": "1"}), ("a", {"x-y": "1"}), ('a{b="1"}', {"c": "1"})],
)
def test_bad_keys_are_refused_every_time(name, labels):
    """What is wrong is not remembered as right."""
    keys = Keys()
    for _ in range(2):
        with pytest.raises(ValueError):
            keys.of(name, labels)
    assert len(keys) == 0


@given(st.lists(st.integers(0, 50), max_size=200), st.integers(0, 30))
def test_bounded_and_right(asked, room):
    """Whatever is asked for, in any order, the answers are right and the memory is bounded."""
    keys = Keys(room * (OVERHEAD + 3))
    for number in asked:
        assert keys.of(f"m{number}") == Key(f"m{number}", (), f"m{number}")
        assert len(keys) <= 2 * max(room, 1) + 1


def test_what_is_used_stays():
    """A key in use survives any number of others that pass through."""
    keys = Keys(10 * (OVERHEAD + 5))
    kept = keys.of("kept")
    for number in range(1_000):
        keys.of(f"m{number}")
        assert keys.of("kept") is kept
