"""The client library against a real server."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path

import httpx
import node

from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS

SPACES = 20
README = (node.SDK / "README.md").read_text()


def test_clients_against_a_server(sdk: node.Node, build: Path, server: Instance) -> None:
    spaces = [f"s-{uuid.uuid4().hex[:12]}" for _ in range(SPACES)]
    tokens = [[server.access(space=space, name=name).token for name in ("one", "two")] for space in spaces]
    environment = {**sdk.environ(), "HYPERTASK_URL": server.url, "HYPERTASK_TOKENS": json.dumps(tokens)}
    files = sorted(map(str, (build / "test" / "server").glob("*.test.js")))
    timeout = f"--test-timeout={500 * PATIENCE_SECONDS:.0f}"  # so that a test which waits for ever is named
    command = [sdk.node, "--test", timeout, *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"^(?:# |ℹ )skipped 0$", done.stdout, re.MULTILINE), done.stdout[-2000:]


def test_the_example_of_its_readme(sdk: node.Node, build: Path, server: Instance, tmp_path: Path) -> None:
    [code] = re.findall(r"```javascript\n(.*?)```", README, re.DOTALL)
    assert len(code.splitlines()) <= 11
    program = build / "example.mjs"
    program.write_text(code)
    access = server.access()
    environment = {**sdk.environ(), "HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token}
    for _ in range(2):
        command = [sdk.node, str(program)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stderr
    [found] = httpx.get(f"{access.url}/tasks", headers=access.headers).json()["tasks"].values()
    assert found["server_state"] == {"id": "milk", "title": "buy milk", "tags": ["errand"], "due": "2026-12-24"}
