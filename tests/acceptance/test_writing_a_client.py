"""The clients of docs/writing-a-client.md, as they stand there, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instance import ROOT, Access, Instance

PAGE = (ROOT / "docs" / "writing-a-client.md").read_text()
VECTORS = json.loads((ROOT / "tests" / "vectors" / "content_hash.json").read_text())
LANGUAGES = {"python": ("v1_client.py", [sys.executable]), "javascript": ("v1_client.mjs", ["node"])}


def code(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(params=LANGUAGES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    name, command = LANGUAGES[request.param]
    if shutil.which(command[0]) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{command[0]} is missing")
        pytest.skip(f"there is no {command[0]} here")
    path = tmp_path / name
    path.write_text(code(request.param))
    return [*command, str(path)]


def sync(client: list[str], folder: Path, access: Access) -> None:
    environment = {**os.environ, "HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token}
    done = subprocess.run([*client, str(folder)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_short(language: str) -> None:
    assert len(code(language).splitlines()) < 60


def folder_of(path: Path) -> dict[str, object]:
    return {file.stem: json.loads(file.read_text()) for file in path.glob("*.json")}


def test_two_devices_agree(client: list[str], tmp_path: Path, server: Instance, access: Access) -> None:
    other = server.access(space=access.space, user=access.user, name="other")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "a.json").write_text(
        '{"id": "a", "text": "of some length \\u00e9\\ud83d\\ude00", "n": [1.0, 1e-7, 1e21, 0.1]}'
    )
    (there / "b.json").write_text(
        '{"id": "b", "deep": {"\\ud83d\\ude00": 1, "\\ufb33": 2}, "none": null, "yes": true}'
    )
    sync(client, here, access)
    sync(client, there, other)
    sync(client, here, access)
    assert folder_of(here) == folder_of(there)
    assert folder_of(here).keys() == {"a", "b"}
    for folder, field in ((here, "here"), (there, "there")):
        edited = {**json.loads((folder / "a.json").read_text()), field: "edited on both"}
        (folder / "a.json").write_text(json.dumps(edited))
    sync(client, here, access)
    sync(client, there, other)
    sync(client, here, access)
    assert folder_of(here) == folder_of(there)
    assert {"here", "there"} <= json.loads((here / "a.json").read_text()).keys()


def test_their_hashes_are_right(client: list[str], tmp_path: Path, server: Instance) -> None:
    """Every document of the vectors, sent as it is: if a hash were wrong, the loop would not end."""
    access = server.access()
    folder = tmp_path / "vectors"
    folder.mkdir()
    for number, vector in enumerate(VECTORS["accept"]):
        value = json.loads(vector["json"])
        document = {"id": f"vector-{number}", "value": value}
        (folder / f"vector-{number}.json").write_text(json.dumps(document))
    sync(client, folder, access)
