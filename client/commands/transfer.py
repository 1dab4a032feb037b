"""hypertask import ..., hypertask export ..."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_words import WordCommand, in_order, say_problems, words
from client.filters import filter_of
from client.formats import taskwarrior
from client.formats.faults import ExportError
from client.imports import Brought, Fate, Reconcile, bring
from client.screen import INCOMPLETE, SHOWN, USAGE, Screen, tasks
from shared.core.display import shown
from shared.core.documents import Body, DocumentId

Reader = Callable[[bytes], dict[DocumentId, Body]]
Writer = Callable[[Iterable[Body]], tuple[bytes, list[str]]]

_FORMATS: Final = {
    "todo.txt": ("client.formats.todotxt", "a todo.txt file"),
    "ical": ("client.formats.ical", "the to-dos of an iCalendar file (VTODO)"),
    "csv": ("client.formats.csv_table", "a table whose first line names the fields"),
    "json": ("client.formats.plain_json", "a JSON array of tasks, or one task a line (NDJSON)"),
}


@click.group(name="import")
def import_() -> None:
    """Bring tasks from other programs. Repeated, it brings only what changed there."""


@click.group()
def export() -> None:
    """Write tasks as other programs read them."""


FILE: Final[Callable[[Any], Any]] = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
DRY_RUN: Final[Callable[[Any], Any]] = click.option(
    "--dry-run", is_flag=True, help="Say what would be changed, and change nothing."
)


def read_file(screen: Screen, file: str, reader: Reader, *, otherwise: str = "changed") -> dict[DocumentId, Body]:
    """The documents of a file, or of standard input ("-"); ends the program with all that is wrong with it."""
    name = "standard input" if file == "-" else file
    try:
        with click.open_file(file, "rb") as source:
            return reader(source.read())
    except OSError as error:
        screen.fail("unreadable-file", f"{name} cannot be read: {error.strerror}", USAGE)
    except ExportError as error:
        lines = [f"{name} cannot be imported; nothing was {otherwise}."]
        lines += [f"  {problem}" for problem in error.problems[:SHOWN]]
        if (more := len(error.problems) - SHOWN) > 0:
            lines.append(f"  ... and {more} more; --json has all of them")
        problems = [{"line": p.line, "entry": p.entry, "detail": p.detail} for p in error.problems]
        screen.fail("unreadable-export", "\n".join(lines), USAGE, problems=problems)


def bring_into_folder(
    session: Session,
    screen: Screen,
    documents: dict[DocumentId, Body],
    command: str,
    *,
    reconcile: Reconcile | None = None,
    dry_run: bool,
) -> None:
    """The rest of every import into the folder."""
    brought = bring(session.tasks, documents, command, reconcile=reconcile, dry_run=dry_run)
    counts = {fate: brought.count(fate) for fate in Fate}
    said = ", ".join(f"{n} {fate.value.replace('_', ' ')}" for fate, n in counts.items() if n or fate in _ALWAYS)
    value = {"dry_run": dry_run, "tasks": len(documents), **{fate.value: n for fate, n in counts.items()}}
    problems = [{"file": p.name, "code": p.code, "detail": p.sentence} for p in brought.problems]
    say_problems(screen, brought.problems)
    did = f"Nothing was changed. It would be: {said}." if dry_run else f"{said}."
    screen.answer({**value, "problems": problems}, did, _next(brought, dry_run=dry_run))
    if brought.problems:
        sys.exit(INCOMPLETE)


_ALWAYS: Final = (Fate.CREATED, Fate.UPDATED, Fate.UNCHANGED)


def _next(brought: Brought, *, dry_run: bool) -> str:
    if brought.problems:
        return "Next: correct the files that are left alone, and repeat the import."
    if dry_run:
        return "Next: the same without --dry-run"
    changed = brought.count(Fate.CREATED) + brought.count(Fate.UPDATED)
    return "To take it back: hypertask undo" if changed else "Next: hypertask list"


def _importer(name: str, module: str, what: str) -> click.Command:
    @reports
    def run(session: Session, screen: Screen, *, file: str, dry_run: bool) -> None:
        documents = read_file(screen, file, _module(module).documents_of)
        bring_into_folder(session, screen, documents, f"import {name} {file}", dry_run=dry_run)

    what = f'Import FILE, {what} ("-": standard input).'
    command: click.Command = click.command(name, help=what)(FILE(DRY_RUN(run)))
    return command


def _exporter(name: str, what: str, writer: Callable[[], Writer]) -> click.Command:
    @reports
    def run(session: Session, screen: Screen, *, words: tuple[str, ...], output: Path | None) -> None:
        fits = filter_of(words, session.now)
        seen = session.tasks.all()
        bodies = in_order(body for body in seen.bodies.values() if fits(body))
        say_problems(screen, seen.problems)
        text, left_out = writer()(bodies)
        if left_out:
            screen.warn(f"{name} has no place for: {', '.join(left_out)}. Nothing of it is lost here.")
        if output is None:
            # Another program takes it as it is; a terminal must not obey what is in it.
            on_screen = sys.stdout.isatty()
            click.echo(shown(text.decode(), lines=True) if on_screen else text, nl=False)
            return
        try:
            output.write_bytes(text)
        except OSError as error:
            screen.fail("unwritable-file", f"{output} cannot be written: {error.strerror}", USAGE)
        value = {"file": str(output), "tasks": len(bodies), "left_out": left_out}
        screen.answer(value, f"Wrote {tasks(len(bodies))} to {output}.")

    where = click.option(
        "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Instead of printing."
    )
    what = f"Write the tasks that fit all WORDs as {what}; without words, all."
    command: click.Command = click.command(name, cls=WordCommand, help=what)(words()(where(run)))
    return command


def _module(name: str) -> Any:
    """Only what is needed: the calendar library takes a quarter of a second to load."""
    return import_module(name)


for _name, (_file, _what) in _FORMATS.items():
    import_.add_command(_importer(_name, _file, _what))
    export.add_command(_exporter(_name, _what, lambda file=_file: _module(file).text_of))  # type: ignore[misc]
export.add_command(_exporter("ndjson", "JSON, one task a line", lambda: _module(_FORMATS["json"][0]).lines_of))
export.add_command(_exporter("taskwarrior", "`task import` reads them", lambda: taskwarrior.text_of))
