"""Messages for people."""

import asyncio

import pytest

from realtime.errors import Closing

PATH = "/api/realtime/notifications"


@pytest.mark.gen_test
async def test_stored_then_listed_newest_first(site):
    """What was answered with an id is in the list, under that id, in the shape of its frame."""
    sent = await site.post(PATH, {"type": "warning", "message": "disk swap at 5", "title": "Ops"})
    assert sent.status == 200
    await site.post(PATH, {"type": "info", "message": "<script>alert(1)</script>", "room": "ops"})
    listed = (await site.ask(PATH)).data["notifications"]
    assert [one["message"] for one in listed] == ["<script>alert(1)</script>", "disk swap at 5"]
    assert listed[1] == sent.data
    assert listed[1]["id"]
    assert listed[1]["type"] == "warning"
    assert listed[0]["room"] == "ops"
    assert listed[0]["seq"] > listed[1]["seq"]


@pytest.mark.gen_test
async def test_a_key_makes_a_retry_harmless(site):
    """The same key and body are told once and answered alike, at the same moment and later; a key names one
    body of one address."""
    note, reading = {"message": "deploy"}, {"name": "a", "value": 1}
    first, twin = await asyncio.gather(
        *(site.post(PATH, note, Idempotency_Key="k-1") for _ in range(2))
    )
    assert first.status == 200
    head = site.log.head
    await site.post(PATH, {"message": "another"})
    again = await site.post(PATH, note, Idempotency_Key="k-1")
    assert site.log.head == head + 1
    assert again.data == twin.data == first.data
    listed = (await site.ask(PATH)).data["notifications"]
    assert [one["message"] for one in listed] == ["another", "deploy"]
    for path, body in ((PATH, {"message": "other"}), ("/api/realtime/metrics", note)):
        other = await site.post(path, body, Idempotency_Key="k-1")
        assert other.status == 422
    assert "Idempotency-Key" in (await site.post(PATH, reading, Idempotency_Key="k 1")).errors
    assert (await site.post("/api/realtime/metrics", reading, Idempotency_Key="k-2")).status == 200
    other = await site.post(PATH, {"message": "x"}, Idempotency_Key="k-2")
    assert list(other.errors) == ["Idempotency-Key"]
    assert len((await site.ask(PATH)).data["notifications"]) == 2


@pytest.mark.gen_test
async def test_a_key_whose_notification_cannot_be_read_tells_so(site, logs):
    """Kept once and damaged since: neither told twice nor answered as if all were well."""
    sent = await site.post(PATH, {"message": "a"}, Idempotency_Key="k")
    async with site.log._engine.transaction() as connection:
        await connection.exec_driver_sql(
            "UPDATE events SET body = zeroblob(9) WHERE seq = ?", (sent.data["seq"],)
        )
    head = site.log.head
    again = await site.post(PATH, {"message": "a"}, Idempotency_Key="k")
    assert again.status == 503
    assert f"event {sent.data['seq']}" in again.json["detail"]
    logs.expect("part of the log is damaged")
    assert site.log.head == head


@pytest.mark.gen_test
async def test_the_list_is_bounded(site):
    """`limit` holds, and a limit beyond the bound is told the bound."""
    for n in range(3):
        await site.post(PATH, {"message": str(n)})
    listed = (await site.ask(f"{PATH}?limit=2")).data["notifications"]
    assert [one["message"] for one in listed] == ["2", "1"]
    assert "500" in (await site.ask(f"{PATH}?limit=501")).errors["limit"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b"[" * 100_000, 422, "body"),
        (b'{"message":"\xff"}', 400, None),
        ({}, 422, "body"),
        ({"message": ""}, 422, "message"),
        ({"message": 5}, 422, "message"),
        ({"message": "x" * 4001}, 422, "message"),
        ({"message": "a", "type": "loud"}, 422, "type"),
        ({"message": "a", "rom": "b"}, 422, "body"),
        ({"message": "a", "room": ""}, 422, "room"),
        ({"message": "a", "room": "a\nb"}, 422, "room"),
        ([], 422, "body"),
    ],
)
async def test_what_is_no_notification_is_refused_by_field(site, body, status, field):
    """Not JSON is 400, JSON of another shape 422 naming the field; nothing is stored."""
    answer = await site.post(PATH, body)
    assert answer.status == status
    assert list(answer.errors) == ([field] if field else [])
    assert site.log.head == 0


@pytest.mark.gen_test
async def test_a_closing_server_keeps_nothing(site, monkeypatch):
    """503 and Retry-After: the sender knows that it was not stored."""

    async def refuse(*args, **more):
        raise Closing()

    monkeypatch.setattr(type(site.spine), "notify", refuse)
    answer = await site.post(PATH, {"message": "a"})
    assert answer.status == 503
    assert answer.headers["Retry-After"]
