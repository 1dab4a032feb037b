"""hypertask add, list, show, modify, done, delete, edit"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

import click

from client.commands.editor import Draft, edited_file
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import (
    WordCommand,
    an_id,
    ids,
    in_order,
    problem_rows,
    say_problems,
    table,
    title,
    words,
)
from client.screen import USAGE, Screen, plain, tasks
from client.tasks.filters import filter_of, is_pending, names_field
from client.tasks.ids import ALPHABET, LENGTH, id_of, shortest
from client.tasks.modifications import modification_of
from client.tasks.moments import shown, written
from client.tasks.periods import repetition
from client.tasks.task_list import Done, Tasks
from shared.core.documents import Body, DocumentId
from shared.core.json.strict import FaultError
from shared.core.merge.objects import merge


@click.command(cls=WordCommand)
@words(required=True)
@reports
def add(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """Add a task: its description, +tags, field:value.

    \b
    hypertask add buy milk +errand due:tomorrow
    hypertask add "water the plants" due:friday recur:weekly
    hypertask add call Ann project:home estimate:=3
    """
    now = written(session.now)
    identity = id_of(secrets.randbelow(len(ALPHABET) ** LENGTH))
    new = {"id": identity, "status": "pending", "entry": now, "modified": now}
    body = modification_of(words, session.now)(new)
    if "description" not in body:
        raise click.UsageError('a task needs a description: hypertask add "water the plants"')
    if "recur" in body:
        body = _as_pattern(body)
    done = session.tasks.add([body], _command("add", words))
    _report(screen, session.tasks, done, "Added", "Next: hypertask list")


def _as_pattern(body: Body) -> Body:
    repetition(body["recur"])
    if "due" not in body:
        raise click.UsageError("a task that repeats has to be due for the first time: due:friday recur:weekly")
    return {**body, "status": "recurring"}


@click.command("list", cls=WordCommand)
@words()
@click.option("--all", "everything", is_flag=True, help="Also what is done, or waits for its day.")
@reports
def list_tasks(session: Session, screen: Screen, *, words: tuple[str, ...], everything: bool) -> None:
    """List tasks that fit all WORDs: +tag, -tag, field:value, text.

    \b
    hypertask list +errand -shop
    hypertask list project:home due.before:friday
    hypertask list status:completed milk
    """
    fits = filter_of(words, session.now)
    seen = session.tasks.all()
    if made := session.tasks.make_occurrences(seen.bodies):
        screen.say(f"Made {tasks(len(made))} that repeat and are due.")
    bodies = {**seen.bodies, **{DocumentId(body["id"]): body for body in made}}
    everything = everything or names_field(words, "status")
    wanted = (body for body in bodies.values() if fits(body) and (everything or is_pending(body, session.now)))
    found = in_order(wanted, session.now.tzinfo)
    say_problems(screen, seen.problems)
    lines = table(found, bodies, session.now)
    summary = f"{tasks(len(found))}{f' of {len(bodies)}' if len(found) != len(bodies) else ''}."
    hint = "Next: hypertask done ID" if found else 'Next: hypertask add "water the plants"'
    if not found and bodies:
        hint = "Next: fewer words, or --all"
    screen.answer({"tasks": found, "problems": problem_rows(seen.problems)}, *lines, f"{summary} {hint}")


@click.command()
@an_id()
@reports
def show(session: Session, screen: Screen, *, prefix: str) -> None:
    """Show all of one task; ID may be its beginning."""
    document = session.tasks.find(prefix)
    body = session.tasks.read(document)
    path = session.folder.path(document)
    width = max(len(plain(name)) for name in body)
    lines = [f"{plain(name).ljust(width)}  {_value(name, value, session)}" for name, value in body.items()]
    screen.answer({"file": str(path), "task": body}, *lines, f"{'file'.ljust(width)}  {path}")


@click.command(cls=WordCommand)
@an_id()
@words(required=True)
@reports
def modify(session: Session, screen: Screen, *, prefix: str, words: tuple[str, ...]) -> None:
    """Change tasks: ID, or several with commas between them, then what is to be different.

    Text replaces the description, +tag and -tag add and remove a tag, field:value sets a field, field: removes it.

    \b
    hypertask modify q7 +urgent due:tomorrow
    hypertask modify q7,b3 project:home priority:
    """
    change = modification_of(words, session.now)

    def modified(body: Body) -> Body:
        after = change(body)
        if "recur" in after and after.get("recur") != body.get("recur"):
            repetition(after["recur"])
        return after

    documents = session.tasks.find_all(prefix.split(","))
    _report(screen, session.tasks, session.tasks.change(documents, modified, _command("modify", words)), "Changed")


@click.command()
@ids()
@reports
def done(session: Session, screen: Screen, *, ids: tuple[str, ...]) -> None:
    """Mark tasks as done."""
    now = written(session.now)

    def completed(body: Body) -> Body:
        return body if body.get("status") == "completed" else {**body, "status": "completed", "end": now}

    documents = session.tasks.find_all(ids)
    _report(screen, session.tasks, session.tasks.change(documents, completed, _command("done", ids)), "Done")


@click.command()
@ids()
@reports
def delete(session: Session, screen: Screen, *, ids: tuple[str, ...]) -> None:
    """Delete tasks: their files go, and with the next sync they go everywhere."""
    documents = session.tasks.find_all(ids)
    _report(screen, session.tasks, session.tasks.delete(documents, _command("delete", ids)), "Deleted")


@click.command()
@an_id()
@click.option("--discard", is_flag=True, help="Throw away the draft that was kept from the last time.")
@reports
def edit(session: Session, screen: Screen, *, prefix: str, discard: bool) -> None:
    """Open a task in your editor. What others change meanwhile is merged with what you change."""
    document = session.tasks.find(prefix)
    session.folder.prepare()
    draft = Draft(session.folder, document)
    if discard:
        there = draft.discard()
        said = "The draft was thrown away; the task was not changed." if there else "There is no draft of this task."
        screen.answer({"discarded": there}, said)
        return
    body = session.tasks.read(document)
    before = draft.open(body)
    edited_file(draft.path, session.profile.editor, session.variables)
    try:
        mine = draft.read()
    except FaultError as error:
        kept = f"{error.fault.detail} The task was not changed. Your draft is kept. To go on with it: hypertask "
        kept += f"edit {prefix}. To throw it away: hypertask edit {prefix} --discard"
        screen.fail("invalid-document", kept, USAGE, draft=str(draft.path))

    def merged(now: Body) -> Body:
        result: Any = merge([before], now, mine).value
        return dict(result)

    changed = session.tasks.change([document], merged, f"edit {prefix}")
    draft.close()
    _report(screen, session.tasks, changed, "Changed")


def _report(
    screen: Screen, tasks: Tasks, done: Done, verb: str, hint: str = "To take it back: hypertask undo"
) -> None:
    for line in done.feedback:
        screen.say(line)
    prefixes = shortest({*tasks.folder.scan().files, *(step.document for step in done.steps)})
    lines = [f"{verb} {prefixes[step.document]}: {title(step.after or step.before or {})}" for step in done.steps]
    rows = [_step_row(step.document, step.before, step.after) for step in done.steps]
    screen.answer({"changed": rows}, *(lines or ["Nothing to change: it is so already."]), *([hint] if lines else []))


def _step_row(document: DocumentId, before: Body | None, after: Body | None) -> dict[str, Any]:
    return {"id": document, "before": before, "after": after}


def _command(name: str, words: Sequence[str]) -> str:
    return " ".join([name, *words])


def _value(name: str, value: Any, session: Session) -> str:
    if isinstance(value, str):
        return "\n".join(map(plain, shown(value, session.now).split("\n")))
    if name == "tags" and isinstance(value, list):
        return plain(" ".join(map(str, value)))
    return plain(json.dumps(value, ensure_ascii=False))
