"""The road of Socket.IO is there for whoever takes it, and costs nothing until then."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.app import PATIENCE_S, house
from tests.clients import eventually
from web.doorway import Knock
from web.problem import Problem

pytest.importorskip("engineio")

SHAKE = "/socket.io/?EIO=4&transport=polling"


def doorway(it) -> Any:
    return it.services.socketio


@pytest.mark.gen_test
async def test_one_door_for_all_who_knock_at_once(tmp_path):
    """The first clients of a server wait for the same loading, and all get in."""
    async with house(tmp_path) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as http:
        assert doorway(it).door is None
        answers = await asyncio.gather(*(http.get(SHAKE) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert len(doorway(it).door.clients) == 5


@pytest.mark.gen_test
async def test_nobody_waits_for_one_who_left(tmp_path, monkeypatch):
    """A client that hangs up while the road is loaded opens no session, and shuts nobody out."""
    async with house(tmp_path) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as http:
        loaded = asyncio.get_running_loop().create_future()
        doorway(it)._loading = loaded
        knocked = asyncio.Event()
        enter = Knock._enter

        async def heard(knock):
            knocked.set()
            await enter(knock)

        monkeypatch.setattr(Knock, "_enter", heard)
        one = asyncio.create_task(http.get(SHAKE))
        await asyncio.wait_for(knocked.wait(), PATIENCE_S)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        await eventually(lambda: not it._server._connections)
        from web.socketio import Door

        loaded.set_result(Door)
        assert (await http.get(SHAKE)).status_code == 200
        assert len(doorway(it).door.clients) == 1


@pytest.mark.gen_test
async def test_what_could_not_be_loaded_once_is_tried_again(tmp_path, monkeypatch, logs):
    """As where no file could be opened just then: who waits is told so with a 503, the log says why, once, and the next
    gets in."""

    def fail():
        raise OSError(24, "Too many open files")

    async with house(tmp_path) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as http:
        loading = doorway(it)._loading = asyncio.get_running_loop().create_future()
        waiting = [asyncio.create_task(doorway(it).open()) for _ in range(3)]
        await asyncio.sleep(0)
        loading.set_exception(OSError(24, "Too many open files"))
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(one, Problem) and one.status for one in told] == [503] * 3
        logs.expect("Socket.IO could not be loaded")
        with monkeypatch.context() as patch:
            patch.setattr("web.doorway._load", fail)
            answer = await http.get(SHAKE)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "could not be loaded" in answer.json()["detail"]
        assert "Too many open files" in str(logs.expect("Socket.IO could not be loaded"))
        assert (await http.get(SHAKE)).status_code == 200


@pytest.mark.gen_test
async def test_the_refused_load_nothing(tmp_path):
    """Who is refused by its headers does not make the server load anything."""
    async with house(tmp_path) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as http:
        answer = await http.get(SHAKE, headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403
        assert doorway(it).door is None
