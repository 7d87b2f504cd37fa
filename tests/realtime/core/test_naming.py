import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import naming

NAMES = st.from_regex(naming.NAME, fullmatch=True).map(lambda text: text[: naming.NAME_LIMIT])
LABEL_NAMES = st.from_regex(naming.LABEL, fullmatch=True).filter(
    lambda text: len(text) <= naming.NAME_LIMIT and text not in naming.RESERVED
)
VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=naming.VALUE_LIMIT
)
LABELS = st.dictionaries(LABEL_NAMES, VALUES, max_size=naming.LABELS_LIMIT)


@given(NAMES, LABELS)
def test_round_trip(name, labels):
    """Any name and labels we accept come back from their text, and the text is its own spelling."""
    checked = naming.check_labels(labels)
    text = naming.series_text(naming.check_name(name), labels)
    assert naming.parse_series(text) == (name, checked)
    assert naming.series_text(name, checked) == text
    assert naming.series_text(*naming.parse_series(text)) == text


@given(NAMES, LABELS, st.randoms())
def test_one_spelling(name, labels, random):
    """The order in which labels come does not matter."""
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    assert naming.series_text(name, dict(shuffled)) == naming.series_text(name, labels)


@given(NAMES, LABELS, NAMES, LABELS)
def test_distinct(name, labels, other, others):
    """Two series never share a text."""
    same = (name, naming.check_labels(labels)) == (other, naming.check_labels(others))
    assert (naming.series_text(name, labels) == naming.series_text(other, others)) is same


@given(st.text(max_size=60) | st.text('ab{}",=\\n \n\0', max_size=30))
def test_garbage(text):
    """Any text is a series or a ValueError with a sentence, nothing else."""
    try:
        name, labels = naming.parse_series(text)
    except ValueError as error:
        assert len(str(error)) > 20
    else:
        assert naming.parse_series(naming.series_text(name, labels)) == (name, labels)


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("up", "up", ()),
        ("up{}", "up", ()),
        ("system.cpu.time", "system.cpu.time", ()),
        ('up{b="2",a="1"}', "up", (("a", "1"), ("b", "2"))),
        (' up { b = "2" , a = "1" , } ', "up", (("a", "1"), ("b", "2"))),
        ('up{path="C:\\\\x\\n\\"y\\"}{"}', "up", (("path", 'C:\\x\n"y"}{'),)),
        ('up{a=""}', "up", ()),
        ('up{cpu.mode="ü"}', "up", (("cpu.mode", "ü"),)),
    ],
)
def test_accepted(text, name, labels):
    """Order and space are free, escapes are those of Prometheus, an empty value is as absent."""
    assert naming.parse_series(text) == (name, labels)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the name is empty"),
        ('{a="b"}', "the name is empty"),
        ("1up", "'1up' is not a metric name"),
        ("cpu-total", "use letters"),
        ("ü", "is not a metric name"),
        ("u\np{}", "is not a metric name"),
        ("x" * 201, "201 characters is too long"),
        ("up{", "a label name or } is wanted at character 4, not the end"),
        ("up{a}", "= after a label name"),
        ("up{a=b}", "a value in double quotes"),
        ("up{a='b'}", "a value in double quotes"),
        ('up{a="b}', "a value in double quotes"),
        ('up{a="b" c="d"}', ", or } is wanted at character 10, not"),
        ('up{a="b"} 1', "nothing after }"),
        ('up{a="1",a="2"}', "the label 'a' twice"),
        ('up{a="\\t"}', "\\t is not an escape"),
        ('up{source="x"}', "the label name source is reserved"),
        ('up{__name__="x"}', "the label name __name__ is reserved"),
        (f'up{{{"x" * 201}="1"}}', "label name of 201 characters"),
        (f'up{{a="{"x" * 201}"}}', "label a has a value of 201 characters"),
        ('up{a="\0"}', "NUL"),
        ('up{a="\ud800"}', "not Unicode text"),
        ("up{" + ",".join(f'l{n}="1"' for n in range(17)) + "}", "17 labels are too many"),
        ("up{" + " " * naming.TEXT_LIMIT, "is too long"),
    ],
)
def test_refused(text, words):
    """A refusal says what came and what would do."""
    with pytest.raises(ValueError) as caught:
        naming.parse_series(text)
    assert words in str(caught.value)


def test_label_name():
    """A label that comes as a mapping is held to the same rules as one in a text."""
    with pytest.raises(ValueError, match="'a-b' is not a label name"):
        naming.check_labels({"a-b": "1"})


@pytest.mark.parametrize("source", ["web-1", "Küche", "a b", "x" * 100])
def test_source(source):
    """Any printable name of a host or application will do."""
    assert naming.check_source(source) == source


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "the source is empty"),
        ("x" * 101, "101 characters is too long"),
        ("a\nb", "'a\\nb' is not a source"),
        (" a", "no space at either end"),
        ("\ud800", "is not a source"),
    ],
)
def test_source_refused(source, words):
    """A source that cannot be shown on a page or typed in a query is refused."""
    with pytest.raises(ValueError) as caught:
        naming.check_source(source)
    assert words in str(caught.value)


def test_longest_series_fits():
    """The longest series the other limits allow can still be written and read."""
    labels = {f"{n:x}".rjust(naming.NAME_LIMIT, "l"): '"' * naming.VALUE_LIMIT for n in range(16)}
    name = "n" * naming.NAME_LIMIT
    text = naming.series_text(name, naming.check_labels(labels))
    assert naming.parse_series(text)[0] == name


def test_shown_is_short_ascii():
    """What is shown of a bad value is short and cannot break a log line."""
    text = naming.shown("ü\n" * 100)
    assert text.isascii()
    assert "\n" not in text and len(text) <= 63
