"""hypertask import ..., hypertask export ..."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from client.commands.loading import all_tasks_of, say_problems
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.task_rows import in_order, table
from client.commands.task_words import WordCommand, words
from client.folder.task_folder import Loaded
from client.formats import faults, taskwarrior
from client.formats.context import Context, Reading
from client.formats.faults import ExportError
from client.formats.imports import Brought, ImportMemory, ImportOutcome, bring
from client.screen import INCOMPLETE, SHOWN, USAGE, Screen, plain, tasks
from client.sync.direct import Reconcile
from client.tasks.filters import filter_of
from shared.core.display import shown
from shared.core.identifiers import Body, DocumentId

ExportWriter = Callable[[Iterable[Body], Context], tuple[bytes, list[str]]]

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
    "--dry-run", is_flag=True, help="Show what would come, in a table, and change nothing."
)
_SOURCE: Final[Callable[[Any], Any]] = click.option(
    "--source", metavar="NAME", help="What names the file: ids such as 1 count within it alone. By default its path."
)
_KEEP_IDS: Final[Callable[[Any], Any]] = click.option(
    "--keep-ids", is_flag=True, help="The ids in the file are ids of documents, whatever they look like."
)
_MAP: Final[Callable[[Any], Any]] = click.option(
    "--map", "columns", multiple=True, metavar="COLUMN=FIELD", help="Which field a column, or a key, is. Repeatable."
)


def read_file(
    screen: Screen, file: str, reader: Callable[[bytes], Reading], *, otherwise: str = "changed"
) -> Reading:
    """What is in a file, or in standard input ("-"); ends the program with all that is wrong with it, or if there is
    nothing in it."""
    name = "standard input" if file == "-" else file
    try:
        with click.open_file(file, "rb") as source:
            reading = reader(source.read())
    except OSError as error:
        screen.fail("unreadable-file", f"{name} cannot be read: {error.strerror}", USAGE)
    except ExportError as error:
        lines = [f"{name} cannot be imported; nothing was {otherwise}."]
        lines += [f"  {problem}" for problem in error.problems[:SHOWN]]
        if (more := len(error.problems) - SHOWN) > 0:
            lines.append(f"  ... and {more} more; --json has all of them")
        screen.fail("unreadable-export", "\n".join(lines), USAGE, problems=_rows(error.problems))
    for note in reading.notes[:SHOWN]:
        screen.warn(plain(f"{name}, {note}"))
    if (more := len(reading.notes) - SHOWN) > 0:
        screen.warn(f"... and {more} more; --json has all of them")
    if not reading.documents:
        value = {
            "tasks": 0,
            **dict.fromkeys(map(str, ImportOutcome), 0),
            "notes": _rows(reading.notes),
            "problems": [],
        }
        screen.answer(value, f"There is nothing to import in {name}.")
        sys.exit(0)
    return reading


def _rows(problems: Iterable[faults.FormatProblem]) -> list[dict[str, Any]]:
    return [{"line": p.line, "entry": p.entry, "detail": p.detail} for p in problems]


def context_of(
    session: Session, file: str, source: str | None = None, columns: Iterable[str] = (), *, keep_ids: bool = False
) -> Context:
    """What reading a file has to know."""
    mapped = dict[str, str]()
    for pair in columns:
        column, equals, field = pair.rpartition("=")
        if not equals or not column or not field:
            raise click.BadParameter(f"{pair!r} is not COLUMN=FIELD. Example: Deadline=due", param_hint="'--map'")
        mapped[column] = field
    where = source or ("standard input" if file == "-" else str(Path(file).resolve()))
    return Context(where, session.now.tzinfo or UTC, mapped, keep_ids, _known(session))


def _known(session: Session) -> Callable[[str, Body], bool]:
    """Whether a task of that id and description is here, or was brought before."""
    memory: ImportMemory | None = None

    def known(identity: str, body: Body) -> bool:
        nonlocal memory
        memory = memory or ImportMemory(session.folder.state)
        document = DocumentId(identity)
        loaded = session.folder.read(document)
        bodies = [loaded.body if isinstance(loaded, Loaded) else None, memory.base(document)]
        return any(one is not None and one.get("description") == body.get("description") for one in bodies)

    return known


def bring_into_folder(
    session: Session,
    screen: Screen,
    reading: Reading,
    command: str,
    *,
    source: str = "",
    reconcile: Reconcile | None = None,
    dry_run: bool,
) -> None:
    """The rest of every import into the folder."""
    documents = reading.documents
    with screen.progress("Read" if dry_run else "Imported", sending=False) as progress:
        brought = bring(session.tasks, documents, command, reconcile=reconcile, dry_run=dry_run, progress=progress)
    counts = {fate: brought.count(fate) for fate in ImportOutcome}
    summary = ", ".join(f"{n} {fate.value.replace('_', ' ')}" for fate, n in counts.items() if n or fate in _ALWAYS)
    value: dict[str, Any] = {
        "dry_run": dry_run,
        "tasks": len(documents),
        **{fate.value: n for fate, n in counts.items()},
    }
    problems = [{"file": p.name, "code": p.code, "detail": p.sentence} for p in brought.problems]
    say_problems(screen, brought.problems)
    lines = _coming(brought, documents, session) if dry_run else []
    if dry_run:
        value["rows"] = [{"id": document, "fate": fate} for document, fate in brought.fates.items()]
    if reading.numbered and source:
        lines.append(f"{tasks(reading.numbered)} with ids of the file itself: they count within {source} (--source).")
        value["source"] = source
    did = f"Nothing was changed. It would be: {summary}." if dry_run else f"{summary}."
    screen.answer(
        {**value, "notes": _rows(reading.notes), "problems": problems}, *lines, did, _next(brought, dry_run=dry_run)
    )
    if brought.problems:
        sys.exit(INCOMPLETE)


def _coming(brought: Brought, documents: Mapping[DocumentId, Body], session: Session) -> list[str]:
    """A line a task that would be made or changed: what becomes of it, and what it is."""
    coming = [
        document for document, fate in brought.fates.items() if fate in (ImportOutcome.CREATED, ImportOutcome.UPDATED)
    ]
    shown = coming[:_TABLE_ROWS]
    rows = table([documents[document] for document in shown], shown, session.now)
    lines = [f"{brought.fates[document].value:7}  {row}" for document, row in zip(shown, rows, strict=True)]
    more = len(coming) - len(shown)
    return [*lines, f"... and {more} more; --json has all of them"] if more > 0 else lines


_TABLE_ROWS: Final = 50
_ALWAYS: Final = (ImportOutcome.CREATED, ImportOutcome.UPDATED, ImportOutcome.UNCHANGED)


def _next(brought: Brought, *, dry_run: bool) -> str:
    if brought.problems:
        return "Next: correct the files that are left alone, and repeat the import."
    if dry_run:
        return "Next: the same without --dry-run"
    changed = brought.count(ImportOutcome.CREATED) + brought.count(ImportOutcome.UPDATED)
    return "To take it back: hypertask undo" if changed else "Next: hypertask list"


def _importer(name: str, module: str, what: str) -> click.Command:
    @reports
    def run(
        session: Session,
        screen: Screen,
        *,
        file: str,
        dry_run: bool,
        source: str | None = None,
        columns: tuple[str, ...] = (),
        keep_ids: bool = False,
    ) -> None:
        context = context_of(session, file, source, columns, keep_ids=keep_ids)
        reading = read_file(screen, file, lambda raw: _module(module).read(raw, context))
        command = f"import {name} {file}"
        bring_into_folder(session, screen, reading, command, source=context.source, dry_run=dry_run)

    what = f'Import FILE, {what} ("-": standard input).'
    run = DRY_RUN(run)
    if name != "ical":  # a UID is of the world
        run = _SOURCE(_KEEP_IDS(run))
    if name in ("csv", "json"):
        run = _MAP(run)
    command: click.Command = click.command(name, help=what)(FILE(run))
    return command


def _exporter(name: str, what: str, writer: Callable[[], ExportWriter]) -> click.Command:
    @reports
    def run(session: Session, screen: Screen, *, words: tuple[str, ...], output: Path | None) -> None:
        seen = all_tasks_of(session, *session.tasks.all())
        fits = filter_of([*session.filter_words, *words], session.now, seen.view)
        zone = session.now.tzinfo or UTC
        bodies = in_order((body for body in seen.bodies.values() if fits(body)), zone)
        say_problems(screen, seen.problems)
        text, left_out = writer()(bodies, Context(zone=zone, everything=seen.bodies))
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
    """Only what is needed."""
    return import_module(name)


for _name, (_file, _what) in _FORMATS.items():
    import_.add_command(_importer(_name, _file, _what))
    export.add_command(_exporter(_name, _what, lambda file=_file: _module(file).text_of))  # type: ignore[misc]
export.add_command(_exporter("ndjson", "JSON, one task a line", lambda: _module(_FORMATS["json"][0]).lines_of))
export.add_command(_exporter("taskwarrior", "`task import` reads them", lambda: taskwarrior.text_of))
