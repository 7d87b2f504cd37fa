"""This process as the operating system sees it: what `/metrics` and the statistics tell of it."""

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """CPU and start in seconds, memory in bytes; `open_fds` and `max_fds` None where unknown."""

    cpu_s: float
    started_s: float
    resident_bytes: int
    virtual_bytes: int
    threads: int
    open_fds: int | None
    max_fds: int | None


def read_process() -> ProcessFigures:
    """Counters only, nothing is waited for: some tens of microseconds."""
    process = psutil.Process(os.getpid())
    with process.oneshot():
        cpu = process.cpu_times()
        memory = process.memory_info()
        return ProcessFigures(
            cpu_s=cpu.user + cpu.system,
            started_s=process.create_time(),
            resident_bytes=memory.rss,
            virtual_bytes=memory.vms,
            threads=process.num_threads(),
            open_fds=process.num_fds() if psutil.POSIX else None,
            max_fds=process.rlimit(psutil.RLIMIT_NOFILE)[0] if psutil.LINUX else None,
        )
