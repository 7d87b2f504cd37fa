"""Where something is made: there while it is, and gone with it."""

import asyncio

import pytest

from realtime.errors import StorageError
from realtime.scratch import Scratch


@pytest.mark.gen_test
async def test_it_is_empty_taken_by_one_and_gone_afterwards(tmp_path):
    """Whatever was left in it, and however the work ends; who comes second waits."""
    place = tmp_path / "making"
    scratch = Scratch(place)
    place.mkdir()
    (place / "left").write_text("by a crash")
    order = []

    async def work(name):
        async with scratch.taken() as directory:
            assert directory == place and list(directory.iterdir()) == []
            assert scratch.is_taken
            (directory / "half").write_text("made")
            await asyncio.sleep(0.01)
            order.append(name)
            raise ValueError(name)

    ends = await asyncio.gather(work("a"), work("b"), return_exceptions=True)
    assert [str(end) for end in ends] == order == ["a", "b"]
    assert not place.exists() and not scratch.is_taken


@pytest.mark.gen_test
async def test_what_a_crash_left_can_be_cleared_and_what_cannot_is_said(tmp_path, logs):
    """At a start; a failure is a line in the log and no more."""
    place = tmp_path / "making"
    scratch = Scratch(place)
    scratch.clear()
    place.mkdir()
    (place / "left").write_text("by a crash")
    scratch.clear()
    assert not place.exists()
    place.write_text("no directory")
    scratch.clear()
    logs.expect("what was being made cannot be removed")
    with pytest.raises(StorageError):
        async with scratch.taken():
            raise AssertionError("it could not be made")
    logs.expect("what was being made cannot be removed")
    assert not scratch.is_taken
