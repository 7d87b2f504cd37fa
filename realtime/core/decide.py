"""`decide`: what was measured or asked becomes facts. Runs on the live write path and nowhere else
(law decide-live-only), so a replay cannot fire an alert.

A `Desk` lives for one batch of the log. It sees the applied view and what this batch has decided before;
when the commit fails, it is dropped and nothing has to be undone.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from realtime.core.alerts import FRESH, Rule, Watches, alert, step
from realtime.core.batch import Batch, Columns, Key, Rejection
from realtime.core.views import View
from storage.events import Declared, Draft, Metrics, Notification, Number, Series, System, canonical

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
        about = batch.descriptors.get(key.name)
        series = Series(self._next_id, key.name, dict(key.labels))
        if about is not None:
            series = Series(
                self._next_id,
                key.name,
                dict(key.labels),
                about.unit,
                "counter" if about.kind == "counter" else "gauge",
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
