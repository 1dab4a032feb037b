"""hypertask add, modify, done, delete, edit"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from client.commands.choosing import chosen, confirm, ids_and_rest
from client.commands.loading import change_of
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import WordCommand, an_id, ids, title, words
from client.screen import USAGE, Screen
from client.tasks.ids import shortest_of
from client.tasks.moments import written
from client.tasks.task_list import Done, Tasks
from client.tasks.view import dependencies
from client.tasks.words import WordError
from shared.core.identifiers import Body, DocumentId
from shared.core.json.strict import FaultError

YES: Final = click.option("--yes", "-y", is_flag=True, help="Change what the filter matches without asking.")


@click.command(cls=WordCommand)
@words()
@reports
def add(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """Add a task: its description, +tags, field:value.

    \b
    hypertask add buy milk +errand due:tomorrow
    hypertask add "water the plants" due:friday recur:weekly
    hypertask add call Ann project:home estimate:=3
    """
    now = written(session.now)
    new = {"id": session.new_id(), "status": "pending", "entry": now, "modified": now}
    body = change_of(session, screen, words)[0](new)
    if "description" not in body:
        raise click.UsageError('a task needs a description: hypertask add "water the plants"')
    if "recur" in body:
        from client.tasks.patterns import repeating  # noqa: PLC0415  most tasks do not repeat

        body = repeating(body)
    done = session.tasks.add([body], _command("add", words))
    report_change(screen, session.tasks, done, "Added", "Next: hypertask list")


@click.command(cls=WordCommand)
@words()
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
    ids, rest = ids_and_rest(session, words, "modify WORD...")
    wanted = chosen(session, screen, ids)
    change, view = change_of(session, screen, rest)

    def modified(body: Body) -> Body:
        after = change(body)
        if "recur" in after or "recur" in body:
            from client.tasks.patterns import repeating  # noqa: PLC0415  as above

            after = repeating(after, body)
        waits_anew = after.get("depends") is not body.get("depends")
        if waits_anew and (way := view.cycle(body["id"], dependencies(after))) is not None:
            raise WordError(f"a task cannot wait for itself: {' -> '.join(way)}")
        return after

    confirm(screen, wanted, "Change", yes=yes)
    command = _command("modify", [*session.filter_words, *words])
    report_change(screen, session.tasks, session.tasks.change(wanted.documents, modified, command), "Changed")


@click.command(cls=WordCommand)
@ids()
@YES
@reports
def done(session: Session, screen: Screen, *, ids: tuple[str, ...], yes: bool) -> None:
    """Mark tasks as done: ids, numbers of the last listing, or a filter."""
    now = written(session.now)

    def completed(body: Body) -> Body:
        return body if body.get("status") == "completed" else {**body, "status": "completed", "end": now}

    wanted = chosen(session, screen, ids)
    confirm(screen, wanted, "Complete", yes=yes)
    command = _command("done", [*session.filter_words, *ids])
    report_change(screen, session.tasks, session.tasks.change(wanted.documents, completed, command), "Done")


@click.command(cls=WordCommand)
@ids()
@YES
@reports
def delete(session: Session, screen: Screen, *, ids: tuple[str, ...], yes: bool) -> None:
    """Delete tasks, by id, number or filter: their files go, and with the next sync they go everywhere."""
    wanted = chosen(session, screen, ids)
    confirm(screen, wanted, "Delete", yes=yes)
    command = _command("delete", [*session.filter_words, *ids])
    report_change(screen, session.tasks, session.tasks.delete(wanted.documents, command), "Deleted")


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
        sentence = (
            "The draft was thrown away; the task was not changed." if there else "There is no draft of this task."
        )
        screen.answer({"discarded": there}, sentence)
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
    changed = [step.document for step in done.steps]
    prefixes = shortest_of(changed, {*tasks.folder.names(), *changed})
    lines = [f"{verb} {prefixes[step.document]}: {title(step.after or step.before or {})}" for step in done.steps]
    rows = [_step_row(step.document, step.before, step.after) for step in done.steps]
    screen.answer({"changed": rows}, *(lines or ["Nothing changed: it already is so."]), *([hint] if lines else []))


def _step_row(document: DocumentId, before: Body | None, after: Body | None) -> dict[str, Any]:
    return {"id": document, "before": before, "after": after}


def _command(name: str, words: Sequence[str]) -> str:
    return " ".join([name, *words])
