"""What is shipped: the wheel, built and installed, without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from api import VERSION

ROOT = Path(__file__).resolve().parents[2]
NOT_PYTHON = {".yaml", ".lua", ".json", ".html", ".css"}
"""Files of the packages that are read when the programs run."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel, and this one's dependencies behind it."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    own = next((place / "lib").glob("python*/site-packages"))
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"


def run(installed: Path, home: Path, *command: str) -> str:
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
    }
    done = subprocess.run(
        [str(installed / command[0]), *command[1:]], cwd=home, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_that_the_programs_read_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("api", "worker", "shared", "client")
    tracked = subprocess.run(["git", "ls-files", *packages], cwd=ROOT, check=True, capture_output=True, text=True)
    wanted = {name for name in tracked.stdout.split() if (ROOT / name).suffix in {".py", *NOT_PYTHON}}
    assert wanted <= names, sorted(wanted - names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [name for name in names if name.endswith("hypertask.1")] == [
        f"hypertask-{VERSION}.data/data/share/man/man1/hypertask.1"
    ]


def test_its_programs_run_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "python", "-c", "import api, client; print(api.__file__, client.__file__)")
    assert str(ROOT) not in where
    assert VERSION in run(installed, tmp_path, "hypertask", "--version")
    page = (installed.parent / "share" / "man" / "man1" / "hypertask.1").read_text()
    assert page == run(installed, tmp_path, "hypertask", "manual")
    run(installed, tmp_path, "hypertask", "add", "buy", "milk")
    (task,) = json.loads(run(installed, tmp_path, "hypertask", "list", "--json"))["tasks"]
    assert task["description"] == "buy milk"
    assert "token" in run(installed, tmp_path, "hypertask-server", "--help")
