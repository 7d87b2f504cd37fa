"""The least that could do the same, as programs of their own: what ours is measured against.

    python -m tests.bench.bare serve FILE   Tornado: the bytes of FILE at /answer, and a broadcast:
                                            what is posted to /say goes to every socket at /ws
    python -m tests.bench.bare collect      psutil's answers, once a second, and nothing done with them

The first prints its address, both run until they are ended.
"""

import asyncio
import contextlib
import sys
import time
from mimetypes import guess_type
from pathlib import Path

import psutil
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

Sockets = set["Ears"]


class Answer(RequestHandler):
    def initialize(self, body: bytes, media: str | None) -> None:
        self._body = body
        self._media = media or "application/json"

    def get(self) -> None:
        self.set_header("Content-Type", self._media)
        self.finish(self._body)


class Say(RequestHandler):
    def initialize(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def post(self) -> None:
        for one in self._sockets:
            one.write_message(self.request.body)
        self.finish(b"{}")


class Ears(WebSocketHandler):
    def initialize(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._sockets.add(self)

    def on_message(self, message: str | bytes) -> None:
        pass

    def on_close(self) -> None:
        self._sockets.discard(self)


async def serve(file: str) -> None:
    sockets: Sockets = set()
    application = Application(
        [
            ("/answer", Answer, {"body": Path(file).read_bytes(), "media": guess_type(file)[0]}),
            ("/say", Say, {"sockets": sockets}),
            ("/ws", Ears, {"sockets": sockets}),
        ],
        log_function=lambda handler: None,
    )
    listening = bind_sockets(0, "127.0.0.1")
    HTTPServer(application).add_sockets(listening)
    print(f"ready at http://127.0.0.1:{listening[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


def collect() -> None:
    """Everything our collectors ask of psutil, at their paces."""
    beat = 0
    while True:
        psutil.cpu_times(percpu=True)
        psutil.cpu_stats()
        psutil.getloadavg()
        psutil.virtual_memory()
        psutil.swap_memory()
        psutil.disk_io_counters(perdisk=True)
        psutil.net_io_counters(pernic=True)
        if beat % 10 == 0:
            for part in psutil.disk_partitions():
                with contextlib.suppress(OSError):
                    psutil.disk_usage(part.mountpoint)
        if beat % 5 == 0:
            list(psutil.process_iter(["name", "status", "cpu_times", "memory_info", "num_threads"]))
        beat += 1
        time.sleep(1)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "serve":
            asyncio.run(serve(sys.argv[2]))
        else:
            collect()
