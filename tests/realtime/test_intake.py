import json
import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.batch import Descriptor
from realtime.core.times import SECOND
from realtime.errors import BadInput, UnknownFormat
from realtime.intake import Intake, Limits, exact

NOW = 1_795_403_506_000_000
JSON, MSGPACK = "application/json", "application/msgpack"
LIMITS = Limits(max_samples=1_000, max_rejections=50)


def read(what, content_type=None, limits=LIMITS):
    """Samples as {(source, text, at): value}, what was rejected, and the batch itself."""
    if content_type is None:
        both = [read(what, JSON, limits), read(what, MSGPACK, limits)]
        assert both[0][:2] == both[1][:2], "JSON and msgpack must mean the same"
        return both[0]
    body = what if isinstance(what, bytes) else packed(what, content_type)
    batch, rejected = Intake(limits, "me").read(body, content_type, NOW)
    return samples(batch), rejected, batch


def packed(what, content_type):
    return json.dumps(what).encode() if content_type == JSON else msgpack.packb(what)


def samples(batch):
    found = {}
    for columns in batch.columns:
        assert len(columns.keys) == len(columns.values)
        for key, values in zip(columns.keys, columns.values, strict=True):
            assert len(values) == len(columns.ats)
            assert any(value is not None for value in values), "no empty column"
            for at, value in zip(columns.ats, values, strict=True):
                if value is not None:
                    assert (columns.source, key.text, at) not in found
                    found[columns.source, key.text, at] = value
    assert len(found) == batch.size
    return found


def refused(what, content_type=JSON, limits=LIMITS):
    with pytest.raises(BadInput) as caught:
        read(what, content_type, limits)
    assert caught.value.hint
    return caught.value


def told(rejected):
    return [(line.index, line.field, line.detail) for line in rejected]


GOOD = {"name": "good", "value": 1}


# What is taken


def test_one_reading():
    """A reading alone is now, and from the host the server runs on."""
    got, rejected, batch = read({"name": "queue_depth", "value": 3.5, "unit": "jobs"})
    assert got == {("me", "queue_depth", NOW): 3.5}
    assert not rejected
    assert batch.descriptors == {"queue_depth": Descriptor(unit="jobs")}


def test_a_list_of_readings():
    """Readings are grouped by source and moment, however their times are written."""
    got, rejected, batch = read(
        [
            {"name": "a", "value": 1, "at": NOW / SECOND},
            {"name": "b", "value": 2, "at": "now", "labels": {"y": "2", "x": "1"}},
            {"name": "a", "value": 3, "at": "-1s"},
            {"name": "a", "value": 4, "source": "web-1", "at": "2026-11-23T03:11:46+00:00"},
            {"name": "c", "value": 5, "labels": None, "source": None, "at": None, "unit": None},
        ]
    )
    assert not rejected
    assert got == {
        ("me", "a", NOW): 1,
        ("me", 'b{x="1",y="2"}', NOW): 2,
        ("me", "a", NOW - SECOND): 3,
        ("web-1", "a", NOW): 4,
        ("me", "c", NOW): 5,
    }
    assert [(columns.source, len(columns.keys)) for columns in batch.columns] == [
        ("me", 3),
        ("me", 1),
        ("web-1", 1),
    ]


def test_columns():
    """Columns keep their shape; null is a sample that is not there."""
    got, rejected, batch = read(
        {
            "source": "web-1",
            "at": [1795403500, "2026-11-23T03:11:41Z", "-4s"],
            "series": {"a": [1, 2.5, None], 'b{y="2",x="1"}': [None, None, 3]},
            "units": {"b": "bytes"},
        }
    )
    assert not rejected
    at = NOW - 6 * SECOND
    assert got == {
        ("web-1", "a", at): 1,
        ("web-1", "a", at + SECOND): 2.5,
        ("web-1", 'b{x="1",y="2"}', at + 2 * SECOND): 3,
    }
    assert len(batch.columns) == 1
    assert batch.descriptors == {"b": Descriptor(unit="bytes")}


@pytest.mark.parametrize("at", [{}, {"at": "now"}, {"at": NOW / SECOND}, {"at": ["now"]}])
def test_columns_of_one_moment(at):
    """A single moment may be written without a list, or left out for now."""
    assert read({"series": {"a": [1]}, **at})[0] == {("me", "a", NOW): 1}


def test_rows_without_a_sample_are_left_out():
    """A moment at which nothing was measured, and a series never measured, are no facts."""
    _, rejected, batch = read({"at": [1, 2, 3], "series": {"a": [1, None, 3], "b": [None] * 3}})
    assert not rejected
    assert batch.columns[0].ats == [SECOND, 3 * SECOND]
    assert [key.text for key in batch.columns[0].keys] == ["a"]


@pytest.mark.parametrize(
    "content_type", ["", "application/json; charset=utf-8", "Application/JSON"]
)
def test_json_content_types(content_type):
    """A body without a type is JSON."""
    assert read(b' {"name":"a","value":1}', content_type)[0]
    assert read(b'\n\t[{"name":"a","value":1}]', content_type)[0]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "ü/\n"]
)
def test_other_content_types(content_type):
    """A body of another type is not guessed at."""
    with pytest.raises(UnknownFormat) as caught:
        read(b"{}", content_type)
    assert "application/msgpack" in caught.value.hint


# Values


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.0, 1),
        (-0.0, -0.0),
        (0.1, 0.1),
        (2**53, 2**53),
        (2**53 + 2, float(2**53 + 2)),
        (2**60, 2.0**60),
        (1e300, 1e300),
        (5e-324, 5e-324),
    ],
)
def test_values_are_canonical(value, kept):
    """A value is stored in the one spelling of its double, whichever road it comes by."""
    for body in ([{"name": "a", "value": value}], {"series": {"a": [value]}}):
        got = read(body)[0]["me", "a", NOW]
        assert repr(got) == repr(kept)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "must be a number, not true"),
        ("1", "must be a number, not the text '1'"),
        (None, "must be a number, not null"),
        ([1], "must be a number, not a list"),
        ({}, "must be a number, not an object"),
        (float("nan"), "nan is not a finite number"),
        (float("-inf"), "-inf is not a finite number"),
        (2**53 + 1, "an integer of 54 bits that no double holds exactly"),
        (-(2**63) + 1, "no double holds exactly"),
    ],
)
def test_values_that_are_rejected(value, words):
    """A bad value costs only itself, and the answer says which it was and why."""
    got, rejected, _ = read([GOOD, {"name": "bad", "value": value}, {**GOOD, "name": "other"}])
    assert set(text for _, text, _ in got) == {"good", "other"}
    assert [(line.index, line.field, line.samples) for line in rejected] == [(1, "[1].value", 1)]
    assert words in rejected[0].detail
    if value is None:
        return
    got, rejected, _ = read({"at": [1, 2], "series": {"bad": [value, 7], "good": [1, 2]}})
    assert len(got) == 3
    assert [(line.index, line.field, line.samples) for line in rejected] == [
        (0, "series.bad[0]", 1)
    ]
    assert words.replace("a number,", "a number or null,") in rejected[0].detail


@pytest.mark.parametrize("literal", ["NaN", "-Infinity", "1e999", '"\\ud800"', "9" * 400])
def test_json_that_is_not_quite_json(literal):
    """What many senders write though JSON has no such numbers costs one reading, not the request."""
    body = f'[{{"name":"good","value":1}},{{"name":"bad","value":{literal}}}]'.encode()
    got, rejected, _ = read(body, JSON)
    assert list(got.values()) == [1]
    assert [line.field for line in rejected] == ["[1].value"]
    assert rejected[0].detail.isascii()


@given(st.integers() | st.floats())
def test_exact(value):
    """A number is kept as the very same number, canonical, or refused; never rounded."""
    try:
        kept = exact(value)
    except ValueError:
        if isinstance(value, float):
            assert not math.isfinite(value)
        else:
            assert abs(value) > 2**53
    else:
        assert kept == value
        assert math.copysign(1, kept) == math.copysign(1, value)
        if isinstance(kept, int):
            assert abs(kept) <= 2**53
        else:
            assert not kept.is_integer() or abs(kept) > 2**53 or str(kept) == "-0.0"


# What is rejected, one by one


@pytest.mark.parametrize(
    ("bad", "field", "words"),
    [
        ({"value": 1}, ".name", "is missing"),
        ({"name": "a"}, ".value", "is missing"),
        ({"name": 5, "value": 1}, ".name", "must be a text, not a number"),
        ({"name": "", "value": 1}, ".name", "the name is empty"),
        ({"name": "a-b", "value": 1}, ".name", "is not a metric name"),
        ({"name": "a-b", "value": 1, "labels": {"x": "1"}}, ".name", "is not a metric name"),
        ({"name": "a", "value": 1, "labels": {"x-y": "1"}}, ".labels", "is not a label name"),
        ({"name": "a", "value": 1, "labels": {"source": "1"}}, ".labels", "beside the name"),
        (
            {"name": "a", "value": 1, "labels": {"x": 1}},
            ".labels.x",
            "not a label value; send a text",
        ),
        ({"name": "a", "value": 1, "labels": ["x"]}, ".labels", "must be an object of texts"),
        ({"name": "a", "value": 1, "source": ""}, ".source", "the source is empty"),
        ({"name": "a", "value": 1, "source": "a\nb"}, ".source", "is not a source"),
        ({"name": "a", "value": 1, "source": 5}, ".source", "must be a text"),
        ({"name": "a", "value": 1, "at": "soon"}, ".at", "'soon' is not a time"),
        ({"name": "a", "value": 1, "at": -1}, ".at", "outside the years"),
        ({"name": "a", "value": 1, "at": True}, ".at", "not true"),
        ({"name": "a", "value": 1, "at": "+301s"}, ".at", "301 s ahead of this server's clock"),
        ({"name": "a", "value": 1, "unit": 5}, ".unit", "must be a text"),
        ({"name": "a", "value": 1, "unit": "x\n"}, ".unit", "is not a unit"),
        ({"name": "a", "value": 1, "lables": {}}, ".lables", "did you mean labels?"),
        ({"name": "a", "value": 1, "xyzzy": 1}, ".xyzzy", "known are name, value"),
        ("a 1", "", "a reading is an object with name and value, not the text 'a 1'"),
        (None, "", "not null"),
    ],
)
def test_bad_readings(bad, field, words):
    """A bad reading costs only itself; alone, it is the whole request that is refused."""
    got, rejected, _ = read([bad, GOOD])
    assert list(got) == [("me", "good", NOW)]
    assert [(line.index, line.field) for line in rejected] == [(0, f"[0]{field}")]
    assert words in rejected[0].detail
    if isinstance(bad, dict):
        for content_type in (JSON, MSGPACK):
            error = refused(bad, content_type)
            assert [line.field for line in error.errors] == [field[1:]]
            assert words in error.detail


def test_at_the_edge_of_the_future():
    """A clock may be ahead by as much as the limit says, and no more."""
    assert read({"name": "a", "value": 1, "at": "+300s"})[0]
    assert read({"name": "a", "value": 1, "at": 0})[0]


def test_twice_the_same():
    """Of two values for one series and moment the first is taken and the second named."""
    got, rejected, _ = read(
        [
            {"name": "a", "value": 1, "labels": {"x": "1", "y": "2"}},
            {"name": "a", "value": 2, "labels": {"y": "2", "x": "1"}, "at": "now"},
            {"name": "a", "value": 3, "labels": {"x": "1"}},
        ]
    )
    assert sorted(got.values()) == [1, 3]
    assert told(rejected)[0][:2] == (1, "[1].name")
    assert "has a value at this time already" in rejected[0].detail


def test_two_units_for_one_name():
    """Seconds and milliseconds do not mix in one series."""
    got, rejected, batch = read(
        [
            {"name": "a", "value": 1, "unit": "s", "at": 1},
            {"name": "a", "value": 2, "unit": "ms", "at": 2},
            {"name": "a", "value": 3, "at": 3},
        ]
    )
    assert sorted(got.values()) == [1, 3]
    assert told(rejected) == [(1, "[1].unit", "'ms' differs from 's' earlier in this request")]
    assert batch.descriptors["a"].unit == "s"


def test_one_unit_said_twice():
    """Saying the same unit with every reading is the common case; no unit is no statement."""
    _, rejected, batch = read([{**GOOD, "unit": "s", "at": at} for at in (1, 2)])
    assert not rejected and batch.descriptors == {"good": Descriptor(unit="s")}
    _, rejected, batch = read({"series": {"a": [1]}, "units": {"a": ""}})
    assert not rejected and batch.descriptors == {}


def test_bad_columns():
    """A bad column, cell or moment costs only itself, and each line says how many samples it is."""
    got, rejected, _ = read(
        {
            "at": [1, "soon", 3, 3],
            "series": {
                "good": [1, 2, 3, 4],
                "short": [1, 2, None],
                "a-b": [1, 2, 3, 4],
                "odd": [True, None, "x", 1],
                "text": "1",
                'l{b="2",a="1"}': [1, None, None, None],
                'l{a="1",b="2"}': [1, 2, None, None],
            },
            "units": {"good": 5, "nobody": "s", "odd": "x" * 99},
        }
    )
    assert got == {
        ("me", "good", SECOND): 1,
        ("me", "good", 3 * SECOND): 3,
        ("me", 'l{a="1",b="2"}', SECOND): 1,
    }
    lines = {line.field: (line.index, line.samples, line.detail) for line in rejected}
    assert lines["at[1]"][:2] == (1, 1) and "'soon' is not a time" in lines["at[1]"][2]
    assert lines["at[3]"][:2] == (3, 2) and "in this list already" in lines["at[3]"][2]
    assert lines["series.short"] == (None, 2, "has 3 values for 4 times")
    assert lines["series.a-b"][:2] == (None, 4)
    assert lines["series.odd[0]"][:2] == (0, 1)
    assert lines["series.odd[2]"][:2] == (2, 1)
    assert "must be a list" in lines["series.text"][2]
    assert lines['series.l{a="1",b="2"}'][:2] == (None, 2)
    assert lines["units.good"][1] == lines["units.nobody"][1] == lines["units.odd"][1] == 0


def test_msgpack_of_its_own_kind():
    """What only msgpack can say is rejected as well as anything else."""
    rejected = read([{"name": b"a", "value": 1}, {b"name": "a"}, GOOD], MSGPACK)[1]
    assert [line.field for line in rejected] == ["[0].name", "[1].name"]
    rejected = read({"series": {"a": [1], b"b": [1], 3: [1]}, "units": {1: "s"}}, MSGPACK)[1]
    assert len(rejected) == 3
    rejected = read([{"name": "a", "value": 1, "at": msgpack.Timestamp(5)}, GOOD], MSGPACK)[1]
    assert rejected[0].field == "[0].at" and "datetime" in rejected[0].detail
    rejected = read([{"name": "a", "value": 1, 7: 1, "labels": {1: "x"}}, GOOD], MSGPACK)[1]
    assert len(rejected) == 1


# What is refused as a whole


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", JSON, "not JSON"),
        (b"{", JSON, "not JSON"),
        (b"cpu 1", JSON, "not JSON"),
        (b"\xff\xfe", JSON, "not JSON"),
        (b'{"name":"a","value":' + b"9" * 5000 + b"}", JSON, "not JSON"),
        (b"[" * 100_000, JSON, "nested too deeply"),
        (b"5", JSON, "must be a reading, a list of readings or columns, not a number"),
        (b"null", JSON, "not null"),
        (b"[]", JSON, "no acceptable sample"),
        (b"{}", JSON, "name is missing"),
        (b'{"series":{}}', JSON, "no acceptable sample"),
        (b'{"series":{"a":[null]}}', JSON, "no acceptable sample"),
        (b'{"series":[]}', JSON, "series must be an object of lists, not a list"),
        (b'{"series":{"a":[1]},"source":""}', JSON, "the source is empty"),
        (b'{"series":{"a":[1]},"unit":"s"}', JSON, "did you mean units?"),
        (b'{"series":{"a":[1]},"at":{}}', JSON, "at must be a list of times"),
        (b'{"series":{"a":[1,2]},"at":[]}', JSON, "has 2 values for 0 times"),
        (b'{"series":{"a":[1]},"at":[null]}', JSON, "null is not a time"),
        (b'{"series":{"a":[1]},"at":[[1]]}', JSON, "list is not a time"),
        (b'{"series":{"a":[1]},"at":"soon"}', JSON, "'soon' is not a time"),
        (b"", MSGPACK, "not msgpack"),
        (b"\xc1", MSGPACK, "not msgpack"),
        (b"\x90\x90", MSGPACK, "not msgpack"),
        (b"\xdd\xff\xff\xff\xff", MSGPACK, "not msgpack"),
        (b"\x81\x80\x01", MSGPACK, "not msgpack"),
        (b"\x91" * 100_000, MSGPACK, "nested too deeply"),
        (b"\x05", MSGPACK, "not a number"),
    ],
)
def test_bodies_that_are_refused(body, content_type, words):
    """A body nothing of which can be taken is refused with its reason."""
    error = refused(body, content_type)
    assert words in error.detail or any(words in line.detail for line in error.errors)
    assert error.detail.isascii()


@pytest.mark.parametrize("sifted", [False, True])
def test_too_many(sifted):
    """One request has a limit, whatever its shape, and the answer says which."""
    limits = Limits(max_samples=3)
    bad = [{"name": "a", "value": "x"}] if sifted else []
    readings = [{"name": "a", "value": 1, "at": at} for at in range(4)]
    columns = {"at": [1, 2], "series": {"a": [1, 2], "b": ["x" if sifted else 1, 2]}}
    for body in (readings + bad, columns, {"at": [1, 2, 3, 4], "series": {}}):
        for content_type in (JSON, MSGPACK):
            assert "3 is the limit" in refused(body, content_type, limits).detail
    assert len(read(readings[:3], limits=limits)[0]) == 3


def test_many_rejections_are_summed_up():
    """However many are rejected, the answer stays short and accounts for every one."""
    bad = [{"name": "a-b", "value": 1}] * 500
    _, rejected, _ = read([*bad, GOOD], limits=Limits(max_rejections=10))
    assert len(rejected) == 11
    assert sum(line.samples for line in rejected) == 500


def test_the_default_source_is_checked():
    """An intake that would stamp a bad source on everything is not built."""
    with pytest.raises(ValueError, match="is not a source"):
        Intake(Limits(), "a\nb")


# Whatever comes

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "value", "labels", "source", "at", "unit", "units", "series", "x"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def check_anything(body, content_type):
    try:
        batch, rejected = Intake(LIMITS, "me").read(body, content_type, NOW)
    except BadInput as error:
        assert error.detail
        json.dumps([[line.field, line.detail] for line in error.errors]).encode()
    else:
        assert samples(batch)
        for line in rejected:
            assert line.detail and line.field.encode()


@given(ANYTHING)
def test_any_structure(what):
    """Any JSON at all is taken, partly taken with reasons, or refused with a reason."""
    check_anything(json.dumps(what).encode(), JSON)


@given(st.binary(max_size=200), st.sampled_from([JSON, MSGPACK]))
def test_any_bytes(body, content_type):
    """Any bytes at all are refused with a reason, or are samples."""
    check_anything(body, content_type)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b.c", 'd{e="f"}']), st.integers(0, 5)), NUMBERS, min_size=1
    )
)
def test_the_same_by_every_road(wanted):
    """The same samples as readings or as columns, in JSON or msgpack, are the same samples."""
    ats = sorted({at for _, at in wanted})
    texts = sorted({text for text, _ in wanted})
    readings = [{"name": text, "value": v, "at": at} for (text, at), v in wanted.items()]
    columns = {
        "at": ats,
        "series": {text: [wanted.get((text, at)) for at in ats] for text in texts},
    }
    expected = {("me", text, at * SECOND): exact(v) for (text, at), v in wanted.items()}
    for body in (readings, columns):
        got, rejected, _ = read(body)
        assert not rejected
        assert {key: repr(v) for key, v in got.items()} == {k: repr(v) for k, v in expected.items()}
