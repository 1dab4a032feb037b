"""The commands of docs/client.md, run one after another; they print what the page prints, ids aside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from client.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text()
TASK_COMMANDS = [name for name, place in COMMANDS.items() if place.startswith("tasks:")]
ID = re.compile(r"\b(?=[a-z]*\d)[23456789abcdefghkmnpqrstwxyz]{4}\b")


def sessions() -> list[tuple[str, list[str]]]:
    """Each command and the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def test_the_commands_print_what_the_page_prints(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    program = f"{sys.executable} -c 'from client.cli import main; main()'"
    environment = {**os.environ, "HYPERTASK_CONFIG": str(config), "HOME": str(tmp_path), "TZ": "UTC"}
    environment = {name: value for name, value in environment.items() if name != "HYPERTASK_PROFILE"}
    environment["PYTHONPATH"] = str(ROOT)
    known: dict[str, str] = {}
    ran = sessions()
    assert len(ran) >= 12
    for command, lines in ran:
        real = ID.sub(lambda match: known[match[0]], command).replace("hypertask", program, 1)
        found = subprocess.run(real, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True)
        printed = (found.stdout + found.stderr).splitlines()
        assert len(printed) == len(lines), (command, printed)
        for expected, line in zip(lines, printed, strict=True):
            if (new := ID.search(expected)) and new[0] not in known:
                known[new[0]] = line[new.start() : new.end()]
            meant = ID.sub(lambda match: known[match[0]], expected).replace("$CONFIG", str(config))
            assert line == meant, command


@pytest.mark.parametrize("name", ["init", "config", "completion", "import", "export", *TASK_COMMANDS])
def test_every_command_of_this_half_is_on_the_page(name: str) -> None:
    assert re.search(rf"hypertask (--profile work )?{name}\b", PAGE)


def test_every_format_is_on_the_page() -> None:
    table = PAGE[PAGE.index("| format |") :]
    context = click.Context(main)
    for name in ("import", "export"):
        group = main.get_command(context, name)
        assert isinstance(group, click.Group)
        for format_name in group.commands:
            assert f"`{format_name}`" in table, format_name
