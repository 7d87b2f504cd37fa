from hypothesis import given
from hypothesis import strategies as st

from realtime.collect.reading import clean, key, reading
from realtime.core.naming import parse_series


def test_a_reading_knows_its_series():
    """Labels are sorted, empty ones are as absent, and the text is the one spelling."""
    found = reading("disk_bytes", 7, state="used", device="/dev/vda", label="")
    assert found.value == 7
    assert found.key.text == 'disk_bytes{device="/dev/vda",state="used"}'
    assert found.key.labels == (("device", "/dev/vda"), ("state", "used"))


def test_a_key_is_written_once():
    """The same series is the same key every second."""
    assert key("a", b="c") is key("a", b="c")


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_any_name_of_the_system_becomes_a_label(value):
    """Paths and commands may hold anything; what comes out is a series that can be read back."""
    found = key("m", label=value)
    assert parse_series(found.text) == ("m", found.labels)
    assert len(clean(value)) <= 200


def test_ratios_are_kept_without_noise():
    """A difference of floats is not written with all its sixteen digits."""
    assert reading("r", 0.1 + 0.2).value == 0.3
