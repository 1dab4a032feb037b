"""hypertask sync."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.sync_report import NewTasks, result_report, show_plans
from client.config.config_file import Profile, UpstreamConfig
from client.screen import INCOMPLETE, Screen
from client.sync.engine.plan import Plan
from client.workspace.multi_sync import Arrived, MultiSync, Result
from client.workspace.workspace import SetUpError, Workspace, open_workspace
from shared.core.identifiers import Body


@click.command()
@click.argument("names", metavar="[UPSTREAM]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--confirm-deletions", is_flag=True, help="Confirm that so many tasks are to be deleted.")
@reports
def sync(session: Session, screen: Screen, *, names: tuple[str, ...], dry_run: bool, confirm_deletions: bool) -> None:
    """Sync the folder with its upstreams, once. Stopped in between, it goes on the next time."""
    profile = session.profile
    configs = chosen(profile, names)
    with open_workspace(profile, session.tokens) as workspace:
        say_if_rebuilt(workspace, screen)
        if dry_run:
            show_plans(screen, asyncio.run(_surveyed(workspace, configs, confirmed=confirm_deletions)))
            return
        arrivals = NewTasks(hooks_runner(session, screen))
        multi_sync = MultiSync(workspace, configs, arrivals.note)
        result = asyncio.run(sync_once(multi_sync, screen, confirmed=confirm_deletions))
        value, lines = result_report(result, workspace)
    screen.answer(value, *lines, *arrivals.lines())
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


async def _surveyed(workspace: Workspace, configs: Sequence[UpstreamConfig], *, confirmed: bool) -> dict[str, Plan]:
    multi_sync = MultiSync(workspace, configs)
    try:
        return {name: (await multi_sync.survey(name, confirmed=confirmed))[0] for name in multi_sync.upstreams}
    finally:
        await multi_sync.close()


async def sync_once(multi_sync: MultiSync, screen: Screen, *, confirmed: bool) -> Result:
    """With all of its upstreams, showing how far it is, and closes it."""
    try:
        with screen.progress("Synced", sending=True) as progress:
            return await multi_sync.sync(confirmed=confirmed, progress=lambda name: progress)
    finally:
        await multi_sync.close()


def hooks_runner(session: Session, screen: Screen) -> Arrived:
    """What runs the hooks of what arrived, and says what they print."""

    def arrived(changes: list[tuple[Body | None, Body | None]]) -> None:
        for line in session.hooks.arrived(changes):
            screen.say(line)

    return arrived
