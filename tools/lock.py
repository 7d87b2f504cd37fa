"""Writes requirements.txt from the ranges in setup.cfg: every version, every hash, every platform.

Keeps what is locked and still fits; `--upgrade` takes the newest that the ranges allow.
uv reads the ranges from here rather than from setup.cfg itself, which it could only by building us.
"""

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
HEADER = """\
# The whole house, runtime and tools, on every platform. Made by `make lock` from setup.cfg;
# installed with --require-hashes. Do not edit.
"""


def ranges(*extras: str) -> list[str]:
    """The requirements of setup.cfg, in its words: those of the program and of the extras named."""
    config = RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [config.get("options", "install_requires")]
    texts += [config.get("options.extras_require", extra) for extra in extras]
    return [line for text in texts for line in text.split("\n") if line]


def main() -> None:
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "-"),
        *("--universal", "--python-version", "3.11", "--generate-hashes"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--quiet", "--output-file", str(LOCK), *sys.argv[1:]),
    ]
    wanted = "\n".join(ranges("socketio", "test", "dev"))
    subprocess.run(command, input=wanted, text=True, check=True, stdout=subprocess.DEVNULL)
    LOCK.write_text(HEADER + LOCK.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
