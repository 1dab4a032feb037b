"""The command line. The client's composition root: it alone reads the environment."""

from __future__ import annotations

import os

import click

from client.commands import config, daemon, health, history, tasks, upstreams
from client.commands.import_taskwarrior import taskwarrior
from client.commands.session import Session


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hypertask", prog_name="hypertask")
@click.option("--profile", metavar="NAME", help="Which profile of the config to use (also: HYPERTASK_PROFILE).")
@click.pass_context
def main(context: click.Context, profile: str | None) -> None:
    """Hypertask: your JSON documents, the same on every device."""
    context.obj = Session(os.environ, profile)


@main.group(name="import")
def import_() -> None:
    """Bring tasks from other programs."""


import_.add_command(taskwarrior)
for command in (
    *tasks.COMMANDS,
    *upstreams.COMMANDS,
    daemon.daemon,
    *health.COMMANDS,
    *history.COMMANDS,
    config.init,
    config.config,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
