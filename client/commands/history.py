"""hypertask log, conflicts: what happened to a task, and what was decided where two edited it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from client.commands.decision_lines import conflict_line_now, name_of, place, see, sides_since
from client.commands.log_lines import HASH, local_lines, revision_lines
from client.commands.reporting import reports
from client.commands.session import Session
from client.config.config_file import UpstreamConfig
from client.folder.task_folder import FileProblem, Loaded
from client.screen import SHOWN, Screen
from client.sync.engine.own_edits import is_lives_on
from client.sync.engine.since_decided import Since
from client.sync.upstream import UpstreamError
from client.tasks.ids import with_prefix
from client.tasks.journal import ARRIVALS, COMMANDS, UNDONE, Journal, JournalEntry
from client.tasks.listed import numbers
from client.tasks.named import numbered
from client.tasks.take_back import TakeBackError, taken_back
from client.tasks.task_list import Done
from client.workspace.workspace import SetUpError, Workspace, open_workspace
from shared.core.identifiers import Body, DocumentId

SHOWN_STATES: Final = 20


@click.command()
@click.argument("document", metavar="ID")
@click.option("--all", "everything", is_flag=True, help=f"All that is known, not the newest {SHOWN_STATES} of each.")
@reports
def log(session: Session, screen: Screen, *, document: str, everything: bool) -> None:
    """Tell what happened to a task: here, and at each server or folder it is synced with, the newest first."""
    most = sys.maxsize if everything else SHOWN_STATES
    with open_workspace(session.profile, session.tokens) as workspace:
        name = named(workspace, document)
        histories, bodies, errors = asyncio.run(_hihistories(workspace, session.profile.upstreams, name, most))
        decisions = workspace.store.decisions(name)
        loaded = workspace.folder.read(name)
        called = name_of(name, workspace)
        done_here = local_lines(_entries(workspace), name)
    local = loaded.hash if isinstance(loaded, Loaded) else None
    lines = [f"{called}: {_where(loaded, local)}"]
    sections = {"here": done_here}
    sections |= {upstream: revision_lines(rows, bodies, local) for upstream, rows in histories.items()}
    for where, states in sections.items():
        shown = states if everything else states[:SHOWN_STATES]
        lines += [f"{where}:", *shown] if states else []
        if more := len(states) - len(shown):
            lines.append(f"  ... and {more} more lines: hypertask log {document} --all")
    lines += [f"{upstream}: {error}" for upstream, error in errors.items()]
    if decisions:
        lines.append(f"Conflicts that were decided: hypertask conflicts --task {name}")
    if any(histories.values()):
        lines.append(f"To go back to a state: hypertask restore {name} --state HASH")
    value = {"id": name, "here": local, "upstreams": histories, "errors": errors, "decided": decisions}
    screen.answer(value, *lines)


def _where(loaded: Loaded | FileProblem | None, local: str | None) -> str:
    if loaded is None:
        return "not in this folder (deleted)."
    return (
        f"here in the state {local[:HASH]}."
        if local
        else "its file here cannot be read. What is wrong: hypertask status"
    )


def _entries(workspace: Workspace) -> list[JournalEntry]:
    state = workspace.folder.state
    entries = [entry for name in (COMMANDS, ARRIVALS, UNDONE) for entry in Journal(state, name).entries()]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


async def _hihistories(
    workspace: Workspace, upstreams: Sequence[UpstreamConfig], document: DocumentId, most: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Body], dict[str, str]]:
    """The revisions by upstream, the bodies of the newest by hash, and which upstream did not answer."""
    histories: dict[str, list[dict[str, Any]]] = {}
    bodies: dict[str, Body] = {}
    errors: dict[str, str] = {}
    for config in upstreams:
        try:
            driver = workspace.upstream(config)
            try:
                rows = await driver.history(document) if driver.abilities.history else []
                histories[config.name] = rows
                for row in rows[: most + 1]:
                    content = str(row.get("hash"))
                    if content not in bodies and not row.get("deleted"):
                        body = await driver.state(document, content) if row.get("has_body", True) else None
                        bodies |= {content: body} if body is not None else {}
            finally:
                await driver.close()
        except UpstreamError as error:
            errors[config.name] = str(error)
    return histories, bodies, errors


@click.command()
@click.option("--task", "document", metavar="ID", help="Only of this task.")
@click.option("--take", "number", type=int, metavar="NUMBER", help="Put back what was dropped in that decision.")
@click.option("--path", metavar="POINTER", help="With --take: only at this place.")
@reports
def conflicts(
    session: Session, screen: Screen, *, document: str | None, number: int | None, path: str | None
) -> None:
    """What was decided for you where two edited the same place, and how to take the other side back.

    \b
    hypertask conflicts
    hypertask conflicts --take 7
    """
    with open_workspace(session.profile, session.tokens) as workspace:
        if number is not None:
            _take(session, workspace, screen, number, path)
            return
        rows = workspace.store.decisions(named(workspace, document) if document else None)
        names = {row["id"]: name_of(row["id"], workspace) for row in rows}
        if document is None:
            see(workspace, rows)
        for row in rows:
            since = sides_since(row["id"], row["conflicts"], workspace)
            row["conflicts"] = [{**one, "since": now} for one, now in zip(row["conflicts"], since, strict=True)]
    lines = []
    for row in rows:
        at = datetime.fromtimestamp(row["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        lines.append(f"{row['number']:5}  {at}  {names[row['id']]}  ({row['upstream']})")
        lines += [f"         {conflict_line_now(one)}" for one in row["conflicts"][:SHOWN]]
    is_left = any(one["since"] in (Since.STANDS, Since.CHANGED) for row in rows for one in row["conflicts"])
    lines.append(
        "To take the other side back: hypertask conflicts --take NUMBER"
        if is_left
        else "Nothing is left to take back."
        if rows
        else "No conflicts."
    )
    screen.answer({"conflicts": rows}, *lines)


def _take(session: Session, workspace: Workspace, screen: Screen, number: int, path: str | None) -> None:
    row = next((row for row in workspace.store.decisions(most=5000) if row["number"] == number), None)
    if row is None:
        raise click.UsageError(f"there is no conflict {number}. To list them: hypertask conflicts")
    document = DocumentId(row["id"])
    wanted = [conflict for conflict in row["conflicts"] if path is None or conflict["path"] == path]
    command = f"conflicts --take {number}" + (f" --path {path}" if path is not None else "")
    lives_on = bool(wanted) and all(is_lives_on(conflict) for conflict in wanted)
    try:
        if lives_on and workspace.folder.read(document) is None:
            done = Done(())
        elif lives_on:
            done = session.tasks.delete([document], command)
        elif not isinstance(workspace.folder.read(document), Loaded):
            raise TakeBackError(f"{document} is not here. To bring it back: hypertask restore {document}")
        else:
            done = session.tasks.change([document], lambda body: taken_back(body, wanted), command)
    except TakeBackError as error:
        raise SetUpError(f"{error} All states: hypertask log {document}") from None
    for line in done.feedback:
        screen.say(line)
    value = {"id": document, "number": number, "paths": [conflict["path"] for conflict in wanted]}
    if not done.steps:
        screen.answer(value, f"Nothing to do: {document} is {'deleted' if lives_on else 'so'} already.")
        return
    places = ", ".join(place(conflict) for conflict in wanted)
    screen.answer(
        value,
        f"Deleted {document} after all." if lives_on else f"Put back what was dropped in {document} at {places}.",
        "To take it back: hypertask undo. To send it, if no daemon runs: hypertask sync",
    )


def named(workspace: Workspace, text: str) -> DocumentId:
    """The document whose id is `text` or begins with it, one that was deleted here too, or that has this number in
    the last listing. Raises NoSuchTaskError, WordError."""
    known = {*workspace.store.files(), *workspace.store.known(), *workspace.folder.scan().files}
    known |= {step.document for entry in _entries(workspace) for step in entry.steps}
    if (listed := numbered(text, numbers(workspace.folder.state))) is not None and len(listed & known) == 1:
        return DocumentId(*listed & known)
    return with_prefix(text, known)
