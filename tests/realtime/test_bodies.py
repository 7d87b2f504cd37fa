import json

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime import bodies
from realtime.bodies import Reading, Table, check_amount, decoded
from realtime.errors import BadInput, UnknownFormat
from realtime.rejections import Rejections

JSON, MSGPACK = "application/json", "application/msgpack"


@pytest.fixture(params=[bodies.LONG, 1], autouse=True, ids=["whole", "in parts"])
def _long(request, monkeypatch):
    """Every promise holds for long bodies, too, which are decoded part by part."""
    monkeypatch.setattr(bodies, "LONG", request.param)


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


ITEMS = [
    f"{{{fields}}}"
    for fields in (
        '"name":"a","value":1,"labels":{"x":"1"}',
        '"name":"a","value":NaN',
        '"name":"a","value":-Infinity,"at":1e999',
        '"name":"a, [b] NaN","value":0.5',
        '"nam":"a","value":1',
        '"name":"a"',
        '"name":"a","value":"1"',
        '"name":"a","value":1,"labels":{"x":NaN}',
    )
] + ["null", "[]", "[[]]", '"x"', "7"]
SPACE = st.text(" \t\r\n", max_size=2)


def outcome(body, content_type, long):
    """What is read, told so that NaN equals itself, or the words of the refusal."""
    before, bodies.LONG = bodies.LONG, long
    try:
        return repr(read(body, content_type))
    except BadInput as error:
        return error.detail.split("(")[0].split(":")[0]
    finally:
        bodies.LONG = before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(ITEMS), max_size=6),
    SPACE,
    st.sampled_from(["", "]", ",", " x", "[", "{"]),
)
def test_in_parts_it_is_read_as_in_one(items, space, more):
    """Good or bad, with what JSON has not, and with what follows that should not."""
    body = f"{space}[{space}{f'{space},{space}'.join(items)}{space}]{space}{more}".encode()
    assert outcome(body, JSON, 1) == outcome(body, JSON, 1 << 20)
    assert outcome(body[:-1], JSON, 1) == outcome(body[:-1], JSON, 1 << 20)


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
def test_a_column_is_counted_before_it_is_decoded(content_type, monkeypatch):
    """A long body may be one column: what is too much is refused before the numbers are made."""
    pack = msgpack.packb if content_type == MSGPACK else lambda what: json.dumps(what).encode()

    def refuse(_column):
        raise AssertionError("decoded")

    for form in ("_JSON", "_MSGPACK"):
        monkeypatch.setattr(bodies, form, getattr(bodies, form)._replace(column=refuse))
    monkeypatch.setattr(bodies, "LONG", 1)
    for columns in ([1001], [70_000], [10] * 101):
        body = pack({"series": {f"s{n}": [1] * count for n, count in enumerate(columns)}})
        with pytest.raises(BadInput, match="too many; 1000 is the limit"):
            read(body, content_type)


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
def test_as_many_as_may_be_are_read(content_type):
    """The limit itself is still allowed, in one column or in many, empty ones among them."""
    pack = msgpack.packb if content_type == MSGPACK else lambda what: json.dumps(what).encode()
    for columns in ([1000], [10] * 100, [15, 0, 16, 969]):
        body = pack({"series": {f"s{n}": [1] * count for n, count in enumerate(columns)}})
        table, rejected = read(body, content_type)
        assert [len(column) for column in table.series.values()] == columns and not rejected
