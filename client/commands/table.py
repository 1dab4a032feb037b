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

from client.screen import Painted, cut, terminal_size, width_of

FLEXIBLE: Final = ("Tags", "Project", "Depends")
"""Columns that are cut where the terminal is narrow, the widest first."""
LEFT_OUT: Final = ("Tags", "Project", "Depends", "Urg", "Modified", "Entry", "Age", "State")
"""Columns that are left out where cutting is not enough, in this order."""
MAIN: Final = "Description"
"""The column that has the rest of the line."""
RIGHT: Final = frozenset({"Urg", "Left", "Age", "Done", "Open", "Tasks"})
"""Columns of numbers."""
_LEAST: Final = 8
_LEAST_MAIN: Final = 20
_GAP: Final = 2


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
    if width is not None:
        names, cells = _without_what_has_no_room(names, cells, width)
    widths = [max(map(width_of, column)) for column in zip(names, *cells, strict=True)]
    if width is not None:
        widths = _fitted(names, widths, width)
    right = [name in RIGHT for name in names]
    lines = [_line(names, widths, width, right)]
    if styles:
        lines[0] = Painted(click.style(lines[0], underline=True))
    for number, row in enumerate(cells):
        line = _line(row, widths, width, right)
        style = styles[number] if number < len(styles) else None
        lines.append(line if style is None else Painted(click.style(line, fg=style)))
    return lines


def _without_what_has_no_room(
    names: list[str], cells: list[list[str]], width: int
) -> tuple[list[str], list[list[str]]]:
    """Leaves columns out until the main one has room, if there is one."""
    for name in LEFT_OUT:
        if MAIN not in names or name not in names:
            continue
        needed = [max(map(width_of, column)) for column in zip(names, *cells, strict=True)]
        least = [min(need, _room_of(one)) for one, need in zip(names, needed, strict=True)]
        if sum(least) + _GAP * (len(names) - 1) <= width:
            break
        place = names.index(name)
        names = names[:place] + names[place + 1 :]
        cells = [row[:place] + row[place + 1 :] for row in cells]
    return names, cells


def _room_of(name: str) -> int:
    return _LEAST_MAIN if name == MAIN else _LEAST if name in FLEXIBLE else 1_000


def _fitted(names: Sequence[str], widths: list[int], width: int) -> list[int]:
    """Takes from the widest of the columns that can be cut until all fit, or none has anything to give."""
    widths = list(widths)
    while (over := sum(widths) + _GAP * (len(widths) - 1) - width) > 0:
        wide = [place for place, name in enumerate(names) if widths[place] > _room_of(name)]
        if not wide:
            break
        widest = max(wide, key=lambda place: widths[place])
        others = [widths[place] for place in wide if place != widest]
        next_widest = max([*others, _room_of(names[widest])])
        widths[widest] -= max(1, min(over, widths[widest] - next_widest))
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], width: int | None, right: Sequence[bool]) -> str:
    padded = []
    for cell, room, is_right in zip(cells, widths, right, strict=True):
        shown = cell if width is None else cut(cell, room)
        space = " " * (room - width_of(shown))
        padded.append(space + shown if is_right else shown + space)
    line = (" " * _GAP).join(padded).rstrip()
    return line if width is None else cut(line, width)
