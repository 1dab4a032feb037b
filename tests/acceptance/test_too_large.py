"""Two edits that are too large together, over each upstream without a server: what is said of it, and what helps."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.devices import Device


@pytest.fixture(params=["folder", "git", "mongodb"])
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Device, Device]:
    """A desk and a telephone."""
    options: list[str] = []
    if request.param == "folder":
        url = str(tmp_path / "shared")
    elif request.param == "git":
        url = f"git+file://{tmp_path}/shared.git"
        subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "shared.git")], check=True)
    else:
        settings = request.getfixturevalue("server").settings
        url = urlsplit(settings.mongo_url)._replace(path=f"/{settings.mongo_database}").geturl()
        options = ["--space", f"s-{uuid.uuid4().hex[:12]}"]
    devices = Device(tmp_path, "desk"), Device(tmp_path, "telephone")
    for device in devices:
        device.run("connect", url, "--name", "there", *options)
    return devices


def put(device: Device, name: str, **fields: object) -> None:
    (device.root / f"{name}.json").write_text(json.dumps({"id": name, **fields}))


def test_what_is_too_large_is_named_and_heals(connected: tuple[Device, Device]) -> None:
    desk, telephone = connected
    put(desk, "large", a="", b="")
    put(desk, "other", n=1)
    desk.run("sync")
    telephone.run("sync")
    put(desk, "large", a="x" * 700_000, b="")
    put(telephone, "large", a="", b="y" * 700_000)
    put(telephone, "other", n=2)
    desk.run("sync")
    done = telephone.raw("sync")
    assert done.returncode == 1, done.stdout + done.stderr
    for said in (done.stdout, telephone.raw("status").stdout):
        line = next(line for line in said.splitlines() if "too-large" in line)
        assert "large" in line and "the current state has 700" in line and "Make it smaller" in line
    desk.run("sync")
    assert json.loads((desk.root / "other.json").read_text())["n"] == 2
    assert json.loads((telephone.root / "large.json").read_text())["b"] == "y" * 700_000
    put(desk, "large", a="x", b="")
    desk.run("sync")
    assert telephone.run("sync")["upstreams"]["there"]["refused"] == {}
    desk.run("sync")
    for device in connected:
        assert json.loads((device.root / "large.json").read_text()) == {"id": "large", "a": "x", "b": "y" * 700_000}
