"""hypertask completion"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import click
from click.shell_completion import get_completion_class

from client.commands.reporting import reports
from client.commands.session import Session
from client.screen import USAGE, Painted, Screen

NAME: Final = "hypertask"
VARIABLE: Final = "_HYPERTASK_COMPLETE"
_PLACES: Final = {
    "bash": ("~/.local/share/bash-completion/completions/hypertask", "bash-completion reads it when it is needed"),
    "zsh": ("~/.zfunc/_hypertask", "and in ~/.zshrc, before compinit: fpath+=~/.zfunc"),
    "fish": ("~/.config/fish/completions/hypertask.fish", "fish reads it when it is needed"),
}


@click.command()
@click.argument("shell", type=click.Choice([*_PLACES]), required=False)
@click.option("--script", is_flag=True, help="Print the script itself, and nothing else.")
@reports
def completion(session: Session, screen: Screen, *, shell: str | None, script: bool) -> None:
    """Say how your shell completes commands, ids, tags and fields: bash, zsh or fish."""
    shell = shell or PurePath(session.variables.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in _PLACES else None
    if kind is None:
        screen.fail("unknown-shell", f"which shell? hypertask completion {'|'.join(_PLACES)}", USAGE)
    text = kind(click.get_current_context().find_root().command, {}, NAME, VARIABLE).source()
    place, how = _PLACES[shell]
    if script:
        screen.answer({"shell": shell, "script": text}, Painted(text))
        return
    folder = place.rpartition("/")[0]
    command = f"mkdir -p {folder} && hypertask completion {shell} --script > {place}"
    screen.answer(
        {"shell": shell, "install": command, "place": place},
        f"To let {shell} complete hypertask, run once:",
        f"  {command}",
        f"({how})",
        "Then open a new terminal and type: hypertask sh<Tab>",
    )
