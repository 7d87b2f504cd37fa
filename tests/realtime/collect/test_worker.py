import asyncio
import threading

import pytest

from realtime.collect.worker import Worker


@pytest.fixture
def worker():
    worker = Worker("test worker")
    yield worker
    worker.close()


@pytest.mark.gen_test
async def test_jobs_run_one_after_the_other_off_the_loop(worker):
    """All in the same thread, which is not the loop's and does not keep the process alive."""
    threads = []
    jobs = [worker.run(lambda: threads.append(threading.current_thread())) for _ in range(3)]
    await asyncio.gather(*jobs)
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


@pytest.mark.gen_test
async def test_what_a_job_raises_reaches_its_waiter(worker):
    """And the next job runs as if nothing had been."""
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: None) is None


@pytest.mark.gen_test
async def test_a_waiter_may_leave(worker):
    """A job nobody waits for any more ends in silence."""
    gate = threading.Event()
    done = worker.run(lambda: gate.wait(10))
    done.cancel()
    gate.set()
    await worker.run(lambda: None)
    assert done.cancelled()


def test_a_job_may_outlive_the_loop():
    """A hang that ends after the loop is gone disturbs nobody."""
    gate = threading.Event()

    async def leave():
        worker = Worker("outliving")
        worker.run(lambda: gate.wait(10))
        worker.close()
        return worker

    worker = asyncio.run(leave())
    gate.set()
    worker._thread.join(10)
    assert not worker._thread.is_alive()
