"""The page's pure modules under node's own runner."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime.core.goodbyes import GOODBYES
from web.assets import lean

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent.parent / "web" / "static" / "js"
SAME = """
import { readFileSync } from "node:fs";
import { minify } from "terser";
const minified = async (text) => (await minify(text, { module: true, compress: false, mangle: false })).code;
for (const [name, source, served] of JSON.parse(readFileSync(0, "utf8"))) {
  if ((await minified(source)) !== (await minified(served))) console.log(name);
}
"""

pytestmark = pytest.mark.browser


def test_pure_modules_keep_their_promises() -> None:
    """Backoff, wire, store, series, format, the link's state machine and the exchange between tabs."""
    node = shutil.which("node")
    assert node, "node comes with npm, which `make setup` needs anyway"
    ran = subprocess.run(
        [node, "--test", str(HERE / "js")],
        capture_output=True,
        text=True,
        timeout=120,
        # The one table of goodbyes: the page has none of its own and goes by what the frame says.
        env={**os.environ, "GOODBYES": json.dumps([one._asdict() for one in GOODBYES])},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_is_served_is_the_same_program() -> None:
    """Comments and indents are left out by their lines alone; no text that looks like one goes with them."""
    node = shutil.which("node")
    assert node
    sources = {
        path.relative_to(STATIC).as_posix(): path.read_bytes() for path in STATIC.rglob("*.js")
    }
    pairs = [(name, body.decode(), lean(body, ".js").decode()) for name, body in sources.items()]
    assert sum(source != served for _, source, served in pairs) > 30
    ran = subprocess.run(
        [node, "--input-type=module", "-e", SAME],
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=HERE.parent.parent,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr
