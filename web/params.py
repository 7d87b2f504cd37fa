"""Query strings into typed structs. An error names the field, says what came, and what would do."""

from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect, structs

from web.problem import Problem, shown

LONGEST = 100_000
"""Characters of a query string read at all: room for as many selectors as a query may name."""
MOST_PAIRS = 500
"""Pairs of a query string read at all: each costs a conversion, and a URL can hold thousands."""

T = TypeVar("T", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of an endpoint that takes no parameter."""


def read_query(kind: type[T], query: str) -> T:
    """`query` (percent-encoded, without `?`) as a `kind`; Problem 400 naming every wrong field.

    A list field takes the parameter repeated; one marked `comma` takes commas as well.
    """
    pairs = _pairs(query)
    fields = fields_of(kind)
    values: dict[str, Any] = {}
    errors: list[tuple[str, str]] = []
    for name, text in pairs:
        field = fields.get(name)
        if field is None:
            errors.append((name, _unknown(name, fields)))
        elif _is_list(field):
            values.setdefault(name, []).extend(_split(field, text))
        elif name in values:
            errors.append((name, f"came more than once; give it once ({_wanted(field.type)})"))
        else:
            values[name] = text
    if not errors:
        try:
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError:
            errors = _diagnose(kind, values)
    raise Problem(400, "the query string is not one this address takes", errors)


def _pairs(query: str) -> list[tuple[str, str]]:
    if len(query) > LONGEST:
        raise Problem(400, f"the query string is {len(query)} characters, at most {LONGEST} do")
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PAIRS)
    except UnicodeDecodeError:
        raise Problem(400, "the query string is not UTF-8 once percent-decoded") from None
    except ValueError:
        raise Problem(
            400, f"the query string holds more than {MOST_PAIRS} parameters, at most that many do"
        ) from None


def _diagnose(kind: type[msgspec.Struct], values: dict[str, Any]) -> list[tuple[str, str]]:
    """Every field that is wrong, each on its own: msgspec stops at the first."""
    errors: list[tuple[str, str]] = []
    for name, field in fields_of(kind).items():
        if name not in values:
            if field.required:
                errors.append((name, f"is missing; give {_wanted(field.type)}"))
            continue
        try:
            msgspec.convert({name: values[name]}, _alone(kind, name), strict=False)
        except msgspec.ValidationError:
            came = values[name]
            told = ", ".join(shown(v) for v in came[:3]) if isinstance(came, list) else shown(came)
            errors.append((name, f"got {told}; give {_wanted(field.type)}"))
    return errors


@cache
def fields_of(kind: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    """The fields of a query struct by the names the caller uses."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: field for field in info.fields}


@cache
def _alone(kind: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """A struct of just one field of `kind`, to learn whether that field is the wrong one."""
    hints = {f.encode_name: f for f in structs.fields(kind)}
    return msgspec.defstruct(
        "Alone", [(hints[name].name, hints[name].type)], rename={hints[name].name: name}
    )


def _unknown(name: str, fields: dict[str, inspect.Field]) -> str:
    if not fields:
        return "is not a parameter here; this address takes none"
    return f"is not a parameter here; there are {', '.join(fields)}"


def _bare(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """A field's type without its wrapping, and the wrapping's own notes."""
    if isinstance(kind, inspect.Metadata):
        return kind.type, kind.extra or {}
    return kind, {}


def _is_list(field: inspect.Field) -> bool:
    return isinstance(_bare(field.type)[0], inspect.ListType)


def by_commas(field: inspect.Field) -> bool:
    """Whether commas separate the items of this list parameter."""
    return bool(_bare(field.type)[1].get("comma"))


def _split(field: inspect.Field, text: str) -> list[str]:
    return text.split(",") if by_commas(field) else [text]


def _wanted(kind: inspect.Type) -> str:
    """A type in words a caller can act on."""
    kind, notes = _bare(kind)
    if "wanted" in notes:
        return str(notes["wanted"])
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.LiteralType():
            return "one of " + ", ".join(str(v) for v in kind.values)
        case inspect.ListType():
            some = f"up to {kind.max_length} of: " if kind.max_length else "any number of: "
            return some + _wanted(kind.item_type)
        case inspect.UnionType():
            return " or ".join(
                _wanted(one) for one in kind.types if not isinstance(one, inspect.NoneType)
            )
        case inspect.StrType():
            most = f" of at most {kind.max_length} characters" if kind.max_length else ""
            return f"text{most}"
        case _:
            return "a value as the documentation says"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    words = [
        f"{word} {limit:,}" if isinstance(limit, int) else f"{word} {limit:g}"
        for word, limit in (
            ("above", kind.gt),
            ("from", kind.ge),
            ("below", kind.lt),
            ("to", kind.le),
        )
        if limit is not None
    ]
    return f" {' '.join(words)}" if words else ""
