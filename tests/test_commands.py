"""The commands as people run them: the real program, beside the real server and without it."""

import asyncio
import json
import sys

import pytest

from tests.app import ROOT, running


async def playhead(*words):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "run.py"),
        *map(str, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.slow
@pytest.mark.gen_test(timeout=90)
async def test_a_day_in_the_life(tmp_path):
    """While it runs: verify, stats, backup and export work, compact and restore are refused. After: all do."""
    file, sheet = tmp_path / "b.db", tmp_path / "x.parquet"
    async with running(tmp_path, interval_s=0.1) as server:
        data = f"--data={server.directory}"
        await asyncio.sleep(2)
        code, out, err = await playhead("verify", data, "--json")
        assert (code, err) == (0, "") and json.loads(out)["sound"]
        code, out, err = await playhead("backup", file, data)
        assert (code, err) == (0, "") and "b.db" in out
        code, out, err = await playhead("export", data, "--out", sheet, "--json")
        assert (code, err) == (0, "") and json.loads(out)["samples"] > 100
        assert sheet.stat().st_size > 1000
        for words in (["compact"], ["restore", file, "--force"]):
            code, out, err = await playhead(*words, data)
            assert (code, out) == (1, "") and "another Playhead" in err
        code, out, _ = await playhead("stats", data, "--json")
        assert code == 0
        epoch = json.loads(out)["epoch"]
        await server.stop()
        code, out, err = await playhead("compact", data, "--json")
        assert (code, err) == (0, "") and json.loads(out)["segments"] >= 1
        code, out, err = await playhead("restore", file, data, "--force", "--json")
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert told["epoch_of_backup"] == epoch != told["epoch"]
        await server.start()
        code, out, _ = await playhead("verify", data)
        assert code == 0 and "as it was written" in out


@pytest.mark.gen_test
async def test_exit_codes(tmp_path):
    """1: the work failed. 2: bad usage."""
    code, _, err = await playhead("verify", "--data", tmp_path)
    assert code == 1 and "no log" in err
    code, _, err = await playhead("export", "--data", tmp_path, "--from", "soon")
    assert code == 2 and "--from" in err
    code, _, err = await playhead("backup")
    assert code == 2 and "FILE" in err
