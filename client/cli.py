"""The command line. The client's composition root: it alone reads the environment."""

from __future__ import annotations

import os
from typing import Any

import click

from client.commands import config, daemon, health, history, tasks, upstreams
from client.commands.completion import completion
from client.commands.import_taskwarrior import taskwarrior
from client.commands.session import Session
from client.commands.transfer import export, import_


class Root(click.Group):
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


import_.add_command(taskwarrior)
for command in (
    *tasks.COMMANDS,
    *upstreams.COMMANDS,
    daemon.daemon,
    *health.COMMANDS,
    *history.COMMANDS,
    config.init,
    config.config,
    import_,
    export,
    completion,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
