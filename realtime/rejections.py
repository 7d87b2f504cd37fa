"""What was not taken of a request, and why."""

from realtime.core.batch import Rejection
from realtime.core.naming import shown

FIELD_LIMIT = 200


class Refused(Exception):
    """One item is not acceptable; `field` is relative to it."""

    def __init__(self, field: str, detail: object) -> None:
        super().__init__(field, detail)
        self.field = field
        self.detail = str(detail)


class Rejections:
    """Keeps the first `limit` rejections and counts the rest, so that an answer stays small."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Rejection] = []
        self._more = 0
        self._more_samples = 0

    def add(self, index: int | None, field: str, detail: object, samples: int = 1) -> None:
        if len(self._kept) < self._limit:
            self._kept.append(Rejection(index, field, str(detail), samples))
        else:
            self._more += 1
            self._more_samples += samples

    def all(self) -> list[Rejection]:
        if not self._more:
            return self._kept
        detail = f"and {self._more} more like these, which are not listed one by one"
        return [*self._kept, Rejection(None, "", detail, self._more_samples)]


def field_of(group: str, name: object) -> str:
    plain = isinstance(name, str) and name.isascii() and name.isprintable()
    text = name if isinstance(name, str) and plain and len(name) <= FIELD_LIMIT else shown(name)
    return f"{group}.{text}" if group else text
