"""What comes in: samples in columns, with what is known of the series they belong to."""

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from storage.events import Number


class Key(NamedTuple):
    """A series without its source. `labels` are sorted, `text` is `series_text(name, labels)`."""

    name: str
    labels: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a metric name means, for every series that bears it."""

    unit: str = ""
    kind: str = "gauge"
    help: str = ""


@dataclass(slots=True)
class Columns:
    """Samples of one source: `values[k][t]` is that of `keys[k]` at `ats[t]` (µs UTC), or None."""

    source: str
    ats: list[int]
    keys: list[Key]
    values: list[list[Number | None]]

    @property
    def size(self) -> int:
        """How many samples there truly are."""
        return sum(len(column) - column.count(None) for column in self.values)


@dataclass(slots=True)
class Batch:
    """What is handed over, and becomes durable, together. `descriptors` are by metric name."""

    columns: list[Columns]
    descriptors: dict[str, Descriptor] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many samples there truly are."""
        return sum(columns.size for columns in self.columns)


class Rejection(msgspec.Struct, frozen=True):
    """What was not taken, and why. `index` is the place in a list of readings or in a column,
    `field` is written like `[3].value`, `samples` says how many samples this line speaks for."""

    index: int | None
    field: str
    detail: str
    samples: int = 1
