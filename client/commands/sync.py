"""hypertask sync."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.sync_report import result_report
from client.config.config_file import Profile, UpstreamConfig
from client.screen import INCOMPLETE, Screen
from client.sync.report import Result
from client.workspace.first_look import first_look
from client.workspace.workspace import SetUpError, Workspace, open_workspace


@click.command()
@click.argument("names", metavar="[UPSTREAM]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--confirm-deletions", is_flag=True, help="Confirm that so many tasks are to be deleted.")
@reports
def sync(session: Session, screen: Screen, *, names: tuple[str, ...], dry_run: bool, confirm_deletions: bool) -> None:
    """Sync the folder with its upstreams, once. Stopped in between, it goes on the next time."""
    profile = session.profile
    configs = chosen(profile, names)
    new_tasks: list[str] = []
    with open_workspace(profile, session.tokens) as workspace:
        say_if_rebuilt(workspace, screen)
        looked = None if dry_run or confirm_deletions else first_look(workspace, session.variables)
        if looked is not None:
            result = Result(looked)
        else:
            from client.commands import whole_sync  # noqa: PLC0415  it takes longer to load than a sync that finds nothing

            if dry_run:
                whole_sync.show_plans(screen, whole_sync.surveyed(workspace, configs, confirmed=confirm_deletions))
                return
            result, new_tasks = whole_sync.synced(session, screen, workspace, configs, confirmed=confirm_deletions)
        value, lines = result_report(result, workspace)
    screen.answer(value, *lines, *new_tasks)
    if not result.agreed or result.waits:
        sys.exit(INCOMPLETE)


def chosen(profile: Profile, names: Sequence[str] = ()) -> tuple[UpstreamConfig, ...]:
    """The upstreams of those names, or all. Raises SetUpError, UsageError."""
    known = {upstream.name: upstream for upstream in profile.upstreams}
    if not known:
        raise SetUpError(f"{profile.folder} has no server or folder to sync with yet. Next: hypertask connect URL")
    for name in names:
        if name not in known:
            raise click.UsageError(f"there is no upstream {name}. Known: {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(known.values())


def say_if_rebuilt(workspace: Workspace, screen: Screen) -> None:
    if workspace.store.rebuilt:
        screen.warn(
            f"the memory of the folder was damaged: {workspace.store.rebuilt}. It was rebuilt; nothing is lost."
        )
