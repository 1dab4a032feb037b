"""hypertask log, conflicts: the story of a document, and what was decided for its owner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from client.commands.decision_lines import conflict_line, name_of, see
from client.commands.reporting import reports
from client.commands.session import Session
from client.config.config_file import UpstreamConfig
from client.folder.task_folder import Loaded
from client.screen import SHOWN, Screen
from client.sync.engine.own_edits import is_lives_on
from client.sync.upstream import UpstreamError
from client.tasks.ids import with_prefix
from client.tasks.known import numbered
from client.tasks.listed import numbers
from client.tasks.take_back import TakeBackError, taken_back
from client.workspace.workspace import SetUpError, Workspace, open_workspace
from shared.core.documents import DocumentId


@click.command()
@click.argument("document", metavar="ID")
@reports
def log(session: Session, screen: Screen, *, document: str) -> None:
    """Tell the story of a document: every state of it at every upstream, who made it, and what was decided."""
    with open_workspace(session.profile, session.tokens) as workspace:
        name = named(workspace, document)
        stories, errors = asyncio.run(_stories(workspace, session.profile.upstreams, name))
        decisions = workspace.store.decisions(name)
        loaded = workspace.folder.read(name)
    local = loaded.hash if isinstance(loaded, Loaded) else None
    lines = [f"{name}: here with the hash {local}" if local else f"{name}: not in this folder (deleted)."]
    for upstream, rows in stories.items():
        lines.append(f"{upstream}:")
        for row in rows:
            lines += _story_lines(row, local)
    lines += [f"{upstream}: {error}" for upstream, error in errors.items()]
    if decisions:
        lines.append(f"Decided for you: hypertask conflicts --task {name}")
    value = {"id": name, "here": local, "upstreams": stories, "errors": errors, "decided": decisions}
    screen.answer(value, *lines)


async def _stories(
    workspace: Workspace, upstreams: Sequence[UpstreamConfig], document: DocumentId
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    stories: dict[str, list[dict[str, Any]]] = {}
    errors: dict[str, str] = {}
    for config in upstreams:
        try:
            driver = workspace.upstream(config)
            try:
                stories[config.name] = await driver.story(document) if driver.abilities.history else []
            finally:
                await driver.close()
        except UpstreamError as error:
            errors[config.name] = str(error)
    return stories, errors


def _story_lines(row: dict[str, Any], local: str | None) -> list[str]:
    at = datetime.fromtimestamp(float(row.get("at") or 0), UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    what = "deleted" if row.get("deleted") else str(row.get("outcome"))
    kind = " (received, never current)" if row.get("received") else ""
    here = "  <- here" if row.get("hash") == local and not row.get("deleted") else ""
    by = row.get("device")
    lines = [f"  {at}  {what}{kind}  by {by}  {str(row.get('hash'))[:12]}  [{row.get('rule')}]{here}"]
    return lines + [f"      {conflict_line(conflict)}" for conflict in row.get("conflicts") or ()]


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
    lines = []
    for row in rows:
        at = datetime.fromtimestamp(row["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        lines.append(f"{row['number']:5}  {at}  {names[row['id']]}  ({row['upstream']})")
        lines += [f"         {conflict_line(conflict)}" for conflict in row["conflicts"][:SHOWN]]
    lines.append("To take the other side back: hypertask conflicts --take NUMBER" if rows else "No conflicts.")
    screen.answer({"conflicts": rows}, *lines)


def _take(session: Session, workspace: Workspace, screen: Screen, number: int, path: str | None) -> None:
    row = next((row for row in workspace.store.decisions(most=5000) if row["number"] == number), None)
    if row is None:
        raise SetUpError(f"there is no decision {number}. Those that there are: hypertask conflicts")
    document = DocumentId(row["id"])
    wanted = [conflict for conflict in row["conflicts"] if path is None or conflict["path"] == path]
    command = f"conflicts --take {number}" + (f" --path {path}" if path is not None else "")
    lives_on = bool(wanted) and all(is_lives_on(conflict) for conflict in wanted)
    try:
        if lives_on:
            done = session.tasks.delete([document], command)
        elif not isinstance(workspace.folder.read(document), Loaded):
            raise TakeBackError(f"{document} is not here. To bring it back: hypertask restore {document}")
        else:
            done = session.tasks.change([document], lambda body: taken_back(body, wanted), command)
    except TakeBackError as error:
        raise SetUpError(f"{error} All states: hypertask log {document}") from None
    for line in done.feedback:
        screen.say(line)
    places = ", ".join(conflict["path"] or "the document" for conflict in wanted)
    screen.answer(
        {"id": document, "number": number, "paths": [conflict["path"] for conflict in wanted]},
        f"Deleted {document} after all." if lives_on else f"Put back what was dropped in {document} at {places}.",
        "To take it back: hypertask undo. To send it, if no daemon runs: hypertask sync",
    )


def named(workspace: Workspace, text: str) -> DocumentId:
    """The document whose id is `text` or begins with it, one that was deleted here too, or that has this number in
    the last listing. Raises NoSuchTaskError, WordError."""
    known = {*workspace.store.files(), *workspace.store.known(), *workspace.folder.scan().files}
    if (listed := numbered(text, numbers(workspace.folder.state))) is not None and len(listed & known) == 1:
        return DocumentId(*listed & known)
    return with_prefix(text, known)
