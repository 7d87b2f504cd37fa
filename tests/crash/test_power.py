"""The power fails at a hundred random moments: nothing that a client was told is lost, and what is left is sound."""

import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.backup import backup
from storage.errors import StorageError
from storage.events import Draft, Metrics, Notification, System
from storage.log import Log
from storage.look import FILE, look
from storage.migrate import migrate
from storage.verify import verify
from tests.app import PATIENCE_S, ROOT
from tests.clients import eventually
from tests.crash import nursery
from tests.crash.ledger import Ledger, tick_of
from tests.crash.power import CALLS, SHOWN, WAYS, Call, Disk, calls
from tests.crash.test_kills import web
from tests.storage.filled import fill

CUTS = 100
BATCHES = 50
"""Acknowledged between two looks at what was recorded: nothing is forgotten that had not been seen."""
PHASES = (8, 40)
"""At least, and at most while nothing has been forgotten yet."""
RETAIN_BYTES = 170_000
CURSOR = re.compile(rb'"cursor":"[0-9a-f]{16}:(\d+)"')
NOTE = re.compile(rb'"id":"([0-9a-f]{16})"')

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def tracing_or_skip(directory: Path) -> None:
    """Says loudly where this cannot be shown: `make test` installs strace, but may not be allowed to use it."""
    if not shutil.which("strace"):
        pytest.skip("POWER CUTS ARE NOT TESTED HERE: strace is missing; run tools/debian.sh strace")
    command = ["strace", "-f", "-o", str(directory / "try"), "true"]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"POWER CUTS ARE NOT TESTED HERE: this system forbids tracing: {tried.stderr}")


class Recording:
    """A server's life under load, call by call: `root` is where it lived, `ledger` what it acknowledged."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "disk"
        self.trace = directory / "trace"
        self.ledger = Ledger(1)
        self.calls: list[Call] = []
        self.root.mkdir()

    async def record(self, weak: str = "") -> None:
        server = await asyncio.create_subprocess_exec(
            *("strace", "-f", "-y", "-xx", "-s", str(SHOWN), "-e", f"trace={CALLS}"),
            *("-o", str(self.trace), sys.executable, nursery.__file__, "serve", "--port=0"),
            *(f"--data={self.root}/new/data", "--interval-s=60"),
            f"--retain-bytes={RETAIN_BYTES}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "WEAK_SYNC": weak},
        )
        assert server.stdout and server.stderr
        line = await asyncio.wait_for(server.stdout.readline(), 3 * PATIENCE_S)
        assert b" http://" in line, (await server.stderr.read()).decode()
        url = line.decode().split()[-1].rstrip("/")
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        async with web() as client:
            for phase in range(PHASES[1]):
                over = asyncio.Event()
                load = asyncio.create_task(self.ledger.load(client, url, over))
                await self._acknowledged(self.ledger.acknowledged + BATCHES)
                over.set()
                await load
                await self.ledger.audit(client, url)
                if phase >= PHASES[0] and self.ledger.floor > 1:
                    break
        os.kill(int(children), signal.SIGKILL)
        await asyncio.wait_for(server.wait(), PATIENCE_S)
        self.calls = calls(self.trace)

    async def _acknowledged(self, batches: int) -> None:
        await eventually(lambda: self.ledger.acknowledged >= batches)


@pytest.mark.gen_test(timeout=300)
async def test_a_hundred_power_cuts(tmp_path):
    """A real server, from its first start in a directory that is not there yet, under every kind of load,
    sealing, forgetting and checkpointing. At each of a hundred moments its disk keeps what was synced
    and a random rest, torn where chance wants it; half of the moments are right after an answer, a fifth
    within the start. Then the log opens, holds all that any client had been told, whole batches alone,
    passes `verify`, and goes on. The same trace with the syncs of the WAL left out loses what was acknowledged."""
    tracing_or_skip(tmp_path)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    recording = Recording(tmp_path)
    await recording.record()
    in_one_thread = asyncio.get_running_loop().run_in_executor
    disk, lost = await in_one_thread(None, cut, recording, tmp_path, seed, CUTS, ())
    assert not lost, "\n".join(lost)
    assert disk.syncs > 50
    assert recording.ledger.floor > 1
    for path, content in disk.whole().items():
        assert Path(path).read_bytes() == content, (
            f"the trace does not tell all that became of {path}"
        )
    _, lost = await in_one_thread(None, cut, recording, tmp_path, seed, 10, ("-wal",))
    assert lost


@pytest.mark.gen_test(timeout=120)
async def test_these_cuts_tell_a_weaker_promise(tmp_path):
    """A server with synchronous=NORMAL, which syncs at checkpoints alone, is seen losing what it acknowledged:
    so the cuts above would tell."""
    tracing_or_skip(tmp_path)
    recording = Recording(tmp_path)
    await recording.record("NORMAL")
    _, lost = await asyncio.get_running_loop().run_in_executor(
        None, cut, recording, tmp_path, 1, 20, ()
    )
    assert len(lost) > 2
    assert all("acknowledged" in what for what in lost), lost


def cut(
    recording: Recording, directory: Path, seed: int, cuts: int, deaf: tuple[str, ...]
) -> tuple[Disk, list[str]]:
    """Cuts the power that often, and looks at what is left; what was lost, in words."""
    chance = random.Random(seed)
    steps = [*Disk(recording.root).moments(recording.calls)]
    answers = [place for place, said in enumerate(steps) if said and said.data.startswith(b"HTTP/")]
    changes = [place for place, said in enumerate(steps) if said is None]
    start = [place for place in changes if place < answers[0]]
    places = {*chance.sample(answers, cuts // 2), *chance.sample(start, cuts // 5)}
    while len(places) < cuts:
        places.add(chance.choice(changes))
    disk = Disk(recording.root, deaf)
    acknowledged, notes, lost = 0, set(), []
    for place, said in enumerate(disk.moments(recording.calls)):
        if said is not None:
            acknowledged = max([acknowledged, *map(int, CURSOR.findall(said.data))])
            notes |= {*NOTE.findall(said.data)}
        if place in places:
            way = chance.choice(WAYS)
            left = directory / f"left-{place}"
            for path, content in disk.cut(chance, way).items():
                target = left / Path(path).relative_to(recording.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            (left / "new/data").mkdir(parents=True, exist_ok=True)
            wrong = asyncio.run(
                examined(left / "new/data" / FILE, recording.ledger, acknowledged, notes)
            )
            if wrong:
                lost.append(f"at step {place} with {way} of the rest: {wrong}")
            else:
                shutil.rmtree(left)
    return disk, lost


async def examined(path: Path, ledger: Ledger, acknowledged: int, notes: set[bytes]) -> str:
    """What is wrong with the log after a cut, "" if nothing is."""
    log = Log(path, span_us=nursery.SPAN_US)
    try:
        migrate(path)
        await log.open(1)
        if wrong := await _compared(log, ledger, acknowledged, notes):
            return wrong
        await log.append([Draft(1, "after", System("started"))])
        await log.seal(log.head, all_of_it=True)
    except StorageError as error:
        return f"it does not open, or cannot be read: {error!r}"
    finally:
        await log.close()
    with look(path) as connection:
        report = verify(connection)
    return "" if report.sound else f"it is damaged: {report.damages}"


async def _compared(log: Log, ledger: Ledger, acknowledged: int, notes: set[bytes]) -> str:
    if log.head < acknowledged:
        return f"{acknowledged} was acknowledged, the head is {log.head}"
    if acknowledged and log.epoch != ledger.epoch:
        return "it is another log"
    if log.floor > ledger.floor:
        return f"its floor is {log.floor}; it never was beyond {ledger.floor}"
    ticks, found = await _read(log, ledger)
    if notes - found:
        return f"acknowledged notifications are missing: {notes - found}"
    expected = {seq: tick for seq, tick in ledger.ticks.items() if log.floor <= seq <= log.head}
    if ticks != expected:
        return f"other ticks than were sent: {ticks.items() ^ expected.items()}"
    for client in ledger.clients:
        for batch in client.batches:
            if batch.seqs[0] <= log.head < batch.seqs[-1]:
                return f"half of batch {batch.number} of {client.source}"
    return ""


async def _read(log: Log, ledger: Ledger) -> tuple[dict[int, tuple[str, int, int]], set[bytes]]:
    """The clients' ticks by seq, and the ids of notifications."""
    ticks: dict[int, tuple[str, int, int]] = {}
    notes: set[bytes] = set()
    after = 0
    while page := await log.read(after):
        after = page[-1].seq
        for event in page:
            if isinstance(event.data, Notification):
                notes.add(event.data.id.encode())
            elif isinstance(event.data, Metrics) and event.source in ledger.sources:
                ticks[event.seq] = tick_of(event.source, event.data.values)
    return ticks, notes


CARE = """
import sys
from pathlib import Path
from storage.sqlite import prefer_bundled
prefer_bundled()
from storage.backup import backup, restore
log, saved, root = map(Path, sys.argv[2:])
if sys.argv[1] == "backup":
    backup(log, root / "saved.db")
else:
    restore(saved, root / "data")
    restore(saved, root / "data", force=True)
"""


@pytest.mark.gen_test(timeout=120)
@pytest.mark.parametrize("what", ["backup", "restore"])
async def test_a_cut_leaves_a_backup_whole_or_not_there(tmp_path, what):
    """At any moment of a backup, of a restore and of one that puts a log aside, whatever the disk keeps: a file that
    has its name is sound. Once there was one there always is one, and at the end it is there without a sync more."""
    tracing_or_skip(tmp_path)
    root = tmp_path / "disk"
    root.mkdir()
    log, saved = tmp_path / FILE, tmp_path / "saved.db"

    def recorded() -> list[Call]:
        fill(log)
        backup(log, saved)
        command = ["strace", "-f", "-y", "-xx", "-s", str(SHOWN), "-e", f"trace={CALLS}"]
        command += ["-o", str(tmp_path / "trace"), sys.executable, "-c", CARE, what]
        subprocess.run([*command, log, saved, root], check=True, cwd=ROOT, timeout=3 * PATIENCE_S)
        return calls(tmp_path / "trace")

    in_one_thread = asyncio.get_running_loop().run_in_executor
    trace = await in_one_thread(None, recorded)
    assert not await in_one_thread(None, cut_files, Disk(root), trace, tmp_path / "left")
    # Were the file not synced before it gets its name, this would tell.
    deaf = Disk(root, (".part",))
    assert await in_one_thread(None, cut_files, deaf, trace, tmp_path / "left")


def cut_files(disk: Disk, trace: list[Call], directory: Path) -> list[str]:
    """What is wrong, in words, with the logs in their places when the power was cut."""
    chance = random.Random(7)
    checked: set[bytes] = set()
    wrong: list[str] = []
    there = False
    every = len([*Disk(Path(disk.root)).moments(trace)]) // CUTS + 1

    def left(way: str) -> dict[str, bytes]:
        return {
            path: content
            for path, content in disk.cut(chance, way).items()
            if path.endswith((".db", ".bak")) and not Path(path).name.startswith(".")
        }

    for place, _ in enumerate(disk.moments(trace)):
        for way in ("none",) if place % every else WAYS:
            found = left(way)
            for path, content in found.items():
                if content not in checked and not sound_file(directory / Path(path).name, content):
                    wrong.append(f"at step {place} with {way} of the rest {path} is damaged")
                checked.add(content)
            if there and not found:
                wrong.append(f"at step {place} with {way} of the rest there is no log any more")
            there |= way == "none" and bool(found)
    if not any(path.endswith(".db") for path in left("none")):
        wrong.append("it is not there at the end")
    return wrong


def sound_file(path: Path, content: bytes) -> bool:
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    path.write_bytes(content)
    try:
        with look(path) as connection:
            return verify(connection).sound
    except StorageError:
        return False
