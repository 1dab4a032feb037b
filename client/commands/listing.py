"""What every command that shows or chooses tasks does first: read them, and say which are meant."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import click

from client.commands.session import Session
from client.commands.table import in_colour, rendered, terminal_width
from client.commands.task_words import problem_rows, say_problems, title
from client.folder.task_folder import FileProblem, FolderError
from client.screen import SHOWN, USAGE, Screen, plain, tasks
from client.tasks import moments
from client.tasks.expressions import OPERATORS
from client.tasks.filters import filter_of, is_pending, names_hidden, tags_of
from client.tasks.ids import shortest
from client.tasks.known import documents_named
from client.tasks.listed import keep_numbers, numbers
from client.tasks.reports import Report, ordered
from client.tasks.urgency import COEFFICIENTS, urgency
from client.tasks.view import View, dependencies
from client.tasks.virtual_tags import VIRTUAL_TAGS, is_active, is_overdue
from client.tasks.words import Text, WordError, read_words
from shared.core.documents import Body, DocumentId

_HEADERS: Final = {"priority": "Pri", "urgency": "Urg", "status": "State"}


@dataclass(frozen=True)
class AllTasks:
    """All tasks of the folder, with what repeats made, and the view on them."""

    bodies: Mapping[DocumentId, Body]
    view: View
    problems: tuple[FileProblem, ...]
    coefficients: Mapping[str, float]

    @property
    def files(self) -> set[DocumentId]:
        """Of all tasks, those whose files cannot be read too."""
        return {*self.bodies, *(problem.document for problem in self.problems if problem.document is not None)}

    def urgency(self, body: Body) -> float:
        return urgency(body, self.view, self.coefficients)


def load_all(session: Session, screen: Screen) -> AllTasks:
    """Raises FolderError."""
    seen = session.tasks.all()
    if made := session.tasks.make_occurrences(seen.bodies):
        screen.say(f"Created {tasks(len(made))} from repeating tasks.")
    bodies = {**seen.bodies, **{DocumentId(body["id"]): body for body in made}}
    coefficients = {**COEFFICIENTS, **session.profile.urgency}
    values = session.profile.values
    view = View.of(
        bodies.values(), session.now, numbers(session.folder.state), values=values, coefficients=coefficients
    )
    return AllTasks(bodies, view, seen.problems, coefficients)


def chosen(session: Session, screen: Screen, words: Sequence[str]) -> tuple[AllTasks, list[DocumentId], bool]:
    """The tasks that a changing command means, and whether a filter chose them: then they are to be confirmed.

    Words that are no filter are the beginnings of ids, or numbers of the last listing. A filter chooses what `list`
    shows with the same words. Raises WordError, NoSuchTaskError."""
    all_tasks = load_all(session, screen)
    words = [*session.filter_words, *words]
    if not words:
        raise click.UsageError("which tasks? An id, a number of the last listing, or a filter such as +tag")
    named, filters = _names_and_filters(words)
    documents = list(all_tasks.bodies)
    if named:
        documents = documents_named(",".join(named), all_tasks.view.numbers, all_tasks.files)
    if filters:
        documents = [one for one in documents if one in all_tasks.bodies]
        fits = [filter_of(part, session.now, all_tasks.view) for part in (filters, session.context)]
        hidden = named or names_hidden(filters)
        documents = [
            one
            for one in documents
            if all(fit(all_tasks.bodies[one]) for fit in fits)
            and (hidden or is_pending(all_tasks.bodies[one], session.now))
        ]
        if not documents:
            screen.fail("no-such-task", f"no task matches: {' '.join(words)}. All tasks: hypertask list", USAGE)
    return all_tasks, list(dict.fromkeys(documents)), bool(filters)


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


def ids_and_rest(session: Session, words: tuple[str, ...], usage: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tasks in front, unless a filter stands before the command, and what is to be done with them. Raises
    WordError, UsageError."""
    ids, rest = ((), words) if session.filter_words else (words[:1], words[1:])
    if ids and not isinstance(read_words(ids)[0], Text):
        raise WordError(f"which tasks? A filter stands before the command: hypertask {ids[0]} {usage}")
    if not rest:
        raise click.UsageError(f"something is missing: hypertask ID {usage}")
    return ids, rest


def confirm(screen: Screen, all_tasks: AllTasks, documents: Sequence[DocumentId], verb: str, *, yes: bool) -> None:
    """Shows how many tasks a filter chose, and which, and asks. Ends the program if the answer is no, or if there is
    nobody to ask."""
    if yes or not documents:
        return
    screen.say(f"{verb} {tasks(len(documents))}:")
    for one in documents[:SHOWN]:
        screen.say(f"  {title(all_tasks.bodies[one])}")
    if len(documents) > SHOWN:
        screen.say(f"  ... and {len(documents) - SHOWN} more")
    if screen.as_json or not sys.stdin.isatty():
        screen.fail(
            "not-confirmed", f"{tasks(len(documents))} would be changed. To do it: the same with --yes", USAGE
        )
    if not click.confirm("Go on?", err=True):
        screen.fail("not-confirmed", "nothing was changed", USAGE)


def show_report(session: Session, screen: Screen, report: Report, words: Sequence[str], colour: str = "auto") -> None:
    """Prints one report, narrowed by the words, the filter before the command and the context."""
    all_tasks = load_all(session, screen)
    limit, filters = _limit([*session.filter_words, *words], report.limit)
    fits = [filter_of(part, session.now, all_tasks.view) for part in (report.words, session.context, filters)]
    wanted = [body for body in all_tasks.bodies.values() if all(fit(body) for fit in fits)]
    listed = ordered(wanted, report.order, all_tasks.view, all_tasks.coefficients)
    shown = listed[:limit]
    say_problems(screen, all_tasks.problems)
    if not screen.as_json:
        number(session, shown)
    lines = task_lines(all_tasks, shown, report.columns, colour)
    more = f"{tasks(len(listed))}{f', the first {len(shown)} are shown' if len(shown) < len(listed) else ''}."
    hint = "Next: hypertask done NUMBER" if shown else "Next: fewer words, or hypertask list"
    rows = [{**body, "urgency": round(all_tasks.urgency(body), 2)} for body in shown]
    screen.answer({"tasks": rows, "problems": problem_rows(all_tasks.problems)}, *lines, f"{more} {hint}")


def number(session: Session, listed: Sequence[Body]) -> None:
    """Makes these the tasks that numbers stand for."""
    if listed:
        with suppress(FolderError):  # what cannot be written can be listed all the same
            session.folder.prepare()
    keep_numbers(session.folder.state, (body["id"] for body in listed))


def _limit(words: Iterable[str], limit: int | None) -> tuple[int | None, list[str]]:
    """`limit:20` is no filter; `limit:page` is what fits a screen of 25 lines."""
    rest = []
    for word in words:
        if word.startswith("limit:"):
            value = word.removeprefix("limit:")
            limit = int(value) if value.isdigit() else 25
        else:
            rest.append(word)
    return limit, rest


def task_lines(all_tasks: AllTasks, shown: Sequence[Body], columns: Sequence[str], colour: str = "auto") -> list[str]:
    prefixes = shortest(all_tasks.bodies)
    header = ["No", "ID", *(_HEADERS.get(name, name.capitalize()) for name in columns)]
    rows = [
        [str(number), prefixes[body["id"]], *(cell(all_tasks, body, name, prefixes) for name in columns)]
        for number, body in enumerate(shown, 1)
    ]
    styles = [_style(all_tasks, body) for body in shown] if in_colour(colour) else []
    return rendered(header, rows, terminal_width(), styles)


def cell(all_tasks: AllTasks, body: Body, column: str, prefixes: Mapping[DocumentId, str]) -> str:
    """One value as a person reads it, on one line."""
    value: Any = body.get(column)
    match column:
        case "urgency":
            return f"{all_tasks.urgency(body):.1f}"
        case "description":
            notes = body.get("annotations")
            return title(body, 10_000) + (f" [{len(notes)}]" if isinstance(notes, list) and notes else "")
        case "state":
            states = ((is_active(body, all_tasks.view), "active"), (all_tasks.view.is_blocked(body), "blocked"))
            status = cell(all_tasks, body, "status", prefixes)
            return status or next((name for fits, name in states if fits), "")
        case "status":
            named = {"completed": "done", "recurring": "repeats", "pending": ""}
            return (
                "waiting"
                if all_tasks.view.is_waiting(body)
                else plain(named.get(str(value or "pending"), str(value)))
            )
        case "tags":
            return plain(" ".join(f"+{tag}" for tag in tags_of(body)))
        case "blocked":
            return "blocked" if all_tasks.view.is_blocked(body) else ""
        case "depends":
            return plain(" ".join(prefixes.get(DocumentId(one), one[:8]) for one in dependencies(body)))
        case "start":
            return "active" if is_active(body, all_tasks.view) else ""
        case "age":
            value = body.get("entry")
    if value is None:
        return ""
    return plain(" ".join(moments.shown(value, all_tasks.view.now).split())) if isinstance(value, str) else str(value)


def _style(all_tasks: AllTasks, body: Body) -> str | None:
    """Taskwarrior's order: what is overdue goes before what is due, begun, blocked, urgent by priority."""
    tests = (
        (is_overdue(body, all_tasks.view), "bright_red"),
        (VIRTUAL_TAGS["DUE"](body, all_tasks.view), "yellow"),
        (is_active(body, all_tasks.view), "green"),
        (all_tasks.view.is_blocked(body), "bright_black"),
        (body.get("priority") == "H", "cyan"),
    )
    return next((style for fits, style in tests if fits), None)
