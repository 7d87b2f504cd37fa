"""The tests mirror the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules_with_code() -> list[Path]:
    """Modules that hold more than a docstring, as paths from the root."""
    paths = sorted(ROOT.glob("run.py"))
    for room in ("storage", "realtime", "web"):
        paths += sorted((ROOT / room).rglob("*.py"))
    return [
        path.relative_to(ROOT)
        for path in paths
        if any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)
    ]


@pytest.mark.parametrize("module", modules_with_code(), ids=str)
def test_each_module_has_its_test(module):
    """`realtime/core/times.py` is tested by `tests/realtime/core/test_times.py`, and so on."""
    name = module.parent.name if module.stem == "__init__" else module.stem
    assert (ROOT / "tests" / module.parent / f"test_{name}.py").exists()
