"""Threads share heaps where the C library lets them."""

import ctypes
import platform
import subprocess
import sys

import pytest

from realtime import heap

GLIBC = platform.libc_ver()[0] == "glibc"

COUNT = """
import ctypes, sys, threading
from realtime import heap
if sys.argv[1] == "tame":
    assert heap.tame()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
def work(gate):
    c.malloc(100_000)
    gate.wait()
gate = threading.Barrier(9)
threads = [threading.Thread(target=work, args=(gate,)) for _ in range(8)]
for one in threads: one.start()
gate.wait()
for one in threads: one.join()
c.fopen.restype = ctypes.c_void_p
c.fopen.argtypes = [ctypes.c_char_p] * 2
out = c.fopen(sys.argv[2].encode(), b"w")
c.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
c.malloc_info(0, out)
c.fclose.argtypes = [ctypes.c_void_p]
c.fclose(out)
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc has a heap a thread")
def test_eight_threads_share_two_heaps(tmp_path):
    """However many threads there are, there are two heaps, where there would be more."""
    counts = {}
    for how in ("tame", "leave"):
        told = tmp_path / how
        subprocess.run([sys.executable, "-c", COUNT, how, told], check=True)
        counts[how] = told.read_text().count("<heap nr=")
    assert counts["tame"] <= 2 < counts["leave"]


def test_another_c_library_is_left_alone(monkeypatch):
    """Without mallopt nothing happens, and nothing fails."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert heap.tame() is False
