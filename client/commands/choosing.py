"""Which tasks a command is to change: by id, by number, or by a filter that is confirmed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from client.commands.loading import load_all
from client.commands.session import Session
from client.commands.task_words import title_line
from client.screen import SHOWN, USAGE, Screen, tasks
from client.tasks.words import OPERATORS, Text, WordError, read_words
from shared.core.identifiers import Body, DocumentId


class Chosen(NamedTuple):
    """The tasks that a command is to change."""

    documents: list[DocumentId]
    bodies: Mapping[DocumentId, Body] | None
    """All tasks as they were read to choose by a filter; None: these were named."""


def chosen(session: Session, screen: Screen, words: Sequence[str]) -> Chosen:
    """The tasks that a changing command means.

    Words that are no filter are the beginnings of ids, or numbers of the last listing. A filter chooses what `list`
    shows with the same words. Raises WordError, NoSuchTaskError."""
    words = [*session.filter_words, *words]
    if not words:
        raise click.UsageError("which tasks? An id, a number of the last listing, or a filter such as +tag")
    named, filters = _names_and_filters(words)
    documents = session.tasks.named(",".join(named)) if named else None
    if not filters:
        return Chosen(documents or [], None)
    from client.tasks.filters import filter_of, names_hidden  # noqa: PLC0415  most name their tasks
    from client.tasks.view import is_pending  # noqa: PLC0415  likewise

    all_tasks = load_all(session, screen)
    fits = [filter_of(part, session.now, all_tasks.view) for part in (filters, session.context)]
    hidden = documents is not None or names_hidden(filters)
    matching = [
        one
        for one in (all_tasks.bodies if documents is None else documents)
        if (body := all_tasks.bodies.get(one)) is not None
        and all(fit(body) for fit in fits)
        and (hidden or is_pending(body, session.now))
    ]
    if not matching:
        screen.fail("no-such-task", f"no task matches: {' '.join(words)}. All tasks: hypertask list", USAGE)
    return Chosen(matching, all_tasks.bodies)


def _names_and_filters(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words that name tasks, and those that say which fit. Beside an operator all of them are a filter."""
    if any(word in OPERATORS or word == "--" or word.startswith(("(", "!(", "!+", "!-")) for word in words):
        return [], [*words]
    named: list[str] = []
    filters: list[str] = []
    for word in words:
        is_name = isinstance(read_words([word])[0], Text) and not word.startswith("/")
        (named if is_name else filters).append(word)
    return named, filters


def ids_and_rest(
    session: Session, words: tuple[str, ...], usage: str, *, needed: bool = True
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tasks in front, unless a filter stands before the command, and what is to be done with them; `needed`:
    something is. Raises WordError, UsageError."""
    ids, rest = ((), words) if session.filter_words else (words[:1], words[1:])
    if ids and not isinstance(read_words(ids)[0], Text):
        raise WordError(f"which tasks? A filter stands before the command: hypertask {ids[0]} {usage}")
    if needed and not rest:
        raise click.UsageError(f"which task, and what with it? hypertask ID {usage}")
    return ids, rest


def confirm(screen: Screen, chosen: Chosen, verb: str, *, yes: bool) -> None:
    """Shows how many tasks a filter chose, and which, and asks. Ends the program if the answer is no, or if there is
    nobody to ask."""
    documents, bodies = chosen
    if yes or bodies is None:
        return
    screen.say(f"{verb} {tasks(len(documents))}:")
    for one in documents[:SHOWN]:
        screen.say(title_line(bodies[one]))
    if len(documents) > SHOWN:
        screen.say(f"  ... and {len(documents) - SHOWN} more")
    if screen.as_json or not sys.stdin.isatty():
        screen.fail(
            "not-confirmed", f"{tasks(len(documents))} would be changed. To do it: the same with --yes", USAGE
        )
    if not click.confirm("Go on?", err=True):
        screen.fail("not-confirmed", "nothing was changed", USAGE)
