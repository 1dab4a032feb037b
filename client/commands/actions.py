"""hypertask annotate, denotate, append, prepend, start, stop, duplicate"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import click

from client.commands.choosing import chosen, confirm, ids_and_rest
from client.commands.loading import change_of
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import WordCommand, words
from client.commands.tasks import YES, report_change
from client.screen import Screen
from client.tasks.moments import written
from client.tasks.patterns import repeating
from client.tasks.words import WordError
from shared.core.identifiers import Body

EditBody = Callable[[Body], Body]
_NOT_COPIED: Final = frozenset(
    {"id", "start", "end", "uuid", "imask", "parent", "mask", "made_until", "taskwarrior_id", "urgency"}
)


def _change(
    session: Session, screen: Screen, ids: tuple[str, ...], change: EditBody, *, verb: str, name: str, yes: bool
) -> None:
    wanted = chosen(session, screen, ids)
    confirm(screen, wanted, verb, yes=yes)
    command = " ".join([name, *session.filter_words, *ids])
    report_change(screen, session.tasks, session.tasks.change(wanted.documents, change, command), verb)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def annotate(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Add a note with the time: ID TEXT."""
    ids, rest = ids_and_rest(session, words, "annotate TEXT")
    text = " ".join(word for word in rest if word != "--")

    def change(body: Body) -> Body:
        notes = body.get("annotations", [])
        if not isinstance(notes, list):
            raise WordError(f'the "annotations" of {body["id"]} are not a list')
        at = session.now
        taken = {note.get("entry") for note in notes if isinstance(note, dict)}
        while written(at) in taken:  # the time is what tells notes apart
            at += timedelta(seconds=1)
        return {**body, "annotations": [*notes, {"entry": written(at), "description": text}]}

    _change(session, screen, ids, change, verb="Annotated", name="annotate", yes=yes)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def denotate(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Remove the note that is TEXT, or else the first that contains it: ID TEXT."""
    ids, rest = ids_and_rest(session, words, "denotate TEXT")
    text = " ".join(word for word in rest if word != "--")

    def change(body: Body) -> Body:
        notes = body.get("annotations")
        texts = (
            [note.get("description") for note in notes if isinstance(note, dict)] if isinstance(notes, list) else []
        )
        match = next((one for one in texts if one == text), None)
        if match is None:
            match = next((one for one in texts if isinstance(one, str) and text in one), None)
        if match is None or not isinstance(notes, list):
            raise WordError(f"no note of {body['id']} contains {text!r}. To see them: hypertask show {body['id']}")
        place = next(n for n, note in enumerate(notes) if isinstance(note, dict) and note.get("description") == match)
        left = [*notes[:place], *notes[place + 1 :]]
        rest = {name: value for name, value in body.items() if name != "annotations"}
        return {**rest, "annotations": left} if left else rest

    _change(session, screen, ids, change, verb="Changed", name="denotate", yes=yes)


def _joined(session: Session, screen: Screen, words: tuple[str, ...], name: str, *, yes: bool) -> None:
    """Text goes before or behind the description; other words are as in modify."""
    ids, rest = ids_and_rest(session, words, f"{name} TEXT")
    modify, _ = change_of(session, screen, rest)

    def change(body: Body) -> Body:
        before = body.get("description")
        changed = modify(body)
        after = changed.get("description")
        if not isinstance(before, str) or after == before or not isinstance(after, str):
            return changed
        return {**changed, "description": f"{before} {after}" if name == "append" else f"{after} {before}"}

    _change(session, screen, ids, change, verb="Changed", name=name, yes=yes)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def append(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Add text behind the description: ID TEXT."""
    _joined(session, screen, words, "append", yes=yes)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def prepend(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Add text before the description: ID TEXT."""
    _joined(session, screen, words, "prepend", yes=yes)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def start(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Say that you work on tasks."""
    now = written(session.now)
    _change(
        session,
        screen,
        words,
        lambda b: b if "start" in b else {**b, "start": now},
        verb="Started",
        name="start",
        yes=yes,
    )


@click.command(cls=WordCommand)
@words()
@YES
@reports
def stop(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Say that you do not work on tasks any more."""

    def change(body: Body) -> Body:
        return {name: value for name, value in body.items() if name != "start"}

    _change(session, screen, words, change, verb="Stopped", name="stop", yes=yes)


@click.command(cls=WordCommand)
@words()
@YES
@reports
def duplicate(session: Session, screen: Screen, *, words: tuple[str, ...], yes: bool) -> None:
    """Make tasks like others: ID, or several with commas between them, then what is to be different.

    \b
    hypertask duplicate q7 due:tomorrow
    hypertask project:home +weekly duplicate due:friday
    """
    ids, rest = ids_and_rest(session, words, "duplicate [WORD]...", needed=False)
    wanted = chosen(session, screen, ids)
    modify, _ = change_of(session, screen, rest)
    confirm(screen, wanted, "Duplicate", yes=yes)
    now = written(session.now)
    copies = []
    for document in wanted.documents:
        body = session.tasks.read(document)
        kept = {name: value for name, value in body.items() if name not in _NOT_COPIED}
        if kept.get("status") == "completed":
            kept["status"] = "pending"
        if "parent" in body:
            kept.pop("recur", None)
        copies.append(repeating(modify({"id": session.new_id(), **kept, "entry": now, "modified": now}), kept))
    command = " ".join(["duplicate", *session.filter_words, *words])
    report_change(screen, session.tasks, session.tasks.add(copies, command), "Added")
