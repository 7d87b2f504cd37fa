"""The command that `pip install` leaves behind: `run.py` as the program, and not as a module that is imported."""

import runpy


def main() -> None:
    runpy.run_module("run", run_name="__main__", alter_sys=True)
