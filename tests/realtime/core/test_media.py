"""One answer in three writings: the same numbers in each, and a tag that changes when they do."""

import csv
import io
import math

import msgspec
import numpy as np
import pytest

from realtime.core.columns import SECOND, Column
from realtime.core.media import CSV, JSON, MSGPACK, Table, page

START = 1_764_000_000 * SECOND
ABOUT = {"from": "a", "to": "b", "tier": "raw"}


def series(number: int, text: str = "load") -> dict[str, object]:
    return {"id": number, "series": text, "source": "host"}


def table(*values: list[float], step: int = SECOND) -> Table:
    columns = [
        Column(
            START + np.arange(len(one), dtype=np.int64) * step * (place + 1), np.array(one, float)
        )
        for place, one in enumerate(values)
    ]
    return Table(ABOUT, [series(place) for place in range(len(values))], columns)


@pytest.mark.parametrize("count", [0, 1, 2, 17, 300])
def test_json_and_msgpack_have_one_shape(count):
    """Envelope, what the answer says of itself, series with their columns; `cached` says who made it."""
    asked = table(*[[0.5, 2, math.nan, -1e300, 2.0**60] for _ in range(count)])
    wanted = {
        "status": "success",
        "message": "",
        "data": {
            "cursor": "e:1",
            **ABOUT,
            "series": [
                {
                    **series(place),
                    "at": [1_764_000_000 + n * (place + 1) for n in range(5)],
                    "value": [0.5, 2, None, -1e300, 2.0**60],
                }
                for place in range(count)
            ],
        },
    }
    for media, decode in ((JSON, msgspec.json.decode), (MSGPACK, msgspec.msgpack.decode)):
        found = page(asked, "e:1", media)
        for end, cached in ((found.fresh, False), (found.warm, True)):
            answer = decode(found.front + end)
            assert answer["data"].pop("cached") is cached
            assert answer == wanted


def test_csv_has_a_row_a_reading():
    """RFC 4180: quoted where needed, times to the microsecond in UTC, no value where there is none."""
    asked = table([0.5, 2, math.nan], [], [7.0])
    asked.series[0]["series"] = 'load{a="x,y"}'  # type: ignore[index]
    found = page(asked, "e:1", CSV)
    assert found.fresh == found.warm == b""
    rows = list(csv.reader(io.StringIO(found.front.decode(), newline="")))
    assert rows == [
        ["at", "source", "series", "value"],
        ["2025-11-24T16:00:00.000000Z", "host", 'load{a="x,y"}', "0.5"],
        ["2025-11-24T16:00:01.000000Z", "host", 'load{a="x,y"}', "2"],
        ["2025-11-24T16:00:02.000000Z", "host", 'load{a="x,y"}', ""],
        ["2025-11-24T16:00:00.000000Z", "host", "load", "7"],
    ]
    assert found.front.endswith(b"\r\n")


@pytest.mark.parametrize("media", [JSON, MSGPACK, CSV])
def test_the_tag_is_of_the_numbers(media):
    """Another cursor is the same answer; another number, time, name or writing is not."""
    tag = page(table([1, 2]), "e:1", media).etag
    assert tag.startswith('W/"')
    assert page(table([1, 2]), "e:2", media).etag == tag
    renamed = table([1, 2])
    renamed.series[0]["series"] = "other"  # type: ignore[index]
    others = [
        page(one, "e:1", media).etag for one in (table([1, 3]), table([1, 2], step=9), renamed)
    ]
    others += [page(table([1, 2]), "e:1", one).etag for one in (JSON, MSGPACK, CSV) if one != media]
    assert tag not in others
    assert len(set(others)) == 5


@pytest.mark.parametrize("one", [0.0, -0.0, math.nan, 2.5, 7.0])
def test_what_never_moved_is_told_every_time(one):
    """As many numbers as readings, spelled as they are among others."""
    values = [one] * 5
    still, moving = (
        msgspec.json.decode(page(table(told), "e:1", JSON).front + b"]}}")["data"]["series"][0][
            "value"
        ]
        for told in (values, [*values, 1.5])
    )
    assert list(map(repr, still)) == list(map(repr, moving[:5]))


def test_times_that_are_shared_are_held_once():
    """Ten series that were read together do not take ten times the memory."""
    value = np.arange(1000.0)
    at = START + np.arange(1000) * SECOND
    many = Table(ABOUT, [series(n) for n in range(10)], [Column(at + 0, value) for _ in range(10)])
    made = page(many, "e:1", JSON)
    assert len(made.front) == made.length > 140_000
    assert made.size < 70_000
