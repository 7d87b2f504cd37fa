"""Are the rollups what the samples say? Minutes against the raw columns, hours against minutes, the finest
tier against minutes; bit for bit, since totals are exact."""

import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np

from storage.blocks import unpack_buckets
from storage.errors import Damaged
from storage.look import Progress
from storage.proof import Damage, Tell, samples, sleeve, told
from storage.rollups import (
    BLOCK,
    TIERS,
    Buckets,
    Columns,
    Sheaf,
    block_of,
    block_start,
    coarser,
    differing,
    fold_all,
    merge_all,
    width,
)
from storage.scan import readable, rows
from storage.segments import Head
from storage.strips import Place
from storage.tiers import GROUP, block_at

FINE, MINUTE, HOUR = TIERS
TOGETHER: Final = 8 * GROUP
"""Series compared at once: 512 of them with six hours of minutes fit a few megabytes."""
SLEEVES: Final = 64


def name(place: int) -> str:
    """The name of a row of `rollups`."""
    number, series = place >> 58, place & (1 << 32) - 1
    if not 1 <= number <= len(TIERS):
        return f"place {place}"
    tier = TIERS[number - 1]
    return f"{tier} s of series {series} to {series + GROUP - 1} from {_when(block_start(block_at(place), tier))}"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat()


class Recount:
    """`blocks` says which segments have ticks in which block of minutes, `since` from when on a tier is
    whole. `partly`: of some samples only the rollups are left, so these may know of more than can be
    counted."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        blocks: Mapping[int, Collection[int]],
        since: Mapping[int, int],
        partly: bool,
        tell: Tell,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._blocks = blocks
        self._since = since
        self._whole = -(-since.get(MINUTE, 0) // width(HOUR)) * width(HOUR)
        """Minutes before were given up; late samples have brought back some of them, in part."""
        self._partly = partly
        self._tell = tell
        self._progress = progress
        self._sleeves: OrderedDict[int, tuple[Head | None, dict[int, Place]]] = OrderedDict()
        self._places: dict[int, dict[int, set[int]]] = {tier: {} for tier in TIERS}
        """Tier → block → groups there are."""
        self._bad: set[tuple[int, int, int]] = set()
        """(tier, block, group) of rows that cannot be read: nothing is compared with them."""

    def run(self) -> int:
        """How many rows there are."""
        count = self._scan()
        held = self._places[MINUTE]
        wanted = held.keys() | self._blocks.keys()
        wanted |= {block_of(block_start(block, FINE), MINUTE) for block in self._places[FINE]}
        for done, block in enumerate(sorted(wanted)):
            self._progress("rollups", done, len(wanted))
            if block_start(block, MINUTE) >= self._whole:
                self._minutes(block)
        self._hours()
        return count

    def _scan(self) -> int:
        """Each row by itself, whether anything is there to compare it with or not."""
        count = 0
        for place, packed in rows(
            self._connection, "place, body", "rollups", "place", told("rollups", self._tell)
        ):
            count += 1
            number = place >> 58
            if not 1 <= number <= len(TIERS):
                self._tell(Damage("rollups", name(place), "is of no tier"))
                continue
            tier, block, group = TIERS[number - 1], block_at(place), place & (1 << 32) - 1
            self._places[tier].setdefault(block, set()).add(group)
            try:
                if type(packed) is not bytes:
                    raise Damaged("it is no bytes")
                sheaf = unpack_buckets(packed, block, tier)
                if (sheaf.series // GROUP * GROUP != group).any():
                    raise Damaged("it holds series that belong elsewhere")
            except Damaged as error:
                self._bad.add((tier, block, group))
                self._tell(Damage("rollups", name(place), error.detail))
        return count

    def _minutes(self, block: int) -> None:
        start = block_start(block, MINUTE)
        end = start + BLOCK * width(MINUTE)
        segments = self._blocks.get(block, ())
        fine = range(block_of(start, FINE), block_of(end - 1, FINE) + 1)
        groups = set(self._places[MINUTE].get(block, ()))
        for each in fine:
            groups |= self._places[FINE].get(each, set())
        for segment in segments:
            if (head := self._sleeve(segment)[0]) is not None:
                groups |= {id_ // GROUP * GROUP for id_ in head.series()}
        for first in sorted({group // TOGETHER * TOGETHER for group in groups}):
            stored = self._stored(MINUTE, [block], first)
            counted = merge_all(
                self._within(fold_all(columns, MINUTE), start, end)
                for columns in self._columns(segments, first)
            )
            self._compare(MINUTE, block, stored, counted, self._partly)
            # Samples get there when they go; until then they are in the minutes alone.
            finer = coarser(self._stored(FINE, fine, first), MINUTE)
            self._compare(MINUTE, block, stored, finer, True, "the 10 s tier")

    def _hours(self) -> None:
        known = max(self._whole, self._since.get(HOUR, 0))
        hours = self._places[HOUR]
        below = {block_of(block_start(block, MINUTE), HOUR) for block in self._places[MINUTE]}
        for block in sorted(hours.keys() | below):
            start = block_start(block, HOUR)
            end = start + BLOCK * width(HOUR)
            if end <= known:
                continue
            minutes = range(block_of(max(start, known), MINUTE), block_of(end - 1, MINUTE) + 1)
            held = [each for each in minutes if each in self._places[MINUTE]]
            groups = set(hours.get(block, ())).union(*(self._places[MINUTE][each] for each in held))
            for first in sorted({group // TOGETHER * TOGETHER for group in groups}):
                stored = self._within(self._stored(HOUR, [block], first), max(start, known), end)
                counted = merge_all(
                    coarser(self._stored(MINUTE, [each], first), HOUR) for each in held
                )
                counted = self._within(counted, max(start, known), end)
                self._compare(HOUR, block, stored, counted, False, "the 1 min tier")

    def _compare(
        self,
        tier: int,
        block: int,
        stored: Sheaf,
        counted: Sheaf,
        partly: bool,
        of: str = "the samples",
    ) -> None:
        """`partly`: the stored buckets may hold more samples than were counted."""
        mine, theirs = stored.split(), counted.split()
        for id_ in sorted(mine.keys() | theirs.keys()):
            one, other = mine.get(id_, Buckets.none()), theirs.get(id_, Buckets.none())
            if self._unreadable(tier, block, id_):
                continue
            ats = differing(one, other)
            if ats and partly:
                counts = dict(zip(one.at.tolist(), one.count.tolist(), strict=True))
                less = dict(zip(other.at.tolist(), other.count.tolist(), strict=True))
                ats = [at for at in ats if counts.get(at, 0) <= less.get(at, 0)]
            if ats:
                buckets = f"{len(ats)} buckets from {_when(ats[0])} on are"
                first = buckets if len(ats) > 1 else f"the bucket of {_when(ats[0])} is"
                self._tell(
                    Damage("rollups", f"{tier} s of series {id_}", f"{first} not what {of} say")
                )

    def _unreadable(self, tier: int, block: int, series: int) -> bool:
        group = series // GROUP * GROUP
        if (tier, block, group) in self._bad:
            return True
        start = block_start(block, tier)
        end = start + BLOCK * width(tier) - 1
        finer = FINE if tier == MINUTE else MINUTE
        return any(
            bad == (finer, bad[1], group)
            and block_of(start, finer) <= bad[1] <= block_of(end, finer)
            for bad in self._bad
        )

    def _stored(self, tier: int, blocks: Iterable[int], first: int) -> Sheaf:
        """What can be read of some blocks, of the series from `first` on that are compared together."""
        number = TIERS.index(tier) + 1 << 58
        found = []
        for block in blocks:
            if block not in self._places[tier]:
                continue
            low = number | block << 32 | first
            answer = readable(
                self._connection,
                "SELECT place, body FROM rollups WHERE place >= ? AND place < ?",
                low,
                low + TOGETHER,
            )
            for place, packed in [] if isinstance(answer, str) else answer:
                key = (tier, block, place & (1 << 32) - 1)
                if key in self._bad:
                    continue
                try:
                    found.append(unpack_buckets(packed, block, tier))
                except (
                    Damaged
                ) as error:  # by this way through torn pages it reads otherwise than by the scan
                    self._bad.add(key)
                    self._tell(Damage("rollups", name(place), error.detail))
        return merge_all(found)

    def _columns(self, segments: Iterable[int], first: int) -> Iterator[Columns]:
        """The raw samples of those series, a segment at a time."""
        for segment in segments:
            head, places = self._sleeve(segment)
            if head is not None:
                wanted = [id_ for id_ in head.series() if first <= id_ < first + TOGETHER]
                found = samples(self._connection, segment, (head, places), wanted, self._missing)
                yield {id_: (ats, values) for id_, ats, values in found}

    def _missing(self, damage: Damage) -> None:
        self._partly = True
        self._tell(damage)

    def _sleeve(self, segment: int) -> tuple[Head | None, dict[int, Place]]:
        if segment not in self._sleeves:
            _, head, places = sleeve(self._connection, segment, self._tell)
            self._sleeves[segment] = head, places
            if len(self._sleeves) > SLEEVES:
                self._sleeves.popitem(last=False)
        return self._sleeves[segment]

    def _within(self, sheaf: Sheaf, start: int, end: int) -> Sheaf:
        rows_ = np.flatnonzero((sheaf.buckets.at >= start) & (sheaf.buckets.at < end))
        return Sheaf(sheaf.series[rows_], sheaf.buckets.take(rows_))
