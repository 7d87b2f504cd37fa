import msgpack
import pytest

from realtime.bodies import Reading, Table, check_amount, decoded
from realtime.errors import BadInput, UnknownFormat
from realtime.rejections import Rejections

JSON, MSGPACK = "application/json", "application/msgpack"


def read(body, content_type=JSON):
    rejections = Rejections(10)
    what = decoded(body, content_type, 1_000, rejections)
    return (what if isinstance(what, Table) else list(what)), rejections.all()


READING = Reading("a", 1, labels={"x": "1"}, source="s", at="now", unit="u")
WIRE = {
    "name": "a",
    "value": 1,
    "labels": {"x": "1"},
    "source": "s",
    "at": "now",
    "unit": "u",
}


@pytest.mark.parametrize("shape", ["fast", "sifted"])
def test_lists(shape):
    """A list is read into the same readings whether or not it has to be sifted."""
    extra = [] if shape == "fast" else [None]
    readings, rejected = read(msgpack.packb([WIRE, *extra]), MSGPACK)
    assert readings == [(0, READING)]
    assert len(rejected) == len(extra)


def test_a_single_reading_has_no_place():
    """Fields of a reading alone are named without an index."""
    assert read(msgpack.packb(WIRE), MSGPACK) == ([(None, READING)], [])
    assert read(b'{"name":"a"}')[1][0].field == "value"


@pytest.mark.parametrize("size", [1, 15, 16, 70_000])
def test_msgpack_lists_of_every_size(size):
    """The three encodings of a msgpack list are all seen as lists."""
    body = msgpack.packb([{"name": "a", "value": 1}] * size)
    what = decoded(body, MSGPACK, 100_000, Rejections(10))
    assert not isinstance(what, Table) and len(list(what)) == size


def test_table():
    """Columns are a table, typed at once or sifted cell by cell."""
    good = read(b'{"series":{"a":[1,null]},"at":[1,2],"units":{"a":"s"},"source":"s"}')
    assert good == (Table({"a": [1, None]}, [1, 2], "s", {"a": "s"}), [])
    sifted, rejected = read(b'{"series":{"a":[1,"x"]},"at":[1,2],"units":{"a":"s"},"source":"s"}')
    assert sifted == good[0]
    assert [line.field for line in rejected] == ["series.a[1]"]


def test_null_is_as_absent():
    """A sender that writes null for what it does not know is understood."""
    sifted, rejected = read(b'{"series":{"a":[1,"x"]},"at":null,"units":null,"source":null}')
    assert sifted == Table({"a": [1, None]}, None, None, {})
    assert len(rejected) == 1


def test_types_are_not_guessed():
    """A form post by a foreign page is not taken for JSON."""
    with pytest.raises(UnknownFormat, match="x-www-form-urlencoded"):
        read(b"{}", "application/x-www-form-urlencoded")


def test_amount():
    """The limit itself is still allowed."""
    check_amount(5, 5)
    with pytest.raises(BadInput, match="6 samples in one request are too many; 5 is the limit"):
        check_amount(6, 5)


@pytest.mark.parametrize("body", [b'{"name":"\xff","value":1}', b'[{"name":"a\xc3","value":1}]'])
def test_bytes_that_are_no_utf8_are_no_json(body):
    """Bad UTF-8 is told like any other broken JSON, and never an error of ours."""
    with pytest.raises(BadInput, match="not JSON"):
        read(body)
