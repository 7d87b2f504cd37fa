"""The document against the server: whatever it allows is tried, and much that it does not."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT

import pytest

STREAMS = r"/dashboard/(stream|poll)$|/ws$"
"""Streams do not end; they have tests of their own."""

EXAMPLES = 40


@pytest.mark.slow
@pytest.mark.gen_test(timeout=240)
async def test_no_5xx_and_no_undocumented_answer(site, tmp_path):
    """Every operation, with good and bad input: never a 5xx, never a status, media type or body that
    the document does not show."""
    await site.tick({"system_cpu_utilization_ratio": 0.9, 'up{zone="a"}': 1})
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{site.url}/api/openapi.json",
        "--exclude-path-regex",
        STREAMS,
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        "--generation-database=none",
        # An alert that is tried lasts up to half a minute, and is answered when it is over.
        "--request-timeout=60",
        "--seed=1",
        # Refusing what a schema cannot say (a selector's grammar, `from` before `to`) is our right.
        "--exclude-checks=positive_data_acceptance",
        "--no-color",
        stdout=PIPE,
        stderr=STDOUT,
        cwd=tmp_path,
    )
    told, _ = await run.communicate()
    assert run.returncode == 0, told.decode()
