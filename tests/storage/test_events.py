"""Every double has one spelling, and facts cannot be changed once made."""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.events import EXACT, KINDS, Draft, Event, Metrics, System, canonical


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0)
@example(0.0)
@example(float(EXACT))
@example(float(-EXACT))
@example(float(EXACT + 2))
@example(1.7976931348623157e308)
@example(5e-324)
def test_canonical_keeps_the_double_and_spells_it_once(value):
    """An int exactly where a double is sure of every integer, the same float elsewhere, bit for bit."""
    spelled = canonical(value)
    assert struct.pack("d", float(spelled)) == struct.pack("d", value)
    sure = value.is_integer() and abs(value) <= EXACT and math.copysign(1, value or 1.0) != 0
    minus_zero = value == 0 and math.copysign(1, value) < 0
    assert isinstance(spelled, int) == (sure and not minus_zero)
    assert repr(canonical(spelled)) == repr(spelled)


@given(st.integers(-EXACT, EXACT))
def test_integers_are_canonical_already(value):
    """Whether a value came as an integer or as a double makes no difference."""
    assert canonical(value) == value
    assert repr(canonical(float(value))) == repr(value)


def test_an_event_tells_its_type():
    """The type of an event is that of its fact."""
    assert Event(1, 2, "a", Metrics([1], [2])).type == "metrics"


def test_facts_cannot_be_changed():
    """History is history: neither a fact, a draft nor an event can be edited in place."""
    fact = System("started")
    for thing, name in (
        (fact, "what"),
        (Draft(1, "a", fact), "at"),
        (Event(1, 1, "a", fact), "seq"),
    ):
        with pytest.raises(AttributeError):
            setattr(thing, name, 5)


def test_every_kind_of_fact_has_a_name_and_a_version():
    """Types are told apart by name, and each says which shape of it this is."""
    assert len({kind.type for kind in KINDS}) == len(KINDS) == 7
    assert all(kind.version >= 1 for kind in KINDS)
