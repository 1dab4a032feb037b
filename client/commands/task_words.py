"""How commands about tasks are written on the command line, and what a task is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from client.screen import Painted, clip, cut, terminal_size
from shared.core.identifiers import Body

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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


def words() -> Callable[[F], F]:
    """An argument that takes +tag, -tag, field:value and text."""
    return click.argument("words", nargs=-1, type=click.UNPROCESSED, shell_complete=_known_words, metavar="[WORD]...")


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


def title_line(body: Body) -> Painted:
    """The same indented, on one line of the terminal."""
    line = f"  {title(body)}"
    return Painted(cut(line, terminal_size().columns) if sys.stdout.isatty() or sys.stderr.isatty() else line)


def _known_ids(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from client.commands.completed_words import known_ids  # noqa: PLC0415  only the shell asks

    return known_ids(context, incomplete)


def _known_words(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from client.commands.completed_words import known_words  # noqa: PLC0415  as above

    return known_words(context, incomplete)
