"""The command line. The client's composition root: it alone reads the environment."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

import click

from client.commands.session import Session

COMMANDS: Final = {
    "add": "tasks:add",
    "list": "tasks:list_tasks",
    "show": "tasks:show",
    "modify": "tasks:modify",
    "done": "tasks:done",
    "delete": "tasks:delete",
    "edit": "tasks:edit",
    "undo": "undo:undo",
    "restore": "restore:restore",
    "connect": "connect:connect",
    "login": "login:login",
    "logout": "login:logout",
    "sync": "sync:sync",
    "watch": "sync:watch",
    "daemon": "daemon:daemon",
    "status": "health:status",
    "doctor": "health:doctor",
    "log": "history:log",
    "conflicts": "history:conflicts",
    "init": "config:init",
    "config": "config:config",
    "import": "import_taskwarrior:import_",
    "export": "transfer:export",
    "completion": "completion:completion",
}
"""Where each command is. Its module is loaded when it is called: most commands need no network, and loading what does
takes most of the time of a short one."""


class Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (place := COMMANDS.get(cmd_name)) is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(f"client.commands.{module}"), name)
        return command

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Here and not in the function below, which is not run when the shell asks how to complete a word."""
        context = super().make_context(*args, **options)
        context.obj = Session(os.environ, context.params.get("profile"))
        return context


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hypertask", prog_name="hypertask")
@click.option("--profile", metavar="NAME", help="Which profile of the config to use (also: HYPERTASK_PROFILE).")
def main(profile: str | None) -> None:
    """Hypertask: your JSON documents, the same on every device."""


if __name__ == "__main__":
    main()
