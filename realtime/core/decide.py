"""`decide`: what was measured or asked becomes facts. Runs on the live write path and nowhere else
(law decide-live-only), so a replay cannot fire an alert.

A `Desk` lives for one batch of the log. It sees the applied view and what this batch has decided before;
when the commit fails, it is dropped and nothing has to be undone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET

from realtime.core.alerts import FRESH, Rule, Watches, alert, step
from realtime.core.annotations import Wish
from realtime.core.batch import Batch, Columns, Descriptor, Key, Rejection
from realtime.core.layouts import slug
from realtime.core.views import LAYOUTS, View
from storage.events import (
    Annotation,
    Declared,
    Draft,
    Layout,
    Metrics,
    Notification,
    Number,
    Series,
    System,
    canonical,
)

JUDGED_US = 120_000_000
"""Samples older than this are stored and shown, but raise no alert: what is long past needs no waking up."""


ROOM = 1_000
"""Series that what is pushed leaves free for what the host measures itself, at most a tenth of a bound: else
whoever comes first could keep the host from being recorded."""

BREATH = 5_000
"""Samples and ticks decided between two pauses: some 10 ms of work."""


class Bounds(msgspec.Struct, frozen=True):
    """`lost_us`: a source silent for longer than this is lost. `host` is this machine's own source."""

    max_series: int
    max_sources: int
    lost_us: int
    max_series_total: int = 1 << 32
    host: str = ""


class Refusal(NamedTuple):
    """Why nothing was decided: there is no such thing (`unknown`), what there is does not allow it
    (`conflict`), somebody has changed it meanwhile (`stale`), or it makes no sense (`bad`)."""

    why: Literal["unknown", "conflict", "stale", "bad"]
    field: str
    detail: str


class Live:
    """What deciding remembers from batch to batch beyond the view: holds that run, and who was heard when."""

    def __init__(self, watches: Watches, heard: dict[str, int]) -> None:
        self.watches = watches
        self.heard = heard


class Desk:
    def __init__(
        self, view: View, live: Live, rules: Mapping[str, tuple[Rule, ...]], bounds: Bounds
    ) -> None:
        self.drafts: list[Draft] = []
        self._view = view
        self._live = live
        self._rules = rules
        self._bounds = bounds
        self._next_id = view.next_id
        self._ids: dict[tuple[str, str], Series] = {}
        self._added: dict[str, int] = {}
        self._seen: set[str] = set()
        self._lost: set[str] = set()
        self._watches: Watches = {}
        self._heard: dict[str, int] = {}
        self._annotations: dict[str, tuple[str, Annotation]] = {}
        """Source and annotation by id, as this batch leaves them."""
        self._layouts: dict[str, Layout] = {}
        self._spent = 0

    def adopt(self) -> None:
        """The batch is committed: keep what it taught."""
        self._live.watches.update(self._watches)
        self._live.heard.update(self._heard)

    def ingest(
        self, batch: Batch, now: int, rejected: list[Rejection], own: bool = False
    ) -> Iterator[None]:
        """Facts of a batch of samples; what is over a limit is left out and named in `rejected`. `own`: this
        server measured them.

        Pauses now and then: whoever drives it lets others in there (law loop-never-blocks).
        """
        for columns in batch.columns:
            yield from self._columns(columns, batch, now, rejected, own)

    def notify(self, note: Notification, source: str, now: int) -> None:
        self.drafts.append(Draft(now, source, note))

    def record(self, fact: System, source: str, now: int) -> None:
        self.drafts.append(Draft(now, source, fact))

    def annotate(self, id_: str, wish: Wish, now: int, new: bool) -> Refusal | None:
        """Note what has the id from now on, or change what has it."""
        if new:
            source, before = "", Annotation(id_, "noted", "", now)
        else:
            known = self._annotation(id_)
            if known is None:
                return _nothing(id_)
            source, before = known
        fact = msgspec.structs.replace(wish.over(before), state="noted" if new else "changed")
        if fact.until is not None and fact.until < fact.since:
            return Refusal("bad", "until", "is before the moment it begins at; swap them")
        self._said(fact, source if wish.source is UNSET else wish.source, now)
        return None

    def erase(self, id_: str, now: int) -> Refusal | None:
        """Take an annotation back; the log remembers that it was there."""
        known = self._annotation(id_)
        if known is None:
            return _nothing(id_)
        self._said(msgspec.structs.replace(known[1], state="removed"), known[0], now)
        return None

    def _annotation(self, id_: str) -> tuple[str, Annotation] | None:
        known = self._annotations.get(id_)
        event = self._view.annotations.get(id_)
        if known is None and event is not None and isinstance(event.data, Annotation):
            known = event.source, event.data
        return known if known and known[1].state != "removed" else None

    def _said(self, fact: Annotation, source: str, now: int) -> None:
        self._annotations[fact.id] = source, fact
        self.drafts.append(Draft(now, source, fact))

    def arrange(self, layout: Layout, version: int | None, source: str, now: int) -> Refusal | None:
        """Save a dashboard. `version` is the seq it is thought to stand at, 0 for one that is not there yet,
        None where that does not matter. One without an id is new, and gets one made of its title."""
        view = self._view
        if not layout.id:
            name = slug(layout.title, view.layouts.keys() | self._layouts.keys())
            layout = msgspec.structs.replace(layout, id=name)
        known = self._layout(layout.id)
        refusal = self._stands(layout.id, known, version, bool(layout.provisioned))
        if refusal is None and known is None and self._crowded():
            refusal = Refusal(
                "conflict", "id", f"there are {LAYOUTS} dashboards, as many as may be; remove one"
            )
        if refusal is None:
            self._layouts[layout.id] = layout
            self.drafts.append(Draft(now, source, layout))
        return refusal

    def dismiss(
        self, id_: str, version: int | None, source: str, now: int, provisioned: bool
    ) -> Refusal | None:
        """Remove a dashboard; the log keeps what it was. `provisioned`: its file is gone."""
        known = self._layout(id_)
        refusal = self._stands(id_, known, version, provisioned)
        if known is None:
            return Refusal("unknown", "id", f"there is no dashboard {id_!r}")
        if refusal is None:
            gone = msgspec.structs.replace(known, state="removed", panels=[])
            self._layouts[id_] = gone
            self.drafts.append(Draft(now, source, gone))
        return refusal

    def _layout(self, id_: str) -> Layout | None:
        known = self._layouts.get(id_)
        event = self._view.layouts.get(id_)
        if known is None and event is not None and isinstance(event.data, Layout):
            known = event.data
        return known if known and known.state != "removed" else None

    def _stands(
        self, id_: str, known: Layout | None, version: int | None, provisioned: bool
    ) -> Refusal | None:
        if known and known.provisioned and not provisioned:
            return Refusal(
                "conflict",
                "id",
                f"dashboard {id_!r} comes from the file {known.provisioned}; edit it",
            )
        if version == 0 and known:
            return Refusal("conflict", "id", f"there is a dashboard {id_!r} already")
        if version:
            event = self._view.layouts.get(id_)
            # What this very batch has changed has no seq yet: nobody can have seen it.
            stands = 0 if event is None or id_ in self._layouts else event.seq
            if stands != version:
                now_at = f"version {stands}" if stands else "another version, or gone"
                return Refusal(
                    "stale", "If-Match", f"version {version} was meant; it is {now_at} by now"
                )
        return None

    def _crowded(self) -> bool:
        held = {id_ for id_ in self._view.layouts if id_ not in self._layouts}
        held |= {id_ for id_, one in self._layouts.items() if one.state == "saved"}
        return len(held) >= LAYOUTS

    def silence(self, now: int) -> None:
        """Sources that have said nothing for too long are lost, once."""
        for source, state in self._view.sources.items():
            heard = max(self._heard.get(source, 0), self._live.heard.get(source, 0))
            if not heard:
                self._heard[source] = now  # grace after a restart: it may be about to speak
            elif (
                state.state == "live"
                and source not in self._lost
                and now - heard > self._bounds.lost_us
            ):
                self._lost.add(source)
                self.record(System("source_lost", {"last_seen": state.last_seen}), source, now)

    def _columns(
        self, columns: Columns, batch: Batch, now: int, rejected: list[Rejection], own: bool
    ) -> Iterator[None]:
        source = columns.source
        if not self._welcome(source, now):
            rejected.append(
                Rejection(
                    None,
                    "source",
                    f"source {source!r} would be one more than the {self._bounds.max_sources} allowed "
                    "(dial max_sources)",
                    columns.size,
                )
            )
            return
        declared, values = self._declare(columns, batch, now, rejected, own)
        if not declared:
            return
        ids = tuple(declared)
        watched = self._watched(columns.keys, source)
        self._heard[source] = now
        for at, row in zip(columns.ats, zip(*values, strict=True), strict=True):
            self._spent += 1 + len(row)
            if self._spent >= BREATH:
                self._spent = 0
                yield
            if None in row:
                present = [place for place, value in enumerate(row) if value is not None]
                if not present:
                    continue
                tick = Metrics(
                    tuple([ids[p] for p in present]), _canonical([row[p] for p in present])
                )
            else:
                tick = Metrics(ids, _canonical(row))
            self.drafts.append(Draft(at, source, tick))
            if watched and at >= now - JUDGED_US:
                self._judge(watched, tick, at, source)

    def _welcome(self, source: str, now: int) -> bool:
        state = self._view.sources.get(source)
        if source in self._seen or (
            state is not None
            and state.state == "live"
            and state.last_seen
            and source not in self._lost
        ):
            return True
        known = len(self._view.sources) + len(self._seen - self._view.sources.keys())
        if state is None and known >= self._bounds.max_sources:
            return False
        self._seen.add(source)
        self._lost.discard(source)
        self.record(System("source_seen"), source, now)
        return True

    def _declare(
        self, columns: Columns, batch: Batch, now: int, rejected: list[Rejection], own: bool
    ) -> tuple[list[int], list[list[Number | None]]]:
        """The ids of the columns that may be kept, and their values; new series are declared first."""
        source, known = columns.source, self._view.ids
        ids: list[int] = []
        values: list[list[Number | None]] = []
        new: list[Series] = []
        bounds = self._bounds
        most, over = _allowed(
            bounds.max_series, f"on source {source!r}", "max_series", own or source != bounds.host
        )
        room = most - len(self._view.of_source.get(source, ())) - self._added.get(source, 0)
        most, over_all = _allowed(bounds.max_series_total, "in all", "max_series_total", own)
        left = most - len(self._view.series) - sum(self._added.values())
        if left < room:
            room, over = left, over_all
        for key, column in zip(columns.keys, columns.values, strict=True):
            id_ = known.get((source, key.text))
            if id_ is None:
                series = self._ids.get((source, key.text))
                if series is None:
                    if len(new) >= room:
                        rejected.append(
                            Rejection(
                                None,
                                key.text,
                                f"series {key.text} would be one more than the {over}",
                                len(column) - column.count(None),
                            )
                        )
                        continue
                    series = self._series(key, source, batch)
                    new.append(series)
                id_ = series.id
            ids.append(id_)
            values.append(column)
        if new:
            self._added[source] = self._added.get(source, 0) + len(new)
            self.drafts.append(Draft(now, source, Declared(new)))
        return ids, values

    def _series(self, key: Key, source: str, batch: Batch) -> Series:
        about = batch.descriptors.get(key.name) or Descriptor()
        # Pushed readings have no kind; Prometheus ends the names of counters, and of nothing else, so.
        counts = about.kind == "counter" or key.name.endswith("_total")
        series = Series(
            self._next_id,
            key.name,
            dict(key.labels),
            about.unit,
            "counter" if counts else "gauge",
            about.help,
        )
        self._next_id += 1
        self._ids[source, key.text] = series
        return series

    def _watched(
        self, keys: Sequence[Key], source: str
    ) -> dict[int, tuple[Series, tuple[Rule, ...]]]:
        watched: dict[int, tuple[Series, tuple[Rule, ...]]] = {}
        for key in keys:
            rules = self._rules.get(key.name)
            if rules:
                series = self._ids.get((source, key.text))
                if series is None:
                    id_ = self._view.ids.get((source, key.text))
                    if id_ is None:  # over the limit: left out
                        continue
                    series = self._view.series[id_]
                watched[series.id] = (series, rules)
        return watched

    def _judge(
        self,
        watched: Mapping[int, tuple[Series, tuple[Rule, ...]]],
        tick: Metrics,
        at: int,
        source: str,
    ) -> None:
        for id_, value in zip(tick.ids, tick.values, strict=True):
            if id_ not in watched:
                continue
            series, rules = watched[id_]
            for rule in rules:
                place = (rule.rule, id_)
                before = self._watches.get(place) or self._live.watches.get(place, FRESH)
                after, transition = step(rule, before, id_, at, value)
                self._watches[place] = after
                if transition:
                    self.drafts.append(
                        Draft(at, source, alert(rule, after, transition, series, at, value))
                    )


def _nothing(id_: str) -> Refusal:
    return Refusal("unknown", "id", f"there is no annotation {id_!r} that could be changed")


def _allowed(bound: int, where: str, dial: str, all_of_it: bool) -> tuple[int, str]:
    """How many series there may be, and that in words."""
    kept = 0 if all_of_it else min(ROOM, bound // 10)
    more = f"; {kept} more are kept for what the host measures itself" if kept else ""
    return bound - kept, f"{bound - kept} allowed {where} (dial {dial}{more})"


def _canonical(row: Sequence[Number | None]) -> tuple[Number, ...]:
    """A whole row at once: the two common cases, ints and fractions, skip the call."""
    return tuple(
        [
            v if isinstance(v, int) or not v.is_integer() else canonical(v)
            for v in row
            if v is not None
        ]
    )
