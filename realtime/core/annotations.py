"""Annotations: what is asked of one, and those that a search means."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from storage.events import Annotation, Event


class Wish(msgspec.Struct, frozen=True):
    """What is to be said; of one that is there already, what is UNSET stays as it is. Times in µs UTC;
    `until` None marks a moment."""

    text: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    since: int | UnsetType = UNSET
    until: int | UnsetType | None = UNSET
    author: str | UnsetType = UNSET
    source: str | UnsetType = UNSET

    @property
    def size(self) -> int:
        return 200 + len(self.text or "") + sum(map(len, self.tags or ()))

    def over(self, before: Annotation) -> Annotation:
        given = {
            name: value
            for name in ("text", "tags", "since", "until", "author")
            if (value := getattr(self, name)) is not UNSET
        }
        return msgspec.structs.replace(before, **given)


class Search(msgspec.Struct, frozen=True):
    """`start` and `end` (µs, None: open) bound what it has part in; it bears every one of `tags`, and `text`
    stands somewhere in its words, whatever the case."""

    start: int | None = None
    end: int | None = None
    tags: tuple[str, ...] = ()
    text: str = ""
    source: str = ""

    def means(self, event: Event) -> bool:
        fact = event.data
        if not isinstance(fact, Annotation):
            return False
        last = fact.since if fact.until is None else fact.until
        return (
            (self.start is None or last >= self.start)
            and (self.end is None or fact.since < self.end)
            and (not self.source or event.source == self.source)
            and all(tag in fact.tags for tag in self.tags)
            and (not self.text or self.text.casefold() in fact.text.casefold())
        )


def since(event: Event) -> int:
    """When what was marked began (µs)."""
    assert isinstance(event.data, Annotation)
    return event.data.since


def found(events: Iterable[Event], search: Search) -> Iterator[Event]:
    """Those that are meant, as they come."""
    return (event for event in events if search.means(event))
