"""The tools that judge the code, and the rules that no tool knows."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api import VERSION
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": [
        "ruff",
        "format",
        "--check",
        "api",
        "worker",
        "shared",
        "client",
        "ops",
        "bench",
        "tests",
    ],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_is_content(tool: str) -> None:
    command, *arguments = TOOLS[tool]
    found = subprocess.run(
        [str(Path(sys.executable).parent / command), *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_each_driver_is_imported_by_one_adapter() -> None:
    homes = {
        "motor": ("mongodb",),
        "pymongo": ("mongodb",),
        "bson": ("mongodb",),
        "redis": ("redis", "arq.py"),
        "arq": ("arq.py",),
        "argon2": ("argon2.py",),
        "limits": ("rates.py",),
        "authlib": ("openid.py",),
        "joserfc": ("openid.py",),
        "prometheus_client": ("../metrics.py",),
        "opentelemetry": ("opentelemetry.py",),
    }
    for path in [p for room in ("api", "worker", "shared", "client") for p in (ROOT / room).rglob("*.py")]:
        if "testing" in path.parts:
            continue
        for driver in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE):
            if driver in homes:
                rooms = [(ROOT / "shared" / "adapters" / home).resolve() for home in homes[driver]]
                assert path in rooms or path.parent in rooms, f"{path} imports {driver}"


def test_every_setting_is_in_the_operations_manual_with_its_default() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| `(HYPERTASK_\w+)` \| `([^`]*)` \|", manual, re.MULTILINE))
    fields = {f"HYPERTASK_{f.name.upper()}": str(f.default) for f in dataclasses.fields(Settings)}
    assert rows == fields


def test_changelog_and_version_agree() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None and newest[1] == VERSION == PROJECT["project"]["version"]


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_what_code_and_pages_name_is_there() -> None:
    """Files of ours, and modules that are to be run: with the path that they need."""
    cited = re.compile(r"(?<![\w./-])(?:tests|docs|shared|api|worker|client|bench|ops)/[\w/.-]+\.(?:py|md|yaml)\b")
    run = re.compile(r"(PYTHONPATH=ops )?python -m ((?:bench|tests|ops)(?:\.\w+)+)")
    in_ops = "|".join(path.stem for path in (ROOT / "ops").glob("*.py"))
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split():
        path = ROOT / name
        if path.suffix not in (".py", ".md") or "decisions" in path.parts or not path.is_file():
            continue  # a decision speaks of its time
        text = path.read_text()
        for found in cited.findall(text):
            assert (ROOT / found).exists() or (path.parent / found).exists(), f"{name}: {found}"
        for path_given, found in run.findall(text):
            module = ROOT / found.replace(".", "/")
            source = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
            assert source.is_file(), f"{name}: {found}"
            needs_ops = re.search(rf"^(?:import|from) (?:{in_ops})\b", source.read_text(), re.MULTILINE)
            assert path_given or not needs_ops, f"{name}: {found} imports modules of ops"


def test_no_path_of_a_machine_stands_in_the_project() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pattern = re.compile(rb"/(?:home|root|Users)/\w|https://(?:pypi|files\.pythonhosted|registry\.npmjs)")
    for name in names.split():
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            assert not pattern.search(path.read_bytes()), name
