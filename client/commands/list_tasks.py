"""hypertask list"""

from __future__ import annotations

from typing import Final

import click

from client.commands.listing import fewer_words, first_of, fitting, in_context, limit_of, number, task_lines
from client.commands.loading import load_all, problem_rows, say_problems
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_rows import in_order
from client.commands.task_words import WordCommand, words
from client.screen import Screen, tasks
from client.tasks.view import is_pending

COLOURS: Final = click.Choice(["auto", "always", "never"])
COLUMNS: Final = ("state", "due", "priority", "project", "tags", "description")


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
    limit, filters = limit_of([*session.filter_words, *words], None)
    fits, here = (fitting(part, seen.view) for part in (filters, session.context))
    if filters and not everything:
        from client.tasks.filters import names_hidden  # noqa: PLC0415  most lists have no words

        everything = names_hidden(filters)
    wanted = (
        body
        for body in seen.bodies.values()
        if fits(body) and here(body) and (everything or is_pending(body, session.now))
    )
    ordered = in_order(wanted, session.now.tzinfo)
    listed = ordered[:limit]
    say_problems(screen, seen.problems)
    if not screen.as_json:
        number(session, listed)
    lines = task_lines(seen, listed, COLUMNS, colour)
    of_all = f" of {len(seen.bodies)}" if len(ordered) != len(seen.bodies) else ""
    summary = f"{tasks(len(ordered))}{of_all}{in_context(session)}{first_of(len(listed), len(ordered))}."
    hint = "Next: hypertask done NUMBER" if listed else 'Next: hypertask add "water the plants"'
    if not listed and seen.bodies:
        hint = f"Next: {fewer_words(session, filters)}hypertask list --all"
    screen.answer({"tasks": listed, "problems": problem_rows(seen.problems)}, *lines, f"{summary} {hint}")
