"""A thread beside the loop that can be left behind when what it does never ends."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable

Job = tuple[Callable[[], object], asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Worker:
    """One job after the other. A daemon, unlike the threads of concurrent.futures, for which the
    interpreter waits at exit: a read that hangs must not keep the server from stopping.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], object]) -> "asyncio.Future[None]":
        """Settled on the loop when `work` has ended, with what it raised if it did."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._jobs.put((work, loop, done))
        return done

    def close(self) -> None:
        """It ends after the job it has, if that ends; nobody waits for it."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, loop, done = job
            failure: Exception | None = None
            try:
                work()
            except Exception as error:  # handed to whoever awaits it
                failure = error
            # The loop may be closed by the time a job that was left behind comes back.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, done, failure)


def _settle(done: "asyncio.Future[None]", failure: Exception | None) -> None:
    if done.done():  # its waiter has left
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
