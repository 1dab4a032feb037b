"""Tables that fit the terminal: a header, columns by width as it is seen, rows in colour.

Widths are those of wcwidth: a wide character has two columns, an emoji with joiners is one sign, combining marks have
none. Off a terminal nothing is cut.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from client.screen import Painted, terminal_size

FLEXIBLE: Final = ("Description", "Tags", "Project", "Depends")
"""Columns that are cut where the terminal is narrow, the widest first."""
_LEAST: Final = 8
_GAP: Final = 2


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


def terminal_width() -> int | None:
    """Columns of the terminal; None where the output goes elsewhere."""
    return terminal_size().columns if sys.stdout.isatty() else None


def in_colour(choice: str) -> bool:
    """Whether rows are painted: `auto` means on a terminal without NO_COLOR."""
    return choice == "always" or (choice == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def rendered(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, styles: Sequence[str | None] = ()
) -> list[str]:
    """The lines of a table without its empty columns. `styles`: a colour for each row, or none."""
    if not rows:
        return []
    places = [place for place in range(len(header)) if any(row[place] for row in rows)]
    names = [header[place] for place in places]
    cells = [[row[place] for place in places] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(names, *cells, strict=True)]
    if width is not None:
        widths = _fitted(names, widths, width)
    lines = [_line(names, widths, width)]
    if styles:
        lines[0] = Painted(click.style(lines[0], underline=True))
    for number, row in enumerate(cells):
        line = _line(row, widths, width)
        style = styles[number] if number < len(styles) else None
        lines.append(line if style is None else Painted(click.style(line, fg=style)))
    return lines


def _fitted(names: Sequence[str], widths: list[int], width: int) -> list[int]:
    """Takes from the widest of the flexible columns until all fit, or no column has anything to give."""
    widths = list(widths)
    flexible = [place for place, name in enumerate(names) if name in FLEXIBLE]
    while sum(widths) + _GAP * (len(widths) - 1) > width and flexible:
        widest = max(flexible, key=lambda place: widths[place])
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], width: int | None) -> str:
    padded = []
    for cell, room in zip(cells, widths, strict=True):
        shown = cell if width is None else cut(cell, room)
        padded.append(shown + " " * (room - width_of(shown)))
    line = (" " * _GAP).join(padded).rstrip()
    return line if width is None else cut(line, width)
