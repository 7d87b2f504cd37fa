"""Messages for people."""

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
