"""hypertask watch."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import click

from client.commands.decision_lines import decided_lines
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.sync import chosen, say_if_rebuilt
from client.commands.sync_report import protected_lines, waiting_lines, without
from client.commands.whole_sync import hooks_runner
from client.folder.locks import held
from client.screen import Screen
from client.sync.report import Result
from client.workspace.multi_sync import MultiSync
from client.workspace.restart_reason import SETTINGS, RestartReason
from client.workspace.watch import Watch
from client.workspace.workspace import open_workspace
from shared import gc
from shared.observability import configure


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
        say_if_rebuilt(workspace, screen)
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
