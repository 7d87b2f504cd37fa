"""Behind nginx, as docs/security.md says to set it up, and as Debian ships it: nothing is held back.

Needs the nginx binary (Debian: `apt install nginx-light`); without it these tests are skipped, and say so.
"""

import asyncio
import contextlib
import re
import shutil
import socket
from pathlib import Path

import pytest

from tests.app import house
from tests.clients import events, eventually, poll, sockets

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or ""
DOCS = Path(__file__).resolve().parents[2] / "docs" / "security.md"
AT_ONCE_S = 1.0
"""Far less than a buffer of nginx takes to fill with what is sent here."""

BARE = """
location / {{
    proxy_pass http://127.0.0.1:{port};
    proxy_set_header Host $host;
}}
"""
"""Everything else as it comes: buffering on, HTTP/1.0 to the server, no upgrade."""

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed: apt install nginx-light")


def documented(port):
    """The block of the docs, to the letter, but for the port and the password."""
    [block] = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert "http://127.0.0.1:8765" in block
    kept = [line for line in block.splitlines() if "auth_basic" not in line]
    return "\n".join(kept).replace("127.0.0.1:8765", f"127.0.0.1:{port}")


def mapped():
    """The `map` that the docs name beside the header that uses it."""
    [found] = re.findall(r"map \$http_upgrade .*?\}", DOCS.read_text())
    return found


@contextlib.asynccontextmanager
async def nginx(directory, location):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    config = directory / "nginx.conf"
    config.write_text(
        f"""
        daemon off; master_process off; pid {directory}/pid; error_log {directory}/errors warn;
        events {{ worker_connections 64; }}
        http {{
            access_log off;
            client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fast; uwsgi_temp_path {directory}/uw; scgi_temp_path {directory}/sc;
            gzip on; gzip_types text/event-stream application/json; gzip_proxied any; gzip_min_length 1;
            {mapped()}
            server {{ listen 127.0.0.1:{port}; server_name localhost; {location} }}
        }}
        """
    )
    process = await asyncio.create_subprocess_exec(
        NGINX, "-p", str(directory), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await eventually(lambda: process.returncode is not None or listens(port))
        assert process.returncode is None, (directory / "errors").read_text()
        yield f"http://127.0.0.1:{port}/"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def hears_at_once(it, one):
    """Ten small events, each alone: each arrives before the next is sent."""
    await one.until("snapshot")
    for n in range(10):
        await it.spine.notify("info", f"{n}")
        await asyncio.wait_for(one.until("notification", message=f"{n}"), AT_ONCE_S)


async def polls_at_once(it, url):
    cursor = (await poll(url))["cursor"]
    for n in range(3):
        waiting = asyncio.create_task(poll(url, cursor=cursor))
        await eventually(lambda: it.hub.count()["poll"])
        await it.spine.notify("info", f"{n}")
        page = await asyncio.wait_for(waiting, AT_ONCE_S)
        assert [one["data"]["message"] for one in page["frames"]] == [f"{n}"]
        cursor = page["cursor"]


@pytest.mark.gen_test(timeout=60)
async def test_the_documented_nginx(tmp_path):
    """All three roads, each event at once, through the very lines of the docs with compression on top; a
    reader that leaves is noticed behind it as well."""
    (tmp_path / "proxy").mkdir()
    async with (
        house(tmp_path / "data") as it,
        nginx(tmp_path / "proxy", documented(port(it))) as url,
    ):
        async with sockets(url) as one:
            await hears_at_once(it, one)
        async with events(url) as one:
            # nginx does not heed `no-transform`; compressed or not, what comes is passed on.
            assert one.response.headers["Content-Encoding"] == "gzip"
            await hears_at_once(it, one)
        await polls_at_once(it, url)
        await eventually(lambda: sum(it.hub.count().values()) == 0)


@pytest.mark.gen_test(timeout=60)
async def test_an_nginx_that_was_told_nothing(tmp_path):
    """With buffers on and HTTP/1.0 behind, our headers alone keep the stream flowing, and polls are answered;
    the WebSocket is refused with 426, which is what sends a browser to the next road."""
    (tmp_path / "proxy").mkdir()
    async with house(tmp_path / "data") as it:
        async with nginx(tmp_path / "proxy", BARE.format(port=port(it))) as url:
            async with events(url) as one:
                await hears_at_once(it, one)
            await polls_at_once(it, url)
            with pytest.raises(Exception, match="426"):
                async with sockets(url):
                    pass
        await eventually(lambda: sum(it.hub.count().values()) == 0)


def port(it):
    return int(it.url.rstrip("/").rpartition(":")[2])
