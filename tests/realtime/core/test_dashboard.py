"""The dashboard's data is the view and nothing else, told in the words of the frames."""

from typing import Any

import msgspec

from realtime.core.columns import SECOND
from realtime.core.dashboard import ANNOTATIONS, NOTIFICATIONS, dashboard, metrics
from realtime.core.frames import of_event
from realtime.core.views import View, evolve, fold
from storage.events import (
    Alert,
    Annotation,
    Declared,
    Event,
    Fact,
    Metrics,
    Notification,
    Series,
    System,
)

NOW = 1_764_000_000 * SECOND
RULES = [{"rule": "cpu", "above": 80}]


def recorded(*facts: tuple[str, Fact]) -> tuple[View, list[Event]]:
    events = [
        Event(place + 1, NOW + place * SECOND, source, fact)
        for place, (source, fact) in enumerate(facts)
    ]
    return fold(View(), events), events


def two_hosts() -> tuple[View, list[Event]]:
    return recorded(
        ("far", Declared([Series(1, "up", {}), Series(2, "queue", {"name": "mail"}, "items")])),
        ("far", Metrics([1, 2], [1, 0.25])),
        ("here", Declared([Series(3, "system_cpu_utilization_ratio", {}, "ratio", help="Busy.")])),
        ("here", Declared([Series(4, "up", {})])),
        ("here", Metrics([3, 4], [0.5, 1])),
        ("here", Alert("a1", "cpu", "firing", "critical", 3, 0.9, 0.8, NOW, "CPU", "ratio")),
        ("here", Notification("n1", "info", "first")),
        ("here", Notification("n2", "error", "second")),
    )


def shown(view: View, source: str = "here") -> dict[str, Any]:
    return dashboard(
        view, source, epoch="e", hours=0.25, interval_s=1.0, version="0.1", rules=RULES
    )


def test_the_dashboard_shows_one_source_and_names_them_all() -> None:
    """Metrics and series are the source's own, and so is its time; the cursor is that of the edge."""
    view, _ = two_hosts()
    data = shown(view)
    assert (data["cursor"], data["at"]) == ("e:8", "2025-11-24T16:00:04.000000Z")
    assert (data["source"], data["hours"], data["interval_s"]) == ("here", 0.25, 1.0)
    assert data["kpis"]["cpu_percent"] == 50
    assert data["metrics"] == {
        "system_cpu_utilization_ratio": {
            "id": 3,
            "value": 0.5,
            "unit": "ratio",
            "at": "2025-11-24T16:00:04.000000Z",
        },
        "up": {"id": 4, "value": 1, "unit": "", "at": "2025-11-24T16:00:04.000000Z"},
    }
    assert [(one["source"], one["state"], one["series"]) for one in data["sources"]] == [
        ("far", "live", 2),
        ("here", "live", 2),
    ]
    assert data["series"][0]["help"] == "Busy."
    assert data["rules"] == RULES
    assert "charts" not in data and "cached" not in data


def test_alerts_and_notifications_are_those_the_frames_told() -> None:
    """Law same-frames: a snapshot holds the very data a watcher was sent, newest first."""
    view, events = two_hosts()
    frames = [of_event(event, "e", view.texts) for event in events]
    told = [frame.data if frame else None for frame in frames]
    data = shown(view)
    assert data["alerts"] == [told[5]]
    assert data["notifications"] == [told[7], told[6]]


def test_only_the_newest_notifications_are_in_the_first_paint() -> None:
    """The first paint does not carry the whole list."""
    view, _ = recorded(
        *(("here", Notification(f"n{number}", "info", "x")) for number in range(NOTIFICATIONS + 9))
    )
    ids = [one["id"] for one in shown(view)["notifications"]]
    assert (len(ids), ids[0]) == (NOTIFICATIONS, f"n{NOTIFICATIONS + 8}")


def test_only_the_newest_annotations_are_in_the_first_paint() -> None:
    """The ones noted last, newest first, as their frames told them."""
    view, events = recorded(
        *(("", Annotation(f"m{n}", "noted", "deploy", NOW)) for n in range(ANNOTATIONS + 9))
    )
    told = shown(view)["annotations"]
    assert len(told) == ANNOTATIONS
    frame = of_event(events[-1], "e", view.texts)
    assert frame and told[0] == frame.data


def test_an_empty_view_is_shown_as_it_is() -> None:
    """Before the first reading there is a dashboard all the same, and it can be encoded."""
    data = msgspec.json.decode(msgspec.json.encode(shown(View())))
    assert data["cursor"] == "e:0"
    assert data["metrics"] == {} and data["alerts"] == []


def test_a_source_that_has_not_read_anything_has_not_been_seen() -> None:
    """A time that is unknown is null and not 1970."""
    view, _ = recorded(("here", System("started", {"facts": {"cores": 2}})))
    (source,) = shown(view)["sources"]
    assert (source["first_seen"], source["last_seen"]) == (None, None)
    assert source["facts"] == {"cores": 2}


def test_metrics_are_the_latest_of_every_series_of_every_source() -> None:
    """The own source's keys are plain; a name two sources share carries the other's source."""
    view, _ = two_hosts()
    data = metrics(view, "here", epoch="e", now=NOW + 6 * SECOND)
    assert list(data["series"]) == [
        "system_cpu_utilization_ratio",
        "up",
        'up{source="far"}',
        'queue{name="mail"}',
    ]
    assert data["series"]['queue{name="mail"}'] == {
        "id": 2,
        "source": "far",
        "value": 0.25,
        "unit": "items",
        "at": "2025-11-24T16:00:01.000000Z",
        "age_s": 5.0,
    }
    assert data["kpis"] == shown(view)["kpis"]
    assert (data["cursor"], data["source"]) == ("e:8", "here")


def test_a_reading_from_the_future_has_no_negative_age() -> None:
    """A clock that runs ahead makes a reading new, not younger than now."""
    view, _ = two_hosts()
    assert metrics(view, "here", epoch="e", now=NOW)["series"]["up"]["age_s"] == 0


def test_a_series_that_was_only_declared_has_no_latest_value() -> None:
    """It is named among the series, and no value is made up for it."""
    view, _ = recorded(("here", Declared([Series(1, "silent", {})])))
    data = shown(view)
    assert [one["series"] for one in data["series"]] == ["silent"]
    assert data["metrics"] == {}
    assert metrics(view, "here", epoch="e", now=NOW)["series"] == {}


def test_a_sample_from_the_future_does_not_move_the_present() -> None:
    """What another source, or a clock set back, says of the time leaves the dashboard where it is."""
    view, _ = two_hosts()
    before = shown(view)["at"]
    ahead = view.at + 300_000_000
    tick = Event(view.seq + 1, ahead, "far", Metrics((1,), (1,)))
    assert shown(evolve(view, tick))["at"] == before
