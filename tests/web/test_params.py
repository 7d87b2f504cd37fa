"""Query strings into typed structs."""

import datetime
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from web.params import LONGEST, MOST_PAIRS, Nothing, read_query
from web.problem import Problem


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    must: str
    count: Annotated[int, Meta(ge=1, le=1000)] = 5
    share: Annotated[float, Meta(gt=0, le=1.5)] = 1.0
    flag: bool = False
    many: Annotated[list[Annotated[str, Meta(max_length=5)]], Meta(max_length=3)] = []
    kinds: Annotated[list[Literal["a", "b"]], Meta(extra={"comma": True})] = []
    from_: Annotated[str, Meta(max_length=9)] | UnsetType = msgspec.field(
        name="from", default=UNSET
    )
    maybe: Annotated[str, Meta(max_length=9)] | None = None


def errors(query, kind=Asked):
    with pytest.raises(Problem) as caught:
        read_query(kind, query)
    assert caught.value.status == 400
    return {one.field: one.detail for one in caught.value.errors}


def test_values_come_typed():
    """Each parameter arrives as what its field is, percent-decoded."""
    asked = read_query(Asked, "must=%C3%A4%2Bb+c&count=7&share=0.5&flag=true&from=-15m")
    assert asked == Asked("ä+b c", 7, 0.5, True, from_="-15m")


def test_what_is_left_out_is_the_default():
    """Only what is required must be there."""
    assert read_query(Asked, "must=x") == Asked("x")
    assert read_query(Nothing, "") == Nothing()


def test_a_list_is_repeated_and_by_commas_only_where_it_says_so():
    """A selector may hold commas, so commas separate only where the field is marked."""
    asked = read_query(Asked, "must=x&many=a,b&many=c&kinds=a,b&kinds=a")
    assert asked.many == ["a,b", "c"]
    assert asked.kinds == ["a", "b", "a"]


def test_every_wrong_field_is_named_with_what_came_and_what_would_do():
    """One answer tells all that is wrong, so that one more try is enough."""
    told = errors("count=many&share=nan&flag=perhaps&kinds=a,q&many=toolong")
    assert told == {
        "must": "is missing; give text",
        "count": "got 'many'; give a whole number from 1 to 1,000",
        "share": "got 'nan'; give a number above 0 to 1.5",
        "flag": "got 'perhaps'; give true or false",
        "kinds": "got 'a', 'q'; give any number of: one of a, b",
        "many": "got 'toolong'; give up to 3 of: text of at most 5 characters",
    }


def test_a_bound_is_named():
    """Too much says how much would do, optional fields included."""
    assert errors("must=x&count=1001")["count"].endswith("from 1 to 1,000")
    assert "at most 9 characters" in errors("must=x&from=0123456789")["from"]
    assert "at most 9 characters" in errors("must=x&maybe=0123456789")["maybe"]


def test_an_unknown_parameter_is_an_error():
    """A misspelt parameter must not be silently ignored; the answer lists the real ones."""
    told = errors("must=x&cuont=7")
    assert list(told) == ["cuont"]
    assert "must, count, share" in told["cuont"]
    assert errors("x=1", Nothing) == {"x": "is not a parameter here; this address takes none"}


def test_a_repeated_scalar_is_an_error():
    """Two values for one thing: neither is guessed."""
    assert "more than once" in errors("must=x&count=1&count=2")["count"]


def test_a_query_string_is_bounded():
    """Neither length nor number of parameters can make the server work for long."""
    assert errors("must=" + "x" * LONGEST) == {}
    assert errors("&".join(["must=x"] * (MOST_PAIRS + 1))) == {}


def test_bytes_that_are_no_text_are_refused():
    """Half a character is not silently replaced by another."""
    assert errors("must=%ff") == {}


class Day(msgspec.Struct):
    day: datetime.date


def test_a_kind_without_words_still_answers():
    """A type this module has no words for is refused like any other."""
    assert read_query(Day, "day=2026-11-23").day.day == 23
    assert "documentation" in errors("day=x", Day)["day"]


def test_long_input_is_repeated_only_in_part():
    """An answer never grows with what was sent."""
    assert len(errors("must=x&count=" + "9" * 5000)["count"]) < 300


@given(st.text(max_size=80))
def test_any_query_gives_a_value_or_a_problem(query):
    """No text makes anything but a struct or a 400."""
    try:
        assert isinstance(read_query(Asked, query), Asked)
    except Problem as problem:
        assert problem.status == 400
