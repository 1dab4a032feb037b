"""The README's commands, run; what they print is what the README prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
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


def test_a_strangers_first_five_minutes(access: Access, tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh five-minutes\n(.*?)```", README, re.DOTALL)
    commands = block.strip().splitlines()
    assert len(commands) <= 5, "with ops/serve, which test_serve runs, six commands or fewer"
    environment = {**os.environ, "URL": access.url, "TOKEN": access.token, "HOME": str(tmp_path)}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    printed = []
    for command in commands:
        runnable = re.sub(r"(^| )hypertask ", r'\1"$PYTHON" -m client.cli ', command)
        assert runnable != command
        found = subprocess.run(["bash", "-c", runnable], env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        assert "Next: hypertask " in found.stdout, f"{command} does not say what to do next: {found.stdout}"
        printed.append(found.stdout)
    for task in ("buy milk", "call Ann", "water the plants"):
        assert f"new here: {task}" in printed[-1]
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.json")}
        for name in ("hypertask", "laptop")
    )
    assert len(first) == 3 and first == second


@cache
def help_of(module: str, *commands: str) -> str:
    asked = subprocess.run(
        [sys.executable, "-m", module, *commands, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


@pytest.mark.parametrize("block", re.findall(r"```sh[ a-z-]*\n(.*?)```", README, re.DOTALL))
def test_the_programs_that_the_readme_names_exist_and_take_its_options(block: str) -> None:
    for line in block.strip().splitlines():
        program, *words = [word for word in line.split() if not word.startswith("HYPERTASK_TOKEN=")]
        if program.startswith("ops/"):
            assert os.access(ROOT / program, os.X_OK), line
        elif program.startswith("hypertask"):
            module = {"hypertask": "client.cli", "hypertask-server": "api.cli"}[program]
            commands = [
                word
                for word in words
                if word in ("token", "invite", "create", "import", "taskwarrior", "connect", "login")
            ]
            said = help_of(module, *commands)
            for option in (w for w in words if w.startswith("--") and w not in ("--data", "--profile")):
                assert option in said, f"{line}: {option}"
        else:
            assert program in ("export", "task"), line


def test_what_a_command_uses_was_set_before() -> None:
    known = {"PATH", "PWD"}
    for block in re.findall(r"```(?:sh|console)[ a-z-]*\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            local = set(re.findall(r"(?:^|[ ;])([A-Z_]+)=", command))
            assert set(re.findall(r"\$([A-Z_]+)", command)) <= known | local, line
            if command.startswith("export "):
                known |= local
