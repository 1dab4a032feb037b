"""hypertask sync, watch."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from client.commands.decision_lines import decided_lines
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.sync_report import NewTasks, protected_lines, result_report, show_plans, waiting_lines, without
from client.config.config_file import Profile, UpstreamConfig
from client.folder.locks import held
from client.screen import INCOMPLETE, Screen
from client.sync.engine.plan import Plan
from client.workspace.multi_sync import Arrived, MultiSync, Result
from client.workspace.restart_reason import SETTINGS, RestartReason
from client.workspace.watch import Watch
from client.workspace.workspace import SetUpError, Workspace, open_workspace
from shared import gc
from shared.core.identifiers import Body
from shared.observability import configure


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
        _say_if_rebuilt(workspace, screen)
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


def _say_if_rebuilt(workspace: Workspace, screen: Screen) -> None:
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


@click.command()
@reports
def watch(session: Session, screen: Screen) -> None:
    """Stay in sync until it is stopped: whatever changes here or there is synced within a second."""
    configure("WARNING")
    gc.freeze_after_startup()  # a command that is soon over collects hardly ever, and one that stays would grow
    while (why := _watch_until_changed(session, screen)) is not None:
        session.read_settings_again()
        screen.say("The settings changed." if why == SETTINGS else "The folder was moved or replaced. Looking again.")
    screen.say("Stopped.")


def _watch_until_changed(session: Session, screen: Screen) -> str | None:
    """Why it has to restart; None: it was stopped."""
    profile = session.profile
    configs = chosen(profile)
    with open_workspace(profile, session.tokens) as workspace, held(workspace.daemon_lock) as lock:
        _say_if_rebuilt(workspace, screen)
        screen.say(f"Watching {profile.folder} and {', '.join(c.name for c in configs)}. Ctrl-C stops.")
        restart = RestartReason(session.config_file, profile, session.tokens, lock, screen.warn)
        multi_sync = MultiSync(workspace, configs, hooks_runner(session, screen), resident=True)
        return asyncio.run(_watched(multi_sync, screen, restart))


async def _watched(multi_sync: MultiSync, screen: Screen, restart: RestartReason) -> str | None:
    running = asyncio.create_task(_watch_for_ever(multi_sync, screen))
    changed = asyncio.create_task(restart.wait())
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await asyncio.wait((running, changed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        changed.cancel()
        await asyncio.wait((running, changed))
        await multi_sync.close()
    if not running.cancelled():
        running.result()  # it never ends by itself but with an error
    return None if changed.cancelled() else changed.result()


async def _watch_for_ever(multi_sync: MultiSync, screen: Screen) -> None:
    failing: set[str] = set()

    def on_result(result: Result) -> None:
        for name, error in result.errors.items():
            if name not in failing:
                screen.say(f"{name}: {error}")
        for name in failing & result.reports.keys():
            screen.say(f"{name}: in sync again.")
        failing.clear()
        failing.update(result.errors)
        for name, report in result.reports.items():
            if report.sent or report.fetched or report.deleted or report.removed:
                screen.say(
                    f"{name}: {report.sent} sent, {report.fetched} fetched, {report.deleted} deleted there, "
                    f"{report.removed} removed here"
                )
            for line in [
                *waiting_lines(name, without(report.plan, report.protected)),
                *protected_lines(name, report.protected, multi_sync.workspace),
                *decided_lines(name, report.decided, multi_sync.workspace),
            ]:
                screen.say(line)

    await Watch(multi_sync, on_result, screen.warn).run()
