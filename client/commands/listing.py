"""Tables of tasks: reports, and what a cell shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from client.commands.loading import AllTasks, load_all, problem_rows, say_problems
from client.commands.session import Session
from client.commands.table import in_colour, rendered, terminal_width
from client.commands.task_words import title
from client.folder.task_folder import FolderError
from client.screen import Screen, plain, tasks
from client.tasks import moments
from client.tasks.ids import shortest
from client.tasks.listed import keep_numbers
from client.tasks.view import View, dependencies, tags_of
from client.tasks.virtual_tags import VIRTUAL_TAGS, is_active, is_overdue
from shared.core.identifiers import Body, DocumentId

if TYPE_CHECKING:
    from client.tasks.reports import Report

_HEADERS: Final = {"priority": "Pri", "urgency": "Urg", "status": "State"}


def show_report(session: Session, screen: Screen, report: Report, words: Sequence[str], colour: str = "auto") -> None:
    """Prints one report, narrowed by the words, the filter before the command and the context."""
    from client.tasks.reports import ordered  # noqa: PLC0415  a list is none

    all_tasks = load_all(session, screen)
    limit, filters = limit_of([*session.filter_words, *words], report.limit)
    fits = [fitting(part, all_tasks.view) for part in (report.words, session.context, filters)]
    wanted = [body for body in all_tasks.bodies.values() if all(fit(body) for fit in fits)]
    listed = ordered(wanted, report.order, all_tasks.view, all_tasks.coefficients)
    shown = listed[:limit]
    say_problems(screen, all_tasks.problems)
    if not screen.as_json:
        number(session, shown)
    lines = task_lines(all_tasks, shown, report.columns, colour)
    more = f"{tasks(len(listed))}{in_context(session)}{first_of(len(shown), len(listed))}."
    hint = "Next: hypertask done NUMBER" if shown else f"Next: {fewer_words(session, filters)}hypertask list --all"
    rows = [{**body, "urgency": round(all_tasks.urgency(body), 2)} for body in shown]
    screen.answer({"tasks": rows, "problems": problem_rows(all_tasks.problems)}, *lines, f"{more} {hint}")


def fitting(words: Sequence[str], view: View) -> Callable[[Body], bool]:
    """Whether a task fits the words; without words, which most lists have, what reads them is not loaded. Raises
    WordError, NoMomentError."""
    if not words:
        return lambda body: True
    from client.tasks.filters import filter_of  # noqa: PLC0415  see above

    return filter_of(words, view.now, view)


def number(session: Session, listed: Sequence[Body]) -> None:
    """Makes these the tasks that numbers stand for. Where nothing was listed, they stand for what they did."""
    if not listed:
        return
    with suppress(FolderError):  # what cannot be written can be listed all the same
        session.folder.prepare()
    keep_numbers(session.folder.state, (body["id"] for body in listed))


def limit_of(words: Iterable[str], limit: int | None) -> tuple[int | None, list[str]]:
    """`limit:20` is no filter; `limit:page` is what fits a screen of 25 lines. Raises WordError."""
    rest = []
    for word in words:
        if not word.startswith("limit:"):
            rest.append(word)
            continue
        value = word.removeprefix("limit:")
        if value != "page" and not (value.isdecimal() and int(value)):
            from client.tasks.words import WordError  # noqa: PLC0415  a slip

            raise WordError(f'"{word}" is no limit. Examples: limit:20, limit:page')
        limit = 25 if value == "page" else int(value)
    return limit, rest


def in_context(session: Session) -> str:
    """What is said of a listing that a context narrows."""
    return "" if (name := session.context_name) is None else f" in the context {name}"


def fewer_words(session: Session, filters: Sequence[str]) -> str:
    """What helps, where nothing was found."""
    tips = ["fewer words"] if filters else []
    tips += ["hypertask context none"] if session.context_name is not None else []
    return "".join(f"{tip}, or " for tip in tips)


def first_of(shown: int, count: int) -> str:
    """What is said of a listing that a limit made shorter."""
    if shown == count:
        return ""
    return ", the first is shown" if shown == 1 else f", the first {shown} are shown"


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
