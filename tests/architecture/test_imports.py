"""The contracts of imports notice a violation, and the packages stay few and free of circles."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import import_graph
import pytest

from tests.instance import ROOT

VIOLATIONS = {
    "Deployables never import each other; what they share knows none of them": ("worker/__init__.py", "import api"),
    "shared knows no deployable": ("shared/retry.py", "import client.screen"),
    "core <- ports <- adapters": ("shared/ports/__init__.py", "import shared.adapters.mongodb"),
    "The packages of the core are layers": ("shared/core/json/__init__.py", "import shared.core.merge.objects"),
    "What resolves a submission goes from the rows down to what they ask": (
        "shared/core/resolution/lookup.py",
        "import shared.core.resolution.resolve",
    ),
    "The packages of the API are layers": ("api/limits/pace.py", "import api.access.accounts"),
    "The packages of the client are layers": ("client/folder/locks.py", "import client.commands.sync"),
    "What a sync decides knows neither files nor networks": (
        "client/sync/engine/plan.py",
        "import client.sync.files",
    ),
}


def test_each_contract_breaks_on_a_violation(tmp_path: Path) -> None:
    for package in ("api", "worker", "shared", "client"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in VIOLATIONS.values():
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode != 0
    verdicts = [line for line in checked.stdout.splitlines() if line.endswith((" KEPT", " BROKEN"))]
    assert verdicts == [f"{name} BROKEN" for name in VIOLATIONS], checked.stdout


@pytest.mark.parametrize("root", import_graph.ROOTS)
def test_packages_are_few_and_import_downwards(root: str) -> None:
    imports = import_graph.imports_of(root)
    floors = import_graph.floors_of(imports)
    assert 4 < len(imports) <= import_graph.MAX_PACKAGES
    assert 2 < len(floors) <= import_graph.MAX_FLOORS


@pytest.mark.parametrize("root", ["shared/core", "client", "api"])
def test_the_page_names_every_package(root: str) -> None:
    _, _, layout = (ROOT / "docs" / "architecture.md").read_text().partition("## Repository layout")
    packages = {f"{root}/{init.parent.name}" for init in (ROOT / root).glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`([^`]+)`", layout))


def test_a_circle_is_named() -> None:
    with pytest.raises(import_graph.CircularError, match="a, b"):
        import_graph.floors_of({"a": {"b"}, "b": {"a"}, "c": set()})
