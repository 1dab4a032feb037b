"""hypertask restore: earlier states of tasks."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import datetime
from typing import Any

import click

from client.commands.history import named
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import title
from client.commands.undo import step_lines, step_row
from client.screen import INCOMPLETE, SHOWN, Screen, tasks
from client.tasks.moments import moment
from client.workspace.earlier import Earlier, States
from client.workspace.workspace import Workspace, open_workspace
from shared.core.identifiers import DocumentId

_SPAN = re.compile(r"\d{1,5}(?:min|h|d|w|m|y)\Z", re.ASCII)


@click.command()
@click.argument("document", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every task that was deleted, here or elsewhere.")
@click.option("--since", "when", metavar="WHEN", help="As it was then: 2h, 3d (ago), yesterday, 2026-01-31T18:00.")
@click.option("--held", is_flag=True, help="What a sync holds back because so much vanished at once.")
@click.option("--state", metavar="HASH", help="With ID: the state of that hash; the log has them.")
@click.option("--dry-run", is_flag=True, help="Say what would be brought back, and change nothing.")
@reports
def restore(
    session: Session,
    screen: Screen,
    *,
    document: str | None,
    everything: bool,
    when: str | None,
    held: bool,
    state: str | None,
    dry_run: bool,
) -> None:
    """Bring back tasks that were deleted or changed, here or on another device.

    A deleted task comes back as it was last, a changed one as it was before its last change, with --since as it was
    then. The states are those that commands and syncs replaced here and those that the servers keep.

    \b
    hypertask restore q7
    hypertask restore q7 --since yesterday
    hypertask restore --all
    hypertask restore --since 2h --dry-run
    """
    if sum((document is not None, everything, held)) + (when is not None and document is None) != 1:
        raise click.UsageError("name what to restore: hypertask restore ID, --all, --held or --since WHEN")
    if state is not None and (document is None or when is not None):
        raise click.UsageError("--state goes with an ID, and without --since: hypertask restore ID --state HASH")
    since = _past(when, session.now) if when is not None else None
    with open_workspace(session.profile, session.tokens) as workspace:
        earlier = asyncio.run(_earlier(workspace, document, since, state, everything=everything))
    lines = [f"{name} could not be asked: {reason}" for name, reason in earlier.unreachable.items()]
    for line in lines:
        screen.say(line)
    missing = [_missing(one, state) for one in earlier.unknown[:SHOWN]]
    value: dict[str, Any] = {"unknown": earlier.unknown, "not_asked": earlier.unreachable}
    if not earlier.bodies:
        screen.answer({"restored": [], **value}, *(missing or ["Nothing to bring back."]))
        if earlier.unknown:
            sys.exit(INCOMPLETE)
        return
    if dry_run:
        shown = [f"  {one}  {title(body)}" for one, body in list(earlier.bodies.items())[: 5 * SHOWN]]
        screen.answer(
            {"restored": [], "would_restore": list(earlier.bodies), **value},
            f"{tasks(len(earlier.bodies))} would be brought back:",
            *shown,
            *missing,
            "Nothing was changed.",
        )
        return
    options = (("--all", everything), ("--held", held), (f"--since {when}", when), (f"--state {state}", state))
    words = ["restore", *([document] if document else []), *(option for option, given in options if given)]
    done = session.tasks.restore(earlier.bodies, " ".join(words))
    screen.answer(
        {"restored": [step_row(step) for step in done.steps], **value},
        f"Brought back {tasks(len(done.steps))}:",
        *step_lines(done),
        *missing,
        "To take it back: hypertask undo",
    )


def _missing(document: DocumentId, state: str | None) -> str:
    which = "no earlier state" if state is None else f"no state of which the hash begins with {state}"
    return f"{document}: {which} is known. All states: hypertask log {document}"


async def _earlier(
    workspace: Workspace, document: str | None, since: float | None, state: str | None, *, everything: bool
) -> Earlier:
    states = States(workspace)
    if document is None and everything:
        return await states.gone()
    if document is None and since is None:
        return states.held()
    if document is None and since is not None:
        return await states.since(since)
    one = named(workspace, document or "")
    if since is None:
        return await states.of(one, content=state)
    earlier = await states.since(since, only=one)
    return earlier if earlier.bodies else Earlier(unknown=[one], unreachable=earlier.unreachable)


def _past(text: str, now: datetime) -> float:
    """Seconds since 1970; a span of time is one that is over. Raises NoMomentError."""
    then = moment(text, now).timestamp()
    if _SPAN.match(text.strip().lower()):
        return 2 * now.timestamp() - then
    return then
