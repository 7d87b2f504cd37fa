"""The overview of a tape, of a real log."""

import asyncio
import time

import pytest

from realtime.core.times import parse_time, rfc3339
from realtime.errors import StorageFull
from tests.app import house
from tests.hands import Hands
from tests.web.conftest import START

CPU = "system_cpu_utilization_ratio"
S = 1_000_000


def told(at):
    return rfc3339(at)


async def push(it, clock, seconds, value=0.5, pace=1):
    """A tick every `pace` seconds, from now on."""
    body = [
        b'{"name":"%s","value":%f,"at":%f}' % (CPU.encode(), value, (clock.at + n * S) / 1e6)
        for n in range(0, seconds, pace)
    ]
    batch, _ = it.services.intake.read(
        b"[" + b",".join(body) + b"]", "application/json", clock.at + seconds * S
    )
    clock.pass_s(seconds)
    await it.spine.ingest(batch, own=True)


@pytest.mark.gen_test(timeout=60)
async def test_a_life_of_the_recorder(tmp_path, logs, monkeypatch):
    """A stop, a crash and a collector that was silent are gaps with their causes, whatever the zoom; activity
    is the highest share of CPU of each step, and null where nothing was read."""
    clock = Hands(START)
    async with house(tmp_path, clock, interval_s=1) as it:
        await push(it, clock, 600, 0.25)
        stopped = clock.at
    clock.pass_s(900)
    restarted = clock.at
    async with house(tmp_path, clock, interval_s=1) as it:
        await push(it, clock, 600, 0.75)
        last = clock.at - S
        clock.pass_s(300)
        silent = clock.at
        await push(it, clock, 300, 0.5)
        # As if it had ended here without a word: `close` would say goodbye.
        crashed = clock.at - S

        async def never(*_args):
            raise StorageFull("no room for a goodbye")

        monkeypatch.setattr(it.spine, "record", never)
    logs.expect("the end could not be recorded")
    clock.pass_s(1200)
    revived = clock.at
    async with house(tmp_path, clock, interval_s=1) as it:
        await push(it, clock, 60)
        now = clock.at
        first = parse_time(told(START), 0)
        answer = await it.timeline.answer(first, now, 400, now)
        assert answer["what"] == "cpu"
        assert answer["step"] == 10
        shown = dict(zip(answer["at"], answer["activity"], strict=True))
        begin = START / 1e6
        at = lambda seconds: shown[(begin + seconds) // 10 * 10]  # noqa: E731
        assert (at(30), at(700), at(1600), at(2150), at(2500)) == (0.25, None, 0.75, None, 0.5)
        causes = [(gap["cause"], gap["from"], gap["to"]) for gap in answer["gaps"]]
        assert causes[0] == ("stopped", told(stopped), told(restarted))
        assert causes[1][0] == "silent"
        assert abs(parse_time(causes[1][1], 0) - last) <= 11 * S
        assert abs(parse_time(causes[1][2], 0) - silent) <= 11 * S
        assert causes[2] == ("crashed", told(crashed), told(revived))
        assert len(causes) == 3
        assert answer["starts"] == [told(START), told(restarted), told(revived)]
        assert answer["tape"]["begins"] == told(START)
        assert answer["tape"]["raw_since"] == told(START)
        assert answer["tape"]["edge"] == told(now)
        year = await it.timeline.answer(now - 365 * 86_400 * S, now, 300, now)
        assert [gap["cause"] for gap in year["gaps"]] == ["stopped", "crashed"]
        assert year["step"] >= 86_400
        minute = await it.timeline.answer(stopped - 30 * S, stopped + 30 * S, 60, now)
        assert [(gap["from"], gap["to"]) for gap in minute["gaps"]] == [
            (told(stopped), told(stopped + 30 * S))
        ]
        clock.pass_s(120)
        later = await it.timeline.answer(now - 60 * S, clock.at, 60, clock.at)
        assert later["gaps"] == [{"from": told(now - S), "to": told(clock.at), "cause": "silent"}]


@pytest.mark.gen_test(timeout=60)
async def test_facts_are_folded_once(tmp_path, monkeypatch):
    """A second question reads no fact anew, until there is a new one."""
    clock = Hands(START)
    async with house(tmp_path, clock) as it:
        await push(it, clock, 60)
        asked = []
        facts = it.log.facts

        async def counted(types, before, limit):
            asked.extend(types)
            return await facts(types, before, limit)

        monkeypatch.setattr(it.log, "facts", counted)
        span = (clock.at - 60 * S, clock.at)
        for _ in range(3):
            await it.timeline.answer(*span, 60, clock.at)
        assert sorted(asked) == ["alert", "system"]
        await it.spine.notify("info", "this touches neither")
        await it.timeline.answer(*span, 60, clock.at)
        assert len(asked) == 2


@pytest.mark.gen_test(timeout=60)
async def test_an_empty_tape_is_shown_as_it_is(tmp_path):
    """Before the first reading there is no activity and no gap; it is asked again when there is some."""
    clock = Hands(START)
    async with house(tmp_path, clock) as it:
        answer = await it.timeline.answer(clock.at - 3600 * S, clock.at, 60, clock.at)
        assert (answer["what"], answer["at"], answer["gaps"]) == ("nothing", [], [])
        assert answer["tape"]["begins"] is None
        begun = time.perf_counter()
        await asyncio.gather(
            *(it.timeline.answer(clock.at - n * S, clock.at, 60, clock.at) for n in range(10, 30))
        )
        assert time.perf_counter() - begun < 5
