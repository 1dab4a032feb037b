"""hypertask manual: the manual page hypertask(1), made of what the commands say of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

from client.commands.reporting import reports
from client.commands.session import Session
from client.screen import Painted, Screen

_FIELDS: Final = (
    (
        "+tag -tag",
        "has the tag, has it not; in capitals also a virtual one: +OVERDUE +BLOCKED +WAITING",
    ),
    ("field:value", "is that value; project:home finds home.garden, field: means that it is not there"),
    (
        "field.before: .after: .by: .has: .hasnt: .is: .isnt: .not: .any: .none:",
        "as they say",
    ),
    ("/pattern/", "a regular expression in the description or a note"),
    ("3 2-5 1,4", "the numbers of the last listing"),
    ("and or xor ! ( )", "put them together; and may be left out"),
    ("--", "what is behind it is text"),
)


@click.command()
@reports
def manual(session: Session, screen: Screen) -> None:
    """Print the manual page, for man.

    \b
    hypertask manual | man -l -
    hypertask manual > ~/.local/share/man/man1/hypertask.1
    """
    root = click.get_current_context().find_root()
    text = page(root)
    screen.answer({"page": text}, Painted(text.rstrip("\n")))


def page(root: click.Context) -> str:
    """In the language of man(7). `root`: the context of the whole program."""
    return "\n".join(_lines(root)) + "\n"


def _lines(root: click.Context) -> Iterator[str]:
    yield '.TH HYPERTASK 1 "" "hypertask" "User commands"'
    yield from (".SH NAME", "hypertask \\- tasks as files, the same on every device")
    yield from (".SH SYNOPSIS", ".B hypertask", "[\\fIfilter\\fR] \\fIcommand\\fR [\\fIword\\fR ...]")
    yield from (".SH DESCRIPTION", _escaped(inspect.cleandoc(root.command.help or "")))
    yield "A filter may stand before the command; without a command it is next, and so is no word at all; a number"
    yield "alone is show."
    yield from (".SH FILTERS",)
    for words, meaning in _FIELDS:
        yield from (".TP", f".B {_escaped(words)}", _escaped(meaning))
    yield ".SH COMMANDS"
    group = root.command
    if isinstance(group, click.Group):
        for name in group.list_commands(root):
            if (command := group.get_command(root, name)) is not None:
                yield from _command(name, command, click.Context(command, info_name=name, parent=root))
    yield from (".SH EXIT STATUS", "0 done, 1 something was not done, 2 the command is wrong and nothing was done.")
    yield from (".SH ENVIRONMENT", ".TP", ".B HYPERTASK_CONFIG", "the config file", ".TP", ".B HYPERTASK_PROFILE")
    yield from (
        "the profile that is used without \\-\\-profile",
        ".TP",
        ".B NO_COLOR",
        "no colours",
        ".TP",
        ".B PAGER",
    )
    yield "what shows that which is longer than the terminal; cat for none"


def _command(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f".SS {name} {_escaped(usage)}",)
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        kept = paragraph.startswith("\b\n")
        yield from (".nf", *map(_escaped, paragraph[2:].splitlines()), ".fi") if kept else (_escaped(paragraph),)
        yield ".PP"
    for option in command.params:
        if isinstance(option, click.Option) and option.help and not option.hidden:
            yield from (".TP", f".B {_escaped(', '.join(option.opts))}", _escaped(option.help))


def _escaped(text: str) -> str:
    """As text: no line of it is a request, and hyphens are those that one can type."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", text)
