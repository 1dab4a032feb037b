"""No module and no function is too long, or branches too much, to be read at once."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.syntax import blocks
from tests.instance import ROOT

PACKAGES = ("api", "worker", "shared", "client", "ops", "bench", "tests")
MODULE_LINES = 400
FUNCTION_LINES = 60
BRANCHES = 14

LONGER_MODULES = {
    "tests/break_guards.py": "a table: one row for each guard",
    "tests/convergence/run.py": "one class: the world in which a schedule is played",
    "tests/convergence/ledger.py": "one class: what must not be lost, and who saw it",
    "tests/unit/api/test_people.py": "one subject, an example each",
    "tests/unit/core/merge/test_objects.py": "one subject: the table of the merge, row by row, and its laws",
}
"""Why these may be longer. Product code has no such excuse."""
LONGER_FUNCTIONS = {
    "tests/isolation/people.py:_staged": "a table: what each of the people has, one after the other",
}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node, field, _ in blocks(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and field == "body"
            and node.end_lineno is not None
        ):
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_modules_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > MODULE_LINES}.keys() == LONGER_MODULES.keys()
    assert all(name.startswith("tests/") for name in LONGER_MODULES)


def test_functions_are_short() -> None:
    long = {name: count for path in modules() for name, count in functions(path) if count > FUNCTION_LINES}
    assert long.keys() == LONGER_FUNCTIONS.keys()


def test_the_linter_counts_branches() -> None:
    """Of each function; `# noqa: C901` behind one says why."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "C90" in lint["select"] and lint["mccabe"]["max-complexity"] == BRANCHES
