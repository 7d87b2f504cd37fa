"""A replay of a running server, as its client hears it. Used by `playhead replay --url`."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from tornado.httpclient import HTTPError
from tornado.websocket import WebSocketClientConnection, websocket_connect

from realtime.errors import PlayheadError

PATH = "/api/realtime/ws"
LONGEST = 64 * 1024 * 1024
ENDS = ("ended", "live")

Show = Callable[[str, Mapping[str, Any]], None]


class NotPlayed(PlayheadError):
    """The server did not play what was asked for."""


async def view(url: str, ask: Mapping[str, Any], match: tuple[str, ...], show: Show) -> None:
    """Show every frame as it comes, until the replay ends or is live.

    Raises:
        NotPlayed: the server cannot be reached, refuses, or leaves.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    scheme = {"https": "wss", "http": "ws"}.get(parts.scheme, parts.scheme)
    address = f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{PATH}?rooms="
    try:
        socket = await websocket_connect(address, max_message_size=LONGEST)
    except (OSError, HTTPError, ValueError) as error:
        raise NotPlayed(f"{url} does not answer: {error}", "Is the server running?") from error
    try:
        if match:
            await _say(socket, "subscribe_to_metrics", {"match": list(match)})
        await _say(socket, "replay", ask)
        await _hear(socket, url, show)
    finally:
        socket.close()


async def _say(socket: WebSocketClientConnection, event: str, data: Mapping[str, Any]) -> None:
    await socket.write_message(msgspec.json.encode({"event": event, "data": data}).decode())


async def _hear(socket: WebSocketClientConnection, url: str, show: Show) -> None:
    playing = False
    while (message := await socket.read_message()) is not None:
        frame = msgspec.json.decode(message)
        event, data = frame["event"], frame["data"]
        if event == "error":
            raise NotPlayed(data["detail"])
        playing |= event == "replaying"
        if playing:
            show(event, data)
            if event == "playhead" and data["state"] in ENDS:
                return
    raise NotPlayed(f"{url} ended the connection.", "Ask again.")
