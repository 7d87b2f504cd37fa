"""What every collector is: a name, a pace, a table of what it tells, and one thing it can do."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from realtime.collect.reading import Reading
from realtime.core.batch import Descriptor


class Moment(NamedTuple):
    """When something is read, on both clocks: `wall_s` since 1970, which may be set to anything at
    any time, and `steady_s`, which only ever goes forward but may stand still while asleep.
    """

    wall_s: float
    steady_s: float


class Collector(Protocol):
    """Reads; judges nothing, keeps only what rates need. What it raises costs only itself."""

    @property
    def name(self) -> str: ...

    @property
    def pace_s(self) -> float:
        """How long to leave it in peace between two readings; 0 is every beat."""

    @property
    def on_loop(self) -> bool:
        """True for what belongs to the loop and is quick; all else is read in a thread."""

    @property
    def descriptors(self) -> Mapping[str, Descriptor]:
        """Each metric it can tell, by name."""

    def collect(self, moment: Moment) -> list[Reading]: ...
