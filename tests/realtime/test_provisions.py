"""Dashboards out of a directory."""

import itertools
import json
import os

import httpx
import pytest

from realtime.provisions import MOST_BYTES, Provisions
from tests.app import house
from tests.clients import eventually

TILE = {"kind": "tile", "x": 0, "y": 0, "w": 3, "h": 2, "series": ["up"]}
SHOP = {"title": "Shop", "panels": [TILE]}
PATH = "api/realtime/dashboards"
TIMES = itertools.count(10**18, 10**9)


def write(directory, name, what):
    path = directory / name
    path.write_bytes(what if isinstance(what, bytes) else json.dumps(what, indent=4).encode())
    # A clock of a coarse tick: two writes within it look like one.
    os.utime(path, ns=(0, next(TIMES)))
    return path


@pytest.fixture
async def files(tmp_path):
    """A server, a directory, and what looks after it."""
    directory = tmp_path / "boards"
    directory.mkdir()
    async with house(tmp_path / "data") as it:
        yield it, directory, Provisions(directory, it.spine, "here")


def titles(it):
    return {id_: event.data.title for id_, event in it.view.layouts.items()}


@pytest.mark.gen_test
async def test_a_file_is_a_dashboard(files):
    """Written as an event when it differs, and only then; changed with the file, and gone with it."""
    it, directory, provisions = files
    shop = write(directory, "shop.json", SHOP)
    write(directory, "b.json", {**SHOP, "id": "night", "title": "Night"})
    write(directory, "notes.txt", b"{")
    await provisions.look()
    assert titles(it) == {"shop": "Shop", "night": "Night"}
    assert it.view.layouts["night"].data.provisioned == "b.json"
    head = it.log.head
    shop.touch()
    await provisions.look()
    await Provisions(directory, it.spine, "here").look()
    assert it.log.head == head
    write(directory, "shop.json", {**SHOP, "title": "Shop 2"})
    await provisions.look()
    assert titles(it)["shop"] == "Shop 2"
    shop.unlink()
    await provisions.look()
    assert titles(it) == {"night": "Night"}
    assert provisions.faults == []


@pytest.mark.gen_test
async def test_a_name_that_is_no_text_is_told_as_bytes(files, logs):
    """A file system takes any bytes for a name. It ended the writer, and each start after that."""
    it, directory, provisions = files
    path = os.path.join(os.fsencode(directory), b"x\xff.json")
    with open(path, "wb") as file:
        file.write(json.dumps({**SHOP, "id": "shop"}).encode())
    await provisions.look()
    assert it.view.layouts["shop"].data.provisioned == r"x\xff.json"
    with open(path, "wb") as file:
        file.write(b"[")
    await provisions.look()
    assert [fault.file for fault in provisions.faults] == [r"x\xff.json"]
    logs.expect("a dashboard file cannot be used")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("what", "field", "words"),
    [
        (b"{", "", "truncated"),
        (b'{"title":"\xff"}', "", "utf-8"),
        (b'{"title": "a"}', "body", "panels"),
        ({**SHOP, "panels": [TILE | {"w": 13}]}, "panels[0].w", "12"),
        ({**SHOP, "panels": [TILE | {"x": 11}]}, "panels[0].w", "beyond"),
        (b"[" * (MOST_BYTES + 1), "", "bytes"),
    ],
)
async def test_a_bad_file_is_told_and_changes_nothing(files, logs, what, field, words):
    """A warning names file and field, once; the dashboard stays as it was until the file is good again."""
    it, directory, provisions = files
    write(directory, "shop.json", SHOP)
    await provisions.look()
    write(directory, "shop.json", what)
    for _ in range(2):
        await provisions.look()
    [fault] = provisions.faults
    assert (fault.file, fault.field) == ("shop.json", field)
    assert words in fault.detail
    assert titles(it) == {"shop": "Shop"}
    logs.expect("a dashboard file cannot be used")
    write(directory, "shop.json", {**SHOP, "title": "good again"})
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {"shop": "good again"})


@pytest.mark.gen_test
async def test_names_are_ids_and_taken_once(files, logs):
    """A file whose name is no id says its id inside; of two with one id the first has it."""
    it, directory, provisions = files
    write(directory, "My Shop.json", SHOP)
    write(directory, "a.json", {**SHOP, "id": "shop", "title": "A"})
    write(directory, "b.json", {**SHOP, "id": "shop", "title": "B"})
    await provisions.look()
    assert titles(it) == {"shop": "A"}
    assert [(fault.file, fault.field) for fault in provisions.faults] == [
        ("My Shop.json", "id"),
        ("b.json", "id"),
    ]
    logs.expect("a dashboard file cannot be used")
    logs.expect("a dashboard file cannot be used")


@pytest.mark.gen_test
async def test_a_directory_that_is_not_there_has_no_dashboards(files):
    """That is how most begin: no fault, nothing written."""
    it, directory, _ = files
    provisions = Provisions(directory / "none", it.spine, "here")
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {})


@pytest.mark.parametrize("how", ["gone", "unmounted", "unreadable"])
@pytest.mark.gen_test
async def test_a_directory_that_is_away_keeps_what_came_from_it(files, logs, how):
    """Said once, as a fault and in the log, until it is back; then files that went count as gone. A server that starts
    meanwhile keeps it as well."""
    it, directory, provisions = files
    write(directory, "shop.json", SHOP)
    write(directory, "night.json", {**SHOP, "title": "Night"})
    await provisions.look()
    head = it.log.head
    away = directory.rename(directory.with_name("elsewhere"))
    if how == "unmounted":
        directory.mkdir()
    elif how == "unreadable":
        directory.write_text("no directory")
    for _ in range(3):
        await provisions.look()
    [fault] = provisions.faults
    assert (fault.file, fault.field) == ("", "") and "2 in all" in fault.detail
    assert (it.log.head, len(titles(it))) == (head, 2)
    logs.expect("the directory of dashboards is away")
    another = Provisions(directory, it.spine, "here")
    for _ in range(2):
        await another.look()
        assert (len(another.faults), len(titles(it))) == (1, 2)
    logs.expect("the directory of dashboards is away")
    if how == "unmounted":
        directory.rmdir()
    elif how == "unreadable":
        directory.unlink()
    away.rename(directory)
    (directory / "night.json").unlink()
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {"shop": "Shop"})
    (directory / "shop.json").unlink()
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {})


@pytest.mark.gen_test
async def test_a_directory_that_was_emptied_while_nobody_looked_is_away(files, logs):
    """It may be where a disk will be; a file that comes, of whatever, proves that it is not, and what has none goes."""
    it, directory, provisions = files
    shop = write(directory, "shop.json", SHOP)
    await provisions.look()
    shop.unlink()
    provisions = Provisions(directory, it.spine, "here")
    await provisions.look()
    assert (len(provisions.faults), titles(it)) == (1, {"shop": "Shop"})
    logs.expect("the directory of dashboards is away")
    proof = write(directory, "any.json", {})
    await provisions.look()
    assert titles(it) == {}
    logs.expect("a dashboard file cannot be used")
    proof.unlink()
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {})


@pytest.mark.gen_test
async def test_an_empty_directory_is_no_fault_where_nothing_came_from_it(files):
    """As on the first day: nothing is said, and the first file is taken as any."""
    it, directory, provisions = files
    await provisions.look()
    assert provisions.faults == []
    write(directory, "shop.json", SHOP)
    await provisions.look()
    assert (provisions.faults, titles(it)) == ([], {"shop": "Shop"})


@pytest.mark.gen_test
async def test_the_server_looks_by_itself(tmp_path, logs):
    """`dashboards.d` in the data directory, at start and when nudged; faults are in the list."""
    directory = tmp_path / "dashboards.d"
    directory.mkdir()
    write(directory, "shop.json", SHOP)
    write(directory, "bad.json", [])
    async with house(tmp_path) as it:
        await eventually(lambda: it.provisions.faults and "shop" in it.view.layouts)
        async with httpx.AsyncClient() as client:
            told = (await client.get(it.url + PATH)).json()["data"]
        assert [one["provisioned"] for one in told["dashboards"]] == ["shop.json"]
        assert [one["file"] for one in told["problems"]] == ["bad.json"]
        write(directory, "bad.json", {**SHOP, "title": "Good"})
        it.provisions.nudge()
        await eventually(lambda: "bad" in it.view.layouts)
    logs.expect("a dashboard file cannot be used")
