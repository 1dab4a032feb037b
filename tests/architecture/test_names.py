"""`api`, `worker`, `shared` and `client` are names that others use, too. In our processes they are ours."""

from __future__ import annotations

import importlib.metadata
import json
import os
import site
import subprocess
import venv
from pathlib import Path

import httpx
import pytest

from tests.instance import ROOT, Instance

NAMES = ("api", "worker", "shared", "client")

FOREIGN = "raise ImportError('a package that is not ours')\n"

# Writes down whence the four packages come, in every Python process of the environment.
PROBE = """
import json, os, sys
from importlib.machinery import PathFinder

class Probe:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in {names!r}:
            return None
        spec = PathFinder.find_spec(name, path, target)
        command = [os.path.basename(word) for word in sys.orig_argv[1:]]
        with open({report!r}, "a") as file:
            file.write(json.dumps([name, spec and spec.origin, command]) + "\\n")
        return spec

sys.meta_path.insert(0, Probe)
"""


def test_no_other_distribution_has_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    for name in NAMES:
        assert set(owners.get(name, [])) <= {"hypertask"}, name


def test_nothing_in_the_environment_hides_ours() -> None:
    for folder in site.getsitepackages():
        assert not [name for name in NAMES if list(Path(folder).glob(f"{name}.*")) or (Path(folder) / name).exists()]


@pytest.fixture
def infested(tmp_path: Path) -> Path:
    """The Python of an environment in whose site-packages, ahead of the editable install, lie foreign
    packages of our names; in everything else it is this environment."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    [packages] = (folder / "lib").glob("python*/site-packages")
    ours = "\n".join(f"import site; site.addsitedir({path!r})" for path in site.getsitepackages())
    # No sitecustomize: the system's Python may have one of its own, which comes first.
    (packages / "environment.pth").write_text(f"{ours}\nimport names_probe\n")
    for name in NAMES:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(FOREIGN)
    (packages / "names_probe.py").write_text(PROBE.format(names=NAMES, report=str(tmp_path / "report")))
    return folder / "bin" / "python"


def found(report: Path) -> list[tuple[str, str | None, list[str]]]:
    return [tuple(json.loads(line)) for line in report.read_text().splitlines()]


def test_the_foreign_packages_would_be_found(infested: Path, tmp_path: Path) -> None:
    """Else the next test would show nothing."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for name in NAMES:
        ran = subprocess.run(
            [infested, "-c", f"import {name}"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert "not ours" in ran.stderr
    origins = [origin or "" for _, origin, _ in found(tmp_path / "report")]
    assert len(origins) == len(NAMES)
    assert all(origin.startswith(str(tmp_path)) for origin in origins), origins


def test_our_processes_have_our_packages(infested: Path, tmp_path: Path) -> None:
    """The whole server, started as it always is: api.serve, arq, and what the supervisor runs beside them."""
    instance = Instance(tmp_path / "data", loads=True)
    instance._command[0] = str(infested)
    instance.start(PYTHONPATH="")
    try:
        access = instance.access()
        with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
            document = {"id": "a", "text": "through all processes"}
            answer = client.post("/task/a", json={"client_state": document})
            assert answer.json() == {"server_state": document}
    finally:
        instance.stop()
    origins = found(tmp_path / "report")
    for name, origin, command in origins:
        assert origin == str(ROOT / name / "__init__.py"), f"{name} of {command} is {origin}"
    for module, names in {
        "api.serve": {"api", "shared"},
        "worker": {"worker", "shared"},
        "api.cli": {"api", "shared"},
    }.items():
        assert names <= {name for name, _, command in origins if module in command}, module
