"""The manual page has every command, and man shows it without a complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from client import cli
from client.cli import COMMANDS, REPORTS, main


@pytest.fixture(scope="module")
def page() -> str:
    result = CliRunner().invoke(main, ["manual"])
    assert result.exit_code == 0
    return result.stdout


def test_every_command_is_on_it_with_what_it_says(page: str) -> None:
    for name in (*COMMANDS, *REPORTS):
        assert f"\n.SS {name} " in page
    context = click.Context(main)
    assert str(getattr(main.get_command(context, "done"), "help", None)).splitlines()[0] in page.replace("\\-", "-")


def test_the_page_that_is_installed_is_the_one_that_the_commands_say(page: str) -> None:
    kept = Path(cli.__file__).with_name("hypertask.1").read_text()
    assert kept == page, "to write it again: hypertask manual > client/hypertask.1"


def test_no_line_of_a_help_text_is_a_request(page: str) -> None:
    known = (".TH", ".SH", ".SS", ".TP", ".PP", ".B ", ".nf", ".fi")
    assert all(line.startswith(known) for line in page.splitlines() if line.startswith((".", "'")))


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_finds_nothing_to_say(page: str) -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
