"""A sync that looks at everything, for the commands: with its upstreams, or to say what it would do. `hypertask sync`
needs none of it where a first look (client/workspace/first_look.py) finds nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from client.commands.session import Session
from client.commands.sync_report import waiting_lines, waiting_of
from client.config.config_file import UpstreamConfig
from client.screen import SHOWN, Screen
from client.sync.engine.plan import Adopt, Delete, Fetch, Resend, Send
from client.sync.engine.planned import Plan
from client.sync.report import Result
from client.workspace.multi_sync import Arrived, MultiSync
from client.workspace.workspace import Workspace
from shared.core.identifiers import Body


def synced(
    session: Session, screen: Screen, workspace: Workspace, configs: Sequence[UpstreamConfig], *, confirmed: bool
) -> tuple[Result, list[str]]:
    """What was done, and lines about new tasks. Raises FolderError, LockedError, OSError."""
    arrivals = NewTasks(hooks_runner(session, screen))
    multi_sync = MultiSync(workspace, configs, arrivals.note)
    return asyncio.run(sync_once(multi_sync, screen, confirmed=confirmed)), arrivals.lines()


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


class NewTasks:
    """The new tasks of a sync, so that whoever asked for it sees them."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._new: list[Body] = []

    def note(self, changes: list[tuple[Body | None, Body | None]]) -> None:
        """For an MultiSync."""
        self._new += [now for before, now in changes if before is None and now is not None]
        self._arrived(changes)

    def lines(self) -> list[str]:
        """The first of them, each in a line."""
        shown = [f"  new here: {_title(body)}" for body in self._new[:SHOWN]]
        more = len(self._new) - len(shown)
        return [*shown, f"  ... and {more} more"] if more else shown


def _title(body: Body) -> str:
    text = body.get("description") or body.get("title")
    return text if isinstance(text, str) else str(body["id"])


# What would be done


def surveyed(workspace: Workspace, configs: Sequence[UpstreamConfig], *, confirmed: bool) -> dict[str, Plan]:
    """By the upstreams' names. Raises UpstreamError, FolderError."""
    return asyncio.run(_surveyed(workspace, configs, confirmed=confirmed))


async def _surveyed(workspace: Workspace, configs: Sequence[UpstreamConfig], *, confirmed: bool) -> dict[str, Plan]:
    multi_sync = MultiSync(workspace, configs)
    try:
        return {name: (await multi_sync.survey(name, confirmed=confirmed))[0] for name in multi_sync.upstreams}
    finally:
        await multi_sync.close()


_WORDS = {Resend: "send again", Delete: "delete there", Adopt: "remember"}


def _word(action: object) -> str:
    match action:
        case Send(created=True):
            return "create there"
        case Send():
            return "send the edit of"
        case Fetch(removes=True):
            return "remove here"
        case Fetch():
            return "fetch"
        case _:
            return _WORDS[type(action)]


def show_plans(screen: Screen, plans: dict[str, Plan]) -> None:
    """By the upstreams' names."""
    value = {
        name: {
            "actions": [{"id": action.id, "do": _word(action)} for action in plan.actions],
            **waiting_of(plan),
        }
        for name, plan in plans.items()
    }
    lines: list[str] = []
    for name, plan in plans.items():
        shown = [action for action in plan.actions if not isinstance(action, Adopt)]
        lines += [f"{name}: {_word(action)} {action.id}" for action in shown[: 5 * SHOWN]]
        if (more := len(shown) - 5 * SHOWN) > 0:
            lines.append(f"{name}: ... and {more} more; --json has all of them")
        if not shown:
            lines.append(f"{name}: nothing to do")
        lines += waiting_lines(name, plan)
    lines.append("Nothing was done. To do it: hypertask sync")
    screen.answer({"dry_run": True, "upstreams": value}, *lines)
