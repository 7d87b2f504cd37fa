"""Moments that people and programs mark."""

import asyncio

import pytest

from tests.web.conftest import START

PATH = "/api/realtime/annotations"
NOWHERE = "0123456789abcdef"


async def drop(site, id_):
    return await site.ask(f"{PATH}?id={id_}", method="DELETE")


async def texts(site, query=""):
    return [one["text"] for one in (await site.ask(PATH + query)).data["annotations"]]


@pytest.mark.gen_test
async def test_noted_changed_and_taken_back(site):
    """Each is an event of its own; the list has what holds, the log has it all."""
    noted = await site.post(
        PATH,
        {"text": "deploy 2.4", "tags": ["deploy", "shop"], "at": START / 1e6 - 60, "author": "ci"},
    )
    assert noted.status == 200
    one = noted.data
    assert (one["state"], one["since"], one["until"]) == (
        "noted",
        "2026-11-23T03:10:46.000000Z",
        None,
    )
    site.clock.pass_s(5)
    changed = await site.post(PATH, {"id": one["id"], "until": "now", "source": "shop"})
    assert changed.data | {"seq": 0, "cursor": "", "at": ""} == one | {
        "state": "changed",
        "until": "2026-11-23T03:11:51.000000Z",
        "source": "shop",
        "seq": 0,
        "cursor": "",
        "at": "",
    }
    assert (await site.ask(PATH)).data["annotations"] == [changed.data]
    assert (await site.post(PATH, {"id": one["id"], "until": None})).data["until"] is None
    gone = await drop(site, one["id"])
    assert (gone.data["state"], gone.data["source"]) == ("removed", "shop")
    assert await texts(site) == []
    events = (await site.ask("/api/realtime/events?type=annotation")).data["events"]
    assert [event["data"]["state"] for event in events] == [
        "noted",
        "changed",
        "changed",
        "removed",
    ]
    assert (await drop(site, one["id"])).status == 404
    assert (await site.post(PATH, {"id": one["id"], "text": "again"})).status == 404


@pytest.mark.gen_test
async def test_searched_by_time_tag_text_and_source(site):
    """A span is found by any part of it, the latest first; what is beyond the limit is counted."""
    at = START / 1e6
    for text, since, until, tags, source in (
        ("long night", at - 9000, at - 3000, ["night"], "shop"),
        ("deploy A", at - 4000, None, ["deploy", "prod"], "shop"),
        ("Deploy b", at - 100, None, ["deploy"], "web-1"),
        ("ahead", at + 5000, None, [], ""),
    ):
        body = {"text": text, "at": since, "tags": tags, "source": source}
        answer = await site.post(PATH, body if until is None else {**body, "until": until})
        assert answer.status == 200, answer.raw
    assert await texts(site) == ["ahead", "Deploy b", "deploy A", "long night"]
    assert await texts(site, "?from=-3500s&to=now") == ["Deploy b", "long night"]
    assert await texts(site, "?from=-4000s&to=-3500s") == ["deploy A", "long night"]
    assert await texts(site, "?to=-4000s") == ["long night"]
    assert await texts(site, "?text=DEPLOY") == ["Deploy b", "deploy A"]
    assert await texts(site, "?tag=deploy,prod") == ["deploy A"]
    assert await texts(site, "?source=web-1") == ["Deploy b"]
    answer = await site.ask(f"{PATH}?limit=1")
    assert (len(answer.data["annotations"]), answer.data["more"]) == (1, 3)
    assert "from" in (await site.ask(f"{PATH}?from=now&to=-1h")).errors


@pytest.mark.gen_test
async def test_a_key_makes_a_retry_harmless(site):
    """Deploy scripts retry: the same key and body are noted once, and answered alike."""
    body = {"text": "deploy"}
    first, twin = await asyncio.gather(
        *(site.post(PATH, body, Idempotency_Key="d-1") for _ in range(2))
    )
    assert first.data == twin.data == (await site.post(PATH, body, Idempotency_Key="d-1")).data
    assert await texts(site) == ["deploy"]
    assert (await site.post(PATH, {"text": "x"}, Idempotency_Key="d-1")).status == 422


@pytest.mark.gen_test
async def test_the_first_paint_has_the_newest(site):
    """`dashboard/live` shows a new one at once, in the shape of its frame."""
    path = "/api/realtime/dashboard/live"
    assert (await site.ask(path)).data["annotations"] == []
    noted = (await site.post(PATH, {"text": "a"})).data
    assert (await site.ask(path)).data["annotations"] == [noted]
    for n in range(60):
        await site.post(PATH, {"text": str(n)})
    shown = (await site.ask(path)).data["annotations"]
    assert [one["text"] for one in shown] == [str(n) for n in range(59, 9, -1)]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        ({}, 422, "text"),
        ({"text": ""}, 422, "text"),
        ({"text": "x" * 4001}, 422, "text"),
        ({"text": "a", "tags": ["x" * 51]}, 422, "tags[0]"),
        ({"text": "a", "tags": ["x"] * 21}, 422, "tags"),
        ({"text": "a", "at": "yesterday"}, 422, "at"),
        ({"text": "a", "at": 1e20}, 422, "at"),
        ({"text": "a", "at": "now", "until": "-1m"}, 422, "until"),
        ({"text": "a", "source": " x"}, 422, "source"),
        ({"text": "a", "colour": "red"}, 422, "body"),
        ({"id": NOWHERE, "text": "a"}, 404, None),
    ],
)
async def test_what_is_no_annotation_is_refused_by_field(site, body, status, field):
    """Nothing of it is kept."""
    answer = await site.post(PATH, body)
    assert answer.status == status, answer.raw
    assert list(answer.errors) == ([field] if field else [])
    assert site.log.head == 0


@pytest.mark.gen_test
async def test_a_change_that_makes_no_sense_changes_nothing(site):
    """Beginning and end are held against each other as they would stand."""
    one = (await site.post(PATH, {"text": "a", "at": "-1h", "until": "-30m"})).data
    answer = await site.post(PATH, {"id": one["id"], "at": "now"})
    assert (answer.status, list(answer.errors)) == (422, ["until"])
    assert (await site.ask(PATH)).data["annotations"] == [one]
