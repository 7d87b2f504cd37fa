"""A server asks itself what a user would ask first. Used by `serve --selftest`."""

import asyncio

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from realtime.errors import PlayheadError

PATIENCE_S = 15.0


class SelfTestFailed(PlayheadError):
    """What was asked for did not come."""


async def selftest(url: str) -> None:
    """
    Raises:
        SelfTestFailed: the page, the API or the first measured tick did not come in time.
    """
    client = AsyncHTTPClient(force_instance=True)
    try:
        page = await client.fetch(f"{url}analytics")
        if b"<title>" not in page.body:
            raise SelfTestFailed("The dashboard page came back without its title.")
        async with asyncio.timeout(PATIENCE_S):
            while not await _measured(client, url):
                await asyncio.sleep(0.2)
    except TimeoutError as error:  # to Python an OSError as well, so it goes first
        raise SelfTestFailed(f"No CPU usage was measured within {PATIENCE_S:g} s.") from error
    except (HTTPClientError, OSError) as error:
        raise SelfTestFailed(f"The server did not answer itself: {error}") from error
    finally:
        client.close()


async def _measured(client: AsyncHTTPClient, url: str) -> bool:
    answer = await client.fetch(f"{url}api/realtime/dashboard/live")
    told = msgspec.json.decode(answer.body)
    return told["status"] == "success" and told["data"]["kpis"]["cpu_percent"] is not None
