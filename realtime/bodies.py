"""Bodies of requests to typed readings and tables.

Well-formed bodies go straight into typed structs. The others are sifted item by item, so that one
bad reading costs only itself and is named in the answer.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

import msgspec

from realtime.core.naming import shown
from realtime.errors import BadInput, FieldError, UnknownFormat
from realtime.rejections import Refused, Rejections, field_of

JSON = "application/json"
MSGPACK = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")

Time = int | float | str
Bytes = bytes | msgspec.Raw

LONG = 1 << 20
"""Bytes from which a body is decoded part by part: while a decoder works nobody else does, in whichever thread
(law loop-never-blocks)."""


class Reading(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    value: int | float
    labels: dict[str, str] | None = None
    source: str | None = None
    at: Time | None = None
    unit: str | None = None


class Table(msgspec.Struct, forbid_unknown_fields=True):
    series: dict[str, list[int | float | None]]
    at: list[Time] | Time | None = None
    source: str | None = None
    units: dict[str, str] | None = None


class Parts(msgspec.Struct, forbid_unknown_fields=True):
    """A table whose columns are still to be decoded."""

    series: dict[str, msgspec.Raw]
    at: list[Time] | Time | None = None
    source: str | None = None
    units: dict[str, str] | None = None


class Form(NamedTuple):
    """The decoders of a wire format: of whole bodies, and of long ones part by part."""

    readings: Callable[[Bytes], list[Reading]]
    table: Callable[[Bytes], Table]
    listed: Callable[[Bytes], list[msgspec.Raw]]
    reading: Callable[[Bytes], Reading]
    parts: Callable[[Bytes], Parts]
    column: Callable[[Bytes], list[int | float | None]]

    @classmethod
    def of(cls, decoder: Any) -> "Form":
        kinds = (list[Reading], Table, list[msgspec.Raw], Reading, Parts, list[int | float | None])
        return cls(*(decoder(kind).decode for kind in kinds))


_JSON = Form.of(msgspec.json.Decoder)
_MSGPACK = Form.of(msgspec.msgpack.Decoder)
_SPACE = re.compile(r"[ \t\n\r]*")
_loose = json.JSONDecoder().raw_decode

_NUMBER = (int, float)
_READING_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "name": ((str,), "a text"),
    "value": (_NUMBER, "a number"),
    "labels": ((dict,), "an object of texts"),
    "source": ((str,), "a text"),
    "at": ((int, float, str), "RFC 3339 text or epoch seconds"),
    "unit": ((str,), "a text"),
}
_TABLE_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "series": ((dict,), "an object of lists"),
    "at": ((list, int, float, str), "a list of times"),
    "source": ((str,), "a text"),
    "units": ((dict,), "an object of texts"),
}


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for bytes that are not what was meant: bad UTF-8 is not a DecodeError to it."""


def decoded(
    body: bytes, content_type: str, max_samples: int, rejections: Rejections
) -> Table | Iterable[tuple[int | None, Reading]]:
    """A table, or readings with their places in the list (None for a single one). What cannot be
    read of it goes to `rejections`; BadInput when it cannot be read at all or is too much.
    """
    packed = _is_msgpack(content_type)
    if packed:
        # fixarray, array 16, array 32
        listed = body[:1] in (b"\xdc", b"\xdd") or 0x90 <= (body[0] if body else 0) <= 0x9F
    else:
        listed = body[:64].lstrip()[:1] == b"["
    if listed and len(body) >= LONG:
        return _sift_readings(_one_by_one(body, packed, max_samples), rejections)
    try:
        what = _typed(body, packed, listed, max_samples)
    except UNREADABLE:
        return _sifted(_raw_msgpack(body) if packed else _raw_json(body), max_samples, rejections)
    if isinstance(what, Table):
        check_amount(_amount(what.series), max_samples)
        return what
    check_amount(len(what), max_samples)
    return enumerate(what)


def check_amount(samples: int, most: int) -> None:
    if samples > most:
        raise BadInput(
            f"{samples} samples in one request are too many; {most} is the limit, "
            "so send them in several"
        )


def _sifted(
    raw: object, max_samples: int, rejections: Rejections
) -> Table | Iterable[tuple[int | None, Reading]]:
    if isinstance(raw, list):
        check_amount(len(raw), max_samples)
        return _sift_readings(raw, rejections)
    if not isinstance(raw, dict):
        raise BadInput(
            f"The body must be a reading, a list of readings or columns, not {_kind(raw)}"
        )
    if "series" not in raw:
        return _sift_readings([raw], rejections, single=True)
    check_amount(_amount(raw["series"]), max_samples)
    return _sift_table(raw, rejections)


def _is_msgpack(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in MSGPACK:
        return True
    if kind in ("", JSON):
        return False
    raise UnknownFormat(f"{shown(kind)} is not a format this endpoint reads")


def _one_by_one(body: bytes, packed: bool, max_samples: int) -> Iterator[Any]:
    """The items of a long list: readings, and what is none as it came."""
    form = _MSGPACK if packed else _JSON
    try:
        items = form.listed(body)
    except UNREADABLE:
        if packed:
            yield from cast("list[Any]", _raw_msgpack(body))  # it says what is wrong
        else:
            for count, item in enumerate(_loose_items(body), 1):
                check_amount(count, max_samples)
                yield item
        return
    check_amount(len(items), max_samples)
    for item in items:
        try:
            yield form.reading(item)
        except UNREADABLE:
            yield _raw_msgpack(bytes(item)) if packed else _raw_json(bytes(item))


def _loose_items(body: bytes) -> Iterator[Any]:
    """As `_raw_json` reads a list, an item at a time."""
    try:
        text = body.decode()
        place = _past_space(text, _expected(text, "[", 0))
        more = text[place : place + 1] != "]"
        while more:
            item, place = _loose(text, place)
            yield item
            place = _past_space(text, place)
            more = text[place : place + 1] == ","
            place = _past_space(text, place + more)
        if _past_space(text, _expected(text, "]", place)) < len(text):
            raise ValueError("something follows the list")
    except RecursionError:
        raise BadInput("The body is nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"The body is not JSON: {shown(str(error))}") from None


def _expected(text: str, what: str, place: int) -> int:
    """The place behind it."""
    place = _past_space(text, place)
    if text[place : place + 1] != what:
        raise ValueError(f"there should be a {what} at character {place}")
    return place + 1


def _past_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _typed(body: bytes, packed: bool, listed: bool, max_samples: int) -> list[Reading] | Table:
    form = _MSGPACK if packed else _JSON
    if listed:
        return form.readings(body)
    if len(body) < LONG:
        return form.table(body)
    parts = form.parts(body)
    # One column of a long body can be all of it: so it is counted before it is decoded.
    count = _packed_amount if packed else _plain_amount
    check_amount(sum(map(count, parts.series.values())), max_samples)
    series = {text: form.column(column) for text, column in parts.series.items()}
    return Table(series, parts.at, parts.source, parts.units)


def _plain_amount(column: msgspec.Raw) -> int:
    """Numbers of a column in JSON, as far as it is one."""
    told = bytes(column)
    return told.count(b",") + (len(told) > 2)


def _packed_amount(column: msgspec.Raw) -> int:
    begin = bytes(memoryview(column)[:5])
    size = {0xDC: 2, 0xDD: 4}.get(begin[0], 0)
    return int.from_bytes(begin[1 : 1 + size], "big") if size else begin[0] & 0x0F


def _raw_json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        pass
    # Python's own reader takes NaN, Infinity and 1e999, which many senders write though JSON has no
    # such numbers. Their neighbours are good, so they are rejected one by one and not as a whole.
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise BadInput("The body is nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"The body is not JSON: {shown(str(error))}") from None


def _raw_msgpack(body: bytes) -> object:
    try:
        return msgspec.msgpack.decode(body)
    except RecursionError:
        raise BadInput("The body is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"The body is not msgpack: {shown(str(error))}") from None


def _sift_readings(
    items: Iterable[Any], rejections: Rejections, single: bool = False
) -> Iterator[tuple[int | None, Reading]]:
    for place, item in enumerate(items):
        index = None if single else place
        if isinstance(item, Reading):
            yield index, item
            continue
        prefix = "" if single else f"[{place}]."
        if not isinstance(item, dict):
            detail = f"a reading is an object with name and value, not {_kind(item)}"
            rejections.add(index, prefix.rstrip("."), detail)
            continue
        try:
            yield index, _sift_reading(item)
        except Refused as refused:
            rejections.add(index, prefix + refused.field, refused.detail)


def _sift_reading(item: dict[Any, Any]) -> Reading:
    for wanted in ("name", "value"):
        if wanted not in item:
            raise Refused(wanted, "is missing; a reading needs a name and a value")
    _check_types(item, _READING_TYPES)
    for label, value in (item.get("labels") or {}).items():
        if not isinstance(label, str) or not isinstance(value, str):
            raise Refused(
                field_of("labels", label), f"{_kind(value)} is not a label value; send a text"
            )
    return Reading(**item)


def _check_types(item: dict[Any, Any], types: dict[str, tuple[tuple[type, ...], str]]) -> None:
    for field, value in item.items():
        if field not in types:
            close = difflib.get_close_matches(str(field)[:40], types, 1)
            advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(types)}"
            raise Refused(field_of("", field), f"is not a field known here; {advice}")
        kinds, wanted = types[field]
        optional = field not in ("name", "value", "series")
        if type(value) not in kinds and not (optional and value is None):
            raise Refused(field, f"must be {wanted}, not {_kind(value)}")


def _sift_table(raw: dict[Any, Any], rejections: Rejections) -> Table:
    try:
        _check_types(raw, _TABLE_TYPES)
    except Refused as refused:
        detail = f"{refused.field} {refused.detail}"
        raise BadInput(detail, [FieldError(refused.field, refused.detail)]) from None
    series: dict[str, list[int | float | None]] = {}
    for text, column in raw["series"].items():
        if not isinstance(text, str):
            rejections.add(None, "series", f"{_kind(text)} is not the name of a series")
        elif not isinstance(column, list):
            detail = f"must be a list with a number for each time, not {_kind(column)}"
            rejections.add(None, field_of("series", text), detail)
        else:
            series[text] = _sift_column(text, column, rejections)
    units: dict[str, str] = {}
    for name, unit in (raw.get("units") or {}).items():
        if isinstance(name, str) and isinstance(unit, str):
            units[name] = unit
        else:
            detail = f"{_kind(unit)} is not a unit; it is left out"
            rejections.add(None, field_of("units", name), detail, 0)
    return Table(series, raw.get("at"), raw.get("source"), units)


def _sift_column(text: str, column: list[Any], rejections: Rejections) -> list[int | float | None]:
    sifted: list[int | float | None] = []
    for row, value in enumerate(column):
        if value is None or type(value) in _NUMBER:
            sifted.append(value)
        else:
            detail = f"must be a number or null, not {_kind(value)}"
            rejections.add(row, f"{field_of('series', text)}[{row}]", detail)
            sifted.append(None)
    return sifted


def _amount(series: object) -> int:
    if not isinstance(series, dict):
        return 0
    return sum(len(column) for column in series.values() if isinstance(column, list))


def _kind(value: object) -> str:
    """What came, in the words of the wire formats."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return f"a {type(value).__name__}"
