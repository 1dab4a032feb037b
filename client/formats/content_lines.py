"""The lines and components of an iCalendar file (RFC 5545, section 3.1), as they are. Pure.

Bytes are unfolded before they are decoded: a fold may stand inside of a character. Nothing is lost: `text` of a line
is the line as it was, unfolded.

Laws (tests/unit/client/formats/test_calendars.py): lines_of(folded(text)) is that text; no folded line is longer
than 75 bytes and each is UTF-8 by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from client.formats.faults import ExportError, FormatProblem
from client.formats.text import decoded, not_utf_8

_WIDTH: Final = 75
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_PARAMETER: Final = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*)((?:,(?:"[^"]*"|[^";:,]*))*)')


@dataclass(frozen=True, slots=True)
class Line:
    """A property: its name in capitals, its parameters (names in capitals, first values without quotes), its value as
    it is. `number` counts physical lines from 1. The name is empty where the line is no property."""

    name: str
    parameters: dict[str, str]
    value: str
    text: str
    number: int = 0


@dataclass(slots=True)
class Component:
    """`name` in capitals; the lines and components in it, in order."""

    name: str
    number: int = 0
    parts: list[Line | Component] = field(default_factory=list)
    is_whole: bool = False

    def lines(self) -> Iterator[Line]:
        return (part for part in self.parts if isinstance(part, Line))

    def components(self) -> Iterator[Component]:
        return (part for part in self.parts if isinstance(part, Component))

    def value(self, name: str) -> str | None:
        """Of the first property of that name."""
        return next((line.value for line in self.lines() if line.name == name), None)

    def text(self) -> str:
        """As it was, a property a line."""
        inside = [part.text() if isinstance(part, Component) else part.text for part in self.parts]
        return "\r\n".join([f"BEGIN:{self.name}", *inside, f"END:{self.name}"])


def line_of(text: str, number: int = 0) -> Line:
    """One unfolded line."""
    match = _NAME.match(text)
    if match is None:
        return Line("", {}, text, text, number)
    place, parameters = match.end(), dict[str, str]()
    while parameter := _PARAMETER.match(text, place):
        parameters.setdefault(parameter[1].upper(), parameter[2].strip('"'))
        place = parameter.end()
    if not text.startswith(":", place):
        return Line("", {}, text, text, number)
    return Line(match.group().upper(), parameters, text[place + 1 :], text, number)


def lines_of(raw: bytes) -> Iterator[Line]:
    """Raises ExportError where it is not UTF-8, by line."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        decoded(raw)
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    ending = b"\n" if b"\n" in raw else b"\r"
    collected, first = list[bytes](), 1
    for number, physical in enumerate([*raw.split(ending), b""], 1):
        part = physical.removesuffix(b"\r")
        if part[:1] in (b" ", b"\t") and collected:
            collected.append(part[1:])
            continue
        if line := b"".join(collected):
            try:
                yield line_of(line.decode(), first)
            except UnicodeDecodeError as error:
                raise ExportError(not_utf_8(line[error.start : error.end], first)) from None
        collected, first = [part], number


def components_of(raw: bytes) -> list[Component]:
    """The outermost components. One that the file ends in is not whole. Raises ExportError for what is no
    calendar."""
    outer = Component("")
    stack = [outer]
    lines = [*lines_of(raw)]
    for line in lines:
        if line.name == "BEGIN":
            component = Component(line.value.strip().upper(), line.number)
            stack[-1].parts.append(component)
            stack.append(component)
        elif line.name == "END" and len(stack) > 1:
            name = line.value.strip().upper()
            if name != stack[-1].name and line is lines[-1]:
                break  # the end of the file is in the middle of this line
            if name != stack[-1].name:
                detail = f"END:{name} ends no {stack[-1].name}, which began in line {stack[-1].number}"
                raise ExportError(FormatProblem(detail, line.number))
            stack.pop().is_whole = True
        elif len(stack) == 1:
            detail = f"it is not an iCalendar file: {line.text[:40]!r} stands in no component"
            raise ExportError(FormatProblem(detail, line.number))
        else:
            stack[-1].parts.append(line)
    return list(outer.components())


def folded(text: str) -> bytes:
    """The line as it stands in a file, its end included."""
    raw = text.encode()
    if len(raw) <= _WIDTH:
        return raw + b"\r\n"
    parts, width = list[bytes](), _WIDTH
    while raw:
        cut = min(width, len(raw))
        while cut < len(raw) and raw[cut] & 0xC0 == 0x80:  # inside of a character
            cut -= 1
        parts.append(raw[:cut])
        raw, width = raw[cut:], _WIDTH - 1
    return b"\r\n ".join(parts) + b"\r\n"


# --- texts ---------------------------------------------------------------------------------------------------

_ESCAPED: Final = re.compile(r"\\([\\;,nN])")
_PIECE: Final = re.compile(r"(?:[^\\,]|\\.?)*", re.DOTALL)


def unescaped(value: str) -> str:
    """A value of the type TEXT."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def escaped(text: str) -> str:
    for character, escape in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(character, escape)
    return text


def pieces(value: str) -> list[str]:
    """A value that lists several texts with commas between them."""
    parts, place = list[str](), 0
    while True:
        match = _PIECE.match(value, place)
        end = match.end() if match else len(value)
        parts.append(unescaped(value[place:end]))
        if end >= len(value):
            return parts
        place = end + 1
