"""How commands about tasks are written on the command line, and how tasks are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from client.commands.session import Session
from client.config.config_file import ConfigError, NoProfileError
from client.folder.body_cache import recalled
from client.folder.task_folder import FileProblem, FolderError
from client.screen import SHOWN, Screen, clip, plain
from client.tasks.filters import tags_of
from client.tasks.ids import shortest
from client.tasks.moments import seconds, shown
from client.tasks.virtual_tags import VIRTUAL_TAGS
from shared.core.display import is_shown
from shared.core.documents import Body, DocumentId

F = TypeVar("F", bound=Callable[..., Any])


class WordCommand(click.Command):
    """A command about tasks, whose words may begin with a hyphen."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        # -home is a tag that is not wanted, and not the option -h with something behind it.
        settings = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
        super().__init__(name, **{**attributes, "context_settings": settings})

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        args[:end] = ["--help" if word == "-h" else word for word in args[:end]]
        if "--" in args:  # click takes one away; what comes behind it is text, and we have to know
            args.insert(args.index("--"), "--")
        return super().parse_args(context, args)


def words(*, required: bool = False) -> Callable[[F], F]:
    """An argument that takes +tag, -tag, field:value and text."""
    return click.argument(
        "words", nargs=-1, required=required, type=click.UNPROCESSED, shell_complete=_known_words, metavar="[WORD]..."
    )


def an_id() -> Callable[[F], F]:
    """An argument that takes the beginning of an id."""
    return click.argument("prefix", metavar="ID", shell_complete=_known_ids)


def ids() -> Callable[[F], F]:
    """An argument that takes the beginnings of ids."""
    return click.argument("ids", nargs=-1, type=click.UNPROCESSED, shell_complete=_known_ids, metavar="ID|WORD...")


def title(body: Body, width: int = 60) -> str:
    """One line that says which task it is."""
    text = body.get("description")
    return clip(text if isinstance(text, str) else "(no description)", width)


def table(bodies: Iterable[Body], all_ids: Iterable[DocumentId], now: datetime) -> list[str]:
    """A line a task: the part of its id that has to be typed, what is urgent about it, what it is."""
    prefixes = shortest(all_ids)
    rows = [_row(body, prefixes, now) for body in bodies]
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns[:-1]]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False) if width]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines


def in_order(bodies: Iterable[Body], zone: tzinfo | None = None) -> list[Body]:
    """What is due first, then what is due never, older before newer. Days and local times are those of the zone."""
    never = float("inf")

    def key(body: Body) -> tuple[float, float, str]:
        due, entry = seconds(body.get("due"), zone), seconds(body.get("entry"), zone)
        return (never if due is None else due, 0.0 if entry is None else entry, body["id"])

    return sorted(bodies, key=key)


def say_problems(screen: Screen, problems: Sequence[FileProblem]) -> None:
    """Files that are left alone are named, wherever tasks are listed."""
    for problem in problems[:SHOWN]:
        screen.say(plain(f"Left alone: {problem.name}: {problem.sentence}"))
    if (more := len(problems) - SHOWN) > 0:
        screen.say(f"... and {more} more files; --json has all of them")


def problem_rows(problems: Sequence[FileProblem]) -> list[dict[str, Any]]:
    return [{"file": p.name, "code": p.code, "detail": p.sentence} for p in problems]


def _row(body: Body, prefixes: dict[DocumentId, str], now: datetime) -> tuple[str, ...]:
    def text(name: str) -> str:
        value = body.get(name)
        return clip(value, 24) if isinstance(value, str) else ""

    status = {"completed": "done", "recurring": "repeats"}.get(str(body.get("status")), "")
    due = clip(shown(body["due"], now), 20) if "due" in body else ""
    tags = " ".join(f"+{tag}" for tag in tags_of(body))
    prefix = prefixes[body["id"]]
    return prefix, status, due, text("priority"), text("project"), clip(tags, 30), title(body)


def _known_ids(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    bodies = _bodies(context)
    return [CompletionItem(d, help=title(bodies[d])) for d in sorted(bodies) if d.startswith(incomplete)]


def _known_words(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    known: set[str] = set()
    projects: set[str] = set()
    tags: set[str] = set()
    for body in _bodies(context).values():
        known.update(body)
        tags.update(tags_of(body))
        if isinstance(project := body.get("project"), str):
            projects.add(project)
    virtual = [tag for tag in VIRTUAL_TAGS if incomplete[1:2].isupper() or not tags]
    known = {f"{name}:" for name in known} | {f"project:{project}" for project in projects}
    known |= {f"{sign}{tag}" for tag in (*tags, *virtual) for sign in "+-"}
    return [CompletionItem(word) for word in sorted(known) if word.startswith(incomplete) and is_shown(word)]


def _bodies(context: click.Context) -> Mapping[DocumentId, Body]:
    """Nothing where something is wrong: the shell is not the place to say so."""
    session = context.find_object(Session)
    if session is None or not session.config_file.path.exists():
        return {}
    try:
        return recalled(session.folder)
    except (ConfigError, NoProfileError, FolderError, OSError):
        return {}
