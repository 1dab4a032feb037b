"""hypertask add, list, show, modify, done, delete, edit"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final

import click

from client.commands.listing import chosen, confirm, ids_and_rest, load_all, number, task_lines
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import (
    WordCommand,
    an_id,
    ids,
    in_order,
    problem_rows,
    say_problems,
    title,
    words,
)
from client.screen import USAGE, Screen, plain, tasks
from client.tasks.filters import filter_of, is_pending, names_hidden
from client.tasks.ids import ALPHABET, LENGTH, id_of, shortest
from client.tasks.moments import shown, written
from client.tasks.task_list import Done, Tasks
from client.tasks.view import dependencies
from client.tasks.words import WordError
from shared.core.documents import Body, DocumentId
from shared.core.json.strict import FaultError

COLOURS: Final = click.Choice(["auto", "always", "never"])
COLUMNS: Final = ("state", "due", "priority", "project", "tags", "description")
"""Of `list`."""
YES: Final = click.option("--yes", "-y", is_flag=True, help="Change what the filter matches without asking.")


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
    from client.tasks.modifications import modification_of  # noqa: PLC0415  `list` changes nothing

    now = written(session.now)
    identity = id_of(secrets.randbelow(len(ALPHABET) ** LENGTH))
    new = {"id": identity, "status": "pending", "entry": now, "modified": now}
    body = modification_of(words, session.now, load_all(session, screen).view)(new)
    if "description" not in body:
        raise click.UsageError('a task needs a description: hypertask add "water the plants"')
    if "recur" in body:
        body = _as_pattern(body)
    done = session.tasks.add([body], _command("add", words))
    report_change(screen, session.tasks, done, "Added", "Next: hypertask list")


def _as_pattern(body: Body) -> Body:
    from client.tasks.periods import repetition  # noqa: PLC0415  most tasks do not repeat

    repetition(body["recur"])
    if "due" not in body:
        raise click.UsageError("a task that repeats has to be due for the first time: due:friday recur:weekly")
    return {**body, "status": "recurring"}


@click.command("list", cls=WordCommand)
@words()
@click.option("--all", "everything", is_flag=True, help="Also what is done, or waits for its day.")
@click.option("--color", "colour", type=COLOURS, default="auto", help="Colours; auto: on a terminal.")
@reports
def list_tasks(session: Session, screen: Screen, *, words: tuple[str, ...], everything: bool, colour: str) -> None:
    """List tasks that fit all WORDs: +tag, -tag, field:value, text.

    \b
    hypertask list +errand -shop
    hypertask list project:home due.before:friday
    hypertask list status:completed milk
    """
    seen = load_all(session, screen)
    words = (*session.filter_words, *words)
    fits, here = (filter_of(part, session.now, seen.view) for part in (words, session.context))
    everything = everything or names_hidden(words)
    wanted = (
        body
        for body in seen.bodies.values()
        if fits(body) and here(body) and (everything or is_pending(body, session.now))
    )
    found = in_order(wanted, session.now.tzinfo)
    say_problems(screen, seen.problems)
    if not screen.as_json:
        number(session, found)
    lines = task_lines(seen, found, COLUMNS, colour)
    summary = f"{tasks(len(found))}{f' of {len(seen.bodies)}' if len(found) != len(seen.bodies) else ''}."
    hint = "Next: hypertask done NUMBER" if found else 'Next: hypertask add "water the plants"'
    if not found and seen.bodies:
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
@words(required=True)
@YES
@reports
def modify(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Change tasks: ID, or several with commas between them, then what is to be different.

    Text replaces the description, +tag and -tag add and remove a tag, field:value sets a field, field: removes it.

    \b
    hypertask modify q7 +urgent due:tomorrow
    hypertask modify q7,b3 project:home priority:
    hypertask +errand due.before:friday modify priority:H
    """
    from client.tasks.modifications import modification_of  # noqa: PLC0415  as in `add`

    ids, rest = ids_and_rest(session, words, "modify WORD...")
    all_tasks, documents, filtered = chosen(session, screen, ids)
    change = modification_of(rest, session.now, all_tasks.view)

    def modified(body: Body) -> Body:
        after = change(body)
        if "recur" in after and after.get("recur") != body.get("recur"):
            from client.tasks.periods import repetition  # noqa: PLC0415  as above

            repetition(after["recur"])
        if "depends" in after and (way := all_tasks.view.cycle(body["id"], dependencies(after))) is not None:
            raise WordError(f"a task cannot wait for itself: {' -> '.join(way)}")
        return after

    if filtered:
        confirm(screen, all_tasks, documents, "Change", yes=yes)
    command = _command("modify", [*session.filter_words, *words])
    report_change(screen, session.tasks, session.tasks.change(documents, modified, command), "Changed")


@click.command(cls=WordCommand)
@ids()
@YES
@reports
def done(session: Session, screen: Screen, *, ids: tuple[str, ...], yes: bool) -> None:
    """Mark tasks as done: ids, numbers of the last listing, or a filter."""
    now = written(session.now)

    def completed(body: Body) -> Body:
        return body if body.get("status") == "completed" else {**body, "status": "completed", "end": now}

    all_tasks, documents, filtered = chosen(session, screen, ids)
    if filtered:
        confirm(screen, all_tasks, documents, "Complete", yes=yes)
    command = _command("done", [*session.filter_words, *ids])
    report_change(screen, session.tasks, session.tasks.change(documents, completed, command), "Done")


@click.command(cls=WordCommand)
@ids()
@YES
@reports
def delete(session: Session, screen: Screen, *, ids: tuple[str, ...], yes: bool) -> None:
    """Delete tasks, by id, number or filter: their files go, and with the next sync they go everywhere."""
    all_tasks, documents, filtered = chosen(session, screen, ids)
    if filtered:
        confirm(screen, all_tasks, documents, "Delete", yes=yes)
    command = _command("delete", [*session.filter_words, *ids])
    report_change(screen, session.tasks, session.tasks.delete(documents, command), "Deleted")


@click.command()
@an_id()
@click.option("--discard", is_flag=True, help="Throw away the draft that was kept from the last time.")
@reports
def edit(session: Session, screen: Screen, *, prefix: str, discard: bool) -> None:
    """Open a task in your editor. What others change meanwhile is merged with what you change."""
    from client.commands.editor import Draft, edited_file  # noqa: PLC0415  it is needed here alone
    from shared.core.merge.objects import merge  # noqa: PLC0415  likewise

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
    report_change(screen, session.tasks, changed, "Changed")


def report_change(
    screen: Screen, tasks: Tasks, done: Done, verb: str, hint: str = "To take it back: hypertask undo"
) -> None:
    for line in done.feedback:
        screen.say(line)
    prefixes = shortest({*tasks.folder.scan().files, *(step.document for step in done.steps)})
    lines = [f"{verb} {prefixes[step.document]}: {title(step.after or step.before or {})}" for step in done.steps]
    rows = [_step_row(step.document, step.before, step.after) for step in done.steps]
    screen.answer({"changed": rows}, *(lines or ["Nothing changed: it already is so."]), *([hint] if lines else []))


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
