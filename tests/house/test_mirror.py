"""The tests mirror the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def sources() -> list[Path]:
    """Every module of ours, from the root."""
    paths = [
        path for room in ("storage", "realtime", "web") for path in (ROOT / room).rglob("*.py")
    ]
    return [
        path.relative_to(ROOT) for path in sorted([*paths, ROOT / "playhead.py", ROOT / "run.py"])
    ]


@pytest.mark.parametrize("module", [path for path in sources() if path.stem != "__init__"], ids=str)
def test_each_module_has_its_test(module):
    """`realtime/core/times.py` is tested by `tests/realtime/core/test_times.py`, and so on."""
    assert (ROOT / "tests" / module.parent / f"test_{module.stem}.py").exists()


@pytest.mark.parametrize("module", [path for path in sources() if path.stem == "__init__"], ids=str)
def test_packages_hold_no_code(module):
    """A package's own file says what the room is for, at most: what it does is in files with names."""
    body = ast.parse((ROOT / module).read_text()).body
    assert all(isinstance(node, ast.Expr) for node in body)
