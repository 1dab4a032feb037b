"""The README's commands, run; what they print is what the README prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instance import Access

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_console_sessions_print_what_the_readme_prints(access: Access) -> None:
    environment = {**os.environ, "URL": access.url, "TOKEN": access.token}
    sessions = re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", README)
    assert len(sessions) >= 6
    for command, printed in sessions:
        found = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
        assert found.stdout.strip() == printed.strip(), command


@pytest.mark.parametrize("block", re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
def test_the_programs_that_the_readme_names_exist_and_take_its_options(block: str) -> None:
    for line in block.strip().splitlines():
        program, *words = line.split()
        if program.startswith("ops/"):
            assert os.access(ROOT / program, os.X_OK), line
        elif program.startswith(".venv/bin/"):
            module = {"hypertask": "client.cli", "hypertask-server": "api.cli"}[Path(program).name]
            commands = [word for word in words if word in ("token", "create", "import", "taskwarrior")]
            asked = subprocess.run(
                [sys.executable, "-m", module, *commands, "--help"], cwd=ROOT, capture_output=True, text=True
            )
            assert asked.returncode == 0, asked.stderr
            for option in (w for w in words if w.startswith("--") and w != "--data"):
                assert option in asked.stdout, f"{line}: {option}"
        else:
            assert program in ("export", "task"), line
