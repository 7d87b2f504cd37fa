"""Keys of series, checked once and remembered, for the same few names come every second."""

from collections.abc import Mapping

from realtime.core.batch import Key
from realtime.core.naming import check_labels, check_name, parse_series, series_text

ROOM = 4_000_000
"""Characters of series text one generation may hold; sixty thousand common names."""

OVERHEAD = 64


class Keys:
    """A bounded memory of keys in two generations: when the young one is full it becomes the old
    one, and what is still asked for moves up again. Least recently used, at the price of a dict.
    """

    __slots__ = ("_old", "_room", "_used", "_young")

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._used = 0
        self._young: dict[object, Key] = {}
        self._old: dict[object, Key] = {}

    def of(self, name: str, labels: Mapping[str, str] | None = None) -> Key:
        """The key of `name` with `labels`; without labels `name` may be a whole series text.
        ValueError says what is wrong with it.
        """
        handle = (name, *labels.items()) if labels else name
        key = self._young.get(handle)
        if key is None:
            key = self._old.get(handle) or _key(name, labels)
            self._keep(handle, key)
        return key

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _keep(self, handle: object, key: Key) -> None:
        self._used += len(key.text) + OVERHEAD
        if self._used > self._room:
            self._old, self._young, self._used = self._young, {}, len(key.text) + OVERHEAD
        self._young[handle] = key


def _key(name: str, labels: Mapping[str, str] | None) -> Key:
    if labels:
        checked = check_labels(labels)
        check_name(name)
    else:
        name, checked = parse_series(name)
    return Key(name, checked, series_text(name, checked))
