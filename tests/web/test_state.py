"""The dashboard as it stood: what `dashboard/live` answered at a moment, asked for again later."""

import asyncio
import random

import pytest

from tests.web.conftest import HOST

LIVE = "/api/realtime/dashboard/live"
STATE = "/api/realtime/state"
USER = 'system_cpu_mode_ratio{mode="user"}'
LOAD: dict[str, object] = {"name": "system_load", "labels": {"period": "1m"}}
CPU = "system_cpu_utilization_ratio"


def moment(site) -> str:
    return f"{site.clock.now() / 1_000_000:.6f}"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.gen_test(timeout=60)
async def test_it_answers_what_was_answered_then(site, seed):
    """To the byte, however much has come since, late samples for those very minutes among it; sealed or not, with
    alerts, notifications, sources that come and go, short ranges and long ones."""
    dice = random.Random(seed)
    answered = {}
    for n in range(120):
        # The host's tick first: it is by them that the tape knows what came when.
        answer = await site.post(
            "/api/realtime/metrics",
            [
                {"name": CPU, "value": 0.9 if 30 < n % 60 < 40 else 0.1},
                {
                    "name": "system_cpu_mode_ratio",
                    "labels": {"mode": "user"},
                    "value": dice.random(),
                },
                {**LOAD, "value": dice.random()},
            ],
        )
        assert answer.status == 200
        if n % 3 == 0:
            sent = {"name": f"jobs_{n // 30}", "value": n, "source": "shop"}
            late = f"-{dice.randrange(1, 400)}s" if n % 2 and n > 60 else "now"
            assert (await site.post("/api/realtime/metrics", {**sent, "at": late})).status == 200
        if n % 20 == 0:
            await site.post("/api/realtime/notifications", {"message": f"at {n}"})
        if n % 11 == 0:
            hours = dice.choice(["", "&hours=0.02", "&hours=3", "&room=ops", "&source=shop"])
            await site.post("/api/realtime/cache/clear")  # charts of long ranges may be a step old
            body = await site.ask(f"{LIVE}?{hours[1:]}")
            assert body.data["cached"] is False
            answered[moment(site), hours] = body.raw
        site.clock.pass_s(1 if n != 70 else 1200)
    assert any(b'"firing"' in raw for raw in answered.values())
    # Of the very minutes that were asked about, from the host and from another.
    for source in (HOST, "shop"):
        for back in (100, 700, 1250):
            behind = {**LOAD, "value": 77, "source": source, "at": f"-{back}s"}
            answer = await site.post("/api/realtime/metrics", behind)
            assert answer.status == 200
    site.clock.pass_s(1)
    await site.tick({CPU: 0.5})
    for all_of_it in (None, False, True):
        if all_of_it is not None:
            await site.log.seal(site.log.head, all_of_it=all_of_it)
        await site.post("/api/realtime/cache/clear")
        for (at, hours), raw in answered.items():
            assert (await site.ask(f"{STATE}?at={at}{hours}")).raw == raw
    at, hours = next(iter(answered))
    assert (await site.ask(f"{STATE}?at={at}{hours}")).data["cached"] is True


@pytest.mark.gen_test
async def test_a_moment_that_cannot_be_shown_is_refused(site):
    """With the field, what came, and what would do."""
    assert "at" in (await site.ask(STATE)).errors
    assert "no" in (await site.ask(f"{STATE}?at=-1h")).errors["at"]
    await site.tick({CPU: 0.5})
    assert "begins at 2026-11-23T03:11:46" in (await site.ask(f"{STATE}?at=-1h")).errors["at"]
    assert "not over" in (await site.ask(f"{STATE}?at=2199-01-01T00:00:00Z")).errors["at"]
    assert "RFC 3339" in (await site.ask(f"{STATE}?at=yesterday")).errors["at"]
    assert "nothing has come" in (await site.ask(f"{STATE}?at=now&source=x")).errors["source"]
    now = await site.ask(f"{STATE}?at=now")
    assert now.data["metrics"][CPU]["value"] == 0.5


@pytest.mark.gen_test
async def test_near_now_it_is_made_once_for_all_who_ask_at_the_same_time(site, monkeypatch):
    """A moment that is not settled yet costs one making, not one a caller; what came since is in the next answer."""
    for n in range(3):
        assert (
            await site.post("/api/realtime/metrics", [{"name": CPU, "value": n / 10}])
        ).status == 200
        site.clock.pass_s(1)
    real, made = site.services.past.standing, []

    async def counted(*asked):
        made.append(asked)
        return await real(*asked)

    monkeypatch.setattr(site.services.past, "standing", counted)
    asked = f"{STATE}?at={moment(site)}"
    answers = await asyncio.gather(*(site.ask(asked) for _ in range(20)))
    assert len(made) == 1
    assert len({body.raw.replace(b'"cached":true', b'"cached":false') for body in answers}) == 1
    await site.post("/api/realtime/notifications", {"message": "meanwhile"})
    body = await site.ask(asked)
    assert [one["message"] for one in body.data["notifications"]] == ["meanwhile"]
    assert body.data["cached"] is False and len(made) == 2
