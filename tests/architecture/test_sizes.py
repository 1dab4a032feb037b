"""No module is too long, and no function branches too much, to be read at once. How long functions are is seen in
test_programs.py."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.instance import ROOT

PACKAGES = ("api", "worker", "shared", "client", "ops", "bench", "tests")
MODULE_LINES = 400
BRANCHES = 14

LONGER_MODULES = {
    "tests/break_guards.py": "a table: one row for each guard",
    "tests/convergence/run.py": "one class: the world in which a schedule is played",
    "tests/convergence/ledger.py": "one class: what must not be lost, and who saw it",
    "tests/unit/api/test_people.py": "one subject, an example each",
    "tests/unit/core/merge/test_objects.py": "one subject: the table of the merge, row by row, and its laws",
}
"""Why these may be longer. Product code has no such excuse."""


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_modules_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > MODULE_LINES}.keys() == LONGER_MODULES.keys()
    assert all(name.startswith("tests/") for name in LONGER_MODULES)


def test_the_linter_counts_branches() -> None:
    """Of each function; `# noqa: C901` behind one says why."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "C90" in lint["select"] and lint["mccabe"]["max-complexity"] == BRANCHES
