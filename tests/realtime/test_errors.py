import inspect
import re

import msgspec
import pytest

import storage.errors
from realtime import errors

ALL = [
    member
    for module in (errors, storage.errors)
    for member in vars(module).values()
    if inspect.isclass(member) and issubclass(member, errors.PlayheadError)
]

KINDS = sorted(set(ALL) - {errors.PlayheadError}, key=lambda kind: kind.__name__)


def made(kind: type[errors.PlayheadError], hint: str = "") -> errors.PlayheadError:
    if kind is errors.BadDial:
        return errors.BadDial("x is wrong", hint or "use y", "port", "--port", "x")
    if kind is errors.Busy:
        return errors.Busy(2.5, "x is wrong", hint)
    return kind("x is wrong", hint=hint)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do(kind):
    """Whoever sees one of our errors is told what happened and what to do; a closer hint wins."""
    error = made(kind)
    assert error.detail == str(error) == "x is wrong"
    assert error.hint
    assert made(kind, "call Ada").hint == "call Ada"


def test_the_drawing_is_complete():
    """The tree at the top of the file names every error."""
    drawn = set(re.findall(r"[A-Z]\w+", errors.__doc__ or ""))
    assert {kind.__name__ for kind in ALL} <= drawn
    assert {kind.__name__ for kind in ALL} <= set(errors.__all__)


@pytest.mark.parametrize(
    ("body", "field"), [(b'{"a":[1,"x"]}', "a[1]"), (b"[]", "body"), (b"{}", "body")]
)
def test_a_field_is_taken_out_of_msgspec_s_words(body, field):
    """As an RFC 9457 member names it; the whole body where no field is to blame."""
    shape = msgspec.defstruct("Shape", [("a", list[int])])
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(body, type=shape)
    error = errors.FieldError.of(raised.value)
    assert error.field == field
    assert "`" not in error.detail.partition("`")[0] and error.detail


def test_what_errors_carry():
    """The web needs numbers and fields, not sentences to take apart."""
    assert errors.Busy(2.5).retry_after_s == 2.5
    field = errors.FieldError("[3].value", "NaN is not a number")
    assert errors.BadInput("no", [field]).errors == [field]
    assert errors.Conflict("no", [field]).errors == errors.Stale("no", [field]).errors == [field]
    assert "stopping" in errors.Closing().detail
    assert isinstance(errors.StorageFull("full"), errors.StorageError)
