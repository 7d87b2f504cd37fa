"""Half an hour of a real host goes in over HTTP, and every value of it comes out again, exactly."""

import datetime
import gzip
import json
import math
import time
from pathlib import Path
from typing import Any

import httpx
import msgpack
import pytest

from tests.app import running

RECORDING = Path(__file__).parent / "data" / "host-recording.jsonl.gz"
ROWS = 450
"""Ticks in a request: 191 series, and 200,000 samples are the limit."""
URL = "/api/realtime"

pytestmark = [pytest.mark.slow, pytest.mark.gen_test(timeout=120)]


def recorded(rows: int) -> tuple[list[float], dict[str, list[Any]]]:
    """Times and columns. What stands behind the first dot of a name becomes a label's value. On a
    clock that has not come as far yet, all is moved into its past by whole seconds."""
    ats: list[float] = []
    columns: dict[str, list[Any]] = {}
    with gzip.open(RECORDING, "rt") as lines:
        for row, line in enumerate(lines):
            if row == rows:
                break
            tick = json.loads(line)
            ats.append(tick["ts"])
            for name, value in tick["values"].items():
                head, _, rest = name.partition(".")
                text = f'{head}{{of="{rest}"}}' if rest else head
                columns.setdefault(text, [None] * row).append(value)
            for column in columns.values():
                column.extend([None] * (row + 1 - len(column)))
    ahead = max(0, math.ceil(ats[-1] - time.time()) + 60)
    return [round(at - ahead, 6) for at in ats], columns


def exact(values: list[Any]) -> list[str]:
    """So that 1 and 1.0 are the same double, and 0.1 and 0.1000000000000001 are not."""
    return [repr(float(value)) for value in values]


async def feed(client, form, rows):
    """The recording as one program would send it; gives times and columns as they were sent."""
    ats, columns = recorded(rows)
    source = f"host-{form}"
    bodies: list[Any]
    if form == "readings":
        bodies = [
            [
                {
                    "name": text.partition("{")[0],
                    "labels": _labels(text),
                    "value": column[row],
                    "source": source,
                    "at": ats[row],
                }
                for text, column in columns.items()
                if column[row] is not None
            ]
            for row in range(rows)
        ]
    else:
        bodies = [
            {
                "source": source,
                "at": ats[begin : begin + ROWS],
                "series": {text: column[begin : begin + ROWS] for text, column in columns.items()},
            }
            for begin in range(0, len(ats), ROWS)
        ]
    packed = form == "msgpack"
    for body in bodies:
        answer = await client.post(
            f"{URL}/metrics",
            content=msgpack.packb(body) if packed else json.dumps(body),
            headers={"Content-Type": "application/msgpack" if packed else "application/json"},
        )
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["rejected"] == []
        assert data["accepted"] > 0
    return source, ats, columns


def _labels(text):
    _, brace, rest = text.partition('{of="')
    return {"of": rest.removesuffix('"}')} if brace else None


async def by_query(client, source, texts, ats):
    """Columns by series, a batch of series at a time; points enough for every reading."""
    found = {}
    for begin in range(0, len(texts), 40):
        some = texts[begin : begin + 40]
        answer = await client.get(
            f"{URL}/query",
            params={
                "series": [_of(text, source) for text in some],
                "from": repr(ats[0]),
                "to": repr(ats[-1]),
                "points": 2000,
            },
        )
        assert answer.status_code == 200, answer.text
        for column in answer.json()["data"]["series"]:
            assert column["source"] == source
            found[column["series"]] = (column["at"], column["value"])
    return found


def _of(text, source):
    return (
        f'{text[:-1]},source="{source}"}}' if text.endswith("}") else f'{text}{{source="{source}"}}'
    )


async def by_events(client, source):
    """Columns by series, out of the log itself."""
    found: dict[str, tuple[list[str], list[Any]]] = {}
    after = 0
    while after is not None:
        answer = await client.get(
            f"{URL}/events",
            params={"after": after, "limit": 1000, "type": "metrics", "source": source},
        )
        assert answer.status_code == 200, answer.text
        for event in answer.json()["data"]["events"]:
            for text, value in event["data"]["values"].items():
                ats, values = found.setdefault(text, ([], []))
                ats.append(event["at"])
                values.append(value)
        after = answer.json()["data"]["next"]
    return found


@pytest.mark.parametrize(("form", "rows"), [("json", 1800), ("msgpack", 1800), ("readings", 60)])
async def test_every_value_comes_back_exactly(tmp_path, form, rows):
    """As JSON columns, as msgpack columns and as single readings; by `query` and by `events`, before
    and after a restart. Times are exact to the microsecond they were sent with."""
    async with running(tmp_path, interval_s=60) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            source, ats, columns = await feed(client, form, rows)
            assert len(columns) > 180
            await compare(client, source, ats, columns)
        await server.restart()
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            await compare(client, source, ats, columns)


async def compare(client, source, ats, columns):
    asked = await by_query(client, source, list(columns), ats)
    told = await by_events(client, source)
    assert set(asked) == set(told) == set(columns)
    micros = [round(at * 1_000_000) for at in ats]
    for text, column in columns.items():
        wanted = [
            (at, value) for at, value in zip(micros, column, strict=True) if value is not None
        ]
        at, values = asked[text]
        assert [round(one * 1_000_000) for one in at] == [one for one, _ in wanted], text
        assert exact(values) == exact([value for _, value in wanted]), text
        at, values = told[text]
        assert at == [_rfc3339(one) for one, _ in wanted], text
        assert exact(values) == exact([value for _, value in wanted]), text


def _rfc3339(at):
    moment = datetime.datetime.fromtimestamp(at // 1_000_000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1_000_000:06d}Z"
