"""The answers that show the view as it stands: `dashboard/live`, the `snapshot` frame, `metrics/live`.

Whatever the view does not know comes as an argument. An alert or a notification in here is the very
one its frame told (law same-frames).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from realtime.core.cursor import cursor
from realtime.core.frames import about, of_event
from realtime.core.kpis import kpis
from realtime.core.naming import series_text
from realtime.core.times import rfc3339
from realtime.core.views import SourceState, View
from storage.events import Event, canonical

SECOND = 1_000_000

NOTIFICATIONS = 50
ANNOTATIONS = 50
"""The newest that a first paint needs; the lists have them all."""

Data = dict[str, Any]


def dashboard(
    view: View,
    source: str,
    *,
    epoch: str,
    hours: float,
    interval_s: float,
    version: str,
    rules: Sequence[Mapping[str, Any]],
) -> Data:
    """All of `dashboard/live` but `charts` and `cached`; as it is, the data of a `snapshot` frame."""
    newest = islice(reversed(view.notifications), NOTIFICATIONS)
    marks = islice(reversed(view.annotations.values()), ANNOTATIONS)
    return {
        "cursor": cursor(epoch, view.seq),
        "at": rfc3339(present(view, source)),
        "source": source,
        "hours": hours,
        "interval_s": interval_s,
        "version": version,
        "kpis": kpis(view, source),
        "metrics": _latest(view, source),
        "sources": [
            told_of(state, len(view.of_source.get(state.source, ())))
            for state in view.sources.values()
        ],
        "series": [
            about(view.series[id_], view.texts[id_], source)
            for id_ in view.of_source.get(source, ())
        ],
        "rules": list(rules),
        "alerts": _told(view, view.alerts.values(), epoch),
        "notifications": _told(view, newest, epoch),
        "annotations": _told(view, marks, epoch),
    }


def metrics(view: View, source: str, *, epoch: str, now: int) -> Data:
    """`metrics/live`: the latest of every series of every source; the KPIs are those of `source`.

    A series another source has as well, `source` before all, carries its own source as a label
    in its key. `now` (µs) is what ages are counted to.
    """
    return latest(view, source, epoch=epoch, now=now)()


def latest(view: View, source: str, *, epoch: str, now: int) -> Callable[[], Data]:
    """As `metrics`: the copy is taken now, what it gives makes the answer of it, in any thread. Of tens of
    thousands of series that takes longer than law loop-never-blocks allows."""
    place, at_ = cursor(epoch, view.seq), rfc3339(present(view, source))
    figures = kpis(view, source)
    lasts = view.windows.lasts()
    owners = sorted(view.of_source, key=lambda owner: owner != source)
    held = [(owner, list(view.of_source[owner])) for owner in owners]
    known, named = view.series, view.texts  # of what is in them, nothing ever changes

    def made() -> Data:
        newest = {id_: (at, value) for id_, at, value in zip(*lasts, strict=True)}
        told: Data = {}
        moments: dict[int, str] = {}
        for owner, ids in held:
            for id_ in ids:
                if id_ not in newest:
                    continue
                at, value = newest[id_]
                if at not in moments:  # most series share the moment of their tick
                    moments[at] = rfc3339(at)
                series, key = known[id_], named[id_]
                if key in told:
                    key = series_text(series.name, {**series.labels, "source": owner})
                told[key] = {
                    "id": id_,
                    "source": owner,
                    "value": canonical(value),
                    "unit": series.unit,
                    "at": moments[at],
                    "age_s": max(0, now - at) / SECOND,
                }
        return {"cursor": place, "at": at_, "source": source, "kpis": figures, "series": told}

    return made


def present(view: View, source: str) -> int:
    """The moment a source's dashboard stands at: its newest tick, whatever others say the time is."""
    state = view.sources.get(source)
    return state.at if state and state.at else view.at


def _told(view: View, events: Iterable[Event], epoch: str) -> list[Data]:
    frames = (of_event(event, epoch, view.texts) for event in events)
    return [frame.data for frame in frames if frame is not None]


def _latest(view: View, source: str) -> Data:
    latest: Data = {}
    for id_ in view.of_source.get(source, ()):
        newest = view.latest.get(id_)
        if newest is not None:
            at, value = newest
            latest[view.texts[id_]] = {
                "id": id_,
                "value": value,
                "unit": view.series[id_].unit,
                "at": rfc3339(at),
            }
    return latest


def told_of(state: SourceState, series: int) -> Data:
    """A source, and how many series it has."""
    return {
        "source": state.source,
        "state": state.state,
        "first_seen": rfc3339(state.first_seen) if state.first_seen else None,
        "last_seen": rfc3339(state.last_seen) if state.last_seen else None,
        "series": series,
        "facts": state.facts,
    }
