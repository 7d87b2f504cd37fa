"""Samples in and out."""

import math

import msgspec
import pytest

from realtime.errors import Busy, StorageFull
from tests.web.conftest import HOST

LIVE = "/api/realtime/metrics/live"
POST = "/api/realtime/metrics"


@pytest.mark.gen_test
async def test_what_is_sent_is_there(site):
    """A reading accepted is on disk, and in the next answer with its unit and age."""
    answer = await site.post(POST, {"name": "queue_depth", "value": 0.1, "unit": "jobs"})
    assert answer.status == 200
    assert answer.data["accepted"] == 1
    assert answer.data["rejected"] == []
    assert answer.data["repeated"] is False
    assert answer.data["cursor"] == f"{site.log.epoch}:{site.log.head}"
    site.clock.pass_s(2.5)
    live = (await site.ask(LIVE)).data
    shown = live["series"]["queue_depth"]
    assert shown == {
        "id": 1,
        "source": HOST,
        "value": 0.1,
        "unit": "jobs",
        "at": "2026-11-23T03:11:46.000000Z",
        "age_s": 2.5,
    }
    assert live["kpis"]["cpu_percent"] is None


@pytest.mark.gen_test
async def test_every_wire_format_is_taken(site):
    """A reading, a list, columns; JSON or msgpack under any of its names."""
    columns = {
        "source": "db-1",
        "at": ["-2s", "-1s"],
        "series": {'up{zone="a"}': [1, None], "load": [0.5, 0.25]},
        "units": {"load": ""},
    }
    assert (await site.post(POST, columns)).data["accepted"] == 3
    for media in ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"):
        packed = msgspec.msgpack.encode([{"name": "a", "value": 1}, {"name": "b", "value": 2}])
        answer = await site.post(POST, packed, media)
        assert answer.data["accepted"] == 2
        site.clock.pass_s(1)
    series = (await site.ask(LIVE)).data["series"]
    assert series['up{zone="a"}']["source"] == "db-1"


@pytest.mark.gen_test
async def test_a_bad_reading_costs_only_itself(site):
    """The good ones are taken, the bad ones named by place and reason."""
    answer = await site.post(
        POST, [{"name": "ok", "value": 1}, {"name": "bad name", "value": 1}, {"name": "x"}]
    )
    assert answer.data["accepted"] == 1
    rejected = answer.data["rejected"]
    assert [(one["index"], one["field"]) for one in rejected] == [(1, "[1].name"), (2, "[2].value")]


@pytest.mark.gen_test
async def test_nothing_acceptable_is_422_with_reasons(site):
    """Nothing was written and every field says why."""
    before = site.log.head
    answer = await site.post(POST, [{"name": "", "value": 1}, {"name": "a", "value": True}])
    assert answer.status == 422
    assert list(answer.errors) == ["[0].name", "[1].value"]
    assert site.log.head == before


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b'"text"', b"[]", b"null", b"\xff\xfe", b"[" * 100_000]
)
async def test_a_body_that_cannot_be_read_is_400(site, body):
    """Malformed input is told so: never a 500, never a silent 200."""
    answer = await site.post(POST, body)
    assert answer.status in (400, 422)
    assert answer.json["detail"]


@pytest.mark.gen_test
async def test_more_series_than_may_be_are_named(site):
    """The bound of series is reported for what did not fit, and 422 when nothing did."""
    many = [{"name": f"m{n}", "value": 1} for n in range(60)]
    answer = await site.post(POST, many)
    assert answer.data["accepted"] == 50
    assert answer.data["rejected"]
    assert (await site.post(POST, many[50:])).status == 422


@pytest.mark.gen_test
async def test_a_key_makes_a_retry_harmless(site):
    """The same key and body write once and answer alike; another body under it is refused."""
    reading = {"name": "a", "value": 1, "at": "2026-11-23T03:11:40Z"}
    first = await site.post(POST, reading, Idempotency_Key="k-1")
    head = site.log.head
    again = await site.post(POST, reading, Idempotency_Key="k-1")
    assert site.log.head == head
    assert again.data == {**first.data, "repeated": True}
    other = await site.post(POST, {"name": "b", "value": 2}, Idempotency_Key="k-1")
    assert other.status == 422
    assert "Idempotency-Key" in other.errors


@pytest.mark.gen_test
async def test_a_key_is_bounded(site):
    """A key of any length or content would be kept for a day: it is refused instead."""
    for key in ("", "x" * 201, "a b"):
        answer = await site.post(POST, {"name": "a", "value": 1}, Idempotency_Key=key)
        assert answer.status == 400
        assert list(answer.errors) == ["Idempotency-Key"]


def numbered(seq, producer="till", epoch="e"):
    return {
        "Playhead_Producer": producer,
        "Playhead_Producer_Epoch": epoch,
        "Playhead_Producer_Seq": str(seq),
    }


@pytest.mark.gen_test
async def test_a_numbered_batch_is_written_once(site):
    """The newest batch of a producer sent again gets its first answer; an older one is 409."""
    reading = {"name": "a", "value": 1, "at": "2026-11-23T03:11:40Z"}
    first = await site.post(POST, reading, **numbered(7))
    head = site.log.head
    again = await site.post(POST, reading, **numbered(7))
    assert again.data == {**first.data, "repeated": True}
    late = await site.post(POST, reading, **numbered(6))
    assert late.status == 409
    assert list(late.errors) == ["Playhead-Producer-Seq"]
    assert "Nothing of it was kept" in late.json["detail"]
    assert site.log.head == head
    assert (await site.post(POST, reading, **numbered(9))).data["repeated"] is False


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("change", "blamed"),
    [
        ({"Playhead_Producer": None}, "Playhead-Producer"),
        ({"Playhead_Producer": ""}, "Playhead-Producer"),
        ({"Playhead_Producer_Epoch": None}, "Playhead-Producer-Epoch"),
        ({"Playhead_Producer_Epoch": "x" * 201}, "Playhead-Producer-Epoch"),
        ({"Playhead_Producer_Seq": None}, "Playhead-Producer-Seq"),
        ({"Playhead_Producer_Seq": "-1"}, "Playhead-Producer-Seq"),
        ({"Playhead_Producer_Seq": "1e3"}, "Playhead-Producer-Seq"),
        ({"Playhead_Producer_Seq": str(2**63)}, "Playhead-Producer-Seq"),
        ({"Idempotency_Key": "k"}, "Playhead-Producer"),
    ],
)
async def test_a_number_that_cannot_be_used_is_refused_by_name(site, change, blamed):
    """Half a name, a name of any length, a number that is none, and two names for one body."""
    headers = {k: v for k, v in {**numbered(1), **change}.items() if v is not None}
    answer = await site.post(POST, {"name": "a", "value": 1}, **headers)
    assert answer.status == 400
    assert list(answer.errors) == [blamed]
    assert site.log.head == 0


@pytest.mark.gen_test
async def test_a_long_body_is_read_off_the_loop(site):
    """Above the bound the same reading happens in a thread, with the same answer."""
    values = [math.sin(n) for n in range(30_000)]
    columns = {"at": [1.7e9 + n for n in range(30_000)], "series": {"wave": values}}
    answer = await site.post(POST, columns)
    assert answer.data["accepted"] == 30_000


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("error", "status"), [(Busy(3.0), 429), (StorageFull("The disk is full."), 503)]
)
async def test_a_server_that_cannot_take_more_says_when_to_return(site, monkeypatch, error, status):
    """429 and 503 carry Retry-After; nothing was kept."""

    async def refuse(*args):
        raise error

    monkeypatch.setattr(type(site.spine), "ingest", refuse)
    answer = await site.post(POST, {"name": "a", "value": 1})
    assert answer.status == status
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.errors == {}


@pytest.mark.gen_test
async def test_an_answer_is_made_once_a_tick(site):
    """Asked again it comes off the shelf and says so; a tick makes it fresh."""
    await site.tick({"system_cpu_utilization_ratio": 0.5})
    assert (await site.ask(LIVE)).data["cached"] is False
    assert (await site.ask(LIVE)).data["cached"] is True
    await site.tick({"system_cpu_utilization_ratio": 0.25})
    answer = (await site.ask(LIVE)).data
    assert answer["cached"] is False
    assert answer["kpis"]["cpu_percent"] == 25


@pytest.mark.gen_test
async def test_ages_count_up_while_nothing_comes(site):
    """A silent series grows old in the answer; the shelf does not keep it young."""
    await site.tick({"a": 1})
    first = (await site.ask(LIVE)).data["series"]["a"]["age_s"]
    site.clock.pass_s(60)
    assert (await site.ask(LIVE)).data["series"]["a"]["age_s"] == first + 60
