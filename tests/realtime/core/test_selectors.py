import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.naming import series_text
from realtime.core.selectors import LENGTH_LIMIT, Selector

NAME, LABELS, SOURCE = "system_load", {"period": "1m", "path": 'C:\\x "y"\nz'}, "web-1"


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("system_load", True),
        ("system_loa", False),
        ("{}", True),
        ("system_load{}", True),
        (' system_load { period = "1m" , } ', True),
        ('{period="1m"}', True),
        ('{period="5m"}', False),
        ('{period!="5m"}', True),
        ('{period!="1m"}', False),
        ('{period=~"1m|5m"}', True),
        ('{period=~"1"}', False),
        ('{period!~"1"}', True),
        ('{period!~"1."}', False),
        ('{period=~""}', False),
        ('{device=""}', True),
        ('{device!=""}', False),
        ('{device=~".*"}', True),
        ('{source="web-1"}', True),
        ('{source=~"web-.+"}', True),
        ('{source!~"web-.+"}', False),
        ('{__name__=~"system_.*"}', True),
        ('{__name__!="system_load"}', False),
        ('{period="1m",source="web-2"}', False),
        ('{period="1m",period!="1m"}', False),
        ('{path="C:\\\\x \\"y\\"\\nz"}', True),
        ('{path=~"C:.*z"}', True),
    ],
)
def test_matches(text, matches):
    """All matchers must hold, patterns are anchored, an absent label is as an empty one."""
    assert Selector.parse(text).matches(NAME, LABELS, SOURCE) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the selector is empty"),
        ("cpu-total", "is not a metric name"),
        ("up{", "a label name or }"),
        ("up{a}", "one of = != =~ !~"),
        ("up{a==b}", "a value in double quotes"),
        ('up{a="b"', ", or }"),
        ('up{a="b"}x', "nothing after }"),
        ('up{a=~"("}', "is not a pattern RE2 accepts"),
        ('up{a=~"(?=x)"}', "is not a pattern RE2 accepts"),
        ('up{a=~"(x{1000}){1000}"}', "is not a pattern RE2 accepts"),
        ('up{a=~"\ud800"}', "is not a pattern RE2 accepts"),
        ("x" * (LENGTH_LIMIT + 1), "is too long"),
        ("{" + ",".join('a!="b"' for _ in range(33)) + "}", "32 matchers"),
    ],
)
def test_refused(text, words):
    """A refusal says what cannot be read and what is wanted."""
    with pytest.raises(ValueError) as caught:
        Selector.parse(text)
    assert words in str(caught.value)


@given(st.text('a{}"=~!,\\.*+()[]|? ', max_size=40))
def test_garbage(text):
    """Any text is a selector or a ValueError with a sentence, nothing else."""
    try:
        selector = Selector.parse(text)
    except ValueError as error:
        assert len(str(error)) > 20
    else:
        assert selector.matches(NAME, LABELS, SOURCE) in (True, False)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.text(st.characters(codec="utf-8"), min_size=1))
)
def test_a_series_selects_itself(labels):
    """The text of a series, used as a selector, means that series."""
    assert Selector.parse(series_text("up", labels)).matches("up", labels, "any")


@given(st.text("ab.|*()", max_size=12), st.text("ab", max_size=12))
def test_agrees_with_re(pattern, value):
    """On the common ground of the two engines a pattern means what it means in Python."""
    try:
        expected = re.fullmatch(pattern, value) is not None
        selector = Selector.parse(f'{{a=~"{pattern}"}}')
    except (re.error, ValueError):
        return
    assert selector.matches("up", {"a": value}, "any") is expected


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "a*" * 50 + "b", "(x+x+)+y", "(.*){20}b"])
def test_no_pattern_explodes(pattern):
    """Patterns that stop Python's engine for years cost milliseconds here."""
    selector = Selector.parse(f'{{a=~"{pattern}"}}')
    began = time.perf_counter()
    assert not selector.matches("up", {"a": "a" * 200}, "any")
    assert not selector.matches("up", {"a": "x" * 200}, "any")
    assert time.perf_counter() - began < 0.5


def test_repr_names_the_text():
    """A selector in a log line can be read."""
    assert repr(Selector.parse(" up ")) == "Selector('up')"


def test_a_selector_says_whose_series_it_can_mean() -> None:
    """Only where that is one source for sure."""
    for text, source in (
        ("cpu", None),
        ('{source="a"}', "a"),
        ('cpu{mode="user",source="a"}', "a"),
        ('{source=~"a"}', None),
        ('{source!="a"}', None),
        ('{mode="source"}', None),
    ):
        assert Selector.parse(text).source == source, text
