"""hypertask undo."""

from __future__ import annotations

from typing import Any

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import title_line
from client.screen import SHOWN, Screen
from client.tasks.journal import Step
from client.tasks.task_list import Done


@click.command()
@click.option("--sync", "arrivals", is_flag=True, help="Take back what the last sync changed here instead.")
@click.option(
    "--skip", is_flag=True, help="Leave the last command as it is; the next undo takes back the one before."
)
@reports
def undo(session: Session, screen: Screen, *, arrivals: bool, skip: bool) -> None:
    """Take back the last command that changed tasks. What happened to them since then stays.

    Where the same field was changed again since then, nothing is changed, and the command says so.
    """
    option = " --sync" if arrivals else ""
    if skip:
        entry = session.tasks.skip(arrivals=arrivals)
        screen.answer(
            {"skipped": entry.command, "tasks": []},
            f"Left as it is: hypertask {entry.command}",
            f"To take back the one before: hypertask undo{option}",
        )
        return
    entry, done = session.tasks.undo(arrivals=arrivals)
    what = (
        f"Took back: hypertask {entry.command}"
        if done.steps
        else f"Nothing to take back: hypertask {entry.command} has no effect any more."
    )
    lines = step_lines(done)
    screen.answer(
        {"undone": entry.command, "tasks": [step_row(step) for step in done.steps]},
        what,
        *lines,
        f"Again, for the one before: hypertask undo{option}",
    )


def step_lines(done: Done) -> list[str]:
    """The first of what changed, a line each."""
    lines: list[str] = [title_line(step.after or step.before or {}) for step in done.steps[: 5 * SHOWN]]
    more = len(done.steps) - len(lines)
    return [*lines, f"  ... and {more} more"] if more > 0 else lines


def step_row(step: Step) -> dict[str, Any]:
    """A step as --json has it."""
    return {"id": step.document, "before": step.before, "after": step.after}
