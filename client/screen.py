"""What the user of the command line sees.

Standard output has the result and nothing else; what happens meanwhile, and every error, goes to standard
error. Colour and bars only on a terminal. With --json the result, or the error, is one JSON object. What comes from
documents, files and servers is shown and never obeyed: every line passes through `shown`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NoReturn

import click

from shared.core.display import shown, shown_json

SHOWN: Final = 10
"""How many faults of one kind are printed; --json has all of them."""
INCOMPLETE: Final = 1
"""Exit code: something was not done."""
USAGE: Final = 2
"""Exit code: the command or a file is wrong; nothing was done."""

_JOINS: Final = frozenset({"\u200c", "\u200d", "\u2060", *map(chr, range(0xE0020, 0xE0080))})

_COMMAND: Final = r"hypertask(?: (?:--?[a-z][a-z-]*|[a-z]+|[A-Z]+|\S*[\d/:]\S*))+"
_NO_BREAK: Final = "\0"


class Painted(str):
    """A text with colours or line feeds of ours; what is in it of others has passed through `shown`."""


class Screen:
    """One run of one command."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._sent: tuple[int, int] | None = None

    def say(self, text: str) -> None:
        """What happens meanwhile."""
        if not self.as_json:
            click.echo(on_stderr(text), err=True)

    def warn(self, text: str) -> None:
        click.secho(on_stderr(f"Warning: {text}"), fg="yellow", err=True)

    def answer(self, value: Any, *lines: str) -> None:
        """The result: `value` with --json, else the lines; the last says what to do next where there is something.
        What is longer than the terminal goes through the pager (PAGER, else less; PAGER=cat for none)."""
        if self.as_json:
            click.echo(shown_json(json.dumps(value, ensure_ascii=False)))
            return
        safe = [line if isinstance(line, Painted) else shown(line) for line in lines]
        if sys.stdout.isatty():
            columns = terminal_size().columns
            safe = [
                part
                for line in safe
                for part in ([line] if isinstance(line, Painted) else _wrapped_lines(line, columns))
            ]
        if sys.stdout.isatty() and sum(line.count("\n") + 1 for line in safe) >= terminal_size().lines:
            os.environ.setdefault("LESS", "-FRX")  # colours are shown, and what was read stays on the screen
            click.echo_via_pager("\n".join(safe) + "\n", color=any(isinstance(line, Painted) for line in safe))
        else:
            click.echo("\n".join(safe), color=True if any(isinstance(line, Painted) for line in safe) else None)

    @contextmanager
    def progress(self, label: str, *, sending: bool) -> Iterator[Callable[[int, int], None]]:
        """A bar on a terminal, elsewhere a line now and then. `sending`: what is done is done for good."""
        with ExitStack() as stack:
            bar: Any = None

            def show(done: int, total: int) -> None:
                nonlocal bar
                if sending:
                    self._sent = (done, total)
                if sys.stderr.isatty():
                    if bar is None:
                        bar = stack.enter_context(
                            click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True)
                        )
                    bar.update(done - bar.pos)
                elif done == total or (total >= 100 and done * 10 // total != (done - 1) * 10 // total):
                    self.say(f"{label} {done} of {total}")

            yield show

    def fail(self, code: str, text: str, status: int, **extra: Any) -> NoReturn:
        """Ends the program with what went wrong and what that means for what was done before."""
        if self._sent is not None:
            done, total = self._sent
            text += f"\n{done} of {total} were sent and are kept; the same command goes on from there."
        if self.as_json:
            error = {"code": code, "message": text, **extra}
            click.echo(shown_json(json.dumps({"error": error}, ensure_ascii=False)))
        else:
            click.secho(on_stderr(f"Error: {text}"), fg="red", err=True)
        sys.exit(status)


def width_of(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415  most texts are ASCII, and its tables take time to load

    return max(0, wcswidth(text))


def cut(text: str, width: int) -> str:
    """`text` in `width` columns, with an ellipsis where something was left out; no sign is taken apart."""
    if width_of(text) <= width:
        return text
    if text.isascii():
        return text[: max(0, width - 1)] + "…"
    from wcwidth import iter_graphemes  # noqa: PLC0415

    left, kept = max(0, width - 1), ""
    for sign in iter_graphemes(text):
        if width_of(kept + sign) > left:
            break
        kept += sign
    return kept + "…"


def wrapped(line: str, width: int) -> list[str]:
    """The lines that `line` takes on a terminal, broken between words and never inside a command that somebody may
    want to copy; what is longer than the terminal stays as it is."""
    if width_of(line) <= width:
        return [line]
    import textwrap  # noqa: PLC0415  most lines are short

    indent = " " * (len(line) - len(line.lstrip()))
    indent += "  " if indent else ""  # so that it does not look like the next line of a list
    kept = re.sub(_COMMAND, lambda command: command[0].replace(" ", _NO_BREAK), line)
    lines = textwrap.wrap(
        kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return [part.replace(_NO_BREAK, " ") for part in lines] or [line]


def terminal_size() -> os.terminal_size:
    import shutil  # noqa: PLC0415  scripts need no terminal

    return shutil.get_terminal_size()


def on_stderr(text: str) -> str:
    """As it is shown there: nothing in it is obeyed, and on a terminal it is broken between words."""
    if isinstance(text, Painted):
        return text
    safe = shown(text, lines=True)
    return "\n".join(_wrapped_lines(safe, terminal_size().columns)) if sys.stderr.isatty() else safe


def fitting_error(message: str) -> str:
    """The message of an error that click puts its "Error: " before."""
    start = "Error: "
    return on_stderr(f"{start}{message}").removeprefix(start)


def _wrapped_lines(text: str, columns: int) -> list[str]:
    return [part for line in text.split("\n") for part in wrapped(line, columns)]


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def edits(count: int) -> str:
    return "1 edit" if count == 1 else f"{count} edits"


def task_files(count: int) -> str:
    return "1 task file" if count == 1 else f"{count} task files"


def clip(text: str, width: int = 40) -> str:
    """One line of at most `width` characters."""
    text = plain(" ".join(text.split()))
    return text if len(text) <= width else text[: width - 3] + "..."


def value_text(value: Any) -> str:
    """A value of a task inside a sentence: a text in quotes, all else as JSON. On a terminal a long one is cut."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, 100) if sys.stdout.isatty() else plain(text)


def plain(text: str) -> str:
    """Without characters that do something to a terminal: what others wrote is shown, not obeyed."""
    if text.isprintable():
        return text
    return "".join(c if _is_plain(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_plain(character: str) -> bool:
    """Joiners, and the tags in flags, are parts of what is seen; spaces are spaces, whatever their width."""
    return character.isprintable() or character in _JOINS or unicodedata.category(character) == "Zs"
