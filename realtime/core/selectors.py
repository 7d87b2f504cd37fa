"""Which series are meant: `name{mode="user",device!="lo",mountpoint=~"/srv/.*",source="web-1"}`.

As in Prometheus: the name may be missing, all matchers must hold, an absent label counts as "",
and a pattern must match the whole value. The pseudo-labels `source` and `__name__` stand for the
source and the name.
"""

import re
from collections.abc import Callable, Mapping

import re2  # type: ignore[import-untyped]

from realtime.core import naming

LENGTH_LIMIT = 1_000
MATCHERS_LIMIT = 32
PATTERN_MEMORY = 1 << 20
"""Bytes one compiled pattern may take, so that a short pattern cannot unfold into a huge one."""

_OPERATOR = re.compile(r"=~|!~|!=|=")

Test = Callable[[str], bool]


class Selector:
    """A parsed selector. It is immutable, and `matches` takes time linear in the label values."""

    __slots__ = ("_name", "_source", "_tests", "source", "text")

    def __init__(self, text: str, tests: list[tuple[str, Test]], source: str | None = None) -> None:
        self.text = text
        self.source = source
        """The one source whose series it can mean; None where it does not say."""
        self._name = [test for label, test in tests if label == "__name__"]
        self._source = [test for label, test in tests if label == "source"]
        self._tests = [(label, test) for label, test in tests if label not in naming.RESERVED]

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """ValueError says what cannot be read, where, and what is wanted there."""
        if len(text) > LENGTH_LIMIT:
            raise ValueError(
                f"a selector of {len(text)} characters is too long; {LENGTH_LIMIT} is the limit"
            )
        text = text.strip()
        if not text:
            raise ValueError("the selector is empty; write a series name, or {} for all of them")
        name, brace, _ = text.partition("{")
        tests: list[tuple[str, Test]] = []
        source = None
        if stripped := name.strip():
            tests.append(("__name__", naming.check_name(stripped).__eq__))
        if brace:
            for label, operator, value in _matchers(text, len(name) + 1):
                tests.append((label, _test(operator, value)))
                if (label, operator) == ("source", "="):
                    source = value
        return cls(text, tests, source)

    def matches(self, name: str, labels: Mapping[str, str], source: str) -> bool:
        return (
            all(test(name) for test in self._name)
            and all(test(source) for test in self._source)
            and all(test(labels.get(label, "")) for label, test in self._tests)
        )

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


def _matchers(text: str, at: int) -> list[tuple[str, str, str]]:
    """Label, operator and value of each."""
    found: list[tuple[str, str, str]] = []
    while True:
        at = naming.skip_space(text, at)
        if text.startswith("}", at):
            break
        label = naming.LABEL.match(text, at)
        if not label:
            raise ValueError(naming.misread(text, at, "a label name or }"))
        at = naming.skip_space(text, label.end())
        operator = _OPERATOR.match(text, at)
        if not operator:
            raise ValueError(naming.misread(text, at, "one of = != =~ !~"))
        value, at = naming.read_quoted(text, naming.skip_space(text, operator.end()))
        if len(found) == MATCHERS_LIMIT:
            raise ValueError(f"a selector may have {MATCHERS_LIMIT} matchers; this one has more")
        found.append((label[0], operator[0], value))
        at = naming.read_comma(text, at)
    if at + 1 != len(text):
        raise ValueError(naming.misread(text, at + 1, "nothing after }"))
    return found


def _test(operator: str, value: str) -> Test:
    if operator == "=":
        return value.__eq__
    if operator == "!=":
        return value.__ne__
    full = _pattern(value)
    if operator == "=~":
        return lambda text: full(text) is not None
    return lambda text: full(text) is None


def _pattern(pattern: str) -> Callable[[str], object]:
    # Anyone who may look may send a pattern, and `re` takes exponential time for some of them:
    # (a|a)*b has no nested quantifier and a*a*a*a*b is "only" polynomial, yet both stop the loop,
    # so a length limit and a search for bad shapes would not do. RE2 is linear by construction,
    # ships wheels for every platform we do, and is the dialect Prometheus users already know.
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    options.dot_nl = True
    try:
        full: Callable[[str], object] = re2.compile(pattern, options).fullmatch
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else "not Unicode text"
        raise ValueError(
            f"{naming.shown(pattern)} is not a pattern RE2 accepts: {naming.shown(words)}"
        ) from None
    return full
