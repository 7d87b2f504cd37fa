"""The documentation is tested: what the code has is in it, what it shows works, what it points to exists."""

import asyncio
import configparser
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from realtime.core import goodbyes, rules
from realtime.core.frames import PLACED
from realtime.core.session import _ACTIONS
from realtime.settings import COMMANDS, Settings, table
from run import VERSION
from storage.events import KINDS, System
from tests.app import running
from tests.bench.__main__ import BEGIN, END, PARTS
from tools import pages
from web.app import ROUTES
from web.openapi import document

ROOT = Path(__file__).resolve().parents[2]
TOP = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")
PAGES = [ROOT / name for name in TOP] + sorted((ROOT / "docs").glob("*.md"))
TOPICS = {
    "alerts",
    "api",
    "configure",
    "dashboard",
    "install",
    "metrics",
    "operations",
    "performance",
    "storage",
    "replay",
    "security",
}
ADDRESS = "http://127.0.0.1:8765"


def text(name: str) -> str:
    return (ROOT / name).read_text()


def coded(name: str) -> set[str]:
    """What stands in `code`, in words and whole."""
    spans = re.findall(r"`([^`\n]+)`", text(name))
    return {*spans, *(word for span in spans for word in re.split(r"[\s,]+", span))}


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_a_page_for_each_topic():
    """One page a topic, and the README leads to each."""
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} == TOPICS
    assert set(re.findall(r"\(docs/(\w+)\.md\)", text("README.md"))) == TOPICS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every link to a file or a heading of ours finds it, pictures included."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|srcset)="([^"]+)"', prose)
    broken = []
    for link in links:
        name, _, heading = link.partition("#")
        if ":" in name:
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and heading not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("part", pages.PARTS)
def test_made_parts_are_fresh(part):
    """Tables made from the code are what the code says now; `python tools/pages.py` writes them."""
    name, make = pages.PARTS[part]
    assert text(name) == pages.written(text(name), part, make())


def test_every_dial_is_told():
    """The table in configure.md has a row for each dial."""
    rows = set(re.findall(r"^\| `(\w+)` \|", text("docs/configure.md"), re.M))
    assert rows == set(table())


def test_thresholds_are_the_dials():
    """The alerts page tells the default thresholds, and each rule."""
    settings = Settings()
    for rule in rules.classic(settings.alerts):
        row = next(
            line for line in text("docs/alerts.md").splitlines() if f"| `{rule.rule}` |" in line
        )
        for figure in (rule.above, rule.clear, rule.hold_s):
            assert re.search(rf"\b{figure:,.0f} ", row), (rule.rule, figure)
        assert rule.series in row
        assert row.rstrip(" |").endswith(rule.severity)


def test_every_route_is_told():
    """api.md names every address there is."""
    told = coded("docs/api.md") | coded("docs/operations.md")
    hidden = [route.path for route in ROUTES if route.hidden]
    assert [route.path for route in ROUTES if route.path not in told] == hidden


def test_every_kind_of_event_is_told():
    """replay.md names every kind of fact and every change in the recorder's life."""
    told = coded("docs/replay.md")
    whats = System.__annotations__["what"].__args__
    assert {kind.type for kind in KINDS} | set(whats) <= told


def test_every_frame_is_told():
    """api.md names every frame a server sends."""
    source = "".join(file.read_text() for file in (ROOT / "realtime").rglob("*.py"))
    sent = set(re.findall(r'Frame\(\s*"(\w+)"', source)) | {*PLACED}
    assert {
        "hello",
        "goodbye",
        "reset",
        "snapshot",
        "series",
    } <= sent  # the pattern still finds them
    kinds = {kind.type for kind in KINDS}
    assert sent | kinds <= coded("docs/api.md")


def test_every_message_is_told():
    """api.md names every WebSocket message, its answer, and every error's code."""
    told = coded("docs/api.md")
    source = text("realtime/core/session.py")
    answers = set(re.findall(r'Reply\(\s*"(\w+)"', source))
    codes = set(re.findall(r'_mistake\(\s*"(\w+)"', source))
    assert answers and codes
    assert set(_ACTIONS) | answers | codes <= told


def test_every_goodbye_is_told():
    """api.md has a row for each, with its code and whether one may come back."""
    page = text("docs/api.md")
    for one in goodbyes.GOODBYES:
        assert f"| `{one.reason}` | {one.code} | {'yes' if one.may_return else 'no'} |" in page


def test_every_metric_is_told():
    """metrics.md has a row for each metric that a collector can tell."""
    rows = set(re.findall(r"^\| `(\w+)` \|", text("docs/metrics.md"), re.M))
    assert rows == {name for told in pages.descriptors().values() for name in told}


def test_every_command_and_exit_code_is_told():
    """operations.md has a row for each."""
    page = text("docs/operations.md")
    assert set(re.findall(r"^\| (\d) \|", page, re.M)) == {"0", "1", "2"}
    assert set(COMMANDS) <= coded("docs/operations.md")


def test_verbs_that_are_told_exist():
    """A verb of make in any page is one of the Makefile."""
    verbs = set(re.findall(r"^([a-z]+):.*  ## ", text("Makefile"), re.M))
    told = {
        verb
        for page in PAGES
        for verb in re.findall(r"(?:`|^    )make ([a-z]+)", page.read_text(), re.M)
    }
    assert told == verbs


def test_every_dependency_has_its_reason():
    """ARCHITECTURE.md names each library of setup.cfg and package.json, and no other in its table."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")

    def names(section: str, key: str) -> set[str]:
        lines = config[section][key].splitlines()
        found = (re.match(r"[\w-]+", line) for line in lines if not line.startswith("#"))
        return {match[0] for match in found if match}

    run = names("options", "install_requires")
    page = set(json.loads(text("package.json"))["dependencies"])
    dressed = text("ARCHITECTURE.md").partition("## What we stand on")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", dressed, re.M)) == run | page
    others = names("options.extras_require", "test") | names("options.extras_require", "dev")
    assert others <= set(re.findall(r"`([\w-]+)`", dressed))


LAWS = re.findall(r"^\| ([a-z-]+-[a-z-]+) \| .* \| (.*) \| (.*) \|$", text("ARCHITECTURE.md"), re.M)


def test_there_are_thirteen_laws():
    """None gets lost."""
    assert len(LAWS) == 13


@pytest.mark.parametrize(("law", "kept", "tested"), LAWS, ids=[law for law, _, _ in LAWS])
def test_laws_are_where_they_are_said_to_be(law, kept, tested):
    """Each file that keeps or tests a law exists, and one that keeps it calls it by its name."""
    files = [ROOT / name for name in re.findall(r"`([^`]+)`", kept)]
    tests = [ROOT / name for name in re.findall(r"`([^`]+)`", tested)]
    assert [str(file) for file in (*files, *tests) if not file.exists()] == []
    named = [f for f in (*files, *tests) if f.is_file() and law in f.read_text().replace("_", "-")]
    assert named


def test_rooms_that_are_told_exist():
    """Paths in ARCHITECTURE.md are there."""
    told = re.findall(
        r"`((?:storage|realtime|web|tests|tools|migrations)/[\w./-]*)`", text("ARCHITECTURE.md")
    )
    assert told
    assert [path for path in told if not (ROOT / path).exists()] == []


def test_the_document_is_fresh():
    """docs/openapi.json is what the server answers; `make openapi` writes it."""
    made = msgspec.json.decode(msgspec.json.encode(document(ROUTES, VERSION)))
    assert json.loads(text("docs/openapi.json")) == made


def test_changelog_knows_the_version():
    """The version of the program has a heading in the changelog."""
    assert f"\n## {VERSION}\n" in text("CHANGELOG.md")


def test_figures_say_where_they_come_from():
    """The table of performance.md was written by the bench, whole, with machine and date."""
    made = text("docs/performance.md").partition(BEGIN)[2].partition(END)[0]
    assert re.match(
        rf"Playhead {re.escape(VERSION)}, \d{{4}}-\d\d-\d\d \d\d:\d\d UTC\. .+ cores", made
    )
    assert "SQLite" in made and "Python" in made
    assert len([line for line in made.splitlines() if line.startswith("| ")]) > 15
    for part in PARTS:
        assert part in text("docs/performance.md")


def commands(name: str) -> Iterator[str]:
    """Every command of a page's shell blocks, on one line."""
    for block in re.findall(r"^```sh\n(.*?)^```", text(name), re.M | re.S):
        yield from re.findall(r"^curl .*?(?=\n\n|\ncurl |\Z)", block.rstrip(), re.M | re.S)


@pytest.mark.slow
@pytest.mark.gen_test(timeout=120)
async def test_examples_work(tmp_path):
    """Every curl of every page, copied as it is, gets what it came for from a real server."""
    ran = 0
    async with running(tmp_path) as server:
        for page in PAGES:
            for command in commands(str(page.relative_to(ROOT))):
                await _copied(command.replace(ADDRESS, server.url), endless=" -N " in command)
                ran += 1
    assert ran > 25


async def _copied(command: str, endless: bool) -> None:
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    limit = ["--max-time", "2"] if endless else []
    process = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "--fail-with-body",
        *limit,
        *words[1:],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    if endless:  # 28: curl's own word for the time we gave it
        assert process.returncode == 28 and b"event: hello\n" in out, (command, out)
    else:
        assert process.returncode == 0, (command, out)
        assert b'"rejected":[{' not in out, (command, out)
